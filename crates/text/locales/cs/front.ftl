# Area: front

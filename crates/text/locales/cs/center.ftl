# Area: center

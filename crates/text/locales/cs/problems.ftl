# Area: problems

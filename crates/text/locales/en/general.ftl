# Area: general

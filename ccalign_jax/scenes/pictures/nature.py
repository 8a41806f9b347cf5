"""Pictures of plants and animals."""

__all__ = ["NATURE"]

NATURE = {
    "tree": """
        wood rectangle 43 58 57 100
        main ellipse 4 30 58 72
        main ellipse 42 30 96 72
        main ellipse 16 2 84 62
        light ellipse 30 12 48 26
    """,
    "flower": """
        leaf line 4 50 52 50 100
        leaf ellipse 50 76 78 88
        leaf ellipse 22 70 50 82
        main ellipse 36 0 64 34
        main ellipse 58 16 90 44
        main ellipse 10 16 42 44
        main ellipse 20 38 50 66
        main ellipse 50 38 80 66
        gold ellipse 38 24 62 48
    """,
    "bird": """
        dark polygon 30 54 2 46 2 68
        main ellipse 22 36 76 72
        main ellipse 60 22 90 52
        gold polygon 88 34 100 39 88 43
        ink ellipse 76 30 82 36
        dark polygon 34 50 60 50 40 6
        light polygon 42 54 62 54 44 84
    """,
    "butterfly": """
        main ellipse 14 46 50 94
        main ellipse 50 46 86 94
        main ellipse 2 6 50 58
        main ellipse 50 6 98 58
        light ellipse 14 20 34 42
        light ellipse 66 20 86 42
        dark ellipse 26 62 42 80
        dark ellipse 58 62 74 80
        ink line 1.5 49 24 38 4
        ink line 1.5 51 24 62 4
        ink ellipse 46 18 54 88
    """,
    "fish": """
        dark polygon 26 50 2 22 2 78
        dark polygon 40 32 60 8 74 34
        dark polygon 46 70 58 90 66 68
        main ellipse 16 24 98 78
        light polygon 40 44 56 51 40 58
        paper ellipse 74 36 88 50
        ink ellipse 79 40 85 46
        ink arc 1.5 80 48 100 64 100 180
    """,
    "duck": """
        main polygon 18 62 0 44 6 74
        main ellipse 6 46 82 100
        main ellipse 52 10 88 50
        gold polygon 84 26 100 30 98 38 84 38
        ink ellipse 72 20 78 27
        dark chord 20 48 64 88 0 180
    """,
    "cat": """
        dark arc 7 62 50 96 96 -60 110
        main ellipse 24 44 76 100
        main polygon 22 32 22 2 46 18
        main polygon 78 32 78 2 54 18
        main ellipse 18 8 82 60
        paper ellipse 30 26 44 40
        paper ellipse 56 26 70 40
        ink ellipse 35 27 40 39
        ink ellipse 60 27 65 39
        ink polygon 46 42 54 42 50 48
        ink line 1 40 48 8 42
        ink line 1 40 50 8 54
        ink line 1 60 48 92 42
        ink line 1 60 50 92 54
        light ellipse 32 90 48 100
        light ellipse 52 90 68 100
    """,
    "rabbit": """
        paper ellipse 70 76 88 94
        main ellipse 22 52 80 100
        main ellipse 28 0 46 46
        main ellipse 54 0 72 46
        light ellipse 33 6 41 38
        light ellipse 59 6 67 38
        main ellipse 26 30 74 70
        ink ellipse 36 42 43 50
        ink ellipse 57 42 64 50
        dark polygon 46 54 54 54 50 59
        paper rectangle 46 61 54 68
        light ellipse 28 90 46 100
        light ellipse 54 90 72 100
    """,
    "turtle": """
        light ellipse 74 48 100 74
        ink ellipse 88 55 93 60
        light polygon 2 78 20 68 20 82
        light ellipse 16 74 36 98
        light ellipse 60 74 80 98
        main chord 8 26 86 136 180 360
        dark polygon 36 42 58 42 66 58 47 70 28 58
        dark rectangle 8 76 86 82
    """,
    "elephant": """
        dark line 3 94 42 99 66
        main rectangle 30 66 44 100
        main rectangle 74 66 88 100
        main ellipse 24 18 96 82
        main line 11 16 46 10 68 12 96
        paper polygon 20 60 30 60 18 74
        main ellipse 4 16 46 62
        dark ellipse 30 16 58 60
        ink ellipse 14 32 20 38
        light ellipse 30 94 44 100
        light ellipse 74 94 88 100
    """,
    "apple": """
        main ellipse 8 20 92 98
        dark chord 34 12 66 32 0 180
        wood line 4 50 30 54 4
        leaf chord 54 2 86 26 150 330
        light ellipse 20 36 34 56
    """,
}

"""Pictures of things."""

__all__ = ["THINGS"]

THINGS = {
    "house": """
        main rectangle 14 44 86 100
        wood rectangle 66 12 76 36
        dark polygon 4 46 50 4 96 46
        glass rectangle 22 56 42 76
        glass rectangle 58 56 78 76
        wood rectangle 44 66 56 100
    """,
    "tent": """
        wood line 3 50 2 50 16
        main polygon 2 100 50 12 98 100
        light polygon 20 67 36 38 40 100 2 100
        dark polygon 36 100 50 50 64 100
    """,
    "car": """
        main polygon 20 56 34 30 68 30 84 56
        glass polygon 28 54 38 35 49 35 49 54
        glass polygon 54 54 54 35 65 35 76 54
        main polygon 2 86 2 64 12 55 88 55 98 66 98 86
        gold rectangle 90 64 98 72
        dark line 1.5 52 58 52 82
        ink ellipse 12 70 40 98
        light ellipse 20 78 32 90
        ink ellipse 62 70 90 98
        light ellipse 70 78 82 90
    """,
    "bus": """
        main rectangle 2 24 98 88
        glass rectangle 7 32 24 54
        glass rectangle 28 32 45 54
        glass rectangle 49 32 66 54
        light rectangle 72 32 88 86
        dark rectangle 2 60 70 67
        gold rectangle 92 70 98 77
        ink ellipse 12 76 36 100
        light ellipse 19 83 29 93
        ink ellipse 54 76 78 100
        light ellipse 61 83 71 93
    """,
    "truck": """
        main rectangle 2 20 62 84
        light rectangle 8 28 56 52
        dark polygon 64 42 84 42 98 62 98 84 64 84
        glass polygon 69 47 82 47 91 61 69 61
        ink ellipse 10 74 36 100
        light ellipse 18 82 28 92
        ink ellipse 66 74 92 100
        light ellipse 74 82 84 92
    """,
    "boat": """
        wood line 3 50 4 50 74
        main polygon 54 8 54 66 92 66
        light polygon 46 18 46 66 16 66
        main polygon 4 72 96 72 80 98 20 98
        dark polygon 6 76 94 76 92 81 8 81
    """,
    "plane": """
        dark polygon 4 46 2 16 14 16 30 46
        main ellipse 2 38 98 64
        glass ellipse 82 43 92 51
        glass ellipse 70 44 76 51
        glass ellipse 60 44 66 51
        glass ellipse 50 44 56 51
        glass ellipse 40 44 46 51
        dark polygon 40 55 62 55 40 88 28 88
        dark polygon 6 52 20 52 8 64 2 64
    """,
    "balloon": """
        ink line 1.5 50 74 46 84 54 92 50 100
        dark polygon 44 76 56 76 50 66
        main ellipse 16 0 84 72
        light ellipse 30 12 44 32
    """,
    "ball": """
        main ellipse 4 4 96 96
        light pieslice 4 4 96 96 -30 30
        light pieslice 4 4 96 96 90 150
        light pieslice 4 4 96 96 210 270
        paper ellipse 42 42 58 58
    """,
    "star": """
        main polygon 50 2 62 36 98 37 69 58 80 94 50 73 20 94 31 58 2 37 38 36
    """,
    "umbrella": """
        wood line 3.5 50 8 50 90
        wood arc 3.5 50 80 66 98 0 180
        main chord 2 8 98 104 180 360
        dark chord 20 8 52 104 180 360
        light chord 48 8 80 104 180 360
        main chord 34 8 66 104 180 360
        wood line 3 50 2 50 10
    """,
    "chair": """
        dark rectangle 28 66 34 92
        dark rectangle 66 66 72 92
        main rectangle 22 4 30 60
        main rectangle 70 4 78 60
        main rectangle 22 8 78 24
        main rectangle 22 32 78 44
        light polygon 26 54 74 54 86 68 14 68
        main rectangle 14 68 86 76
        main rectangle 14 76 22 100
        main rectangle 78 76 86 100
    """,
    "table": """
        dark rectangle 24 54 31 88
        dark rectangle 69 54 76 88
        light polygon 2 52 18 38 82 38 98 52
        main rectangle 2 52 98 62
        main rectangle 6 62 15 100
        main rectangle 85 62 94 100
    """,
    "guitar": """
        main ellipse 30 34 70 70
        main ellipse 20 52 80 100
        dark ellipse 36 40 64 66
        ink ellipse 40 56 60 74
        wood rectangle 45 12 55 60
        wood polygon 42 0 58 0 56 13 44 13
        ink rectangle 36 84 64 89
        paper line 1 48 4 48 86
        paper line 1 52 4 52 86
    """,
    "bottle": """
        main polygon 42 12 58 12 58 32 74 48 74 100 26 100 26 48 42 32
        wood rectangle 41 0 59 13
        paper rectangle 26 58 74 84
        light line 3 34 50 34 56
    """,
    "cup": """
        light ellipse 4 86 84 100
        main arc 7 56 38 96 80 -100 110
        main polygon 8 24 76 24 68 94 18 94
        dark ellipse 8 14 76 34
        wood ellipse 16 18 68 32
    """,
    "hat": """
        main ellipse 0 66 100 94
        main polygon 24 80 28 18 50 24 72 18 76 80
        dark polygon 25 66 75 66 76 82 24 82
    """,
    "book": """
        dark polygon 14 12 22 4 22 88 14 96
        main rectangle 22 4 84 88
        paper polygon 14 96 22 88 84 88 78 96
        light rectangle 32 16 74 36
        light line 3 36 48 70 48
        light line 3 42 56 64 56
    """,
    "clock": """
        main ellipse 2 2 98 98
        paper ellipse 14 14 86 86
        ink line 3 50 18 50 26
        ink line 3 50 74 50 82
        ink line 3 18 50 26 50
        ink line 3 74 50 82 50
        ink line 5 50 50 50 28
        ink line 5 50 50 66 60
        main ellipse 45 45 55 55
    """,
}

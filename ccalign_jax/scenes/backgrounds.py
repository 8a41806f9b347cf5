"""Backgrounds of the settings: colours of the sky, and a picture in the language of `shapes`."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

__all__ = ["BACKGROUNDS"]


def _lines(*pictures: str) -> str:
    return "\n".join(picture.strip() for picture in pictures)


def _beside(places: range, *others: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Each place, with the next of each of the other sequences, which begin anew at their end."""
    return zip(places, *map(cycle, others), strict=False)


_SUN = "#fff2a8 ellipse 74 6 88 20"
_CLOUDS = """
    #ffffff ellipse 10 14 26 22
    #ffffff ellipse 18 10 34 22
    #ffffff ellipse 28 14 42 22
"""
_TUFTS = "\n".join(
    f"#4f9a3c line 0.5 {x} {y} {x + 1} {y - 3} {x + 2} {y}" for x, y in _beside(range(4, 100, 9), (72, 88, 66, 94, 78))
)
_GRASS = _lines("#86c45c rectangle 0 56 100 100", "#98d06a ellipse -30 48 70 84", _TUFTS)
_STARS = "\n".join(
    f"#f6f2cc ellipse {x} {y} {x + 0.8} {y + 0.8}" for x, y in _beside(range(3, 100, 7), (8, 30, 18, 42, 5, 25, 36, 12))
)
_PINES = "\n".join(
    f"#6b4a2c rectangle {x + 4} 44 {x + 7} 62\n{tint} polygon {x - 3} 52 {x + 5.5} {top} {x + 14} 52"
    for x, top, tint in _beside(range(-4, 100, 12), (4, 16, 8, 20, 2), ("#2f6b3a", "#3d7f46", "#28603a"))
)
_TOWERS = "\n".join(
    f"{tint} rectangle {x} {top} {x + 15} 64\n"
    + "\n".join(
        f"#f2e6a0 rectangle {x + window} {y} {x + window + 2} {y + 4}"
        for window in (3, 9)
        for y in range(top + 4, 56, 9)
    )
    for x, top, tint in _beside(range(0, 100, 17), (18, 32, 10, 26, 14, 36), ("#b07a64", "#8f8aa0", "#a8917a"))
)
_DROPS = "\n".join(
    f"#5f7fa8 line 0.6 {x + shift} {y} {x + shift - 2} {y + 7}"
    for y, shift in _beside(range(0, 100, 9), (0, 5, 2, 7))
    for x in range(4, 104, 11)
)
_WAVES = "\n".join(
    f"#a8d4f0 arc 0.7 {x + shift} {y} {x + shift + 10} {y + 4} 190 350"
    for y, shift in _beside(range(50, 100, 9), (0, 6, 3, 9))
    for x in range(-8, 100, 14)
)
_BOARDS = "\n".join(f"#9a6a40 line 0.5 0 {y} 100 {y}" for y in (74, 82, 91))
_DASHES = "\n".join(f"#f0f0ec rectangle {x} 82 {x + 9} 84" for x in range(2, 100, 18))

# Top and bottom of the sky, and what is in front of it.
BACKGROUNDS = {
    "meadow": ("#6fb4ee", "#d8eefc", _lines(_SUN, _CLOUDS, _GRASS)),
    "beach": (
        "#58b6f0",
        "#d4f0fc",
        _lines(
            _SUN,
            "#2f8fc8 rectangle 0 44 100 60",
            "#74c2e0 rectangle 0 56 100 62",
            "#f2dca4 rectangle 0 61 100 100",
            "#f2dca4 ellipse -20 56 60 70",
            "#e2c684 ellipse 12 80 16 82",
            "#e2c684 ellipse 70 90 74 92",
        ),
    ),
    "sea": ("#8cc8f4", "#e4f4fc", _lines(_CLOUDS, "#2c74b8 rectangle 0 46 100 100", _WAVES)),
    "desert": (
        "#f4dc9c",
        "#fcecc4",
        _lines(
            "#fff8dc ellipse 12 6 28 22",
            "#d89a54 ellipse -20 44 70 90",
            "#cc8a48 ellipse 40 48 130 96",
            "#dca460 rectangle 0 68 100 100",
            "#4c7a3c line 4 88 40 88 66",
            "#4c7a3c line 3 88 56 94 56 94 46",
            "#4c7a3c line 3 88 52 82 52 82 44",
        ),
    ),
    "snow": (
        "#b4c8dc",
        "#e8f0f6",
        _lines(
            "#dce8f0 polygon 0 60 22 22 44 60",
            "#ccdae6 polygon 50 60 78 28 100 60",
            "#f6fafc rectangle 0 56 100 100",
            "#ffffff ellipse -20 50 60 80",
            _STARS.replace("#f6f2cc", "#ffffff"),
        ),
    ),
    "night": ("#0c1236", "#2c3670", _lines("#f4ecc4 ellipse 76 8 90 22", _STARS, "#1c2c3c rectangle 0 62 100 100")),
    "street": (
        "#a8c4dc",
        "#dce6ee",
        _lines(_TOWERS, "#b8b4ac rectangle 0 60 100 68", "#5c5e64 rectangle 0 67 100 100", _DASHES),
    ),
    "forest": (
        "#a4d0b4",
        "#d4e8cc",
        _lines("#3a6e44 rectangle 0 46 100 60", _PINES, "#5f8a48 rectangle 0 58 100 100", _TUFTS),
    ),
    "mountains": (
        "#7cb0e4",
        "#e0ecf8",
        _lines(
            "#8a8fa2 polygon -10 64 26 10 62 64",
            "#ffffff polygon 15 26 26 10 37 26 31 24 26 30 20 24",
            "#747a90 polygon 40 64 74 18 112 64",
            "#ffffff polygon 64 32 74 18 85 32 79 29 74 36 69 29",
            "#7aa868 rectangle 0 62 100 100",
        ),
    ),
    "room": (
        "#e8d8c8",
        "#e8d8c8",
        _lines(
            "#ffffff rectangle 60 8 92 42",
            "#a8d8f4 rectangle 62 10 75 40",
            "#a8d8f4 rectangle 77 10 90 40",
            "#f8f0e8 rectangle 0 64 100 68",
            "#b4804e rectangle 0 67 100 100",
            _BOARDS,
        ),
    ),
    "rain": (
        "#7a8694",
        "#aab4be",
        _lines(
            "#616c7a ellipse -8 -8 42 14",
            "#616c7a ellipse 30 -10 78 12",
            "#616c7a ellipse 66 -8 112 15",
            "#6c8468 rectangle 0 66 100 100",
            _DROPS,
        ),
    ),
    "sunset": (
        "#7a3c8c",
        "#ffb45c",
        _lines(
            "#fff0a0 ellipse 36 40 64 68",
            "#5c2f4c rectangle 0 60 100 100",
            "#6c3852 ellipse -20 54 60 84",
        ),
    ),
}

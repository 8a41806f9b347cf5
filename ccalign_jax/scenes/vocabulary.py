"""What scenes are made of: nouns, colours, counts, relations and settings, named in English."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["COLOURS", "COUNTS", "NOUNS", "RELATIONS", "SETTINGS", "Noun", "Setting"]


class Noun(NamedTuple):
    """Where an object may be drawn.

    Attributes:
        where: the surfaces on or above which it may be: land, sea, room.
        flies: whether it is drawn in the air.
        small: whether it may stand on another object.
        top: height at which other objects may stand on it, as a part of its own height from above; None if none may.
        size: of its picture, relative to the space that there is.
    """

    where: tuple[str, ...]
    flies: bool = False
    small: bool = False
    top: float | None = None
    size: float = 1.0


class Setting(NamedTuple):
    """A background.

    Attributes:
        surface: land, sea or room.
        hides: colours that could hardly be seen in front of it.
    """

    surface: str
    hides: tuple[str, ...] = ()


LAND, SEA, ROOM = "land", "sea", "room"

NOUNS = {
    "house": Noun((LAND,)),
    "tent": Noun((LAND,)),
    "tree": Noun((LAND,)),
    "flower": Noun((LAND, ROOM), size=0.9),
    "car": Noun((LAND,)),
    "bus": Noun((LAND,), top=0.24),
    "truck": Noun((LAND,)),
    "boat": Noun((SEA,)),
    "plane": Noun((LAND, SEA), flies=True),
    "bird": Noun((LAND, SEA), flies=True, size=0.9),
    "butterfly": Noun((LAND, ROOM), flies=True, size=0.8),
    "fish": Noun((SEA,)),
    "duck": Noun((LAND, SEA)),
    "cat": Noun((LAND, ROOM), small=True),
    "rabbit": Noun((LAND, ROOM), small=True),
    "turtle": Noun((LAND, SEA)),
    "elephant": Noun((LAND,)),
    "balloon": Noun((LAND, SEA, ROOM), flies=True),
    "ball": Noun((LAND, ROOM), small=True, size=0.8),
    "star": Noun((LAND, SEA), flies=True, size=0.8),
    "umbrella": Noun((LAND, ROOM)),
    "chair": Noun((LAND, ROOM)),
    "table": Noun((LAND, ROOM), top=0.44),
    "guitar": Noun((LAND, ROOM)),
    "bottle": Noun((LAND, ROOM), small=True),
    "cup": Noun((LAND, ROOM), small=True, size=0.8),
    "apple": Noun((LAND, ROOM), small=True, size=0.7),
    "hat": Noun((LAND, ROOM), small=True, size=0.9),
    "book": Noun((LAND, ROOM), small=True, size=0.9),
    "clock": Noun((LAND, ROOM), small=True, size=0.9),
}

COLOURS = {
    "red": (219, 38, 38),
    "blue": (38, 84, 214),
    "green": (40, 150, 62),
    "yellow": (250, 214, 40),
    "orange": (246, 138, 28),
    "purple": (132, 56, 176),
    "pink": (250, 148, 192),
    "brown": (128, 78, 44),
    "black": (34, 34, 38),
    "white": (250, 250, 250),
    "grey": (146, 148, 154),
}

COUNTS = (1, 2, 3, 4, 5, 6, 12)

# Of the main group to the other one, as seen.
RELATIONS = ("left", "right", "above", "below", "on")

SETTINGS = {
    "meadow": Setting(LAND, ("green",)),
    "beach": Setting(LAND, ("yellow",)),
    "sea": Setting(SEA, ("blue",)),
    "desert": Setting(LAND, ("orange", "yellow")),
    "snow": Setting(LAND, ("white",)),
    "night": Setting(LAND, ("black", "blue")),
    "street": Setting(LAND, ("grey",)),
    "forest": Setting(LAND, ("green", "brown")),
    "mountains": Setting(LAND, ("grey",)),
    "room": Setting(ROOM, ("brown",)),
    "rain": Setting(LAND, ("grey",)),
    "sunset": Setting(LAND, ("orange", "pink")),
}

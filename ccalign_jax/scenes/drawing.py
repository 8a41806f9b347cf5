"""Pictures of scenes, drawn with Pillow: the same scene gives the same pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING

from ccalign_jax._libraries import import_library
from ccalign_jax.errors import InputError
from ccalign_jax.scenes.backgrounds import BACKGROUNDS
from ccalign_jax.scenes.pictures import PICTURES
from ccalign_jax.scenes.scene import Group, Scene
from ccalign_jax.scenes.shapes import Box, Colour, mix, paint
from ccalign_jax.scenes.vocabulary import COLOURS, NOUNS

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["draw"]

OVERSAMPLING = 3
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
INK = (40, 38, 46)
TINTS: dict[str, Colour] = {
    "ink": INK,
    "paper": (250, 248, 240),
    "wood": (140, 92, 54),
    "leaf": (76, 160, 66),
    "gold": (246, 190, 60),
    "glass": (198, 226, 242),
}
Area = tuple[float, float, float, float]  # left, top, right, bottom, in hundredths of the canvas


def draw(scene: Scene, size: int = 256) -> Image:
    """The picture of a scene, anti-aliased.

    Args:
        scene: to draw.
        size: of its sides, in pixels.

    Raises:
        InputError: a size below 16 or above 2048, or Pillow is not installed.
    """
    if not 16 <= size <= 2048:
        raise InputError(f"scenes: size is {size}; give from 16 to 2048 pixels")
    Image, ImageDraw = (import_library("scenes", f"PIL.{name}", "offline") for name in ("Image", "ImageDraw"))
    random = Random(scene.seed)
    side = size * OVERSAMPLING
    above, below, decoration = BACKGROUNDS[scene.setting]
    column = (1, side)
    gradient = Image.linear_gradient("L").resize(column)
    sky = Image.composite(Image.new("RGB", column, below), Image.new("RGB", column, above), gradient)
    image = sky.resize((side, side), Image.Resampling.NEAREST)
    canvas = ImageDraw.Draw(image)
    paint(canvas, decoration, Box(0, 0, side, mirrored=random.random() < 0.5), TINTS, outline=None)
    for group, boxes in reversed(_layout(scene, random)):  # the main group before the other one
        tints = {**TINTS, **_shades(group, random)}
        outline = mix(tints["main"], WHITE, 0.45) if group.colour == "black" else INK
        mirrored = random.random() < 0.5
        for left, top, across in boxes:
            box = Box(left * side / 100, top * side / 100, across * side / 100, mirrored)
            width = max(OVERSAMPLING, round(box.side / 70))
            paint(canvas, PICTURES[group.noun], box, tints, outline=outline, width=width)
    return image.resize((size, size), Image.Resampling.BOX)


def _shades(group: Group, random: Random) -> dict[str, Colour]:
    """The colour of a group, a little varied, and darker and lighter ones of it."""
    main = mix(COLOURS[group.colour], random.choice((BLACK, WHITE)), 0.06 * random.random())
    return {
        "main": main,
        "dark": mix(main, WHITE, 0.22) if group.colour == "black" else mix(main, BLACK, 0.25),
        "light": mix(main, WHITE, 0.4) if group.colour != "white" else mix(main, BLACK, 0.12),
    }


def _layout(scene: Scene, random: Random) -> list[tuple[Group, list[tuple[float, float, float]]]]:
    """Left, top and side of the square of each object, in hundredths of the canvas, by group."""
    main, other, relation = scene.main, scene.other, scene.relation
    flies = NOUNS[main.noun].flies
    if other is None:
        return [(main, list(_spread(main, (4, 3, 96, 74) if flies else (4, 30, 96, 98), random)))]
    if relation == "on":
        left, top, side = random.uniform(14, 30), 41.0, 56.0
        height = NOUNS[other.noun].top or 0.0
        base = top + height * side
        area = (left + 4, base - 34, left + side - 4, base)
        return [(main, list(_spread(main, area, random, lift=0.0))), (other, [(left, top, side)])]
    if relation in ("above", "below"):
        high, low = (4.0, 1.0, 96.0, 47.0), (4.0, 50.0, 96.0, 98.0)
        areas = (high, low) if relation == "above" else (low, high)
    else:
        top, bottom = (4.0, 66.0) if flies else (38.0, 98.0)
        areas = (2.0, top, 49.0, bottom), (51.0, top, 98.0, bottom)
        areas = areas if relation == "left" else areas[::-1]
    return [(group, list(_spread(group, area, random))) for group, area in zip((main, other), areas, strict=True)]


def _spread(group: Group, area: Area, random: Random, *, lift: float = 0.5) -> Iterator[tuple[float, float, float]]:
    """Squares for the objects of a group, on the grid that leaves them the most space.

    Args:
        group: of the objects.
        area: that they share.
        random: of sizes and places.
        lift: the part of the free height of its cell that an object may be off the cell's lower edge.
    """
    left, top, right, bottom = area
    across, down, count = right - left, bottom - top, group.count
    columns = max(range(1, count + 1), key=lambda n: min(across / n, down / math.ceil(count / n)))
    width, height = across / columns, down / math.ceil(count / columns)
    scale = NOUNS[group.noun].size * random.uniform(0.75 if count == 1 else 0.85, 1)
    for number in range(count):
        row, column = divmod(number, columns)
        indent = (columns - min(columns, count - row * columns)) / 2
        side = 0.96 * min(width, height) * scale * random.uniform(0.93, 1)
        middle = left + (column + indent + 0.5) * width + (width - side) * random.uniform(-0.3, 0.3)
        yield middle - side / 2, top + (row + 1) * height - side - (height - side) * random.uniform(0, lift), side

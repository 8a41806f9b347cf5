"""A small language of pictures, and how it is painted.

A picture is lines of a tint, a kind of shape and numbers on a square of 100 by 100, x to the right and y down:

    polygon x y x y x y …           rectangle, ellipse  left top right bottom
    line width x y x y …            chord, pieslice  left top right bottom from to      arc  width left … to

Angles are degrees, clockwise from three o'clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

__all__ = ["Box", "Colour", "mix", "paint"]

Colour = tuple[int, int, int]
BOXED = {"rectangle": 0, "ellipse": 0, "chord": 2, "pieslice": 2, "arc": 2}  # and how many angles they have


class Box(NamedTuple):
    """A square of the canvas, in pixels: its left and upper edge and its side; mirrored, left is right."""

    left: float
    top: float
    side: float
    mirrored: bool = False

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the picture lies on the canvas."""
        across = 100 - x if self.mirrored else x
        return self.left + across * self.side / 100, self.top + y * self.side / 100


def paint(
    canvas: ImageDraw, picture: str, box: Box, tints: Mapping[str, Colour], *, outline: Colour | None, width: int = 0
) -> None:
    """Paint a picture into a box.

    Args:
        canvas: to paint on.
        picture: in the language above.
        box: where.
        tints: colours of the tints by name; others are written as `#rrggbb`.
        outline: colour around each shape; None for none.
        width: of the outline, in pixels.
    """
    for line in picture.strip().splitlines():
        tint, kind, *written = line.split()
        numbers = [float(number) for number in written]
        fill = tints.get(tint, tint)
        stroke = 0
        if kind in ("line", "arc"):
            stroke = max(1, round(numbers.pop(0) * box.side / 100))
        if kind in BOXED:
            corners = _corners(box, numbers[:4])
            start, end = numbers[4:] or (0.0, 0.0)
            angles = [180 - end, 180 - start] if box.mirrored else [start, end]
            shape: list[Any] = [corners, *angles[: BOXED[kind]]]
        else:
            shape = [[box.point(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]]
        if kind == "line":
            canvas.line(*shape, fill=fill, width=stroke, joint="curve")
        elif kind == "arc":
            canvas.arc(*shape, fill=fill, width=stroke)
        else:
            style = {} if outline is None else {"outline": outline, "width": width}
            getattr(canvas, kind)(*shape, fill=fill, **style)


def mix(one: Colour, other: Colour, part: float) -> Colour:
    """A colour between two.

    Args:
        one: a colour.
        other: another.
        part: of the other one, from 0 to 1.

    Example:
        >>> mix((0, 0, 0), (255, 100, 10), 0.5)
        (128, 50, 5)
    """
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _corners(box: Box, numbers: list[float]) -> list[float]:
    left, top = box.point(*numbers[:2])
    right, bottom = box.point(*numbers[2:])
    return [min(left, right), top, max(left, right), bottom]

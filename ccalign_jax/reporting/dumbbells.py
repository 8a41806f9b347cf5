"""Dumbbell plots: an estimate before and after, a row each, with intervals and a column of changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ccalign_jax.reporting.format import Estimate, difference, plain
from ccalign_jax.reporting.plots import GREY, bars, write_column

if TYPE_CHECKING:
    from matplotlib.axes import Axes

APART = 0.14  # of a row, between before and after


def draw_dumbbells(
    axes: Axes,
    before: Sequence[Estimate | None],
    after: Sequence[Estimate | None] | None,
    colours: Sequence[str],
    *,
    places: int = 3,
) -> None:
    """A grey ring before, a dot after in the colour of the row, a line between, and the change beside the axes.

    Args:
        axes: with rows 0, 1, … from the top.
        before: of each row; None where it is not known.
        after: likewise; None where there is one state alone, which is then drawn as dots.
        colours: of each row.
        places: decimals of the column.
    """
    words = []
    for row, (first, colour) in enumerate(zip(before, colours, strict=True)):
        last = None if after is None else after[row]
        shift = 0.0 if after is None else APART
        if first is not None and last is not None:
            axes.plot([first["mean"], last["mean"]], [row - shift, row + shift], color=colour, alpha=0.5, zorder=2)
        if first is not None:
            _draw(axes, first, row - shift, GREY if after is not None else colour, hollow=after is not None)
        if last is not None:
            _draw(axes, last, row + shift, colour, hollow=False)
        if after is None:
            words.append("" if first is None else plain(first["mean"], places))
        else:
            words.append("" if first is None or last is None else difference(first["mean"], last["mean"], places))
    write_column(axes, words)


def _draw(axes: Axes, estimate: Estimate, row: float, colour: str, *, hollow: bool) -> None:
    below, above = bars(estimate)
    face = "none" if hollow else colour
    length = [[below], [above]]
    axes.errorbar(
        estimate["mean"], row, xerr=length, fmt="o", color=colour, elinewidth=1.2, markersize=5, mfc=face, zorder=3
    )

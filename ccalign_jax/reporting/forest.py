"""Forest plots: changes against identity with their intervals, a row each, on one scale for all directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import BOTH, DIRECTIONS
from ccalign_jax.reporting.format import Estimate, find, signed
from ccalign_jax.reporting.names import DIRECTION_WORDS
from ccalign_jax.reporting.plots import (
    COLOURS,
    GREY,
    INK,
    bars,
    face_colour,
    make_subplots,
    name_rows,
    styled,
    write_column,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAR = 4  # times the median size; changes that are larger do not stretch an axis
EMPTY = 0.02  # of an axis without a change
PAD = 0.05  # of the range, on both sides

Row = tuple[str, Mapping[str, Any] | None]


@styled
def changes_figure(
    label: str,
    rows: Sequence[Row],
    tasks: Sequence[str] = (*DIRECTIONS, BOTH),
    *,
    markers: Mapping[int, str] | None = None,
    quantity: str = "R@1",
    note: str = "",
) -> Figure:
    """Changes of R@1 against identity with their intervals, or spread over folds: one subplot a direction.

    All subplots have one scale. A change far from all others is an arrow at the edge; its number stands in the column.

    Args:
        label: of the figure.
        rows: a name, and R@1 by direction; a name with None is a heading.
        tasks: directions, and `both` for their mean.
        markers: of rows that do not get a dot.
        quantity: of which changes are shown, on the axes.
        note: below all subplots.
    """
    height = 1.25 + 0.27 * len(rows) + 0.25 * bool(note)
    figure, subplots = make_subplots(label, len(tasks), height=height, sharey=True, sharex=True)
    found = {task: [find(delta, task, "R@1") for _, delta in rows] for task in tasks}
    low, high = changes_range([change for changes in found.values() for change in changes if change is not None])
    for axes, (task, changes) in zip(subplots, found.items(), strict=True):
        for row, change in enumerate(changes):
            if change is not None:
                draw_change(axes, row, change, COLOURS[task], (markers or {}).get(row, "o"), ends=(low, high))
        axes.axvline(0, color=INK, linewidth=1, zorder=1)
        axes.spines["left"].set_visible(False)
        axes.set_xlim(low, high)
        axes.locator_params(axis="x", nbins=5 if len(tasks) < 3 else 4)
        axes.set(title=DIRECTION_WORDS.get(task, "mean of both"), xlabel=f"change of {quantity}")
        write_column(axes, ["" if change is None else signed(change["mean"]) for change in changes])
    name_rows(subplots[0], [name for name, _ in rows])
    for (_, delta), text in zip(rows, subplots[0].get_yticklabels(), strict=True):
        text.set_fontweight("bold" if delta is None else "normal")
    if note:
        figure.supxlabel(note, fontsize=9, color=GREY)
    return figure


def changes_range(changes: Sequence[Estimate]) -> tuple[float, float]:
    """The ends of an axis for changes with their bars and 0; a few that are far from all others do not stretch it.

    Example:
        >>> [round(end, 3) for end in changes_range([{"mean": mean} for mean in (0.02, -0.01, 0.04, -0.4)])]
        [-0.086, 0.046]
        >>> [round(end, 3) for end in changes_range([{"mean": 0.2}, {"mean": -0.4}])]
        [-0.43, 0.23]
    """
    ends = [(one["mean"] - bars(one)[0], one["mean"] + bars(one)[1]) for one in changes]
    sizes = sorted(max(-low, high) for low, high in ends) or [EMPTY]
    usual = sizes[len(sizes) // 2] if len(sizes) > 2 else sizes[-1]
    most = FAR / 2 * usual if sizes[-1] > FAR * usual > 0 else sizes[-1]
    low = max(min([0.0, *(low for low, _ in ends)]), -most)
    high = min(max([0.0, *(high for _, high in ends)]), most)
    pad = PAD * (high - low) or EMPTY
    return low - pad, high + pad


def draw_change(
    axes: Axes, row: float, change: Estimate, colour: str, marker: str, *, ends: tuple[float, float]
) -> None:
    """A dot, a ring where there is no evidence, or an arrow at the edge that it lies beyond."""
    mean, (below, above), (low, high) = change["mean"], bars(change), ends
    face = face_colour(change, colour)
    if not low <= mean <= high:
        inside = 0.02 * (high - low)
        edge, arrow = (low + inside, "<") if mean < low else (high - inside, ">")
        axes.plot(edge, row, arrow, color=colour, markersize=8, mfc=face, zorder=4)
        return
    axes.errorbar(mean, row, xerr=[[below], [above]], fmt=marker, color=colour, capsize=3, markersize=6, mfc=face)

"""The plot below the answer: what was selected, the best of each pivot, and the best baseline without training."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import BOTH, IDENTITY
from ccalign_jax.reporting.baselines import best_baseline
from ccalign_jax.reporting.family_names import best_by
from ccalign_jax.reporting.forest import changes_range, draw_change
from ccalign_jax.reporting.format import Estimate, Summary, signed
from ccalign_jax.reporting.names import aligner_name, pivot_name
from ccalign_jax.reporting.plots import COLOURS, GREY, INK, styled, write_column

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDEST = 26  # signs of a line of a name
ROW, LINE = 0.42, 0.17  # inches of a row at least, and of each line of its name


@styled
def overview_plot(summary: Summary) -> Figure:
    """Change of R@1, the mean of both directions: what was selected, the best of each pivot, the best baseline.

    It is small, so that it can be read on a phone.
    """
    from matplotlib.figure import Figure

    rows = overview_rows(summary)
    names = [_broken(name) for name, *_ in rows]
    row = max([ROW, *(LINE * (1 + name.count("\n")) for name in names)])
    figure = Figure(figsize=(5.2, 0.7 + row * len(rows)), layout="constrained", label="result")
    axes = figure.subplots()
    low, high = changes_range([change for _, change, _, _ in rows])
    axes.set_xlim(low, high)
    axes.axvline(0, color=INK, linewidth=1, zorder=0)
    for place, (_, change, colour, marker) in enumerate(rows):
        draw_change(axes, place, change, colour, marker, ends=(low, high))
    write_column(axes, [signed(change["mean"]) for _, change, _, _ in rows])
    axes.set_yticks(range(len(rows)), names, fontsize=9)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("change of R@1, mean of both directions", fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=9)
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    return figure


def overview_rows(summary: Summary) -> list[tuple[str, Estimate, str, str]]:
    """Name, change, colour and marker of each row of the overview."""
    rows: list[tuple[str, Mapping[str, Any], str, str]] = []
    if set(summary["selected"]["per_fold"]) != {IDENTITY}:
        rows.append(("selected on validation images", summary["selected"], COLOURS[BOTH], "D"))
    pivots = sorted(best_by(summary["families"], "pivot"), key=lambda family: -family["selection"]["mean"])
    for one in pivots:
        where = f" with {pivot_name(one['pivot'])}" if len(pivots) > 1 else " map"
        rows.append((f"best{where}: {aligner_name(one['aligner'])}", one, COLOURS[BOTH], "o"))
    free = best_baseline(summary)
    if free is not None and free.name != IDENTITY:
        rows.append((f"best without training: {free.name}", free.part, GREY, "s"))
    return [(name, part["delta"][BOTH]["R@1"], colour, marker) for name, part, colour, marker in rows]


def _broken(name: str) -> str:
    """A name on lines of its own, what follows a colon on the next."""
    return "\n".join(line for part in name.replace(": ", ":\n").split("\n") for line in textwrap.wrap(part, WIDEST))

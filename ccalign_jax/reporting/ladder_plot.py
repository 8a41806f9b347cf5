"""The ladder of a study as a plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.ladder import Rung, ladder_rungs
from ccalign_jax.reporting.panels import BLUE, CYCLE, ORANGE, draw_changes, make_panels, name_rows, styled
from ccalign_jax.reporting.wording import DIRECTION_WORDS, DIRECTIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ladder_plot"]


@styled
def ladder_plot(summary: Mapping[str, Any]) -> Figure:
    """Change of R@1 against identity on every rung, group by group: each direction, and their mean.

    Args:
        summary: the content of `summary.json`.
    """
    rows: list[Rung | str] = []  # a name alone heads a group
    group = ""
    for rung in ladder_rungs(summary)[1:]:
        if rung.group != group:
            group = rung.group
            rows.append(group)
        rows.append(rung)
    figure, panels = make_panels("the ladder", 3, height=1.3 + 0.34 * len(rows), sharey=True)
    titles = [*(DIRECTION_WORDS[direction] for direction in DIRECTIONS), "mean of both"]
    for axes, title, direction, colour in zip(
        panels, titles, (*DIRECTIONS, "both"), (BLUE, ORANGE, CYCLE[2]), strict=True
    ):
        changes = [None if isinstance(row, str) else row.change[direction] for row in rows]
        draw_changes(axes, changes, colour, ticks=3, room=0.45)
        axes.set(title=title, xlabel="change of R@1")
    name_rows(panels[0], [row if isinstance(row, str) else row.name for row in rows])
    for row, label in zip(rows, panels[0].get_yticklabels(), strict=True):
        if isinstance(row, str):
            label.set_fontweight("bold")
    return figure

"""Figures of two runs compared: what b changes against a, in both directions and in each language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ccalign_jax._names import BOTH, DIRECTIONS
from ccalign_jax.reporting.forest import changes_figure
from ccalign_jax.reporting.format import Summary, find

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS = ("R@1", "R@5", "R@10", "MRR", "mAP")


def comparison_plot(comparison: Summary) -> Figure:
    """The change of each metric from a to b: both directions, and their mean."""
    delta = comparison["delta"]
    tasks = [task for task in (*DIRECTIONS, BOTH) if task in delta]
    rows = [
        (metric, {task: {"R@1": delta[task][metric]} for task in tasks})
        for metric in METRICS
        if all(metric in delta[task] for task in tasks)
    ]
    return changes_figure("b against a, by metric", rows, tasks, quantity="each metric")


def comparison_languages_plot(comparison: Summary) -> Figure | None:
    """The change of R@1 from a to b in each language; None where there is one."""
    delta = comparison["delta"]
    names = list(find(delta, DIRECTIONS[0], "per_language") or {})
    if len(names) < 2:
        return None
    rows: list[tuple[str, Any]] = [("all languages", delta)]
    rows += [(name, {task: find(delta, task, "per_language", name) for task in DIRECTIONS}) for name in names]
    return changes_figure("b against a, by language", rows, DIRECTIONS)

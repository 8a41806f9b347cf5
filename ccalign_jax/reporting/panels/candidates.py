"""All candidates of a sweep beside the training-free baselines, as a forest plot grouped by pivot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ccalign_jax.reporting.baselines import baselines
from ccalign_jax.reporting.family_names import best_by, by_pivot
from ccalign_jax.reporting.forest import Row, changes_figure
from ccalign_jax.reporting.format import Summary, count_words
from ccalign_jax.reporting.names import Family
from ccalign_jax.reporting.panels.baselines import FREE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ROWS = 24  # families that have a row each


def candidates_plot(summary: Summary) -> Figure:
    """Change of R@1 against identity: baselines without training, every family under its pivot, and the choice.

    Of more than `MAX_ROWS` families, the best of each pivot and aligner by mean selection score, or of each pivot.
    """
    families = candidates(summary)
    rows: list[Row] = []
    free = [one for one in baselines(summary) if one.group == FREE and one.part.get("aligner") is None]
    if free:
        rows += [("without training", None), *((one.name, one.part["delta"]) for one in free)]
    for pivot, members in by_pivot(families).items():
        rows.append((pivot or "candidates", None))
        rows += [(name, family["delta"]) for name, family in members]
    rows += [("chosen on validation images", None), ("selected", summary["selected"]["delta"])]
    every = len(summary["families"])
    note = (
        f"{count_words(len(families), 'row')} of {every} combinations: the best of each group by validation score; all "
        "are in tables/pivots"
        if len(families) < every
        else ""
    )
    return changes_figure("change of R@1 of all candidates", rows, markers={len(rows) - 1: "D"}, note=note)


def candidates(summary: Summary) -> list[Family]:
    """The families that have a row, by validation score: all, or the best of each pivot and aligner, or pivot."""
    found = list(summary["families"])
    for keys in (("pivot", "aligner"), ("pivot",)):
        if len(found) <= MAX_ROWS:
            break
        found = best_by(summary["families"], *keys)
    return sorted(found, key=lambda family: -family["selection"]["mean"])

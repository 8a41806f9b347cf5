"""The table of every retrieval metric, of a sweep's choice or of an evaluated map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccalign_jax.reporting.evidence import CHANGE
from ccalign_jax.reporting.figure_names import amount, figure_name, metric_names
from ccalign_jax.reporting.tables import Table
from ccalign_jax.reporting.wording import DIRECTIONS, changed, find, has_interval, level

__all__ = ["metrics_table"]


def metrics_table(summary: Mapping[str, Any]) -> Table:
    """Every metric in both directions, the mean over languages: identity, the map, their difference, and chance.

    Args:
        summary: of a sweep, whose map is what each fold selected, or of an evaluation, with or without a map.
    """
    part, name = (summary["selected"], "selected") if "selected" in summary else (summary, "mapped")
    identity, chance = summary["baselines"]["identity"], summary["baselines"]["chance"]
    mapped = "metrics" in part
    change = CHANGE if mapped and has_interval(find(part, "delta", "t2i", "R@1")) else "change"
    columns, rows = ["metric"], []
    for direction in DIRECTIONS:
        columns += [f"{direction}\nidentity", f"{direction}\n{name}", change] if mapped else [direction]
        columns.append(f"{direction}\nchance")
    for metric in metric_names(identity["t2i"]):
        shown = figure_name(metric)
        cells = [shown.words]
        for direction in DIRECTIONS:
            cells.append(level(identity[direction][metric], shown.places))
            if mapped:
                cells.append(level(part["metrics"][direction][metric], shown.places))
                cells.append(changed(part["delta"][direction][metric], shown.places))
            cells.append(amount(find(chance, direction, metric, "mean"), shown.places))
        rows.append(tuple(cells))
    return Table(
        title="Every metric, mean over languages",
        columns=tuple(columns),
        rows=tuple(rows),
        alignment="l" + "r" * (len(columns) - 1),
        notes=(
            "A caption has one image, so that t2i mAP is MRR. An image may have several captions: R@k, MRR and median "
            "rank take the best of them, mAP and nDCG all. The lower the median rank, the better.",
        ),
    )

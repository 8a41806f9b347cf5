"""What each configuration changes on new images, and how far it overfits, in one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ccalign_jax._names import BOTH, DIRECTIONS
from ccalign_jax.reporting.family_names import setting_words, shown_families, shown_groups, shown_note
from ccalign_jax.reporting.format import Summary, change_heading, count_words, find, gap, identity_part
from ccalign_jax.reporting.panels.retrieval import main_metrics
from ccalign_jax.reporting.scope import gallery_size
from ccalign_jax.reporting.table import Column, Table, fill_table
from ccalign_jax.reporting.verdicts import is_optimistic

SLIGHT, STRONG = 0.02, 0.1  # of a gap above identity's
OVERFITTING_NOTE = (
    "overfitting: none where the gap, the mean of both directions, is at most .02 above identity's, some up to .10, "
    "else strong."
)
GAP_NOTE = "gap: R@1 on as many training images minus R@1 on the test part; far above identity's, it is overfitting."


def configurations_table(summary: Summary) -> Table:
    """What each configuration changes on new images (R@1, mAP), how far it overfits, and what that amounts to."""
    change, identity = change_heading(summary), identity_part(summary)

    def reading(name: str, values: Mapping[str, Any]) -> str:
        return overfitting_words(values, identity) if "delta" in values else ""

    return fill_table(
        f"What each configuration changes, and how far it overfits{setting_words(shown_families(summary))}",
        [
            Column.names("configuration"),
            *(
                Column.estimate(f"{metric}, mean of both\n{change}", "delta", BOTH, metric)
                for metric in main_metrics(summary)
            ),
            *gap_columns(),
            Column("overfitting", reading, "l"),
        ],
        [
            ("", [("identity", identity)] if identity["train_metrics"] else []),
            *shown_groups(summary),
            ("", [("selected", summary["selected"])]),
        ],
        notes=(*_gap_notes(summary), OVERFITTING_NOTE, *shown_note(summary)),
    )


def overfitting_words(part: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """How far the gap of a map, the mean of both directions, is above that of identity, in a word.

    Example:
        >>> def part(train, test):
        ...     both = lambda mean: {task: {"R@1": {"mean": mean}} for task in ("t2i", "i2t")}
        ...     return {"train_metrics": both(train), "metrics": both(test)}
        >>> [overfitting_words(part(train, 0.5), part(0.5, 0.5)) for train in (0.51, 0.6, 0.9)]
        ['none', 'some', 'strong']
    """

    def mean_gap(values: Mapping[str, Any]) -> float | None:
        ends = [[find(values, key, task, "R@1", "mean") for task in DIRECTIONS] for key in ("train_metrics", "metrics")]
        return None if None in ends[0] else (sum(ends[0]) - sum(ends[1])) / 2

    mine, theirs = mean_gap(part), mean_gap(identity)
    if mine is None or theirs is None:
        return ""
    extra = round(mine - theirs, 9)
    return "strong" if extra > STRONG else "some" if extra > SLIGHT else "none"


def gap_columns(nothing: str = "") -> list[Column]:
    """R@1 on training images minus R@1 on the test part, in each direction."""
    return [Column(f"gap\n{task}", lambda name, values, task=task: gap(values, task) or nothing) for task in DIRECTIONS]


def _gap_notes(summary: Summary) -> Iterator[str]:
    """What a gap is."""
    if not is_optimistic(summary):
        yield GAP_NOTE
        return
    larger = count_words(summary["data"]["images"] - gallery_size(summary), "image")
    yield (
        f"gap: R@1 on the whole training part minus R@1 on the test part. The training pool is larger (about "
        f"{larger}) and so harder: compare with the gap of identity, not with 0."
    )

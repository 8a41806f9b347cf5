"""Two runs on the same images, side by side: what the second changes against the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ccalign_jax.reporting.evidence import (
    CHANGE,
    CLAIMED_GAIN,
    GAIN,
    LOSS,
    NO_EVIDENCE,
    clusters,
    is_optimistic,
    result_words,
    verdict,
)
from ccalign_jax.reporting.figure_names import LOWER, figure_name, metric_names
from ccalign_jax.reporting.tables import Table
from ccalign_jax.reporting.wording import (
    DIRECTION_WORDS,
    DIRECTIONS,
    change_words,
    changed,
    count_words,
    find,
    has_interval,
    level,
)

__all__ = ["comparison_table", "comparison_words"]

Comparison = Mapping[str, Any]

WAYS = {**DIRECTION_WORDS, "both": "mean of both directions"}


def comparison_table(comparison: Comparison) -> Table:
    """Every metric of both directions and of their mean, then R@1 of each language: a, b, and b minus a.

    Args:
        comparison: `a` and `b` with `run` and `name`, `data`, `folds`, `a_metrics`, `b_metrics`, `delta`, `verdict`.
    """
    rows: list[tuple[str, ...]] = []
    rules = []
    for heading, block in _blocks(comparison):
        rules.append(len(rows))
        rows += [(heading, *[""] * 4), *block]
    a, b = (comparison[side] for side in ("a", "b"))
    notes = [
        f"a: {a['name']} ({a['run']}); b: {b['name']} ({b['run']}). change: b minus a on the same queries; verdict: "
        "on b, a gain or a loss where p is below .05, else no evidence. The lower the median rank, the better.",
        f"{count_words(comparison['folds'], 'fold')}; all languages weigh the same.",
    ]
    if has_interval(find(comparison, "delta", "t2i", "R@1")):
        drawn = clusters(comparison)
        notes.append(
            f"[ ]: 95 % interval, {drawn} drawn anew with all their captions. p: paired sign flips over {drawn}, not "
            "adjusted for the number of rows: name the row that you are after before you look."
        )
    return Table(
        title=f"{comparison['data']['name']}: b against a on the holdout",
        columns=("figure", "verdict", "a", "b", CHANGE),
        rows=tuple(rows),
        alignment="llrrr",
        notes=tuple(notes),
        rules=tuple(rules),
    ).filled()


def comparison_words(comparison: Comparison) -> tuple[str, ...]:
    """What b changes against a, in a few sentences that follow the figures.

    Args:
        comparison: as in `comparison_table`.
    """
    a, b, delta = comparison["a"], comparison["b"], comparison["delta"]
    images = comparison["data"].get("images")
    place = f"the same {count_words(images, 'image')}" if images else "the same images"
    said = [f"b, {b['name']} ({b['run']}), against a, {a['name']} ({a['run']}), on {place}."]
    earned = [
        result_words(
            DIRECTION_WORDS[way],
            *(comparison[part][way]["R@1"] for part in ("a_metrics", "b_metrics", "delta")),
            stated=find(comparison, "verdict", way) or "",
        )
        for way in DIRECTIONS
    ]
    said.append(f"From a to b: {'; '.join(earned)}.")
    both = find(delta, "both", "R@1")
    found = find(comparison, "verdict", "both") or verdict(both, optimistic=is_optimistic(comparison))
    if both is not None and found:
        lead = {
            GAIN: "Gain: b is better than a",
            CLAIMED_GAIN: "Claimed gain: b is better than a",
            LOSS: "Loss: b is worse than a",
            NO_EVIDENCE: "No evidence that b is better than a, or worse",
        }[found]
        said.append(f"{lead}, in the mean of both directions ({change_words(both)}).")
    return tuple(said)


def _blocks(comparison: Comparison) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Rows under their heading."""
    for way, words in WAYS.items():
        metrics = metric_names(find(comparison, "delta", way) or {})
        rows = [_row(comparison, figure_name(metric).words, way, metric) for metric in metrics]
        if rows:
            yield words, rows
    for way, words in DIRECTION_WORDS.items():
        languages = find(comparison, "delta", way, "per_language") or {}
        rows = [_row(comparison, language, way, "per_language", language, "R@1") for language in languages]
        if len(rows) > 1:
            yield f"{words}, R@1 of each language", rows


def _row(comparison: Comparison, name: str, *path: str) -> tuple[str, ...]:
    figure = figure_name(path[-1])
    before, after, change = (find(comparison[part], *path) for part in ("a_metrics", "b_metrics", "delta"))
    stated = find(comparison, "verdict", path[0]) if path[1:] == ("R@1",) else None
    word = stated or verdict(change, lower_is_better=figure.better == LOWER, optimistic=is_optimistic(comparison))
    places = figure.places
    return (name, word, level(before, places), level(after, places), changed(change, places))

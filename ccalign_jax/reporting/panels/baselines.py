"""Training-free baselines: score corrections and closed forms beside trained maps, as tables and a plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import BOTH, DIRECTIONS
from ccalign_jax.reporting.baselines import FREE, MAX_TRAINED, baselines, baselines_words, best_families
from ccalign_jax.reporting.forest import changes_figure
from ccalign_jax.reporting.format import (
    CHANGE,
    Summary,
    change_heading,
    count_words,
    find,
)
from ccalign_jax.reporting.names import aligner_name, scoring_name
from ccalign_jax.reporting.table import Column, Table, fill_table
from ccalign_jax.reporting.verdicts import VERDICT_NOTE, evidence_notes, is_optimistic, verdict_cell, verdict_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def baselines_table(summary: Summary) -> Table:
    """R@1 of the training-free baselines and of trained maps in a sweep, with the change against identity."""
    blocks: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for one in baselines(summary):
        blocks.setdefault(one.group, []).append((one.name, one.part))
    change = change_heading(summary)
    return fill_table(
        "Baselines: R@1 on the test part, from no parameters to trained maps",
        [Column.names("map"), *Column.both(change), *Column.directions("{task}\nR@1", change)],
        blocks.items(),
        notes=_notes(summary),
    )


def scores_table(summary: Summary) -> Table | None:
    """Score corrections of identity and of the map in an evaluation, with the change against identity."""
    scores = summary.get("scores")
    if scores is None:
        return None
    bank = scores["bank"]
    blocks = {
        state: [(scoring_name(summary, scoring), {**found, "metrics": found}) for scoring, found in each.items()]
        for state, each in scores.items()
        if state != "bank"
    }
    known = any(verdict_cell(part) for rows in blocks.values() for _, part in rows)
    change = CHANGE if known else "change"
    source = (
        "the very rows that are scored (transductive): what a query gets depends on the other queries"
        if bank["transductive"]
        else "other rows of the data, none of those scored"
    )
    most = f" (at most {bank['most_rows']} rows of each language)" if "most_rows" in bank else ""
    adjusted = "[ ]: 95 % interval. p: paired sign flips over images, adjusted (Holm) for all scores on all states."
    return fill_table(
        "Score corrections, R@1, mean over languages",
        [
            *(Column.names("score"), Column.verdict()),
            Column.estimate("mean of\nboth", "metrics", BOTH, "R@1"),
            Column.estimate(change, "delta", BOTH, "R@1"),
            *Column.directions("{task}", change),
            *(Column.estimate(f"{task}\nmAP", "metrics", task, "mAP") for task in DIRECTIONS),
        ],
        blocks.items(),
        notes=(
            "change: against identity under the cosine. A trained map has to beat what a score earns without training.",
            f"All but the cosine look at a bank, {count_words(bank['images'], 'image')} and their captions{most}: "
            f"{source}.",
            "To pick the best row of this table would be to choose on the images that are reported.",
            *((adjusted, VERDICT_NOTE) if known else ()),
        ),
    )


def baselines_plot(summary: Summary) -> Figure:
    """Change of R@1 against identity of every baseline, group by group: each direction, and their mean."""
    rows: list[tuple[str, Mapping[str, Any] | None]] = []
    group = ""
    for one in baselines(summary)[1:]:
        if one.group != group:
            group = one.group
            rows.append((group, None))
        rows.append((one.name, one.part["delta"]))
    return changes_figure("baselines", rows)


def _notes(summary: Summary) -> Iterator[str]:
    free = [one for one in baselines(summary) if one.group == FREE]
    if words := baselines_words(summary):
        yield words
    if free:
        yield (
            "Scores are not selected in a nested way: the best one named here is picked on the test part itself, which "
            "flatters it, as it would any score correction that is picked from this table."
        )
    if "scores" in summary:
        bank = find(summary, "scores", "bank", "images")
        near = "" if bank is None else f": {count_words(bank, 'image')} and their captions"
        yield f"Scores look at neighbours or means among training rows of the fold{near}; nothing is fitted."
    nested = not is_optimistic(summary)
    yield (
        "Closed forms and trained: of each the pivot and loss with the best mean selection score, which is that of "
        f"{'the inner parts' if nested else 'the folds reported'}; the best one first."
    )
    if nested and summary["folds"] > 1:
        yield (
            "That mean is over all folds, and what is inner to one fold is reported in another: selected, which every "
            "fold chose for itself, is the estimate to quote."
        )
    if left := best_families(summary["families"], solved=False)[MAX_TRAINED:]:
        names = "; ".join(aligner_name(family["aligner"]) for family in left)
        yield f"Left out of the trained, with lower selection scores: {names}."
    yield "mean of both: what only one direction gains may be lost by the other."
    if any(verdict_of(one.part) for one in free):
        yield "p of a score is adjusted (Holm) for all scores, on identity and on top of maps alike."
    yield from evidence_notes(summary)

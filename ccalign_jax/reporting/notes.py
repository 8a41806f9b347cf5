"""What is said below the main table, so that it can be read without asking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ccalign_jax.reporting.evidence import closed_words, evidence_notes, optimism_words
from ccalign_jax.reporting.names import choice_words, family_labels, shown_families
from ccalign_jax.reporting.pivot_tables import shown_note
from ccalign_jax.reporting.wording import count_words, find, pool_size

__all__ = ["DIRECTION_NOTE", "main_notes"]

DIRECTION_NOTE = (
    "t2i: a caption looks for its image; i2t: an image looks for any of its captions, one language at a time. "
    "R@1: share of queries whose first hit is right. All languages weigh the same."
)


def main_notes(summary: Mapping[str, Any]) -> Iterator[str]:
    """What each figure means, how its row was chosen, and how far it may be trusted.

    Args:
        summary: the content of `summary.json`.
    """
    folds, families = summary["folds"], shown_families(summary)
    pool = count_words(pool_size(summary), "image")
    trials = count_words(trial_count(summary), "trial")
    nested = summary["protocol"] != "seed"
    yield from shown_note(summary)
    yield DIRECTION_NOTE
    if folds > 1:
        yield (
            f"Means over {folds} folds{_repeats(summary)}. The gallery is the whole holdout of a fold, about {pool} "
            "and their captions, none of them trained on: R@k falls as the gallery grows."
        )
    else:
        yield f"One fold. The gallery is the whole holdout, {pool} and their captions, none of them trained on."
    yield "change: against identity, the embeddings as they are, on the same queries."
    if said := closed_words(summary):
        yield said
    yield from evidence_notes(summary)
    if nested:
        yield "gap: R@1 on as many training images minus R@1 on the holdout; far above identity's, it is overfitting."
    else:
        larger = count_words(summary["data"]["images"] - pool_size(summary), "image")
        yield (
            f"gap: R@1 on the whole training part minus R@1 on the holdout. The training pool is larger (about "
            f"{larger}) and so harder: compare with the gap of identity, not with 0."
        )
    inner = summary.get("inner", "an inner part that is never reported")
    if nested:
        yield (
            f"Settings and epoch of each row were chosen in each fold apart from its holdout, on {inner}. selected: "
            f"the same choice among all trials and identity ({trials}): what choosing earns."
        )
        yield from _race_note(summary)
    else:
        yield (
            "Optimistic: settings and epoch were chosen on the very folds that are reported (seed protocol). "
            f"selected: the best of {trials}. {optimism_words(summary)}".strip()
        )
    yield f"selected is {choice_words(summary, summary['selected']['per_fold'])}."
    started = [
        f"{label} ({family['epochs'].count(0)} of {folds})"
        for label, family in zip(family_labels(families), families, strict=True)
        if 0 in family["epochs"]
    ]
    if started:
        yield f"Folds that kept the start, which nothing beat on the inner part: {'; '.join(started)}."
    meanings = {
        "per_language(": "per language: a map for each language.",
        "dual(": "dual: a map of captions and a second one of images.",
    }
    used = [text for key, text in meanings.items() if any(key in family["aligner"] for family in families)]
    if used:
        yield " ".join(used)


def _repeats(summary: Mapping[str, Any]) -> str:
    repeats = summary.get("repeats", 1)
    return f" ({repeats} × {summary['folds'] // repeats})" if repeats > 1 else ""


def trial_count(summary: Mapping[str, Any]) -> int:
    """Trials that were compared, those that a race dropped included."""
    reported = {trial["name"] for trial in summary["trials"]}
    return len(reported | {one["trial"] for one in find(summary, "race", "dropped") or ()})


def _race_note(summary: Mapping[str, Any]) -> Iterator[str]:
    dropped = find(summary, "race", "dropped")
    if dropped:
        folds = summary["folds"] * summary["race"]["trials"]
        yield (
            f"The race dropped {len(dropped)} of {folds} trials × folds, behind the best of their fold on inner parts "
            "by an interval above 0: race in summary.json; --race=false fits all."
        )

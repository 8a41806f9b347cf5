"""What figures prove, in words: gain, no evidence or loss, and what an interval and a p are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccalign_jax.reporting.names import choice_words
from ccalign_jax.reporting.wording import (
    DIRECTIONS,
    Figure,
    both_figure,
    change_words,
    count_words,
    find,
    has_interval,
    p_words,
    plain,
    pool_size,
    signed,
)

__all__ = [
    "VERDICT_NOTE",
    "both_words",
    "cell_note",
    "change_heading",
    "closed_words",
    "clusters",
    "evidence_notes",
    "folds_words",
    "interval_words",
    "is_optimistic",
    "optimism_words",
    "result_words",
    "verdict",
    "verdict_cell",
    "verdict_notes",
    "verdict_of",
]

Summary = Mapping[str, Any]

GAIN, CLAIMED_GAIN, NO_EVIDENCE, LOSS = "gain", "claimed gain", "no evidence", "loss"
MARKS = {GAIN: "+", CLAIMED_GAIN: "+", LOSS: "−", NO_EVIDENCE: "·", "": ""}

CHANGE = "change, p\n[95 %]"
VERDICT_NOTE = (
    "verdict: on the change of R@1 in the mean of both directions: a gain or a loss where its adjusted p is below .05, "
    "else no evidence. The signs after it are for t2i and i2t alone: + gain, − loss, · no evidence."
)
CLAIMED_NOTE = "claimed gain: the map was chosen on the images that are reported, which biases its gain upwards."


def is_optimistic(summary: Summary) -> bool:
    """Whether maps were chosen on the images that are reported, as in the seed protocol."""
    return summary.get("protocol") == "seed"


def verdict(change: Figure | None, *, lower_is_better: bool = False, optimistic: bool = False) -> str:
    """Whether a change is a gain, a loss, or no evidence of either; empty where it was not tested.

    Example:
        >>> verdict({"mean": 0.1, "p_adjusted": 0.001}), verdict({"mean": 0.1, "p_adjusted": 0.05})
        ('gain', 'no evidence')
        >>> verdict({"mean": -2.0, "p_adjusted": 0.001}, lower_is_better=True), verdict({"mean": 0.1})
        ('gain', '')
    """
    from ccalign_jax.statistics import verdict as judge

    p = None if change is None else change.get("p_adjusted")
    if change is None or p is None:
        return ""
    return judge(-change["mean"] if lower_is_better else change["mean"], p, optimistic=optimistic)


def verdict_of(part: Mapping[str, Any], way: str = "both") -> str:
    """The verdict on R@1 that a part of the summary states, or that its `delta` comes to.

    Args:
        part: a trial, a family, the choice, or the figures of a score.
        way: `t2i`, `i2t` or `both`.
    """
    stated = find(part, "verdict", way)
    return stated if stated else verdict(find(part, "delta", way, "R@1"))


def verdict_cell(part: Mapping[str, Any]) -> str:
    """The verdict on both directions, and a sign for each of them; empty where nothing was tested.

    Example:
        >>> verdict_cell({"verdict": {"both": "no evidence", "t2i": "gain", "i2t": "no evidence"}})
        'no evidence +·'
    """
    return f"{verdict_of(part)} {''.join(MARKS[verdict_of(part, way)] for way in DIRECTIONS)}".strip()


def change_heading(summary: Summary) -> str:
    """What stands above changes: their interval and p, or their spread, or neither."""
    if has_interval(summary["selected"]["delta"]["t2i"]["R@1"]):
        return CHANGE
    return "change" if summary["folds"] == 1 else "change\n±fold std"


def cell_note(summary: Summary, rows: str = "families") -> str:
    """How a cell with an interval, or a spread, is read; empty where there is neither.

    Args:
        summary: the content of `summary.json`.
        rows: what p is adjusted over, `families` or `trials`.
    """
    if has_interval(summary["selected"]["delta"]["t2i"]["R@1"]):
        return (
            f"[ ]: 95 % interval. p: paired sign flips over {clusters(summary)}, adjusted (Holm) for the number of "
            f"{rows} ({len(summary[rows])}); selected is one hypothesis."
        )
    if summary["folds"] == 1:
        return ""
    return "± is the standard deviation over folds: a spread, not a confidence interval."


def evidence_notes(summary: Summary, rows: str = "families") -> tuple[str, ...]:
    """How cells with an interval are read, and what a verdict is; nothing of summaries that have neither."""
    words = verdict_notes(summary) if verdict_of(summary["selected"]) else ()
    return tuple(note for note in (cell_note(summary, rows), *words) if note)


def verdict_notes(summary: Summary) -> tuple[str, ...]:
    """What a verdict is."""
    return (VERDICT_NOTE, CLAIMED_NOTE) if is_optimistic(summary) else (VERDICT_NOTE,)


def result_words(name: str, before: Figure, after: Figure, change: Figure, *, stated: str = "") -> str:
    """One direction from before to after, and its verdict where it was tested.

    Example:
        >>> change = {"mean": 0.105, "low": 0.091, "high": 0.119, "p_adjusted": 0.0001}
        >>> result_words("text to image", {"mean": 0.486}, {"mean": 0.591}, change)
        'text to image R@1 .486 → .591 (+.105, 95 % interval +.091 to +.119, p < .001): gain'
    """
    found = stated or verdict(change)
    told = f"{name} R@1 {plain(before['mean'])} → {plain(after['mean'])} ({change_words(change)})"
    return f"{told}: {found}" if found else told


def both_words(part: Mapping[str, Any]) -> str:
    """What the mean of both directions did, in a sentence that starts with its verdict where it was tested.

    Example:
        >>> change = {"both": {"R@1": {"mean": 0.004, "low": -0.006, "high": 0.014, "p_adjusted": 0.41}}}
        >>> both_words({"delta": change})
        'No evidence of a gain: the mean of both directions changed by +.004 (95 % interval −.006 to +.014, p = .410).'
        >>> both_words({"delta": {way: {"R@1": {"mean": 0.1}} for way in ("t2i", "i2t")}})
        'The mean of both directions rose by .100.'
    """
    change, found = both_figure(part["delta"]), verdict_of(part)
    size = signed(change["mean"])
    small = size == ".000"
    did = f"{'rose' if size[0] == '+' else 'fell'} by {size[1:]}"
    if not found:
        return f"The mean of both directions {'did not change' if small else did}."
    told = change_words(change).partition(", ")[2]
    lead = {GAIN: "Gain", CLAIMED_GAIN: "Claimed gain", NO_EVIDENCE: "No evidence of a gain", LOSS: "Loss"}[found]
    did = f"changed by {size}" if small or found == NO_EVIDENCE else did
    return f"{lead}: the mean of both directions {did} ({told})."


def closed_words(summary: Summary) -> str:
    """The change of the choice against the best closed form; empty where identity is above chance."""
    selected = summary["selected"]
    if "delta_closed" not in selected:
        return ""
    name = choice_words(summary, selected["closed_per_fold"])
    if selected["per_fold"] == selected["closed_per_fold"]:
        return (
            f"Identity is at chance here; the best closed form, chosen on the same parts, is the choice itself: {name}."
        )
    change = {"delta": selected["delta_closed"], "verdict": selected.get("verdict_closed", {})}
    lead = f"Identity is at chance here. Against the best closed form, chosen on the same parts ({name}):"
    return f"{lead} {both_words(change)}"


def interval_words(summary: Summary) -> str:
    """What the intervals and p-values of a study are about."""
    folds = summary["folds"]
    maps = "this map" if folds == 1 else f"these {folds} maps, one a fold,"
    replicates = find(summary, "statistics", "replicates")
    often = f" {replicates:,} times" if replicates else ""
    return (
        f"Intervals and p are about {maps} on fresh images, in a pool of the same size (about "
        f"{count_words(pool_size(summary), 'image')}): what is drawn anew{often} are {clusters(summary)} with all "
        "their captions, not the training. In the tables p is adjusted (Holm) for all "
        f"{count_words(len(summary['trials']), 'trial')}, or all {len(summary['families'])} families."
    )


def folds_words(summary: Summary) -> str:
    """What a test over folds adds, which allows for other training images; empty where there is none."""
    from ccalign_jax.statistics import ALPHA

    selected = summary["selected"]
    p = find(selected, "delta", "both", "R@1", "p_folds")
    if p is None:
        return ""
    doubt = verdict_of(selected) in (GAIN, CLAIMED_GAIN, LOSS) and p >= ALPHA
    return (
        f"Over folds, allowing for other training images too (Nadeau–Bengio): {p_words(p)} for the mean of both "
        f"directions{', so that whether other maps would do the same is open' if doubt else ''}."
    )


def optimism_words(summary: Summary) -> str:
    """What the seed protocol claims beside what an honest choice earns; empty where that was not measured."""
    found = find(summary, "optimism", "both", "R@1")
    if not found:
        return ""
    claimed, honest, optimism = (signed(found[key]) for key in ("claimed", "honest", "optimism"))
    return (
        f"In the mean of both directions the seed protocol claims {claimed}; choosing on the other folds earns "
        f"{honest}: optimism {optimism}."
    )


def clusters(summary: Summary) -> str:
    """What is resampled."""
    return "groups of images" if find(summary, "statistics", "cluster") == "group of images" else "images"

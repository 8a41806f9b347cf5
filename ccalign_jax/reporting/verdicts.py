"""Verdicts: gain, no evidence or loss, and the sentences that say what an interval and a p are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccalign_jax._names import DIRECTIONS
from ccalign_jax.reporting.format import Estimate, Summary, both, change_words, find, has_interval, plain, signed

GAIN, CLAIMED_GAIN, NO_EVIDENCE, LOSS = "gain", "claimed gain", "no evidence", "loss"
MARKS = {GAIN: "+", CLAIMED_GAIN: "+", LOSS: "−", NO_EVIDENCE: "·", "": ""}

CHANGE = "change, p\n[95 %]"
INTERVAL_NOTE = "[ ]: 95 % interval. p: paired sign flips over {}, {}."
VERDICT_NOTE = (
    "verdict: on the change of R@1 in the mean of both directions: a gain or a loss where its adjusted p is below .05, "
    "else no evidence. The signs after it are for t2i and i2t alone: + gain, − loss, · no evidence."
)
CLAIMED_NOTE = "claimed gain: the map was chosen on the images that are reported, which biases its gain upwards."


def is_optimistic(summary: Summary) -> bool:
    """Whether maps were chosen on the images that are reported, as in the seed protocol."""
    return summary.get("protocol") == "seed"


def verdict(change: Estimate | None, *, lower_is_better: bool = False, optimistic: bool = False) -> str:
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


def verdict_of(part: Mapping[str, Any], direction: str = "both") -> str:
    """The verdict on R@1 that a part of the summary states, or that follows from its `delta`.

    Args:
        part: a trial, a family, the choice, or the metrics of a score.
        direction: `t2i`, `i2t` or `both`.
    """
    stated = find(part, "verdict", direction)
    return stated if stated else verdict(find(part, "delta", direction, "R@1"))


def verdict_cell(part: Mapping[str, Any]) -> str:
    """The verdict on both directions, and a sign for each of them; empty where nothing was tested.

    Example:
        >>> verdict_cell({"verdict": {"both": "no evidence", "t2i": "gain", "i2t": "no evidence"}})
        'no evidence +·'
    """
    return f"{verdict_of(part)} {''.join(MARKS[verdict_of(part, task)] for task in DIRECTIONS)}".strip()


def is_tested(summary: Summary) -> bool:
    """Whether the changes of a sweep's choice, or of an evaluated map, have intervals."""
    return has_interval(find(summary.get("selected", summary), "delta", "t2i", "R@1"))


def bars_words(summary: Summary) -> str:
    """What the bars of a plot are."""
    folds = summary.get("folds", 1)
    spread = f"bars: standard deviation over {folds} folds, not an interval" if folds > 1 else "no interval, no spread"
    return "bars: 95 % intervals" if is_tested(summary) else spread


def change_heading(summary: Summary) -> str:
    """The heading of changes: with interval and p, or the spread over folds, or neither."""
    if is_tested(summary):
        return CHANGE
    return "change\n±fold std" if summary.get("folds", 1) > 1 else "change"


def cell_note(summary: Summary, rows: str = "families") -> str:
    """How a cell with an interval, or a spread, is read; empty where there is neither.

    Args:
        summary: of a sweep.
        rows: what p is adjusted over, `families` or `trials`.
    """
    if is_tested(summary):
        adjusted = f"adjusted (Holm) for the number of {rows} ({len(summary[rows])}); selected is one hypothesis"
        return INTERVAL_NOTE.format(clusters(summary), adjusted)
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


def clusters(summary: Summary) -> str:
    """The unit that is resampled."""
    return "groups of images" if find(summary, "statistics", "cluster") == "group of images" else "images"


def result_words(name: str, before: Estimate, after: Estimate, change: Estimate, *, stated: str = "") -> str:
    """One direction from before to after, and its verdict where it was tested.

    Example:
        >>> change = {"mean": 0.105, "low": 0.091, "high": 0.119, "p_adjusted": 0.0001}
        >>> result_words("text to image", {"mean": 0.486}, {"mean": 0.591}, change)
        'text to image R@1 .486 → .591 (+.105, 95 % interval +.091 to +.119, p < .001): gain'
    """
    found = stated or verdict(change)
    words = f"{name} R@1 {plain(before['mean'])} → {plain(after['mean'])} ({change_words(change)})"
    return f"{words}: {found}" if found else words


def both_words(part: Mapping[str, Any]) -> str:
    """The change of the mean of both directions, in a sentence that starts with its verdict where it was tested.

    Example:
        >>> change = {"both": {"R@1": {"mean": 0.004, "low": -0.006, "high": 0.014, "p_adjusted": 0.41}}}
        >>> both_words({"delta": change})
        'No evidence of a gain: the mean of both directions changed by +.004 (95 % interval −.006 to +.014, p = .410).'
        >>> both_words({"delta": {task: {"R@1": {"mean": 0.1}} for task in ("t2i", "i2t")}})
        'The mean of both directions rose by .100.'
    """
    change, found = both(part["delta"]), verdict_of(part)
    size = signed(change["mean"])
    small = size == ".000"
    did = f"{'rose' if size[0] == '+' else 'fell'} by {size[1:]}"
    if not found:
        return f"The mean of both directions {'did not change' if small else did}."
    evidence = change_words(change).partition(", ")[2]
    lead = {GAIN: "Gain", CLAIMED_GAIN: "Claimed gain", NO_EVIDENCE: "No evidence of a gain", LOSS: "Loss"}[found]
    did = f"changed by {size}" if small or found == NO_EVIDENCE else did
    return f"{lead}: the mean of both directions {did} ({evidence})."

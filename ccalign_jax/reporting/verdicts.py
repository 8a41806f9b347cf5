"""Verdicts on changes, and the notes that say what they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ccalign_jax._names import BOTH, DIRECTIONS
from ccalign_jax.reporting.format import NO_EVIDENCE, Estimate, Summary, cell_note, find

VERDICT_NOTE = (
    "verdict: on the change of R@1 in the mean of both directions: a gain or a loss where its adjusted p is below .05, "
    "else no evidence; in brackets what there is evidence of in t2i or i2t alone, where they differ."
)


CLAIMED_NOTE = "claimed gain: the map was chosen on the images that are reported, which biases its gain upwards."


def verdict(change: Estimate | None, *, lower_is_better: bool = False, optimistic: bool = False) -> str:
    """Whether a change is a gain, a loss, or no evidence of either; empty where it was not tested.

    Example:
        >>> verdict({"mean": 0.1, "p_adjusted": 0.001}), verdict({"mean": 0.1, "p_adjusted": 0.05})
        ('gain', 'no evidence')
        >>> verdict({"mean": -2.0, "p_adjusted": 0.001}, lower_is_better=True), verdict({"mean": 0.1})
        ('gain', '')
    """
    from ccalign_jax.statistics import verdict as judge

    if change is None or change.get("p_adjusted") is None:
        return ""
    mean = -change["mean"] if lower_is_better else change["mean"]
    return judge(mean, change["p_adjusted"], optimistic=optimistic)


def verdict_of(part: Mapping[str, Any], direction: str = BOTH) -> str:
    """The verdict on R@1 that a part of the summary (a trial, a score) states, or that follows from its `delta`."""
    return find(part, "verdict", direction) or verdict(find(part, "delta", direction, "R@1"))


def verdict_cell(part: Mapping[str, Any]) -> str:
    """The verdict on both directions, and in brackets where they differ; empty where nothing was tested.

    Example:
        >>> words = {"both": "gain", "t2i": "gain", "i2t": "no evidence"}
        >>> verdict_cell({"verdict": words}), verdict_cell({"verdict": {**words, "i2t": "loss"}})
        ('gain (t2i)', 'gain (t2i, i2t loss)')
        >>> verdict_cell({"verdict": {**words, "both": "no evidence"}}), verdict_cell({"verdict": {"both": "gain"}})
        ('no evidence (t2i gain)', 'gain')
    """
    found = verdict_of(part)
    each = {task: verdict_of(part, task) for task in DIRECTIONS}
    if not found or not set(each.values()) - {found, ""}:
        return found
    shown = [task if word == found else f"{task} {word}" for task, word in each.items() if word != NO_EVIDENCE]
    return f"{found} ({', '.join(shown) or 'neither alone'})"


def is_optimistic(summary: Summary) -> bool:
    """Whether maps were chosen on the images that are reported, as in the seed protocol."""
    return summary.get("protocol") == "seed"


def evidence_notes(summary: Summary, rows: str = "families") -> Iterator[str]:
    """How cells with an interval are read, and what a verdict is, of a sweep that has them."""
    yield from cell_note(summary, rows)
    if verdict_of(summary["selected"]):
        yield from verdict_notes(summary)


def verdict_notes(summary: Summary) -> tuple[str, ...]:
    """What a verdict is."""
    return (VERDICT_NOTE, CLAIMED_NOTE) if is_optimistic(summary) else (VERDICT_NOTE,)

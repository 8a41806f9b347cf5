"""The result of a study in a few sentences."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from ccalign_jax.reporting.evidence import (
    both_words,
    closed_words,
    folds_words,
    interval_words,
    optimism_words,
    result_words,
    verdict_of,
)
from ccalign_jax.reporting.ladder import ladder_words
from ccalign_jax.reporting.names import choice_words, trial_names
from ccalign_jax.reporting.wording import DIRECTION_WORDS, DIRECTIONS, has_interval

__all__ = ["best_words", "headline"]


def headline(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """The result in a few sentences: what was chosen, what it earns both ways, and how far to trust it.

    Args:
        summary: the content of `summary.json`.
    """
    selected = summary["selected"]
    said = [f"Chosen: {choice_words(summary, selected['per_fold'])}."]
    free = ladder_words(summary)
    if set(selected["per_fold"]) == {"identity"}:
        said.append("No trial beat the embeddings as they are on the inner parts, so that nothing is changed.")
        return (*said, free) if free else tuple(said)
    earned = [
        result_words(
            DIRECTION_WORDS[way],
            *(part[way]["R@1"] for part in (summary["baselines"]["identity"], selected["metrics"], selected["delta"])),
            stated=verdict_of(selected, way),
        )
        for way in DIRECTIONS
    ]
    said.append(f"Against identity, on images kept out of training: {'; '.join(earned)}.")
    said.append(both_words(selected))
    said += [text for text in (closed_words(summary),) if text]
    said += [free] if free else []
    if has_interval(selected["delta"]["t2i"]["R@1"]):
        said += [text for text in (interval_words(summary), folds_words(summary)) if text]
    else:
        said += _spread_words(summary)
    if summary["protocol"] == "seed":
        optimistic = "Optimistic: under the seed protocol the choice was made on the very folds that are reported."
        said.append(f"{optimistic} {optimism_words(summary)}".strip())
    return tuple(said)


def best_words(summary: Mapping[str, Any], *, folder: str = "RUN", data: str = "DATA") -> tuple[str, ...]:
    """Which map is kept, where, and the command that applies it; what stands between backticks is to be typed.

    Args:
        summary: the content of `summary.json`.
        folder: of the run.
        data: what the command is to map.

    Example:
        >>> best_words({"trials": [], "best": "identity"}, folder="runs/mine")
        ('Kept in `runs/mine/best`: identity, the embeddings as they are.',)
    """
    best = summary["best"]
    if best == "identity":
        return (f"Kept in `{folder}/best`: identity, the embeddings as they are.",)
    where, rows = (shlex.quote(path) for path in (f"{folder}/best", data))
    return (
        f"Kept in `{folder}/best`, refitted: {trial_names(summary).get(best, best)} (`{best}`). To apply it:",
        f"`python experiments/apply.py --checkpoint={where} --data={rows} --out=aligned.npz`",
    )


def _spread_words(summary: Mapping[str, Any]) -> Iterator[str]:
    """How far folds tell whether a change may be trusted, where nothing else does."""
    folds = summary["folds"]
    changes = {way: summary["selected"]["delta"][way]["R@1"] for way in DIRECTIONS}
    small = [
        way for way, change in changes.items() if change["std"] is not None and abs(change["mean"]) <= change["std"]
    ]
    if small:
        which = "Both changes are" if len(small) > 1 else f"The {DIRECTION_WORDS[small[0]]} change is"
        yield f"{which} no larger than the spread over folds."
    spread = f"± is a spread over {folds} folds (standard deviation)" if folds > 1 else "one fold has not even a spread"
    yield f"No interval was computed: {spread}, and whether the change holds on other images is open."

"""The result of a study in a few sentences."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ccalign_jax.reporting.ladder import ladder_words
from ccalign_jax.reporting.names import choice_words, trial_names
from ccalign_jax.reporting.wording import (
    DIRECTION_WORDS,
    DIRECTIONS,
    mean_change_words,
    plain,
    signed,
    signed_spread,
)

__all__ = ["best_words", "headline"]


def headline(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """The result in a few sentences: what was chosen, what it earns both ways, and how far to trust it.

    Args:
        summary: the content of `summary.json`.
    """
    selected, folds = summary["selected"], summary["folds"]
    said = [f"Chosen: {choice_words(summary, selected['per_fold'])}."]
    free = ladder_words(summary)
    if set(selected["per_fold"]) == {"identity"}:
        said.append("No trial beat the embeddings as they are on the inner parts, so that nothing is changed.")
        return (*said, free) if free else tuple(said)
    changes = {direction: selected["delta"][direction]["R@1"] for direction in DIRECTIONS}
    earned = [
        f"{DIRECTION_WORDS[direction]} R@1 {plain(summary['baselines']['identity'][direction]['R@1']['mean'])} → "
        f"{plain(selected['metrics'][direction]['R@1']['mean'])} ({signed_spread(change).replace('±', ' ± ')})"
        for direction, change in changes.items()
    ]
    said.append(f"Against identity, on images kept out of training: {', '.join(earned)}.")
    said.append(mean_change_words([change["mean"] for change in changes.values()]))
    said += [free] if free else []
    small = [d for d, change in changes.items() if change["std"] is not None and abs(change["mean"]) <= change["std"]]
    if small:
        which = "Both changes are" if len(small) > 1 else f"The {DIRECTION_WORDS[small[0]]} change is"
        said.append(f"{which} no larger than the spread over folds.")
    if any(change["low"] is None for change in changes.values()):
        spread = (
            f"± is a spread over {folds} folds (standard deviation)" if folds > 1 else "one fold has not even a spread"
        )
        said.append(f"No interval is computed yet: {spread}, and whether the change holds on other images is open.")
    else:
        said += [
            f"95 % interval, {DIRECTION_WORDS[direction]}: {signed(change['low'])} to {signed(change['high'])}."
            for direction, change in changes.items()
        ]
    if summary["protocol"] == "seed":
        said.append("Optimistic: under the seed protocol the choice was made on the very folds that are reported.")
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

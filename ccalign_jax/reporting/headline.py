"""The result of a study in a few sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccalign_jax.reporting.wording import (
    DIRECTION_WORDS,
    DIRECTIONS,
    chosen_words,
    mean_change_words,
    plain,
    signed,
    signed_spread,
)

__all__ = ["headline"]


def headline(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """The result in a few sentences: what was chosen, what it earns both ways, and how far to trust it.

    Args:
        summary: the content of `summary.json`.
    """
    selected, folds = summary["selected"], summary["folds"]
    said = [f"Chosen: {chosen_words(selected['per_fold'])}."]
    if set(selected["per_fold"]) == {"identity"}:
        return (*said, "No trial beat the embeddings as they are on the inner parts, so that nothing is changed.")
    changes = {direction: selected["delta"][direction]["R@1"] for direction in DIRECTIONS}
    earned = [
        f"{DIRECTION_WORDS[direction]} R@1 {plain(summary['baselines']['identity'][direction]['R@1']['mean'])} → "
        f"{plain(selected['metrics'][direction]['R@1']['mean'])} ({signed_spread(change).replace('±', ' ± ')})"
        for direction, change in changes.items()
    ]
    said.append(f"Against identity, on images kept out of training: {', '.join(earned)}.")
    said.append(mean_change_words([change["mean"] for change in changes.values()]))
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

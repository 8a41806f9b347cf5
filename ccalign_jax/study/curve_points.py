"""What one point of a curve says: test part, training sample and change against identity, each with its interval."""

from __future__ import annotations

from typing import Any

from ccalign_jax.study.estimates import Entry
from ccalign_jax.study.inference import Arm, Inference
from ccalign_jax.study.measure import Place

__all__ = ["is_macro", "point_entry", "point_figures"]


def point_entry(arm: Arm, inference: Inference) -> Entry:
    """The estimates of a point, without those of single languages."""
    return inference.entry(arm).only(is_macro)


def point_figures(entry: Entry) -> dict[str, Any]:
    """`holdout`, `train`, `delta`, `gap` and `verdict` of a point, by task."""
    nested = entry.nest()
    return {"holdout": nested.pop("metrics"), "train": nested.pop("train_metrics"), **nested}


def is_macro(place: Place) -> bool:
    """Whether a place is a mean over languages.

    Example:
        >>> is_macro(("t2i", None)), is_macro(("t2i", "en"))
        (True, False)
    """
    return place[1] is None

"""What the seed protocol's claim is worth: the same choice made without the fold that is reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ccalign_jax.study.measure import BOTH, DIRECTIONS, Measurement
from ccalign_jax.study.summary import Outcome, select

__all__ = ["seed_optimism"]


def seed_optimism(outcomes: Sequence[Outcome], identity: Outcome) -> dict[str, Any] | None:
    """The change of R@1 that the seed protocol claims, and what is left if setting and epoch come from other folds.

    The protocol takes of each trial and fold the epoch that is best on the fold itself, and the trial with the best
    mean of these. Here each fold takes the trial and the epoch whose mean over the *other* folds is best, by the same
    criterion, t2i R@1, and again never the start. The fits are the same, so that it costs nothing.

    Args:
        outcomes: every trial, with its curves on the reported folds.
        identity: the baseline.

    Returns:
        `{"t2i" | "i2t" | "both": {"R@1": {"claimed", "honest", "optimism"}}}`; None for one fold, which has no other.
    """
    folds = len(identity.test)
    if folds < 2:
        return None
    base = np.array([_recall(one) for one in identity.test])
    chosen = select(outcomes, per_fold=False)
    claimed = np.mean([_recall(one.test[fold]) for fold, one in enumerate(chosen)], axis=0)
    curves = [np.stack(outcome.curves) for outcome in outcomes]  # [folds, epochs + 1, 3]
    honest = []
    for fold in range(folds):
        others = [np.delete(curve, fold, axis=0)[:, 1:, 0].mean(axis=0) for curve in curves]
        trial = int(np.argmax([score.max() for score in others]))
        honest.append(curves[trial][fold, 1 + int(np.argmax(others[trial])), :2])
    changes = {"claimed": claimed - base.mean(axis=0), "honest": np.mean(honest, axis=0) - base.mean(axis=0)}
    changes["optimism"] = changes["claimed"] - changes["honest"]
    named = {key: {**dict(zip(DIRECTIONS, value, strict=True)), BOTH: value.mean()} for key, value in changes.items()}
    return {way: {"R@1": {key: float(value[way]) for key, value in named.items()}} for way in (*DIRECTIONS, BOTH)}


def _recall(measured: Measurement) -> list[float]:
    return [measured.values[direction, None]["R@1"] for direction in DIRECTIONS]

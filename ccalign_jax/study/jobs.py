"""What is to be computed of one trial."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.training import FitPlan

__all__ = ["Job", "whole_job"]


class Job(NamedTuple):
    """Work on one trial, in the arrays that its result follows from.

    Attributes:
        kind: `score` fits and scores the pairs; `test` fits and ranks the folds, at the epochs that their scores
            choose; `whole` does both on every fold.
        pairs: `[p, 2]`, (fit, part) to score.
        folds: `[f]` to test.
        curves: `[f, points, 3]`, the mean scores of the inner fits of each of these folds.
        diverged: `[f]`, the first step at which one of these inner fits diverged; 0 if none did.
    """

    kind: Literal["whole", "score", "test"]
    pairs: Int[np.ndarray, "p 2"] = np.zeros((0, 2), np.int32)
    folds: Int[np.ndarray, " f"] = np.zeros(0, np.int32)
    curves: Float[np.ndarray, "f points 3"] = np.zeros((0, 0, 3), np.float32)
    diverged: Int[np.ndarray, " f"] = np.zeros(0, np.int32)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """All that is not its kind."""
        return tuple(self[1:])

    def fits(self, plan: FitPlan) -> list[int]:
        """The fits that it takes, ascending."""
        return sorted({int(fit) for fit, _ in self.pairs} | {plan.test[fold] for fold in self.folds})


def whole_job(plan: FitPlan) -> Job:
    """A trial on every fold."""
    pairs = sorted({pair for pairs in plan.inner for pair in pairs})
    return Job("whole", np.array(pairs, np.int32), np.arange(len(plan.test), dtype=np.int32))

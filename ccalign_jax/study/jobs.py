"""Jobs: what is fitted, scored and tested of one trial at a time."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from ccalign_jax._version import __version__
from ccalign_jax.data import Fold
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.plan import Plan
from ccalign_jax.training import FitPlan, Group, PairScores, RunResult, Trial, scored_epochs

__all__ = ["Job", "Pair", "Result", "job_cost", "run_fingerprint", "whole_job"]

PATH_POINTS = 20  # of a closed form, about

Pair = tuple[int, int]
Result = RunResult | PairScores


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


def job_cost(plan: Plan, trial: Trial, job: Job) -> float:
    """An estimate of the operations of a job: training, and the scores and ranks of its maps."""
    recipe, solved = trial.recipe, trial.aligner in CLOSED_FORMS
    aligner = plan.space.aligner(trial.aligner, recipe)
    shapes = jax.tree.leaves(jax.eval_shape(aligner.init, jax.random.key(0)))
    params = sum(float(np.prod(leaf.shape)) for leaf in shapes)
    rows = recipe.epochs * recipe.steps_per_epoch * recipe.batch_images * len(plan.space.languages)
    training = 0.0 if solved else 6 * params * rows * len(job.fits(plan.fits))
    points = PATH_POINTS if solved else len(scored_epochs(recipe))
    captions, images = sum(map(len, plan.data.text.values())), len(plan.data)

    def ranking(times: int, queries: int) -> float:  # of a part, with its images as the gallery
        return 2 * times * queries / images * captions * (params + queries * plan.space.d_image)

    scoring = (ranking(points, len(plan.fits.validation[part])) for _, part in job.pairs)
    testing = (ranking(2, len(plan.folds[int(fold)].test)) for fold in job.folds)
    return training + sum(scoring) + sum(testing)


def run_fingerprint(group: Group, trial: Trial, folds: Sequence[Fold]) -> np.ndarray:
    """A digest of what a trial follows from: a grid file, a plan, a version or a device may change before a resume."""
    recipe = {**dataclasses.asdict(group.recipe), "terms": sorted(group.recipe.terms)}
    made_by = (__version__, jax.__version__, jax.default_backend())
    settings = (group.pivot, group.aligner, group.loss, recipe, trial.index, tuple(trial.hyper), made_by)
    digest = hashlib.sha256(repr(settings).encode())
    for rows in jax.tree.leaves([dataclasses.asdict(fold) for fold in folds]):
        digest.update(f"{len(rows)}\n".encode() + np.asarray(rows, np.int64).tobytes())
    return np.frombuffer(digest.digest(), np.uint8)

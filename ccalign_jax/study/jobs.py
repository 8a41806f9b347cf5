"""What is done for one trial at a time: fitting and scoring it on inner parts, and reporting it on folds."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from ccalign_jax._version import __version__
from ccalign_jax.data import Fold
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.plan import Plan
from ccalign_jax.training import FitPlan, Group, PairScores, RunResult, Trial, scored_epochs

__all__ = [
    "Job",
    "Result",
    "job_cost",
    "pack_jobs",
    "run_fingerprint",
    "score_job",
    "test_job",
    "unpack_jobs",
    "whole_job",
]

PATH_POINTS = 20  # of a closed form, about

Kind = Literal["whole", "score", "test"]
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

    kind: Kind
    pairs: Int[np.ndarray, "p 2"]
    folds: Int[np.ndarray, " f"]
    curves: Float[np.ndarray, "f points 3"]
    diverged: Int[np.ndarray, " f"]

    def fits(self, plan: FitPlan) -> list[int]:
        """The fits that it takes, ascending."""
        needed = {int(fit) for fit, _ in self.pairs} | {plan.test[fold] for fold in self.folds}
        return sorted(needed)

    def same_as(self, kind: str, stored: Sequence[np.ndarray]) -> bool:
        """Whether this is the job of that kind with these arrays."""
        arrays = self[1:]
        return self.kind == kind and all(np.array_equal(*pair) for pair in zip(arrays, stored, strict=True))


_NONE = (np.zeros((0, 2), np.int32), np.zeros(0, np.int32), np.zeros((0, 0, 3), np.float32), np.zeros(0, np.int32))


def whole_job(plan: FitPlan) -> Job:
    """A trial on every fold."""
    pairs = sorted({pair for pairs in plan.inner for pair in pairs})
    folds = np.arange(len(plan.test), dtype=np.int32)
    return Job("whole", *_NONE)._replace(pairs=np.array(pairs, np.int32), folds=folds)


def score_job(pairs: Sequence[tuple[int, int]]) -> Job:
    """The scores of a trial on these (fit, part) pairs."""
    return Job("score", *_NONE)._replace(pairs=np.array(pairs, np.int32).reshape(-1, 2))


def test_job(curves: Mapping[int, tuple[np.ndarray, int]]) -> Job:
    """A trial on some folds, from the scores of their inner fits and the first step at which one diverged."""
    folds = sorted(curves)
    stacked = np.stack([curves[fold][0] for fold in folds])
    diverged = np.array([curves[fold][1] for fold in folds], np.int32)
    return Job("test", *_NONE)._replace(folds=np.array(folds, np.int32), curves=stacked, diverged=diverged)


def pack_jobs(jobs: Mapping[int, Job]) -> dict[str, np.ndarray]:
    """Jobs by the index of their trial as named arrays."""
    found: dict[str, Any] = {}
    for index, job in jobs.items():
        found |= {f"{index}/{name}": np.asarray(value) for name, value in job._asdict().items()}
    return found


def unpack_jobs(arrays: Mapping[str, np.ndarray]) -> dict[int, Job]:
    """What `pack_jobs` packed."""
    indices = dict.fromkeys(int(name.partition("/")[0]) for name in arrays)
    found = {}
    for index in indices:
        kind, *rest = (arrays[f"{index}/{name}"] for name in Job._fields)
        found[index] = Job(str(kind), *rest)  # type: ignore[arg-type]
    return found


def job_cost(plan: Plan, trial: Trial, job: Job) -> float:
    """An estimate of the operations of a job: training, and the scores and ranks of its maps.

    Args:
        plan: of the trial.
        trial: what is fitted.
        job: on what.
    """
    recipe, solved = trial.recipe, trial.aligner in CLOSED_FORMS
    aligner = plan.space.aligner(trial.aligner, recipe)
    shapes = jax.tree.leaves(jax.eval_shape(aligner.init, jax.random.key(0)))
    params = sum(float(np.prod(leaf.shape)) for leaf in shapes)
    rows = recipe.epochs * recipe.steps_per_epoch * recipe.batch_images * len(plan.space.languages)
    points = PATH_POINTS if solved else len(scored_epochs(recipe))
    training = 0.0 if solved else 6 * params * rows * len(job.fits(plan.fits))
    share = [len(plan.fits.validation[part]) / len(plan.data) for _, part in job.pairs]
    share = [each for each in share for _ in range(points)]
    share += [2 * len(plan.folds[int(fold)].test) / len(plan.data) for fold in job.folds]
    captions, images = sum(map(len, plan.data.text.values())), len(plan.data)
    return training + sum(2 * each * captions * (params + each * images * plan.space.d_image) for each in share)


def run_fingerprint(group: Group, trial: Trial, folds: Sequence[Fold]) -> np.ndarray:
    """A digest of what a trial follows from: a grid file, a plan, a version or a device may change before a resume."""
    recipe = {**dataclasses.asdict(group.recipe), "terms": sorted(group.recipe.terms)}
    made_by = (__version__, jax.__version__, jax.default_backend())
    settings = (group.pivot, group.aligner, group.loss, recipe, trial.index, tuple(trial.hyper), made_by)
    digest = hashlib.sha256(repr(settings).encode())
    for rows in jax.tree.leaves([dataclasses.asdict(fold) for fold in folds]):
        digest.update(f"{len(rows)}\n".encode() + np.asarray(rows, np.int64).tobytes())
    return np.frombuffer(digest.digest(), np.uint8)

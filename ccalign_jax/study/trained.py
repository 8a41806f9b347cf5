"""The runs of trained groups, trial by trial, kept in the run's folder as they finish."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import operator
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future

import jax
import numpy as np
from jaxtyping import PyTree

from ccalign_jax._version import __version__
from ccalign_jax.data import Fold
from ccalign_jax.metrics import Ranks
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.folder import RunFolder
from ccalign_jax.study.plan import Plan
from ccalign_jax.training import (
    Embeddings,
    FitResult,
    FoldArrays,
    Group,
    Program,
    RunResult,
    Trajectory,
    Trial,
    cross_validate,
    make_program,
    plan_slices,
    slice_inputs,
    slice_runs,
    take,
)

__all__ = ["TrainedRuns", "stamp"]


class TrainedRuns:
    """The runs of trained groups; while one group runs, the program of the next is compiled."""

    def __init__(self, plan: Plan, embeddings: Embeddings, arrays: FoldArrays, key, folder: RunFolder, pool: Executor):
        self.plan, self.embeddings, self.arrays, self.key, self.folder = plan, embeddings, arrays, key, folder
        self.pool, self.ahead = pool, dict[tuple[int, int], Future[Program]]()
        self.accelerator = jax.default_backend() != "cpu"

    def of(self, number: int) -> Iterator[tuple[Trial, int, RunResult]]:
        """Every trial of a group on every fold; a trial that the folder has is not run again."""
        group, missing = self.plan.groups[number], []
        for place, trial in enumerate(group.trials):
            stored = self.folder.load_slice(number, place, lambda: (0, self._result_like(group)))
            if stored is None or not np.array_equal(stored[0], self._stamp(group, trial)):
                missing.append(trial)
                continue
            yield from self._folds(trial, stored[1])
        if not missing:
            return
        rest = dataclasses.replace(group, trials=tuple(missing))
        for trial, runs in itertools.groupby(self._runs(number, rest), key=operator.itemgetter(0)):
            fits = ((fit, run) for _, fit, run in runs)
            aligner = self.plan.space.aligner(group.aligner, group.recipe)
            crossed = dict(
                cross_validate(aligner, fits, self.plan.fits, self.embeddings, self.arrays, recipe=group.recipe)
            )
            result = jax.tree.map(lambda *leaves: np.stack(leaves), *(crossed[fold] for fold in sorted(crossed)))
            self.folder.save_slice(number, group.trials.index(trial), (self._stamp(group, trial), result))
            yield from self._folds(trial, result)

    def _folds(self, trial: Trial, result: RunResult) -> Iterator[tuple[Trial, int, RunResult]]:
        for fold in range(len(self.plan.folds)):
            yield trial, fold, jax.tree.map(lambda leaf, at=fold: leaf[at], result)

    def _runs(self, number: int, group: Group) -> Iterator[tuple[Trial, int, Trajectory]]:
        """Every trial of a group on every fit, trial by trial."""
        fits = len(self.plan.fits.train)
        width, slices = self._slices(group)
        program = self._compiled(number, width).result()
        for later in range(number + 1, len(self.plan.groups)):
            if self.plan.groups[later].aligner not in CLOSED_FORMS:
                self._compiled(later, self._slices(self.plan.groups[later])[0])
                break
        for index in range(slices):
            inputs = slice_inputs(group, fits, key=self.key, width=width, number=index)
            found = program(self.embeddings, self.arrays, *inputs)
            for place, (trial, fit) in enumerate(slice_runs(group, fits, width=width, number=index)):
                yield trial, fit, take(found, place)
        self.ahead.pop((number, width), None)

    def _compiled(self, number: int, width: int) -> Future[Program]:
        if (number, width) not in self.ahead:
            self.ahead[number, width] = self.pool.submit(self._compile, self.plan.groups[number], width)
        return self.ahead[number, width]

    def _compile(self, group: Group, width: int) -> Program:
        inputs = slice_inputs(group, len(self.plan.fits.train), key=self.key, width=width, number=0)
        program = make_program(group, self.plan.space, least=self.plan.least, accelerator=self.accelerator)
        return program.compile(self.embeddings, self.arrays, *inputs)

    def _slices(self, group: Group) -> tuple[int, int]:
        params_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(self._params_like(group)))
        fits = len(self.plan.fits.train)
        return plan_slices(group, fits, params_bytes=params_bytes, accelerator=self.accelerator)

    def _params_like(self, group: Group) -> PyTree:
        aligner = self.plan.space.aligner(group.aligner, group.recipe)
        return jax.eval_shape(aligner.init, jax.random.key(0))

    def _result_like(self, group: Group) -> RunResult:
        """A tree of the same structure as a trial's result on all folds."""
        leaf = np.zeros(())
        ranks: Any = ((Ranks(*(leaf for _ in Ranks._fields)),) * 2,) * len(self.plan.space.languages)
        like: Any = self._params_like(group), leaf, leaf, leaf
        return RunResult(FitResult(*like), ranks, ranks)

    def _stamp(self, group: Group, trial: Trial) -> np.ndarray:
        return stamp(group, trial, self.plan.folds)


def stamp(group: Group, trial: Trial, folds: Sequence[Fold]) -> np.ndarray:
    """A digest of what a trial follows from: a grid file, a plan, a version or a device may change before a resume."""
    recipe = {**dataclasses.asdict(group.recipe), "terms": sorted(group.recipe.terms)}
    made_by = (__version__, jax.__version__, jax.default_backend())
    told = (group.pivot, group.aligner, group.loss, recipe, trial.index, tuple(trial.hyper), made_by)
    digest = hashlib.sha256(repr(told).encode())
    for rows in jax.tree.leaves([dataclasses.asdict(fold) for fold in folds]):
        digest.update(f"{len(rows)}\n".encode() + np.asarray(rows, np.int64).tobytes())
    return np.frombuffer(digest.digest(), np.uint8)

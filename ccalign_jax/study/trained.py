"""The runs of trained groups, slice by slice, kept in the run's folder as they finish."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future

import jax
import numpy as np

from ccalign_jax._version import __version__
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.folder import RunFolder
from ccalign_jax.study.plan import Plan
from ccalign_jax.training import (
    Embeddings,
    FoldArrays,
    Group,
    Program,
    RunResult,
    Trial,
    make_program,
    plan_slices,
    slice_inputs,
    slice_runs,
)

__all__ = ["TrainedRuns", "stamp"]


class TrainedRuns:
    """The runs of trained groups; while one group runs, the program of the next is compiled."""

    def __init__(self, plan: Plan, embeddings: Embeddings, arrays: FoldArrays, key, folder: RunFolder, pool: Executor):
        self.plan, self.embeddings, self.arrays, self.key, self.folder = plan, embeddings, arrays, key, folder
        self.pool, self.ahead = pool, dict[int, Future[Program]]()
        self.accelerator = jax.default_backend() != "cpu"

    def of(self, number: int) -> Iterator[tuple[Trial, int, RunResult]]:
        """Every trial of a group on every fold, slice by slice, from the folder where it has them."""
        plan, group, folds = self.plan, self.plan.groups[number], len(self.plan.folds)
        width, slices = self._slices(group)
        rows = [leaf for fold in plan.folds for leaf in dataclasses.astuple(fold)]
        for index in range(slices):
            runs = slice_runs(group, folds, width=width, number=index)
            inputs = slice_inputs(group, folds, key=self.key, width=width, number=index)
            made_of = stamp(group, runs, rows)
            stored = self.folder.load_slice(
                number,
                index,
                lambda given=inputs: (0, jax.eval_shape(self._program(group), self.embeddings, self.arrays, *given)),
            )
            if stored is not None and np.array_equal(stored[0], made_of):
                result = stored[1]
            else:
                compiled = self._compiled(number).result()
                for later in range(number + 1, len(plan.groups)):
                    if plan.groups[later].aligner not in CLOSED_FORMS:
                        self._compiled(later)
                        break
                result = jax.tree.map(np.asarray, compiled(self.embeddings, self.arrays, *inputs))
                self.folder.save_slice(number, index, (made_of, result))
            for position, (trial, fold) in enumerate(runs):
                yield trial, fold, jax.tree.map(lambda leaf, p=position: leaf[p], result)
        self.ahead.pop(number, None)

    def _program(self, group: Group) -> Program:
        return make_program(group, self.plan.space, least=self.plan.least, accelerator=self.accelerator)

    def _compiled(self, number: int) -> Future[Program]:
        if number not in self.ahead:
            self.ahead[number] = self.pool.submit(self._compile, self.plan.groups[number])
        return self.ahead[number]

    def _compile(self, group: Group) -> Program:
        width, _ = self._slices(group)
        inputs = slice_inputs(group, len(self.plan.folds), key=self.key, width=width, number=0)
        return self._program(group).compile(self.embeddings, self.arrays, *inputs)

    def _slices(self, group: Group) -> tuple[int, int]:
        aligner = self.plan.space.aligner(group.aligner, group.recipe)
        shapes = jax.eval_shape(aligner.init, jax.random.key(0))
        params_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
        folds = len(self.plan.folds)
        return plan_slices(group, folds, params_bytes=params_bytes, accelerator=self.accelerator)


def stamp(group: Group, runs: Sequence[tuple[Trial, int]], folds: Sequence[np.ndarray]) -> np.ndarray:
    """A digest of what a slice follows from: a grid file, a plan, a version or a device may change before a resume."""
    recipe = {**dataclasses.asdict(group.recipe), "terms": sorted(group.recipe.terms)}
    numbers = [(trial.index, *trial.hyper, fold) for trial, fold in runs]
    made_by = (__version__, jax.__version__, jax.default_backend())
    digest = hashlib.sha256(repr((group.pivot, group.aligner, group.loss, recipe, numbers, made_by)).encode())
    for rows in folds:
        digest.update(f"{len(rows)}\n".encode() + np.asarray(rows, np.int64).tobytes())
    return np.frombuffer(digest.digest(), np.uint8)

"""The runs of all groups, trial by trial, kept in the run's folder as they finish."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import PyTree

from ccalign_jax._version import __version__
from ccalign_jax.data import Fold
from ccalign_jax.metrics import Ranks
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.closed import closed_runs
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
    everywhere,
    make_program,
    plan_slices,
    runs_of_devices,
    slice_inputs,
    slice_runs,
    take,
)

__all__ = ["TrainedRuns", "stamp"]


class TrainedRuns:
    """The runs of all groups; while one group runs, the program of the next is compiled.

    Args:
        plan: what to run.
        embeddings, arrays: of the plan.
        key: of the run.
        folder: keeps every trial that is done.
        pool: compiles ahead.
        mesh: the devices that the runs of a trained group are spread over; None for one.

    Attributes:
        elsewhere: trials that other processes run, by index.
    """

    def __init__(
        self,
        plan: Plan,
        embeddings: Embeddings,
        arrays: FoldArrays,
        key,
        folder: RunFolder,
        pool: Executor,
        mesh: Mesh | None = None,
    ):
        self.plan, self.embeddings, self.arrays, self.key, self.folder = plan, embeddings, arrays, key, folder
        self.pool, self.ahead = pool, dict[tuple[int, int], Future[Program]]()
        self.accelerator = jax.default_backend() != "cpu"
        self.elsewhere: set[int] = set()
        self.mesh = mesh if mesh is not None and mesh.size > 1 else None
        self.spread = (embeddings, arrays)
        if self.mesh is not None:
            self.spread = jax.device_put(self.spread, everywhere(self.mesh))

    @classmethod
    @contextlib.contextmanager
    def of_plan(cls, plan: Plan, folder: RunFolder, mesh: Mesh | None = None) -> Iterator[TrainedRuns]:
        """The runs of a plan from its data and its seed."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            yield cls(plan, *plan.arrays(), jax.random.key(plan.config.seed), folder, pool, mesh)

    def of(self, number: int) -> Iterator[tuple[Trial, int, RunResult]]:
        """The trials of a group that are not run elsewhere, on every fold; what the folder has is not run again."""
        group, missing = self.plan.groups[number], []
        for place, trial in enumerate(group.trials):
            if trial.index in self.elsewhere:
                continue
            stored = self._stored(number, place)
            if stored is None:
                missing.append(trial)
            else:
                yield from self._folds(trial, stored)
        if not missing:
            return
        rest = dataclasses.replace(group, trials=tuple(missing))
        for trial, folds in self._closed(rest) if group.aligner in CLOSED_FORMS else self._trained(number, rest):
            result = jax.tree.map(lambda *leaves: np.stack(leaves), *(folds[fold] for fold in sorted(folds)))
            self.folder.save_slice(number, group.trials.index(trial), (self._stamp(group, trial), result))
            yield from self._folds(trial, result)

    def kept(self, number: int, place: int) -> Iterator[tuple[Trial, int, RunResult]]:
        """A trial that the folder has, on every fold; it is named by its group and its place there."""
        stored = self._stored(number, place)
        assert stored is not None
        yield from self._folds(self.plan.groups[number].trials[place], stored)

    def missing(self) -> dict[int, tuple[int, int]]:
        """The index of every trial that the folder does not have, with its group and its place there."""
        return {
            trial.index: (number, place)
            for number, group in enumerate(self.plan.groups)
            for place, trial in enumerate(group.trials)
            if self._stored(number, place) is None
        }

    def _stored(self, number: int, place: int) -> RunResult | None:
        group = self.plan.groups[number]
        stored = self.folder.load_slice(number, place, lambda: (0, self._result_like(group)))
        if stored is None or not np.array_equal(stored[0], self._stamp(group, group.trials[place])):
            return None
        return stored[1]

    def _folds(self, trial: Trial, result: RunResult) -> Iterator[tuple[Trial, int, RunResult]]:
        for fold in range(len(self.plan.folds)):
            yield trial, fold, jax.tree.map(lambda leaf, at=fold: leaf[at], result)

    def _closed(self, group: Group) -> Iterator[tuple[Trial, dict[int, RunResult]]]:
        runs = closed_runs(group, self.plan.space, self.plan.fits, self.embeddings, self.arrays)
        for trial, folds in itertools.groupby(runs, key=operator.itemgetter(0)):
            yield trial, {fold: run for _, fold, run in folds}

    def _trained(self, number: int, group: Group) -> Iterator[tuple[Trial, dict[int, RunResult]]]:
        aligner = self.plan.space.aligner(group.aligner, group.recipe)
        for trial, runs in itertools.groupby(self._runs(number, group), key=operator.itemgetter(0)):
            fits = ((fit, run) for _, fit, run in runs)
            crossed = cross_validate(aligner, fits, self.plan.fits, self.embeddings, self.arrays, recipe=group.recipe)
            yield trial, dict(crossed)

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
            found = self._found(program(*self.spread, *inputs))
            for place, (trial, fit) in enumerate(slice_runs(group, fits, width=width, number=index)):
                yield trial, fit, found(place)
        self.ahead.pop((number, width), None)

    def _found(self, found: Trajectory) -> Callable[[int], Trajectory]:
        """The run at a place of a slice, on the first device, where all is scored."""
        if self.mesh is None:
            return functools.partial(take, found)
        parts, first = runs_of_devices(found, self.mesh), self.mesh.devices[0]
        each = len(parts[0].losses)
        return lambda place: jax.device_put(take(parts[place // each], place % each), first)

    def _compiled(self, number: int, width: int) -> Future[Program]:
        if (number, width) not in self.ahead:
            self.ahead[number, width] = self.pool.submit(self._compile, self.plan.groups[number], width)
        return self.ahead[number, width]

    def _compile(self, group: Group, width: int) -> Program:
        inputs = slice_inputs(group, len(self.plan.fits.train), key=self.key, width=width, number=0)
        program = make_program(
            group, self.plan.space, least=self.plan.least, accelerator=self.accelerator, mesh=self.mesh
        )
        return program.compile(*self.spread, *inputs)

    def _slices(self, group: Group) -> tuple[int, int]:
        params_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(self._params_like(group)))
        fits = len(self.plan.fits.train)
        devices = 1 if self.mesh is None else self.mesh.size
        return plan_slices(group, fits, params_bytes=params_bytes, accelerator=self.accelerator, devices=devices)

    def _params_like(self, group: Group) -> PyTree:
        aligner = self.plan.space.aligner(group.aligner, group.recipe)
        return jax.eval_shape(aligner.init, jax.random.key(0))

    def _result_like(self, group: Group) -> RunResult:
        """A tree of the same structure as a trial's result on all folds."""
        leaf: Any = np.zeros(())
        ranks = ((Ranks(*(leaf for _ in Ranks._fields)),) * 2,) * len(self.plan.space.languages)
        like = FitResult(*(leaf for _ in FitResult._fields))._replace(params=self._params_like(group))
        return RunResult(like, ranks, ranks)

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

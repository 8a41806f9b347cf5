"""The results of a plan's trials, trial by trial, kept in the run's folder as they finish."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import PyTree

from ccalign_jax.metrics import Ranks
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.closed import closed_runs
from ccalign_jax.study.jobs import Job, Result, run_fingerprint
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.store import Store
from ccalign_jax.threads import ahead
from ccalign_jax.training import (
    Embeddings,
    FitResult,
    FoldArrays,
    Group,
    PairScores,
    Program,
    RunResult,
    Trajectory,
    Trial,
    cross_validate,
    everywhere,
    make_program,
    runs_of_devices,
    score_pairs,
    slice_inputs,
    slice_width,
    take,
    test_folds,
)

__all__ = ["TrainedRuns"]

AHEAD = 2  # fits


class TrainedRuns:
    """Fits, scores and ranks of a plan's trials; while one group runs, the program of the next is compiled.

    Args:
        plan: what to run.
        embeddings, arrays: of the plan.
        key: of the run.
        folder: keeps every trial that is done.
        pool: compiles ahead.
        mesh: the devices that the runs of a trained group are spread over; None for one.
    """

    def __init__(
        self,
        plan: Plan,
        embeddings: Embeddings,
        arrays: FoldArrays,
        key,
        folder: Store,
        pool: Executor,
        mesh: Mesh | None = None,
    ):
        self.plan, self.embeddings, self.arrays, self.key, self.folder = plan, embeddings, arrays, key, folder
        self.pool, self.ahead = pool, dict[tuple[int, int], Future[Program]]()
        self.accelerator = jax.default_backend() != "cpu"
        groups = enumerate(plan.groups)
        self.place = {trial.index: (number, trial) for number, group in groups for trial in group.trials}
        self.mesh = mesh if mesh is not None and mesh.size > 1 else None
        self.spread = (embeddings, arrays)
        if self.mesh is not None:
            self.spread = jax.device_put(self.spread, everywhere(self.mesh))

    @classmethod
    @contextlib.contextmanager
    def of_plan(cls, plan: Plan, folder: Store, mesh: Mesh | None = None) -> Iterator[TrainedRuns]:
        """The runs of a plan from its data and its seed."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            yield cls(plan, *plan.arrays(), jax.random.key(plan.config.seed), folder, pool, mesh)

    def results(self, jobs: Mapping[int, Job]) -> Iterator[tuple[int, Result]]:
        """The result of each job, by the index of its trial, group by group; what the folder has is not run again.

        Args:
            jobs: by the index of their trial.
        """
        wanted = {}
        for number, group in enumerate(self.plan.groups):
            if mine := {trial: jobs[trial.index] for trial in group.trials if trial.index in jobs}:
                wanted[number] = mine
        missing: dict[int, dict[Trial, Job]] = {}
        for number, mine in wanted.items():
            missing[number] = {trial: job for trial, job in mine.items() if not self._is_kept(number, trial, job)}
        for number, mine in wanted.items():
            for trial, job in mine.items():
                if trial not in missing[number]:
                    yield trial.index, self.kept(trial.index, job)
            if missing[number]:
                later = [(other, self._count(missing[other])) for other in missing if other > number]
                yield from self._new(number, missing[number], later)

    def kept(self, index: int, job: Job) -> Result:
        """The result of a job that the folder has."""
        number, trial = self.place[index]
        found = self._stored(number, trial, job)
        assert found is not None
        return found

    def missing(self, jobs: Mapping[int, Job]) -> list[int]:
        """The trials of the jobs that the folder does not have, by index."""
        return [index for index, job in sorted(jobs.items()) if not self._is_kept(*self.place[index], job)]

    def name(self, index: int, job: Job) -> str:
        """What the folder calls the result of a job."""
        number, trial = self.place[index]
        return f"{number:03d}-{self.plan.groups[number].trials.index(trial):04d}-{job.kind}-{len(job.pairs)}"

    def _count(self, jobs: Mapping[Trial, Job]) -> int:
        """The runs of some jobs."""
        return sum(len(job.fits(self.plan.fits)) for job in jobs.values())

    def _is_kept(self, number: int, trial: Trial, job: Job) -> bool:
        return self._stored(number, trial, job) is not None

    def _stored(self, number: int, trial: Trial, job: Job) -> Result | None:
        group = self.plan.groups[number]
        stored = self.folder.load_result(
            self.name(trial.index, job), lambda: (0, tuple(job[1:]), self._result_like(group, job))
        )
        if stored is None or not np.array_equal(stored[0], run_fingerprint(group, trial, self.plan.folds)):
            return None
        return stored[2] if job.same_as(job.kind, stored[1]) else None

    def _new(
        self, number: int, jobs: Mapping[Trial, Job], later: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[int, Result]]:
        group = self.plan.groups[number]
        for trial, result in (
            self._closed(group, jobs) if group.aligner in CLOSED_FORMS else self._trained(number, jobs, later)
        ):
            kept = (run_fingerprint(group, trial, self.plan.folds), tuple(jobs[trial][1:]), result)
            self.folder.save_result(self.name(trial.index, jobs[trial]), kept)
            yield trial.index, result

    def _closed(self, group: Group, jobs: Mapping[Trial, Job]) -> Iterator[tuple[Trial, Result]]:
        rest = dataclasses.replace(group, trials=tuple(jobs))
        runs = closed_runs(rest, self.plan.space, self.plan.fits, self.embeddings, self.arrays)
        for trial, folds in itertools.groupby(runs, key=operator.itemgetter(0)):
            yield trial, _stack({fold: run for _, fold, run in folds})

    def _trained(
        self, number: int, jobs: Mapping[Trial, Job], later: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[Trial, Result]]:
        group, plan = self.plan.groups[number], self.plan.fits
        aligner = self.plan.space.aligner(group.aligner, group.recipe)
        runs = self._runs(number, [(trial, fit) for trial, job in jobs.items() for fit in job.fits(plan)], later)
        for trial, several in itertools.groupby(runs, key=operator.itemgetter(0)):
            job, fits = jobs[trial], ((fit, run) for _, fit, run in several)
            data = (self.embeddings, self.arrays)
            if job.kind == "score":
                pairs = [(int(fit), int(part)) for fit, part in job.pairs]
                yield trial, score_pairs(aligner, fits, pairs, *data, recipe=group.recipe)
            elif job.kind == "test":
                each = zip(job.folds.tolist(), job.curves, job.diverged, strict=True)
                curves = {fold: (curve, diverged) for fold, curve, diverged in each}
                yield trial, _stack(dict(test_folds(aligner, fits, curves, plan, *data, recipe=group.recipe)))
            else:
                yield trial, _stack(dict(cross_validate(aligner, fits, plan, *data, recipe=group.recipe)))

    def _runs(
        self, number: int, runs: Sequence[tuple[Trial, int]], later: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[Trial, int, Trajectory]]:
        """Some runs of a group in their order; meanwhile the next are fitted, and the next group's program is compiled.

        On a CPU the scores of one run and the fit of another fill the cores better than either alone; an accelerator
        has no memory for a second batch of trials, and needs none.
        """
        width = self._width(number, len(runs))
        program = self._compiled(number, width).result()
        for other, count in later:
            if count and self.plan.groups[other].aligner not in CLOSED_FORMS:
                self._compiled(other, self._width(other, count))
                break
        slices = [runs[start : start + width] for start in range(0, len(runs), width)]

        def fitted(here: Sequence[tuple[Trial, int]]) -> Trajectory:
            return jax.block_until_ready(program(*self.spread, *slice_inputs(here, key=self.key, width=width)))

        results = ahead(fitted, slices, count=0 if self.accelerator else AHEAD)
        for here, result in zip(slices, results, strict=True):
            found = self._found(result)
            for place, (trial, fit) in enumerate(here):
                yield trial, fit, found(place)

    def _found(self, found: Trajectory) -> Callable[[int], Trajectory]:
        """The run at a place of a batch of trials, on the first device, where all is scored."""
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
        inputs = slice_inputs([(group.trials[0], 0)], key=self.key, width=width)
        program = make_program(
            group,
            self.plan.space,
            min_train_size=self.plan.min_train_size,
            accelerator=self.accelerator,
            mesh=self.mesh,
        )
        return program.compile(*self.spread, *inputs)

    def _width(self, number: int, runs: int) -> int:
        group, devices = self.plan.groups[number], 1 if self.mesh is None else self.mesh.size
        params_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(self._params_like(group)))
        return slice_width(group.recipe, runs, params_bytes=params_bytes, accelerator=self.accelerator, devices=devices)

    def _params_like(self, group: Group) -> PyTree:
        aligner = self.plan.space.aligner(group.aligner, group.recipe)
        return jax.eval_shape(aligner.init, jax.random.key(0))

    def _result_like(self, group: Group, job: Job) -> Result:
        """A tree of the same structure as the result of a job."""
        leaf: Any = np.zeros(())
        if job.kind == "score":
            return PairScores(*(leaf for _ in PairScores._fields))
        ranks = ((Ranks(*(leaf for _ in Ranks._fields)),) * 2,) * len(self.plan.space.languages)
        like = FitResult(*(leaf for _ in FitResult._fields))._replace(params=self._params_like(group))
        return RunResult(like, ranks, ranks)


def _stack(folds: Mapping[int, RunResult]) -> RunResult:
    """The results of some folds, stacked in the order of the folds."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *(folds[fold] for fold in sorted(folds)))

"""Jobs, each on one trial, and their results, kept in the run's folder as they finish."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import PyTree

from ccalign_jax._version import __version__
from ccalign_jax.aligners import Aligner
from ccalign_jax.data import Fold
from ccalign_jax.metrics import Ranks
from ccalign_jax.runs.store import Store
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.board import SweepBoard
from ccalign_jax.study.closed import closed_aligner, closed_path
from ccalign_jax.study.jobs import Job
from ccalign_jax.study.plan import Plan
from ccalign_jax.threads import ahead
from ccalign_jax.training import (
    FitResult,
    Group,
    PairScores,
    Program,
    Run,
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

__all__ = ["Pair", "Result", "TrainedRuns", "run_fingerprint"]

AHEAD = 2  # fits
Pair = tuple[int, int]
Result = RunResult | PairScores


class TrainedRuns:
    """Fits, scores and ranks of a plan's trials; while one group runs, the program of the next is compiled.

    Args:
        plan: what to run.
        folder: keeps every trial that is done.
        mesh: the devices that the runs of a trained group are spread over; None for one.
        board: shows the curves of every fit; None shows none.
    """

    def __init__(self, plan: Plan, folder: Store, mesh: Mesh | None = None, board: SweepBoard | None = None):
        self.plan, self.folder, self.board = plan, folder, board
        self.embeddings, self.arrays = self.spread = plan.arrays()
        self.key = jax.random.key(plan.config.seed)
        self.compiler, self.programs = ThreadPoolExecutor(max_workers=1), dict[tuple[int, int], Future[Program]]()
        self.accelerator = jax.default_backend() != "cpu"
        groups = enumerate(plan.groups)
        self.place = {trial.index: (number, trial) for number, group in groups for trial in group.trials}
        self.mesh = mesh if mesh is not None and mesh.size > 1 else None
        if self.mesh is not None:
            self.spread = jax.device_put(self.spread, everywhere(self.mesh))

    def results(self, jobs: Mapping[int, Job]) -> Iterator[tuple[int, Result]]:
        """The result of each job, by the index of its trial, group by group; what the folder has is not run again."""
        new, plan = {index: jobs[index] for index in self.missing(jobs)}, self.plan
        runs = [
            [(trial, fit) for trial in group.trials if trial.index in new for fit in new[trial.index].fits(plan.fits)]
            for group in plan.groups
        ]
        for number, group in enumerate(plan.groups):
            for trial in group.trials:
                if trial.index in jobs and trial.index not in new:
                    yield trial.index, self.kept(trial.index, jobs[trial.index])
            if not runs[number]:
                continue
            later = [(other, len(runs[other])) for other in range(number + 1, len(runs)) if runs[other]]
            for trial, several in itertools.groupby(self._runs(number, runs[number], later), operator.itemgetter(0)):
                job = new[trial.index]
                result = self._result(group, trial, job, ((fit, run) for _, fit, run in several))
                fingerprint = run_fingerprint(group, trial, plan.folds)
                self.folder.save_result(self.name(trial.index, job), (fingerprint, job.arrays, result))
                yield trial.index, result

    def missing(self, jobs: Mapping[int, Job]) -> list[int]:
        """The trials of the jobs that the folder does not have, by index."""
        return [index for index, job in sorted(jobs.items()) if self._stored(index, job) is None]

    def kept(self, index: int, job: Job) -> Result:
        """The result of a job that the folder has."""
        found = self._stored(index, job)
        assert found is not None
        return found

    def name(self, index: int, job: Job) -> str:
        """What the folder calls the result of a job."""
        number, trial = self.place[index]
        return f"{number:03d}-{self.plan.groups[number].trials.index(trial):04d}-{job.kind}-{len(job.pairs)}"

    def _stored(self, index: int, job: Job) -> Result | None:
        number, trial = self.place[index]
        group = self.plan.groups[number]
        like = functools.partial(self._like, group, job)
        stored = self.folder.load_result(self.name(index, job), lambda: (0, job.arrays, like()))
        if stored is None:
            return None
        fingerprint, arrays, result = stored
        wanted = (run_fingerprint(group, trial, self.plan.folds), *job.arrays)
        return result if all(map(np.array_equal, wanted, (fingerprint, *arrays))) else None

    def _result(self, group: Group, trial: Trial, job: Job, fits: Iterable[tuple[int, Run]]) -> Result:
        """What a job asks for, from its fits."""
        if self.board is None:
            return self._computed(group, job, fits)
        result = self._computed(group, job, self.board.watch(trial, self._aligner(group), group.recipe, fits))
        self.board.add_scores(trial, map(tuple, job.pairs.tolist()), job.folds.tolist(), result)
        return result

    def _computed(self, group: Group, job: Job, fits: Iterable[tuple[int, Run]]) -> Result:
        inputs = (self._aligner(group), fits)
        if job.kind == "score":
            pairs = [(int(fit), int(part)) for fit, part in job.pairs]
            return score_pairs(*inputs, pairs, self.embeddings, self.arrays, recipe=group.recipe)
        data: Any = (self.plan.fits, self.embeddings, self.arrays)
        if job.kind == "test":
            each = zip(job.folds.tolist(), job.curves, job.diverged, strict=True)
            curves = {fold: (curve, diverged) for fold, curve, diverged in each}
            folds = dict(test_folds(*inputs, curves, *data, recipe=group.recipe))
        else:
            folds = dict(cross_validate(*inputs, *data, recipe=group.recipe))
        return jax.tree.map(lambda *leaves: np.stack(leaves), *(folds[fold] for fold in sorted(folds)))

    def _runs(
        self, number: int, runs: Sequence[tuple[Trial, int]], later: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[Trial, int, Run]]:
        """Some runs of a group in their order; meanwhile the next are fitted, and the next group's program is compiled.

        On a CPU the scores of one run and the fit of another fill the cores better than either alone; an accelerator
        has no memory for a second batch of trials, and needs none.
        """
        if self.plan.groups[number].aligner in CLOSED_FORMS:
            for trial, fit in runs:
                yield trial, fit, closed_path(trial, self.plan.space, self.embeddings, self.plan.fits.train[fit])
            return
        width = self._width(number, len(runs))
        program = self._compiled(number, width).result()
        for other, count in later:
            if self.plan.groups[other].aligner not in CLOSED_FORMS:
                self._compiled(other, self._width(other, count))
                break
        slices = [runs[start : start + width] for start in range(0, len(runs), width)]

        def fitted(here: Sequence[tuple[Trial, int]]) -> Trajectory:
            return jax.block_until_ready(program(*self.spread, *slice_inputs(here, key=self.key, width=width)))

        results = ahead(fitted, slices, count=0 if self.accelerator else AHEAD)
        for here, found in zip(slices, results, strict=True):
            parts = [found] if self.mesh is None else runs_of_devices(found, self.mesh)
            each = width // len(parts)
            for place, (trial, fit) in enumerate(here):
                run = take(parts[place // each], place % each)
                # All is scored on the first device.
                yield trial, fit, run if self.mesh is None else jax.device_put(run, self.mesh.devices[0])

    def _compiled(self, number: int, width: int) -> Future[Program]:
        if (number, width) not in self.programs:
            self.programs[number, width] = self.compiler.submit(self._compile, self.plan.groups[number], width)
        return self.programs[number, width]

    def _compile(self, group: Group, width: int) -> Program:
        size = self.plan.min_train_size
        program = make_program(
            group, self.plan.space, min_train_size=size, accelerator=self.accelerator, mesh=self.mesh
        )
        return program.compile(*self.spread, *slice_inputs([(group.trials[0], 0)], key=self.key, width=width))

    def _width(self, number: int, runs: int) -> int:
        group, devices = self.plan.groups[number], 1 if self.mesh is None else self.mesh.size
        params_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(self._params_like(group)))
        return slice_width(group.recipe, runs, params_bytes=params_bytes, accelerator=self.accelerator, devices=devices)

    def _aligner(self, group: Group) -> Aligner:
        space = self.plan.space
        solved = group.aligner in CLOSED_FORMS
        return closed_aligner(space, group.aligner) if solved else space.aligner(group.aligner, group.recipe)

    def _params_like(self, group: Group) -> PyTree:
        return jax.eval_shape(self._aligner(group).init, jax.random.key(0))

    def _like(self, group: Group, job: Job) -> Result:
        """A tree of the same structure as the result of a job."""
        leaf: Any = np.zeros(())
        if job.kind == "score":
            return PairScores(*(leaf for _ in PairScores._fields))
        ranks = ((Ranks(*(leaf for _ in Ranks._fields)),) * 2,) * len(self.plan.space.languages)
        like = FitResult(*(leaf for _ in FitResult._fields))._replace(params=self._params_like(group))
        return RunResult(like, ranks, ranks)


def run_fingerprint(group: Group, trial: Trial, folds: Sequence[Fold]) -> np.ndarray:
    """A digest of what a trial follows from: a grid file, a plan, a version or a device may change before a resume."""
    recipe = {**dataclasses.asdict(group.recipe), "terms": sorted(group.recipe.terms)}
    made_by = (__version__, jax.__version__, jax.default_backend())
    settings = (group.pivot, group.aligner, group.loss, recipe, trial.index, tuple(trial.hyper), made_by)
    digest = hashlib.sha256(repr(settings).encode())
    for rows in jax.tree.leaves([dataclasses.asdict(fold) for fold in folds]):
        digest.update(f"{len(rows)}\n".encode() + np.asarray(rows, np.int64).tobytes())
    return np.frombuffer(digest.digest(), np.uint8)

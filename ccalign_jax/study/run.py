"""A sweep from data to results: baselines, every trial on every fold, and the choice."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from ccalign_jax._version import __version__
from ccalign_jax.checkpoints import Checkpoint
from ccalign_jax.data import EmbeddingSet, Fold
from ccalign_jax.errors import InputError
from ccalign_jax.pivots import make_pivot
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.arrays import fold_arrays, lay_out, make_part, train_rows
from ccalign_jax.study.closed import closed_runs
from ccalign_jax.study.config import SweepConfig
from ccalign_jax.study.folder import RunFolder
from ccalign_jax.study.grids import load_grid, parse_settings
from ccalign_jax.study.summary import (
    DIRECTIONS,
    IDENTITY,
    Outcome,
    best_of,
    chance_metrics,
    describe_data,
    fold_metrics,
    kept_its_start,
    make_summary,
)
from ccalign_jax.study.trials import make_trials
from ccalign_jax.training import (
    Embeddings,
    FoldArrays,
    Group,
    Part,
    Program,
    Recipe,
    RunResult,
    Space,
    Trial,
    evaluate_folds,
    group_trials,
    make_program,
    plan_slices,
    slice_inputs,
    slice_runs,
)

__all__ = ["Plan", "Progress", "SweepResult", "plan_sweep", "run_sweep", "summarise"]

Progress = Callable[[str, int, int], None]


class Plan(NamedTuple):
    """A sweep that has been checked and not begun."""

    data: EmbeddingSet
    config: SweepConfig
    folds: list[Fold]
    space: Space
    groups: list[Group]
    notes: list[str]

    def report_part(self, fold: Fold) -> Part:
        """What is reported of a fold: all languages, or the one that was not trained on."""
        heldout = self.config.heldout_language
        return make_part(self.data, fold.report, None if heldout is None else [heldout])

    @property
    def trials(self) -> list[Trial]:
        return sorted((trial for group in self.groups for trial in group.trials), key=lambda trial: trial.index)

    @property
    def trained_languages(self) -> list[str]:
        return [language for language in self.data.languages if language != self.config.heldout_language]

    def arrays(self) -> tuple[Embeddings, FoldArrays]:
        """The data and its folds on the device; a language that is held out has no caption to train on."""
        heldout = self.config.heldout_language
        embeddings = train_rows(self.data, lay_out(self.data), heldout)
        return embeddings, fold_arrays(self.data, self.folds, consensus=self.consensus, heldout=heldout)

    @property
    def consensus(self) -> set[str]:
        """The kinds of consensus rows that its pivots ask for."""
        trained = [group for group in self.groups if group.aligner not in CLOSED_FORMS]
        pivots = (make_pivot(group.pivot, self.space.languages) for group in trained)
        return {pivot.consensus for pivot in pivots if pivot.consensus is not None}

    @property
    def least(self) -> int:
        """Images in the smallest training part."""
        return min(len(fold.train) for fold in self.folds)


@dataclasses.dataclass
class SweepResult:
    """What a sweep found.

    Attributes:
        summary: the content of `summary.json`.
        plan: what was run.
        identity: the baseline on every fold.
        outcomes: every trial on every fold, with its ranks and parameters.
        seconds: how long each part took.
        best: the map that was chosen, refitted; None until `refit.refit` has made it.
    """

    summary: dict[str, Any]
    plan: Plan
    identity: Outcome
    outcomes: list[Outcome]
    seconds: dict[str, float]
    best: Checkpoint | None = None


def plan_sweep(
    data: EmbeddingSet, config: SweepConfig, folds: list[Fold], *, blocks: Sequence[Mapping[str, Any]] | None = None
) -> Plan:
    """Check everything that can be wrong before anything is written or computed.

    Args:
        data: prepared.
        config: what is asked for.
        folds: plans.
        blocks: of a grid, in place of the config's.

    Raises:
        InputError: an unknown name, an impossible setting, or nothing to train.
    """
    space = Space(data.d_text, data.d_image, data.languages)
    found = make_trials(
        space,
        pivots=config.pivots,
        aligners=config.aligners,
        losses=config.losses,
        blocks=load_grid(config.grid if blocks is None else blocks),
        settings=parse_settings(config.hyper),
        protocol=config.protocol,
        full=blocks is None and config.grid == "full",
        heldout=_checked_heldout(data, config),
    )
    notes = [*data.notes, *(f"left out {line}" for line in found.skipped)]
    if data.d_text != data.d_image:
        notes.append(
            f"captions have {data.d_text} dimensions, images {data.d_image}: identity cuts or pads and is near chance"
        )
    plan = Plan(data, config, folds, space, group_trials(found.trials), notes)
    sizes = {trial.recipe.batch_images for trial in found.trials if trial.aligner not in CLOSED_FORMS}
    for size in sorted(size for size in sizes if size > plan.least):
        notes.append(f"batches of {size} images are cut to {plan.least}: the smallest training part has no more")
    return plan


def _checked_heldout(data: EmbeddingSet, config: SweepConfig) -> str | None:
    language = config.heldout_language
    if language is None:
        return None
    if language not in data.languages:
        raise InputError(f"--heldout_language={language}: the data has {', '.join(data.languages)}")
    if len(data.languages) < 2:
        raise InputError(f"--heldout_language={language}: the data has no other language to train on")
    return language


def run_sweep(
    plan: Plan, folder: RunFolder | None = None, *, progress: Progress = lambda what, done, total: None
) -> SweepResult:
    """Run every trial on every fold, and summarise; `refit.refit` then makes the map that was chosen.

    Args:
        plan: from `plan_sweep`.
        folder: keeps finished slices, and gives back those of an earlier attempt.
        progress: called with what goes on, runs done, and runs in all.
    """
    clock, seconds = time.perf_counter(), {}

    def lap(name: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[name], clock = now - clock, now

    folder = folder or RunFolder(None)
    total = len(plan.trials) * len(plan.folds)
    progress("identity", 0, total)
    embeddings, arrays = plan.arrays()
    key = jax.random.key(plan.config.seed)
    identity = _baseline(plan, embeddings, arrays)
    lap("baselines")
    outcomes = {trial.index: Outcome(trial.name, trial) for trial in plan.trials}
    done = 0
    with ThreadPoolExecutor(max_workers=1) as pool:
        trained = _TrainedRuns(plan, embeddings, arrays, key, folder, pool)
        for number, group in enumerate(plan.groups):
            if group.aligner in CLOSED_FORMS:
                runs = closed_runs(group, plan.space, embeddings, arrays)
            else:
                runs = trained.of(number)
            for trial, fold, run in runs:
                _record(outcomes[trial.index], run, plan, identity, fold)
                done += 1
                progress(trial.name, done, total)
    lap("trials")
    result = SweepResult({}, plan, identity, [outcomes[trial.index] for trial in plan.trials], seconds)
    result.summary = summarise(result)
    lap("summary")
    return result


def summarise(result: SweepResult, *, notes: Sequence[str] | None = None) -> dict[str, Any]:
    """The summary of all that the outcomes hold.

    Args:
        result: its own summary is not looked at.
        notes: in place of the plan's.
    """
    plan, identity = result.plan, result.identity
    candidates = [identity, *result.outcomes] if plan.config.protocol == "nested" else result.outcomes
    best = candidates[best_of([np.mean(outcome.selection) for outcome in candidates])]
    notes = list(plan.notes if notes is None else notes)
    if kept_its_start(best):
        notes.append(f"best is identity: {best.name} has the best score, but kept its untrained start in most folds")
        best = identity
    routes = [route for route in identity.report[0] if route not in DIRECTIONS]
    return make_summary(
        data=describe_data(plan.data),
        protocol=plan.config.protocol,
        folds=len(plan.folds),
        identity=identity,
        chance=chance_metrics([plan.report_part(fold) for fold in plan.folds], plan.data.languages, routes=routes),
        outcomes=result.outcomes,
        best=best,
        notes=notes,
    )


def _baseline(plan: Plan, embeddings: Embeddings, arrays: FoldArrays) -> Outcome:
    outcome = Outcome(IDENTITY)
    languages = plan.data.languages
    aligner = plan.space.aligner(IDENTITY, Recipe())
    for scores, report, sample in evaluate_folds(aligner, {}, embeddings, arrays):
        outcome.report.append(fold_metrics(report, languages))
        outcome.sample.append(fold_metrics(sample, languages))
        outcome.selection.append(_selection(plan, scores))
        outcome.epochs.append(0)
        outcome.ranks.append(report)
    return outcome


def _selection(plan: Plan, scores: np.ndarray) -> float:
    """What trials are chosen by: one yardstick for all, whatever criterion picked the epoch of each."""
    return float(scores[0] if plan.config.protocol == "seed" else scores.mean())


class _TrainedRuns:
    """The runs of trained groups; while one group runs, the program of the next is compiled."""

    def __init__(self, plan: Plan, embeddings: Embeddings, arrays: FoldArrays, key, folder: RunFolder, pool: Executor):
        self.plan, self.embeddings, self.arrays, self.key, self.folder = plan, embeddings, arrays, key, folder
        self.pool, self.ahead = pool, dict[int, Future[Program]]()
        self.accelerator = jax.default_backend() != "cpu"

    def of(self, number: int) -> Iterator[tuple[Trial, int, RunResult]]:
        """Every trial of a group on every fold, slice by slice, from the folder where it has them."""
        plan, group, folds = self.plan, self.plan.groups[number], len(self.plan.folds)
        width, slices = self._slices(group)
        program = make_program(group, plan.space, least=plan.least, accelerator=self.accelerator)
        rows = [leaf for fold in plan.folds for leaf in dataclasses.astuple(fold)]
        for index in range(slices):
            runs = slice_runs(group, folds, width=width, number=index)
            inputs = slice_inputs(group, folds, key=self.key, width=width, number=index)
            stamp = _stamp(group, runs, rows)
            stored = self.folder.load_slice(
                number,
                index,
                lambda given=inputs: (0, jax.eval_shape(program, self.embeddings, self.arrays, *given)),
            )
            if stored is not None and np.array_equal(stored[0], stamp):
                result = stored[1]
            else:
                compiled = self._compiled(number).result()
                for later in range(number + 1, len(plan.groups)):
                    if plan.groups[later].aligner not in CLOSED_FORMS:
                        self._compiled(later)
                        break
                result = jax.tree.map(np.asarray, compiled(self.embeddings, self.arrays, *inputs))
                self.folder.save_slice(number, index, (stamp, result))
            for position, (trial, fold) in enumerate(runs):
                yield trial, fold, jax.tree.map(lambda leaf, p=position: leaf[p], result)
        self.ahead.pop(number, None)

    def _compiled(self, number: int) -> Future[Program]:
        if number not in self.ahead:
            self.ahead[number] = self.pool.submit(self._compile, self.plan.groups[number])
        return self.ahead[number]

    def _compile(self, group: Group) -> Program:
        program = make_program(group, self.plan.space, least=self.plan.least, accelerator=self.accelerator)
        width, _ = self._slices(group)
        inputs = slice_inputs(group, len(self.plan.folds), key=self.key, width=width, number=0)
        return program.compile(self.embeddings, self.arrays, *inputs)

    def _slices(self, group: Group) -> tuple[int, int]:
        aligner = self.plan.space.aligner(group.aligner, group.recipe)
        shapes = jax.eval_shape(aligner.init, jax.random.key(0))
        params_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
        folds = len(self.plan.folds)
        return plan_slices(group, folds, params_bytes=params_bytes, accelerator=self.accelerator)


def _stamp(group: Group, runs: Sequence[tuple[Trial, int]], folds: Sequence[np.ndarray]) -> np.ndarray:
    """A digest of what a slice follows from: a grid file, a plan, a version or a device may change before a resume."""
    recipe = {**dataclasses.asdict(group.recipe), "terms": sorted(group.recipe.terms)}
    numbers = [(trial.index, *trial.hyper, fold) for trial, fold in runs]
    made_by = (__version__, jax.__version__, jax.default_backend())
    digest = hashlib.sha256(repr((group.pivot, group.aligner, group.loss, recipe, numbers, made_by)).encode())
    for rows in folds:
        digest.update(f"{len(rows)}\n".encode() + np.asarray(rows, np.int64).tobytes())
    return np.frombuffer(digest.digest(), np.uint8)


def _record(outcome: Outcome, run: Any, plan: Plan, identity: Outcome, fold: int) -> None:
    languages = plan.data.languages
    assert outcome.trial is not None
    report, sample = fold_metrics(run.report, languages), fold_metrics(run.sample, languages)
    hub = make_pivot(outcome.trial.pivot, languages).language
    if hub is not None:
        for direction, figures in report.items():
            before = identity.report[fold][direction]["per_language"]
            if hub in before:
                figures["per_language"][f"{hub} (unmapped)"] = before[hub]
    epoch = int(run.fit.epoch)
    scores = run.fit.scores[epoch]
    outcome.report.append(report)
    outcome.sample.append(sample)
    outcome.selection.append(_selection(plan, scores))
    outcome.epochs.append(epoch)
    outcome.curves.append(run.fit.scores)
    outcome.losses.append(run.fit.losses)
    outcome.ranks.append(run.report)
    outcome.params.append(run.fit.params)

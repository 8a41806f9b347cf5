"""A sweep: baselines and every trial on every fold, and what they found."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jax.sharding import Mesh

from ccalign_jax.checkpoints import Checkpoint
from ccalign_jax.measurement.measure import IDENTITY, UNMAPPED, Measurement, measure, nest_values
from ccalign_jax.measurement.replicates import Replicates
from ccalign_jax.pivots import make_pivot
from ccalign_jax.processes import ALONE, Processes
from ccalign_jax.study.manifest import SWEEP_FOLDER
from ccalign_jax.study.outcomes import Outcome, select
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.rounds import Progress, TrialRuns, every_trial
from ccalign_jax.study.score_corrections import Corrections, identity_scores
from ccalign_jax.study.store import Store
from ccalign_jax.study.summary import MapMeasurements, Summary, summarise
from ccalign_jax.study.trained import TrainedRuns
from ccalign_jax.study.workers import Distributed
from ccalign_jax.training import Embeddings, FoldArrays, LanguageRanks, Recipe, evaluate_folds

__all__ = ["Preview", "Progress", "SweepResult", "keep_ranks", "run_sweep"]


Preview = Callable[[str, Sequence[Mapping[str, Any]]], None]


@dataclasses.dataclass
class SweepResult:
    """What a sweep found.

    Attributes:
        plan: what was run.
        identity: the baseline on every fold.
        outcomes: every trial on every fold, with its ranks and parameters.
        seconds: how long each part took.
        notes: sentences for the summary.
        best: the map that was chosen, refitted; None until `refit.refit` has made it.
        replicates: from which intervals and p-values come; None leaves them open.
        maps: what `measure_maps.measure_test_parts` measures of what folds chose; None until it has.
        corrections: identity under the score corrections, fold by fold; None until they are measured.
        inputs: the plan's arrays on the device; None if a result was not made by `run_sweep`.
    """

    plan: Plan
    identity: Outcome
    outcomes: list[Outcome]
    seconds: dict[str, float]
    notes: list[str]
    best: Checkpoint | None = None
    replicates: Replicates | None = None
    maps: MapMeasurements | None = None
    corrections: list[Corrections] | None = None
    inputs: tuple[Embeddings, FoldArrays] | None = None

    @functools.cached_property
    def estimates(self) -> Summary:
        """The summary and its records, made when first asked for."""
        began = time.perf_counter()
        found = summarise(
            self.plan, self.identity, self.outcomes, notes=self.notes, replicates=self.replicates, maps=self.maps
        )
        self.seconds["estimates"] = time.perf_counter() - began
        return found

    @property
    def summary(self) -> dict[str, Any]:
        """The content of `summary.json`."""
        return self.estimates.content


def run_sweep(
    plan: Plan,
    folder: Store | None = None,
    *,
    processes: Processes = ALONE,
    mesh: Mesh | None = None,
    progress: Progress = lambda what, done, total: None,
    preview: Preview | None = None,
) -> SweepResult:
    """Run every trial on every fold; `measure_maps.measure_test_parts` then measures what was chosen.

    Args:
        plan: from `plan_sweep`.
        folder: keeps finished trials, and gives back those of an earlier attempt.
        processes: over which the trials are distributed; this is number 0, the others call `workers.work`.
        mesh: the devices that runs are spread over; None for one.
        progress: see `rounds.every_trial`.
        preview: called with a name and metrics, fold by fold, as soon as they are known: of identity, of identity under
            each score correction, and of what the folds choose of each family.

    Raises:
        ValueError: several processes, and no folder that keeps what they find.
    """
    clock, seconds = time.perf_counter(), {}

    def finish(name: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[name], clock = now - clock, now

    folder = folder or Store(None, SWEEP_FOLDER)
    if processes.count > 1 and folder.path is None:
        raise ValueError("several processes need a folder that keeps what they find")
    outcomes = {trial.index: Outcome(trial.name, trial) for trial in plan.trials}
    with TrainedRuns.of_plan(plan, folder, mesh) as trained:
        identity, corrections = _baseline(plan, trained.embeddings, trained.arrays), None
        if preview is not None:
            preview(IDENTITY, _nested(identity.test))
            corrections = identity_scores(plan, trained.embeddings, trained.arrays)
            for name in corrections[0]:
                if name != "cosine":  # that is identity
                    preview(f"{IDENTITY}, {name}", _nested([corrections[name] for corrections in corrections]))
        finish("baselines")
        waiting = {
            outcome.family: sum(one.family == outcome.family for one in outcomes.values())
            for outcome in outcomes.values()
        }
        for found in every_trial(trained, Distributed(processes, plan), progress):
            outcome = outcomes[found.trial]
            _record(outcome, found, plan, identity)
            waiting[outcome.family] -= 1
            if preview is not None and not waiting[outcome.family]:
                members = [one for one in outcomes.values() if one.family == outcome.family]
                chosen = select(members, per_fold=plan.config.protocol == "nested")
                preview("/".join(outcome.family), _nested([one.test[fold] for fold, one in enumerate(chosen)]))
    finish("trials")
    return SweepResult(
        plan,
        identity,
        [outcomes[trial.index] for trial in plan.trials],
        seconds,
        list(plan.notes),
        corrections=corrections,
        inputs=(trained.embeddings, trained.arrays),
    )


def _nested(folds: Sequence[Measurement]) -> list[dict[str, Any]]:
    return [nest_values(one.values) for one in folds]


def _baseline(plan: Plan, embeddings: Embeddings, arrays: FoldArrays) -> Outcome:
    outcome = Outcome(IDENTITY)
    aligner = plan.space.aligner(IDENTITY, Recipe())
    for fold, (scores, test, train_eval) in enumerate(evaluate_folds(aligner, {}, plan.fits, embeddings, arrays)):
        keep_ranks(outcome, plan, fold, test, train_eval)
        outcome.selection.append(_selection(plan, scores))
        outcome.epochs.append(0)
    return outcome


def keep_ranks(outcome: Outcome, plan: Plan, fold: int, test: LanguageRanks, train_eval: LanguageRanks) -> None:
    """Add how a map ranks a fold's test part and training sample to what is known of it; folds come in order."""
    assert fold == len(outcome.test)
    languages = plan.data.languages
    outcome.ranks.append(test)
    outcome.test.append(measure(test, plan.part(fold, "test"), languages))
    outcome.train.append(measure(train_eval, plan.part(fold, "train_eval"), languages))


def _selection(plan: Plan, scores: np.ndarray) -> float:
    """What trials are chosen by: one yardstick for all, whatever criterion picked the epoch of each."""
    return float(scores[0] if plan.config.protocol == "seed" else scores.mean())


def _record(outcome: Outcome, found: TrialRuns, plan: Plan, identity: Outcome) -> None:
    outcome.beaten = found.beaten
    for fold in range(len(plan.folds)):
        outcome.diverged.append(found.diverged[fold])
        if fold in found.runs:
            _record_fold(outcome, found.runs[fold], plan, identity, fold)
        else:
            outcome.drop_fold()


def _record_fold(outcome: Outcome, run: Any, plan: Plan, identity: Outcome, fold: int) -> None:
    languages = plan.data.languages
    assert outcome.trial is not None
    keep_ranks(outcome, plan, fold, run.test, run.train_eval)
    hub = make_pivot(outcome.trial.pivot, languages).language
    if hub is not None:
        values, before = outcome.test[fold].values, identity.test[fold].values
        values |= {(task, f"{hub}{UNMAPPED}"): before[task, name] for task, name in before if name == hub}
    outcome.selection.append(_selection(plan, run.fit.scores[int(run.fit.point)]))
    outcome.epochs.append(int(run.fit.epoch))
    outcome.curves.append(run.fit.scores)
    outcome.losses.append(run.fit.losses)
    outcome.params.append(run.fit.params)

"""A sweep: baselines and every trial on every fold, and what they found."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from ccalign_jax.measurement.measure import IDENTITY, UNMAPPED, Measurement, measure, nest_values
from ccalign_jax.pivots import make_pivot
from ccalign_jax.processes import ALONE, Processes
from ccalign_jax.runs.kinds import SWEEP_FOLDER
from ccalign_jax.runs.store import Store
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.board import SweepBoard
from ccalign_jax.study.jobs import Job, whole_job
from ccalign_jax.study.outcomes import Outcome, select
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.race import Race, TrialRuns
from ccalign_jax.study.score_corrections import identity_scores
from ccalign_jax.study.sweep_result import SweepResult
from ccalign_jax.study.trained import TrainedRuns
from ccalign_jax.study.workers import Distributed
from ccalign_jax.training import (
    Embeddings,
    FoldArrays,
    LanguageRanks,
    PairScores,
    Recipe,
    Trial,
    evaluate_folds,
    scored_epochs,
)

__all__ = ["Preview", "Progress", "SweepResult", "keep_ranks", "run_sweep"]

Progress = Callable[[str, int, int], None]
Preview = Callable[[str, Sequence[Mapping[str, Any]]], None]

SURVIVING = 0.4  # of the cost of later rounds, as long as it is not known which trials are in them
PATH_POINTS = 20  # of a closed form, about
PARTS = 1000  # of the whole, in which progress is counted


def run_sweep(
    plan: Plan,
    folder: Store | None = None,
    *,
    processes: Processes = ALONE,
    mesh: Mesh | None = None,
    progress: Progress = lambda what, done, total: None,
    preview: Preview | None = None,
    board: SweepBoard | None = None,
) -> SweepResult:
    """Run every trial on every fold; `measure_maps.measure_test_parts` then measures what was chosen.

    Args:
        plan: from `plan_sweep`.
        folder: keeps finished trials, and gives back those of an earlier attempt.
        processes: over which the trials are distributed; this is number 0, the others call `workers.work`.
        mesh: the devices that runs are spread over; None for one.
        progress: called with the trial that is done, the share of the work that is done, and the whole: 1,000.
        preview: called with a name and metrics, fold by fold, as soon as they are known: of identity, of identity under
            each score correction, and of what the folds choose of each family.
        board: shows the curves of every fit of this process in TensorBoard.

    Raises:
        ValueError: several processes, and no folder that keeps what they find.
    """
    began = time.perf_counter()
    folder = folder or Store(None, SWEEP_FOLDER)
    if processes.count > 1 and folder.path is None:
        raise ValueError("several processes need a folder that keeps what they find")
    trained = TrainedRuns(plan, folder, mesh, board)
    inputs = (trained.embeddings, trained.arrays)
    outcomes = [Outcome(trial.name, trial) for trial in plan.trials]
    result = SweepResult(plan, _baseline(plan, *inputs), outcomes, {}, list(plan.notes), inputs=inputs)

    def show(name: str, folds: Sequence[Measurement]) -> None:
        if preview is not None:
            preview(name, [nest_values(one.values) for one in folds])

    show(IDENTITY, result.identity.test)
    if preview is not None:
        result.corrections = identity_scores(plan, *inputs)
        for name in result.corrections[0]:
            if name != "cosine":  # that is identity
                show(f"{IDENTITY}, {name}", [corrections[name] for corrections in result.corrections])
    result.seconds["baselines"] = time.perf_counter() - began
    waiting = collections.Counter(outcome.family for outcome in outcomes)
    for found in _every_trial(trained, Distributed(processes, plan), progress):
        outcome = outcomes[found.trial]
        _record(outcome, found, plan, result.identity)
        waiting[outcome.family] -= 1
        if not waiting[outcome.family]:
            members = [one for one in outcomes if one.family == outcome.family]
            chosen = select(members, per_fold=plan.config.protocol == "nested")
            show("/".join(outcome.family), [one.test[fold] for fold, one in enumerate(chosen)])
    result.seconds["trials"] = time.perf_counter() - began - result.seconds["baselines"]
    return result


def _every_trial(trained: TrainedRuns, distributed: Distributed, progress: Progress) -> Iterator[TrialRuns]:
    """The results of each trial, as soon as it is done.

    Without a race each is run whole. With one, all are scored on one inner part of each fold, those that are not
    beaten there on all others, and those that are not beaten then are fitted and tested. Closed forms are run whole.
    """
    plan, race, whole = trained.plan, Race(trained.plan), whole_job(trained.plan.fits)
    trials = {trial.index: trial for trial in plan.trials}
    left = {index: _job_cost(plan, trial, whole) for index, trial in trials.items()}
    spent, shown, rounds = 0.0, 0, 3 if race.trials else 1
    for number in range(1, rounds + 1):
        last = number == rounds
        jobs = race.test_jobs() if last else race.score_jobs()
        for index in race.trials if last else ():
            if index not in jobs:  # beaten on every fold
                yield race.found(index)
        jobs |= {index: whole for index in trials if index not in race.trials and number == 1}
        cost = {index: _job_cost(plan, trials[index], job) for index, job in jobs.items()}
        left = {index: rest - cost.get(index, 0.0) for index, rest in left.items()}
        later = sum(left[index] for index in race.trials if not last and race.folds(index))
        total = max(spent + sum(cost.values()) + SURVIVING * later, 1.0)
        progress("", shown, PARTS)
        for index, result in distributed.results(trained, jobs, last=last):
            spent += cost[index]
            shown = max(shown, int(PARTS * spent / total))  # never back
            progress(trials[index].name, shown, PARTS)
            if isinstance(result, PairScores):
                race.add(index, jobs[index], result)
            else:
                yield race.found(index, jobs[index], result)
        if not last:
            race.drop()


def _job_cost(plan: Plan, trial: Trial, job: Job) -> float:
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


def keep_ranks(outcome: Outcome, plan: Plan, fold: int, test: LanguageRanks, train_eval: LanguageRanks) -> None:
    """Add how a map ranks a fold's test part and training sample to what is known of it; folds come in order."""
    assert fold == len(outcome.test)
    outcome.ranks.append(test)
    outcome.test.append(measure(test, plan.part(fold, "test"), plan.data.languages))
    outcome.train.append(measure(train_eval, plan.part(fold, "train_eval"), plan.data.languages))


def _baseline(plan: Plan, embeddings: Embeddings, arrays: FoldArrays) -> Outcome:
    outcome = Outcome(IDENTITY)
    aligner = plan.space.aligner(IDENTITY, Recipe())
    for fold, (scores, test, train_eval) in enumerate(evaluate_folds(aligner, {}, plan.fits, embeddings, arrays)):
        keep_ranks(outcome, plan, fold, test, train_eval)
        outcome.selection.append(_selection(plan, scores))
        outcome.epochs.append(0)
    return outcome


def _record(outcome: Outcome, found: TrialRuns, plan: Plan, identity: Outcome) -> None:
    """Add the results of a trial to what is known of it."""
    assert outcome.trial is not None
    outcome.beaten = found.beaten
    hub = make_pivot(outcome.trial.pivot, plan.data.languages).language
    for fold in range(len(plan.folds)):
        outcome.diverged.append(found.diverged[fold])
        run = found.runs.get(fold)
        if run is None:
            outcome.drop_fold()
            continue
        keep_ranks(outcome, plan, fold, run.test, run.train_eval)
        before, fit = identity.test[fold].values, jax.tree.map(np.asarray, run.fit)
        if hub is not None:
            values = outcome.test[fold].values
            values |= {(task, f"{hub}{UNMAPPED}"): before[task, name] for task, name in before if name == hub}
        outcome.selection.append(_selection(plan, fit.scores[int(fit.point)]))
        outcome.epochs.append(int(fit.epoch))
        outcome.curves.append(fit.scores)
        outcome.losses.append(fit.losses)
        outcome.params.append(fit.params)


def _selection(plan: Plan, scores: np.ndarray) -> float:
    """What trials are chosen by: one yardstick for all, whatever criterion picked the epoch of each."""
    return float(scores[0] if plan.config.protocol == "seed" else scores.mean())

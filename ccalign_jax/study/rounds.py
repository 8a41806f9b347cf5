"""Every trial of a plan, in rounds between which the race drops trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ccalign_jax.study.jobs import Job, Result, job_cost, score_job, test_job, whole_job
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.race import Beaten, FoldScore, Pair, first_pairs, fold_score, race_fold
from ccalign_jax.study.trained import TrainedRuns
from ccalign_jax.study.workers import Distributed
from ccalign_jax.training import PairScores, RunResult, Trial, best_point, first_step

__all__ = ["Progress", "TrialRuns", "every_trial"]

Progress = Callable[[str, int, int], None]

SURVIVING = 0.4  # of the cost of later rounds, as long as it is not known which trials are in them
PARTS = 1000  # of the whole, in which progress is counted


class TrialRuns(NamedTuple):
    """A trial on the folds that it was tested on.

    Attributes:
        trial: its index.
        runs: by fold; without those that it was dropped from, unless it is tested on all folds.
        beaten: by fold, where it was dropped and so cannot be chosen.
        diverged: by fold, the first step at which a fit behind it diverged, 0 for none; also where it was dropped.
    """

    trial: int
    runs: dict[int, RunResult]
    beaten: dict[int, Beaten]
    diverged: dict[int, int]


def every_trial(
    trained: TrainedRuns, distributed: Distributed, progress: Progress = lambda what, done, total: None
) -> Iterator[TrialRuns]:
    """The results of each trial, as soon as it is done.

    Without a race each is run whole. With one, all are scored on one inner part of each fold, those that are not
    beaten there on all others, and those that are not beaten then are fitted and tested. Closed forms are run whole.

    Args:
        trained: of the plan.
        distributed: over the processes.
        progress: called with the trial that is done, the share of the work that is done, and the whole: 1,000.
    """
    plan = trained.plan
    racing = plan.raced
    whole = {trial.index: whole_job(plan.fits) for trial in plan.trials if trial not in racing}
    count = _Count(plan, progress)
    if not racing:
        count.expect(whole)
        for index, result in distributed.results(trained, whole, last=True):
            count.done(index, whole[index])
            yield _whole(plan, index, result)
        return
    race = _Race(plan, racing)
    for later in (False, True):
        jobs = race.score_jobs()
        mixed = jobs if later else jobs | whole
        count.expect(mixed, race.rest())
        for index, result in distributed.results(trained, mixed, last=False):
            count.done(index, mixed[index])
            if isinstance(result, PairScores):
                race.add(index, mixed[index], result)
            else:
                yield _whole(plan, index, result)
        race.drop()
    jobs = race.test_jobs()
    for trial in racing:
        if trial.index not in jobs:
            yield race.tested(trial.index, None, None)
    count.expect(jobs)
    for index, result in distributed.results(trained, jobs, last=True):
        count.done(index, jobs[index])
        yield race.tested(index, jobs[index], result)


def _whole(plan: Plan, index: int, result: Result) -> TrialRuns:
    runs = {fold: _at(result, fold) for fold in range(len(plan.folds))}
    return TrialRuns(index, runs, {}, {fold: int(run.fit.diverged) for fold, run in runs.items()})


def _at(result: Result | None, place: int) -> RunResult:
    assert isinstance(result, RunResult)
    return jax.tree.map(lambda leaf: leaf[place], result)


class _Count:
    """What is done and what is left, in per mille of the cost of all jobs; rounds to come are guessed."""

    def __init__(self, plan: Plan, progress: Progress):
        self.plan, self.progress = plan, progress
        self.trials = {trial.index: trial for trial in plan.trials}
        self.spent = self.total = 0.0
        self.shown = 0

    def expect(self, jobs: Mapping[int, Job], later: Mapping[int, Job] = MappingProxyType({})) -> None:
        """Say what comes next, and what may come later, of which `SURVIVING` is counted."""
        self.total = self.spent + self._cost(jobs) + SURVIVING * self._cost(later)
        self._say("")

    def done(self, index: int, job: Job) -> None:
        """Count a job of a trial."""
        self.spent += self._cost({index: job})
        self._say(self.trials[index].name)

    def _cost(self, jobs: Mapping[int, Job]) -> float:
        return sum(job_cost(self.plan, self.trials[index], job) for index, job in jobs.items())

    def _say(self, what: str) -> None:
        self.shown = max(self.shown, int(PARTS * self.spent / max(self.total, 1.0)))  # never back
        self.progress(what, self.shown, PARTS)


class _Race:
    """Which trials are still in the race, fold by fold, and all that their inner fits have shown."""

    def __init__(self, plan: Plan, trials: list[Trial]):
        self.plan, self.trials = plan, {trial.index: trial for trial in trials}
        self.names = {trial.name: trial.index for trial in trials}
        self.families = {trial.name: (trial.pivot, trial.aligner, trial.loss) for trial in trials}
        self.pairs: list[list[Pair]] = [[pair] for pair in first_pairs(plan.fits)]  # of each fold, that are scored next
        self.found: dict[int, dict[Pair, PairScores]] = {trial.index: {} for trial in trials}
        self.beaten: dict[int, dict[int, Beaten]] = {trial.index: {} for trial in trials}
        self.whole = set(self.trials)  # trials that are tested on every fold, so that each family has one

    def folds(self, index: int) -> list[int]:
        """The folds that a trial is to be run on."""
        return [fold for fold in range(len(self.pairs)) if index in self.whole or fold not in self.beaten[index]]

    def score_jobs(self) -> dict[int, Job]:
        """What is to be scored next."""
        found = {}
        for index in self.found:
            if pairs := self._next(index):
                found[index] = score_job(pairs)
        return found

    def _next(self, index: int) -> list[Pair]:
        return sorted({pair for fold in self.folds(index) for pair in self.pairs[fold]} - self.found[index].keys())

    def rest(self) -> dict[int, Job]:
        """What is left of the trials that are in the race if none is dropped."""
        known = {index: {*found, *self._next(index)} for index, found in self.found.items()}
        whole = whole_job(self.plan.fits)
        return {
            index: whole._replace(pairs=np.array([pair for pair in whole.pairs.tolist() if tuple(pair) not in pairs]))
            for index, pairs in known.items()
            if self.folds(index)
        }

    def add(self, index: int, job: Job, result: PairScores) -> None:
        """Keep the scores of a job."""
        for row, (fit, part) in enumerate(job.pairs.tolist()):
            self.found[index][fit, part] = PairScores(*(leaf[row] for leaf in result))

    def drop(self) -> None:
        """Drop from each fold the trials that are beaten on the pairs that have been scored; all others come next."""
        groups, select = self.plan.data.groups, self.plan.fits.validation
        values: dict[int, list[float]] = {index: [] for index in self.trials}
        for fold, pairs in enumerate(self.pairs):
            scores = {}
            for index, trial in self.trials.items():
                if all(pair in self.found[index] for pair in pairs):
                    score = self._score(index, pairs)
                    values[index].append(score.value)
                    if fold not in self.beaten[index]:
                        scores[trial.name] = score
            clusters = [groups[select[part]] for _, part in pairs]
            for one in race_fold(fold, scores, self.families, clusters):
                self.beaten[self.names[one.trial]][fold] = one
        complete = {index: float(np.mean(each)) for index, each in values.items() if len(each) == len(self.pairs)}
        best: dict[tuple[str, ...], int] = {}
        for index, value in complete.items():
            family = self.families[self.trials[index].name]
            if family not in best or value > complete[best[family]]:
                best[family] = index
        self.whole = set(best.values())
        self.pairs = [list(inner) for inner in self.plan.fits.inner]

    def test_jobs(self) -> dict[int, Job]:
        """The folds that each trial is to be tested on."""
        found = {}
        for index in self.trials:
            curves = {
                fold: (self._curve(index, self.pairs[fold]), self._diverged(index, fold)) for fold in self.folds(index)
            }
            if curves:
                found[index] = test_job(curves)
        return found

    def tested(self, index: int, job: Job | None, result: Result | None) -> TrialRuns:
        """All that is known of a trial."""
        runs = {} if job is None else {fold: _at(result, row) for row, fold in enumerate(job.folds.tolist())}
        diverged = {fold: self._diverged(index, fold) for fold in range(len(self.pairs))}
        diverged |= {fold: int(run.fit.diverged) for fold, run in runs.items()}
        return TrialRuns(index, runs, self.beaten[index], diverged)

    def _curve(self, index: int, pairs: list[Pair]) -> np.ndarray:
        return np.asarray(jnp.mean(jnp.stack([self.found[index][pair].mean for pair in pairs]), axis=0))

    def _score(self, index: int, pairs: list[Pair]) -> FoldScore:
        curve = self._curve(index, pairs)
        point = best_point(curve, np.zeros(len(curve), np.int32), recipe=self.trials[index].recipe)
        return fold_score([self.found[index][pair] for pair in pairs], int(point))

    def _diverged(self, index: int, fold: int) -> int:
        known = [self.found[index][pair].diverged for pair in self.plan.fits.inner[fold] if pair in self.found[index]]
        return int(first_step(np.concatenate(known)))

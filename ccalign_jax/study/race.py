"""Racing: within each outer fold, trials that its inner parts show to be beaten are dropped early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.statistics import LEVEL
from ccalign_jax.study.jobs import Job
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.trained import Pair
from ccalign_jax.training import FitPlan, PairScores, RunResult, best_point, first_step

__all__ = ["Beaten", "FoldScore", "Race", "TrialRuns", "first_pairs", "lead_over", "race_fold"]


class FoldScore(NamedTuple):
    """How a trial scores on the inner parts of a fold, at the epoch that is best in their mean.

    Attributes:
        value: what trials are chosen by: the mean of t2i R@1, i2t R@1 and MRR, and of the parts.
        images: of each part `[s]`, what each of its images adds to the value of the part.
    """

    value: float
    images: list[Float[np.ndarray, " s"]]


class Beaten(NamedTuple):
    """A trial that was dropped from a fold.

    Attributes:
        trial: its name.
        fold: the number of the fold.
        parts: inner parts that had been scored.
        leader: the name of the trial with the best score on them.
        behind: the leader's score minus its own.
        low, high: the interval of this difference, paired by images.
    """

    trial: str
    fold: int
    parts: int
    leader: str
    behind: float
    low: float
    high: float


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


class Race:
    """Which trials are still in the race, fold by fold, and all that their inner fits have shown.

    Attributes:
        trials: by index, those that are raced.
        pairs: of each fold those that are scored next.
        whole: trials that are tested on every fold all the same, so that each family has one.
    """

    def __init__(self, plan: Plan):
        self.plan, self.trials = plan, {trial.index: trial for trial in plan.raced}
        self.names = {trial.name: index for index, trial in self.trials.items()}
        self.families = {trial.name: (trial.pivot, trial.aligner, trial.loss) for trial in self.trials.values()}
        self.pairs: list[list[Pair]] = [[pair] for pair in first_pairs(plan.fits)] if self.trials else []
        self.scores: dict[int, dict[Pair, PairScores]] = {index: {} for index in self.trials}
        self.beaten: dict[int, dict[int, Beaten]] = {index: {} for index in self.trials}
        self.whole = set(self.trials)

    def folds(self, index: int) -> list[int]:
        """The folds that a trial is to be run on."""
        return [fold for fold in range(len(self.pairs)) if index in self.whole or fold not in self.beaten[index]]

    def score_jobs(self) -> dict[int, Job]:
        """What is to be scored next."""
        found = {}
        for index, scores in self.scores.items():
            if pairs := {pair for fold in self.folds(index) for pair in self.pairs[fold]} - scores.keys():
                found[index] = Job("score", np.array(sorted(pairs), np.int32))
        return found

    def add(self, index: int, job: Job, result: PairScores) -> None:
        """Keep the scores of a job."""
        for row, (fit, part) in enumerate(job.pairs.tolist()):
            self.scores[index][fit, part] = PairScores(*(leaf[row] for leaf in result))

    def drop(self) -> None:
        """Drop from each fold the trials that are beaten on the pairs that have been scored; all others come next."""
        groups, select = self.plan.data.groups, self.plan.fits.validation
        values: dict[int, list[float]] = {index: [] for index in self.trials}
        for fold, pairs in enumerate(self.pairs):
            scores = {}
            for index, trial in self.trials.items():
                if all(pair in self.scores[index] for pair in pairs):
                    score = self._score(index, pairs)
                    values[index].append(score.value)
                    if fold not in self.beaten[index]:
                        scores[trial.name] = score
            clusters = [groups[select[part]] for _, part in pairs]
            for one in race_fold(fold, scores, self.families, clusters):
                self.beaten[self.names[one.trial]][fold] = one
        means = {
            self.trials[i].name: float(np.mean(each)) for i, each in values.items() if len(each) == len(self.pairs)
        }
        self.whole = {self.names[name] for name in _best_of_families(means, self.families)}
        self.pairs = [list(inner) for inner in self.plan.fits.inner]

    def test_jobs(self) -> dict[int, Job]:
        """The folds that each trial is to be tested on."""
        found = {}
        for index in self.trials:
            if folds := self.folds(index):
                curves = np.stack([self._curve(index, self.pairs[fold]) for fold in folds])
                diverged = np.array([self._diverged(index, fold) for fold in folds], np.int32)
                found[index] = Job("test", folds=np.array(folds, np.int32), curves=curves, diverged=diverged)
        return found

    def found(self, index: int, job: Job | None = None, result: RunResult | None = None) -> TrialRuns:
        """All that is known of a trial, and the results of its job."""
        folds = [] if job is None else job.folds.tolist()
        runs = {fold: jax.tree.map(lambda leaf, row=row: leaf[row], result) for row, fold in enumerate(folds)}
        raced = range(len(self.pairs)) if index in self.trials else ()
        diverged = {fold: self._diverged(index, fold) for fold in raced}
        diverged |= {fold: int(run.fit.diverged) for fold, run in runs.items()}
        return TrialRuns(index, runs, self.beaten.get(index, {}), diverged)

    def _curve(self, index: int, pairs: list[Pair]) -> np.ndarray:
        return np.asarray(jnp.mean(jnp.stack([self.scores[index][pair].mean for pair in pairs]), axis=0))

    def _score(self, index: int, pairs: list[Pair]) -> FoldScore:
        curve, scores = self._curve(index, pairs), [self.scores[index][pair] for pair in pairs]
        point = int(best_point(curve, np.zeros(len(curve), np.int32), recipe=self.trials[index].recipe))
        value = float(np.mean([one.mean[point] for one in scores]))
        return FoldScore(value, [one.images[point].mean(axis=-1) for one in scores])

    def _diverged(self, index: int, fold: int) -> int:
        scores = self.scores[index]
        known = [scores[pair].diverged for pair in self.plan.fits.inner[fold] if pair in scores]
        return int(first_step(np.concatenate(known)))


def first_pairs(plan: FitPlan) -> list[Pair]:
    """For each fold the (fit, part) of its inner ones that is looked at first, such that few fits serve all folds.

    Example:
        >>> crossed = (((0, 1), (1, 2)), ((0, 0), (2, 2)), ((1, 0), (2, 1)))
        >>> first_pairs(FitPlan((), (), crossed, (3, 4, 5)))
        [(0, 1), (0, 0), (1, 0)]
    """
    found: dict[int, Pair] = {}
    while len(found) < len(plan.inner):
        left = [fold for fold in range(len(plan.inner)) if fold not in found]
        serves = [fit for fold in left for fit, _ in plan.inner[fold]]
        fit = max(sorted(set(serves)), key=serves.count)
        found |= {fold: pair for fold in left for pair in plan.inner[fold] if pair[0] == fit and fold not in found}
    return [found[fold] for fold in range(len(plan.inner))]


def lead_over(
    leader: FoldScore, trial: FoldScore, clusters: Sequence[Int[np.ndarray, " s"]], *, level: float = LEVEL
) -> tuple[float, float, float]:
    """How far a trial is behind a leader, and the ends of the paired normal interval of that over clusters of images.

    Args:
        leader, trial: scores on the same parts.
        clusters: of each part the cluster of each image; scores beyond them are padding.
        level: of the interval.

    Example:
        >>> one, other = FoldScore(0.75, [np.array([0.5, 0.25])]), FoldScore(0.25, [np.array([0.0, 0.25])])
        >>> [round(value, 2) for value in lead_over(one, other, [np.array([0, 1])])]
        [0.5, -0.48, 1.48]
    """
    total, variance = 0.0, 0.0
    for mine, other, cluster in zip(leader.images, trial.images, clusters, strict=True):
        _, place = np.unique(cluster, return_inverse=True)
        each = np.bincount(place, (mine - other)[: len(cluster)].astype(np.float64))
        total += each.sum()
        variance += len(each) / max(len(each) - 1, 1) * np.square(each - each.mean()).sum()
    behind, error = total / len(clusters), np.sqrt(variance) / len(clusters)
    reach = NormalDist().inv_cdf((1 + level) / 2) * float(error)
    return float(behind), float(behind - reach), float(behind + reach)


def race_fold(
    fold: int,
    scores: Mapping[str, FoldScore],
    families: Mapping[str, tuple[str, ...]],
    clusters: Sequence[Int[np.ndarray, " s"]],
) -> list[Beaten]:
    """The trials of a fold that are beaten: whose interval behind the best lies above zero.

    The best trial of each family is never dropped.

    Args:
        fold: its number.
        scores: of each trial that is still in the race, by name, the safest first.
        families: of each trial.
        clusters: of each inner part that was scored, the cluster of each image.
    """
    best = _best_of_families({name: score.value for name, score in scores.items()}, families)
    leader = max(best, key=lambda name: scores[name].value)
    beaten = []
    for name, score in scores.items():
        if name not in best:
            behind, low, high = lead_over(scores[leader], score, clusters)
            if low > 0:
                beaten.append(Beaten(name, fold, len(clusters), leader, behind, low, high))
    return beaten


def _best_of_families(values: Mapping[str, float], families: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The trial with the largest value of each family; of equal ones the first."""
    best: dict[tuple[str, ...], str] = {}
    for name, value in values.items():
        known = best.setdefault(families[name], name)
        best[families[name]] = name if value > values[known] else known
    return list(best.values())

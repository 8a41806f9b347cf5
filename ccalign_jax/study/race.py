"""Racing: within each outer fold, trials that its inner parts show to be beaten are dropped early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.statistics import LEVEL
from ccalign_jax.training import FitPlan, PairScores

__all__ = [
    "Beaten",
    "FoldScore",
    "Pair",
    "can_race",
    "describe_race",
    "first_pairs",
    "fold_score",
    "lead_over",
    "race_fold",
]

Pair = tuple[int, int]


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


def can_race(plan: FitPlan) -> bool:
    """Whether a race can save fits: where several inner parts choose, by other fits than the one that is tested."""
    several = all(len(inner) > 1 for inner in plan.inner)
    return several and not set(plan.test) & {fit for inner in plan.inner for fit, _ in inner}


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


def fold_score(scores: Sequence[PairScores], point: int) -> FoldScore:
    """The score of one epoch on several inner parts.

    Args:
        scores: of a trial, one of each part: without the axis of pairs.
        point: the place of the epoch among those that are scored.
    """
    value = float(np.mean([one.mean[point] for one in scores]))
    return FoldScore(value, [one.images[point].mean(axis=-1) for one in scores])


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


def describe_race(trials: int, beaten: Sequence[Beaten]) -> dict[str, Any]:
    """The `race` entry of a summary.

    Args:
        trials: that were in the race.
        beaten: what was dropped.
    """
    dropped = [one._asdict() for one in sorted(beaten, key=lambda one: (one.fold, one.parts, one.trial))]
    return {"trials": trials, "level": LEVEL, "dropped": dropped}


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
    best: dict[tuple[str, ...], str] = {}
    for name, score in scores.items():
        known = best.setdefault(families[name], name)
        best[families[name]] = name if score.value > scores[known].value else known
    leader = max(best.values(), key=lambda name: scores[name].value)
    beaten = []
    for name, score in scores.items():
        if name in best.values():
            continue
        behind, low, high = lead_over(scores[leader], score, clusters)
        if low > 0:
            beaten.append(Beaten(name, fold, len(clusters), leader, behind, low, high))
    return beaten

"""Intervals, p-values adjusted for the number of tests, and verdicts of the estimates of several arms."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from ccalign_jax.measurement.estimates import Entry, Estimates, differences, estimate, estimate_means
from ccalign_jax.measurement.measure import MEDIAN, UNMAPPED, Measurement, Place, is_macro, is_pair
from ccalign_jax.measurement.metric_replicates import (
    PAIR_REPLICATES,
    FoldReplicates,
    FoldWeights,
    MetricReplicates,
    mean_replicates,
    minus_replicates,
    replicate_folds,
    replicate_metrics,
)
from ccalign_jax.measurement.replicates import Replicates
from ccalign_jax.metrics import mean_metrics
from ccalign_jax.statistics import (
    LEVEL,
    corrected_resampled_t,
    holm,
    interval_stretch,
    percentile_interval,
    sign_flip_test,
    verdict,
)
from ccalign_jax.threads import in_threads

__all__ = ["Arm", "Bounds", "Inference", "adjust", "bounds", "change_tests", "two_sided"]

CLAIMED = "R@1"  # the metric that verdicts are about


class Arm(NamedTuple):
    """What is compared: one map, or what each fold chose.

    Attributes:
        name: equal names are the same measurements.
        test: of the test parts, a fold each.
        train: of the training samples, where they were ranked.
    """

    name: tuple[str, ...]
    test: Sequence[Measurement]
    train: Sequence[Measurement] = ()


Bounds = dict[Place, dict[str, tuple[float, float]]]  # low and high end of every metric


class Inference:
    """Estimates with intervals and p-values; what arms share is computed once.

    Args:
        baseline: that changes are against.
        replicates: of the data; None leaves all intervals and p-values open.
        test_share: test images over training images of a fold; for the correction of Nadeau and Bengio.
        each_fold: also keep the intervals of each fold by itself, in `fold_bounds` by name and fold; the name of an
            arm then has one part a fold.
    """

    def __init__(
        self, baseline: Arm, replicates: Replicates | None, *, test_share: float = 0.0, each_fold: bool = False
    ):
        self.baseline, self.replicates, self.test_share = baseline, replicates, test_share
        self.weights: dict[bytes, FoldWeights] = {}
        self.fold_bounds: dict[tuple[str, int], Bounds] | None = {} if each_fold else None
        self.base = {} if replicates is None else self._replicate(baseline.test, baseline.name)
        self.known: dict[tuple[str, ...], Entry] = {}

    def levels(self, folds: Sequence[Measurement] | None = None) -> Estimates:
        """The metrics of the baseline, or of other folds."""
        found = estimate_means([one.values for one in (self.baseline.test if folds is None else folds)])
        if self.replicates is not None:
            self._fill_bounds(found, self.base if folds is None else self._replicate(folds), "level")
        return found

    def entry(self, arm: Arm) -> Entry:
        """All estimates of an arm."""
        self.measure([arm])
        return copy.deepcopy(self.known[arm.name])  # which `adjust` changes

    def measure(self, arms: Iterable[Arm]) -> None:
        """Compute side by side what `entry` will be asked for; without it, each is computed when it is."""
        new = {arm.name: arm for arm in arms if arm.name not in self.known}
        clusters = 1 if self.replicates is None else self.replicates.weights.shape[1]
        self.known |= zip(new, in_threads(self._measure, new.values(), clusters=clusters), strict=True)

    def _measure(self, arm: Arm) -> Entry:
        entry = estimate(arm.test, self.baseline.test, arm.train)
        if self.replicates is None:
            return entry
        mine = self.base if arm.name == self.baseline.name else self._replicate(arm.test, arm.name)
        levels = {(task, f"{name}{UNMAPPED}" if name else None): one for (task, name), one in self.base.items()}
        self._fill_bounds(entry.metrics, {**levels, **mine}, "level")
        changes = minus_replicates(mine, self.base)
        self._fill_bounds(entry.delta, changes, "change")
        tests = change_tests(changes, self.replicates)
        entry.delta.fill({place: {name: (p,) for name, p in each.items()} for place, each in tests.items()}, "p")
        entry.delta.columns["p_folds"] = self._compare_folds(arm, entry.delta)
        if entry.train is not None and entry.gap is not None:
            seen = replicate_metrics(arm.train, self.replicates)
            self._fill_bounds(entry.train, seen, "level")
            self._fill_bounds(entry.gap, minus_replicates(seen, mine), "change")
        return entry

    def bound_folds(self, folds: Mapping[tuple[str, int], Measurement]) -> None:
        """Keep the intervals of single folds of an arm that lacks others."""
        if self.replicates is None:
            return

        def bound(item: tuple[tuple[str, int], Measurement]) -> None:
            self._bound(item[0], *self._replicate_folds([item[1]]))

        for _ in in_threads(bound, folds.items(), clusters=self.replicates.weights.shape[1]):
            pass

    def _replicate(self, folds: Sequence[Measurement], name: Sequence[str] = ()) -> dict[Place, MetricReplicates]:
        """The metrics of test parts, which all arms share, in every replicate; `name` is that of the arm."""
        assert self.replicates is not None
        each = self._replicate_folds(folds)
        for number, (part, fold) in enumerate(zip(name, each, strict=False)):
            self._bound((part, number), fold)
        return mean_replicates(each, clusters=self.replicates.weights.shape[1])

    def _replicate_folds(self, folds: Sequence[Measurement]) -> list[FoldReplicates]:
        assert self.replicates is not None
        return replicate_folds(folds, self.replicates, known=self.weights)

    def _bound(self, place: tuple[str, int], fold: FoldReplicates) -> None:
        assert self.replicates is not None
        if self.fold_bounds is not None and place not in self.fold_bounds:
            self.fold_bounds[place] = bounds(mean_replicates([fold]), "level", metrics=self.replicates.metrics)

    def _fill_bounds(
        self, estimates: Estimates, replicates: Mapping[Place, MetricReplicates], kind: Literal["level", "change"]
    ) -> None:
        assert self.replicates is not None
        known = {place: replicates[place] for place in estimates.places if place in replicates}
        estimates.fill(bounds(known, kind, metrics=self.replicates.metrics), "low", "high")

    def _compare_folds(self, arm: Arm, like: Estimates) -> Float[np.ndarray, "places metrics"]:
        """The test over folds, which sees that another training part gives another map."""
        changes = differences([one.values for one in arm.test], [one.values for one in self.baseline.test])
        values = [[one[place][metric] for place in like.places for metric in like.metrics] for one in changes]
        p = corrected_resampled_t(np.array(values), test_share=self.test_share)[2]
        shape = len(like.places), len(like.metrics)
        return np.array(np.broadcast_to(p, shape[0] * shape[1]), float).reshape(shape)


def adjust(entries: Sequence[Entry], *, optimistic: bool | Sequence[bool] = False, untested: int = 0) -> None:
    """Holm's adjustment over the entries of the p-value of each change, in place; and the verdicts that follow.

    Args:
        entries: of arms that are compared with one baseline.
        optimistic: whether maps were chosen on the test images; for all entries, or one for each.
        untested: how many more there would be had a race not dropped them; each counts as a test with p = 1, for
            what is left was selected.
    """
    keys = [[(place, metric) for place in one.delta.places for metric in one.delta.metrics] for one in entries]
    number = {key: column for column, key in enumerate(dict.fromkeys(key for each in keys for key in each))}
    columns = [[number[key] for key in each] for each in keys]
    p = np.full((len(entries), len(number)), np.nan)
    for row, (entry, column) in enumerate(zip(entries, columns, strict=True)):
        p[row, column] = entry.delta.columns["p"].ravel()
    adjusted, known = np.full(p.shape, np.nan), ~np.isnan(p)
    for mask in np.unique(known.T, axis=0):  # the changes that the same entries have
        alike = (mask == known.T).all(axis=1)
        if mask.any():
            padded = np.pad(p[np.ix_(mask, alike)].T, ((0, 0), (0, untested)), constant_values=1.0)
            adjusted[np.ix_(mask, alike)] = holm(padded)[:, : mask.sum()].T
    each = zip(entries, columns, np.broadcast_to(optimistic, len(entries)), strict=True)
    for row, (entry, column, biased) in enumerate(each):
        delta = entry.delta
        delta.columns["p_adjusted"] = adjusted[row, column].reshape(delta.columns["p"].shape)
        entry.verdict = {
            place[0]: verdict(delta.at(place, CLAIMED), delta.at(place, CLAIMED, "p_adjusted"), optimistic=bool(biased))
            for place in delta.places
            if is_macro(place)
        }


def bounds(
    replicates: Mapping[Place, MetricReplicates],
    kind: Literal["level", "change"],
    *,
    level: float = LEVEL,
    metrics: Sequence[str] | None = None,
) -> Bounds:
    """Low and high end of every metric of every place: percentiles, further apart where few clusters carry it.

    Args:
        replicates: of one kind.
        kind: levels lie in [0, 1], changes in [-1, 1]; median ranks have no such limits.
        level: of the interval.
        metrics: the means that are replicated; None for all of `mean_metrics()`.
    """
    names = mean_metrics() if metrics is None else metrics
    lowest = {"level": 0.0, "change": -1.0}[kind]
    found = {}
    for place, metric in replicates.items():
        value = metric.shares.sum(axis=1)
        stretch = interval_stretch(metric.linear, metric.left_out, level=level)
        end = np.stack(percentile_interval(metric.means, level=level))
        low, high = np.clip(value + stretch * (end - value), lowest, 1.0)
        each = dict(zip(names, zip(low, high, strict=True), strict=True))
        if len(metric.median):
            each[MEDIAN] = percentile_interval(metric.median, level=level)
        found[place] = {name: (float(a), float(b)) for name, (a, b) in each.items()}
    return found


def change_tests(changes: Mapping[Place, MetricReplicates], replicates: Replicates) -> dict[Place, dict[str, float]]:
    """The p-value of every change: signs of the images' differences flipped; of a median from its replicates.

    Args:
        changes: from `minus_replicates`.
        replicates: of the data.
    """
    found: dict[Place, dict[str, float]] = {}
    names = replicates.metrics
    for many in (False, True):
        places = [place for place in changes if is_pair(place) is many]
        if not places:
            continue
        signs = replicates.signs
        if many and len(signs) != 2 ** signs.shape[1]:  # all assignments are no sample to take the first of
            signs = signs[:PAIR_REPLICATES]
        tested = sign_flip_test(np.concatenate([changes[place].shares for place in places]).T, signs)
        for place, each in zip(places, tested.reshape(len(places), len(names)), strict=True):
            found[place] = {name: float(p) for name, p in zip(names, each, strict=True)}
            if len(changes[place].median):
                found[place][MEDIAN] = two_sided(changes[place].median)
    return found


def two_sided(replicates: Float[np.ndarray, " replicates"]) -> float:
    """Twice the smaller share of replicates on either side of no change."""
    replicates = replicates[~np.isnan(replicates)]
    tail = min((replicates <= 0).mean(), (replicates >= 0).mean())
    return float(min(1.0, 2 * max(tail, 1 / (len(replicates) + 1))))

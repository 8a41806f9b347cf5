"""Intervals, p-values adjusted for the number of tests, and verdicts of the estimates of several arms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.measurement.estimates import Entry, Estimates, differences, estimate, estimate_means
from ccalign_jax.measurement.intervals import bounds, change_tests
from ccalign_jax.measurement.measure import UNMAPPED, Measurement, Place
from ccalign_jax.measurement.replicates import PAIR_REPLICATES, Replicates, minus_replicates, replicate_metrics
from ccalign_jax.statistics import LEVEL, corrected_resampled_t, holm, verdict
from ccalign_jax.threads import in_threads

__all__ = ["Arm", "Inference", "adjust", "describe_statistics"]

CLAIMED = "R@1"  # the metric that verdicts are about

Bounds = Mapping[Place, Mapping[str, tuple[float, float]]]


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


class _Found(NamedTuple):
    """Intervals and p-values of one arm."""

    metrics: Bounds
    delta: Bounds
    p: Mapping[Place, Mapping[str, float]]
    train: Bounds
    gap: Bounds


class Inference:
    """Estimates with intervals and p-values; what arms share is computed once.

    Args:
        baseline: that changes are against.
        replicates: of the data; None leaves all intervals and p-values open.
        test_share: test images over training images of a fold; for the correction of Nadeau and Bengio.
    """

    def __init__(self, baseline: Arm, replicates: Replicates | None, *, test_share: float = 0.0):
        self.baseline, self.replicates, self.test_share = baseline, replicates, test_share
        self.known: dict[tuple[str, ...], _Found] = {}
        if replicates is not None:
            self.base = replicate_metrics(baseline.test, replicates)
            self.base_bounds = bounds(self.base, "level")

    def levels(self, folds: Sequence[Measurement] | None = None) -> Estimates:
        """The metrics of the baseline, or of other folds."""
        found = estimate_means([one.values for one in (self.baseline.test if folds is None else folds)])
        if self.replicates is not None:
            known = self.base_bounds if folds is None else bounds(replicate_metrics(folds, self.replicates), "level")
            _fill_bounds(found, known)
        return found

    def entry(self, arm: Arm) -> Entry:
        """All estimates of an arm."""
        entry = estimate(arm.test, self.baseline.test, arm.train)
        if self.replicates is None:
            return entry
        self.measure([arm])
        known = self.known[arm.name]
        _fill_bounds(entry.metrics, known.metrics)
        _fill_bounds(entry.delta, known.delta)
        if entry.train is not None and entry.gap is not None:
            _fill_bounds(entry.train, known.train)
            _fill_bounds(entry.gap, known.gap)
        _fill(entry.delta, known.p, "p")
        changes = differences([one.values for one in arm.test], [one.values for one in self.baseline.test])
        entry.delta.columns["p_folds"] = self._compare_folds(changes, entry.delta)
        return entry

    def measure(self, arms: Iterable[Arm]) -> None:
        """Compute side by side what `entry` will be asked for; without it, each is computed when it is."""
        if self.replicates is None:
            return
        new = {arm.name: arm for arm in arms if arm.name not in self.known}
        found = in_threads(self._measure, new.values(), clusters=self.replicates.weights.shape[1])
        self.known |= zip(new, found, strict=True)

    def _measure(self, arm: Arm) -> _Found:
        assert self.replicates is not None
        itself = arm.name == self.baseline.name
        replicates = self.base if itself else replicate_metrics(arm.test, self.replicates)
        changes = minus_replicates(replicates, self.base)
        levels = self.base_bounds if itself else bounds(replicates, "level")
        unmapped: Bounds = {
            (task, f"{name}{UNMAPPED}"): found for (task, name), found in self.base_bounds.items() if name is not None
        }
        train, gap = {}, {}
        if arm.train:
            seen = replicate_metrics(arm.train, self.replicates)
            train, gap = bounds(seen, "level"), bounds(minus_replicates(seen, replicates), "change")
        tests = change_tests(changes, self.replicates)
        return _Found({**levels, **unmapped}, bounds(changes, "change"), tests, train, gap)

    def _compare_folds(self, changes: Sequence[Mapping[Place, Mapping[str, float]]], like: Estimates) -> np.ndarray:
        """The test over folds, which sees that another training part gives another map."""
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
    keys: dict[tuple[Place, str], int] = {}
    for entry in entries:
        for place in entry.delta.places:
            for metric in entry.delta.metrics:
                keys.setdefault((place, metric), len(keys))
    p = np.full((len(entries), len(keys)), np.nan)
    columns = [
        [keys[place, metric] for place in entry.delta.places for metric in entry.delta.metrics] for entry in entries
    ]
    for row, (entry, column) in enumerate(zip(entries, columns, strict=True)):
        p[row, column] = entry.delta.columns["p"].ravel()
    adjusted = np.full(p.shape, np.nan)
    known = ~np.isnan(p)
    for mask in np.unique(known.T, axis=0):
        alike = (mask == known.T).all(axis=1)
        if mask.any():
            padded = np.pad(p[np.ix_(mask, alike)].T, ((0, 0), (0, untested)), constant_values=1.0)
            adjusted[np.ix_(mask, alike)] = holm(padded)[:, : mask.sum()].T
    for row, (entry, column) in enumerate(zip(entries, columns, strict=True)):
        entry.delta.columns["p_adjusted"] = adjusted[row, column].reshape(entry.delta.columns["p"].shape)
    for entry, biased in zip(entries, np.broadcast_to(optimistic, len(entries)), strict=True):
        entry.verdict = {
            task: verdict(
                entry.delta.at((task, name), CLAIMED),
                entry.delta.at((task, name), CLAIMED, "p_adjusted"),
                optimistic=bool(biased),
            )
            for task, name in entry.delta.places
            if name is None
        }


def describe_statistics(replicates: Replicates) -> dict[str, Any]:
    """The `statistics` entry of a summary."""
    clusters = replicates.weights.shape[1]
    return {
        "level": LEVEL,
        "replicates": len(replicates.weights),
        "pair_replicates": PAIR_REPLICATES,
        "median_replicates": replicates.medians,
        "flips": len(replicates.signs),
        "clusters": clusters,
        "cluster": "image" if clusters == len(replicates.cluster_of) else "group of images",
    }


def _fill_bounds(estimates: Estimates, known: Bounds) -> None:
    _fill(estimates, {place: {name: ends[0] for name, ends in each.items()} for place, each in known.items()}, "low")
    _fill(estimates, {place: {name: ends[1] for name, ends in each.items()} for place, each in known.items()}, "high")


def _fill(estimates: Estimates, known: Mapping[Place, Mapping[str, float]], column: str) -> None:
    """Set the numbers of a column that are known, in place."""
    for row, place in enumerate(estimates.places):
        each = known.get(place, {})
        for number, metric in enumerate(estimates.metrics):
            if metric in each:
                estimates.columns[column][row, number] = each[metric]

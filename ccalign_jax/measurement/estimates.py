"""Estimates of one arm: its metrics and changes as means over folds, with intervals and p-values, place by place."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from ccalign_jax.measurement.measure import Measurement, Place, is_macro, nest_values

__all__ = ["Entry", "Estimates", "differences", "estimate", "estimate_means", "mean_and_std"]

LEVEL_COLUMNS = ("mean", "std", "low", "high")
CHANGE_COLUMNS = (*LEVEL_COLUMNS, "p", "p_adjusted", "p_folds")

Folds = Sequence[Mapping[Place, Mapping[str, float]]]  # the values of each fold


@dataclasses.dataclass
class Estimates:
    """Several metrics in several places; NaN is a number that was not computed.

    Attributes:
        places: retrieval tasks and their languages or pairs.
        metrics: their names.
        columns: `[places, metrics]` each: `mean`, `std` over folds, `low` and `high` of the 95 % interval; of changes
            also `p`, `p_adjusted` for the number of tests, and `p_folds`.
    """

    places: list[Place] = dataclasses.field(default_factory=list)
    metrics: list[str] = dataclasses.field(default_factory=list)
    columns: dict[str, Float[np.ndarray, "places metrics"]] = dataclasses.field(default_factory=dict)

    def at(self, place: Place, metric: str, column: str = "mean") -> float:
        """One number."""
        return float(self.columns[column][self.places.index(place), self.metrics.index(metric)])

    def fill(self, known: Mapping[Place, Mapping[str, Sequence[float]]], *columns: str) -> None:
        """Set, in place, what is known by place and metric: a number for each of some columns."""
        for column in columns:
            self.columns.setdefault(column, np.full(self.columns["mean"].shape, np.nan))
        for row, place in enumerate(self.places):
            each = known.get(place, {})
            for number, metric in enumerate(self.metrics):
                for column, value in zip(columns, each.get(metric, ()), strict=False):
                    self.columns[column][row, number] = value

    def only(self, keep: Callable[[Place], bool], metrics: Sequence[str] | None = None) -> Estimates:
        """The estimates of some places, and of some metrics."""
        rows = [row for row, place in enumerate(self.places) if keep(place)]
        names = self.metrics if metrics is None else [name for name in self.metrics if name in metrics]
        chosen = np.ix_(rows, [self.metrics.index(name) for name in names])
        return Estimates([self.places[row] for row in rows], names, {k: v[chosen] for k, v in self.columns.items()})

    def nest(self) -> dict[str, Any]:
        """As in `summary.json`: task, language or pair, metric, and the numbers of each; None is open."""
        if not self.places:
            return {}
        numbers = np.stack(list(self.columns.values()), axis=-1).tolist()

        def named(each: Sequence[float]) -> dict[str, float | None]:
            return {key: None if math.isnan(x) else x for key, x in zip(self.columns, each, strict=True)}

        rows = zip(self.places, numbers, strict=True)
        return nest_values({place: dict(zip(self.metrics, map(named, row), strict=True)) for place, row in rows})


@dataclasses.dataclass
class Entry:
    """All estimates of one arm.

    Attributes:
        metrics: on the test parts.
        delta: the change of these against a baseline; empty of an arm that is compared with none.
        train: on the training samples; None if these were not ranked.
        gap: R@1 on the training samples minus that on the test parts; None likewise.
        verdict: of each task on the change of R@1; None before `inference.adjust` has compared entries.
    """

    metrics: Estimates = dataclasses.field(default_factory=Estimates)
    delta: Estimates = dataclasses.field(default_factory=Estimates)
    train: Estimates | None = None
    gap: Estimates | None = None
    verdict: dict[str, str] | None = None

    def only(self, keep: Callable[[Place], bool], metrics: Sequence[str] | None = None) -> Entry:
        """The estimates of some places, and of some metrics."""
        train, gap = (None if part is None else part.only(keep, metrics) for part in (self.train, self.gap))
        return Entry(self.metrics.only(keep, metrics), self.delta.only(keep, metrics), train, gap, self.verdict)

    def nest(self) -> dict[str, Any]:
        """As in `summary.json`; what is None has no key."""
        named = {"metrics": self.metrics, "delta": self.delta, "train_metrics": self.train, "gap": self.gap}
        found: dict[str, Any] = {key: part.nest() for key, part in named.items() if part is not None}
        return found if self.verdict is None else {**found, "verdict": self.verdict}

    def nest_point(self) -> dict[str, Any]:
        """As a point of a curve in `curves.json`: `test`, `train`, `delta`, `gap` and `verdict`, by task."""
        nested = self.only(is_macro).nest()
        return {"test": nested.pop("metrics"), "train": nested.pop("train_metrics"), **nested}


def estimate(test: Sequence[Measurement], baseline: Sequence[Measurement], train: Sequence[Measurement] = ()) -> Entry:
    """Means and standard deviations over folds of an arm; intervals and p-values stay open.

    Args:
        test: of the arm, a fold each.
        baseline: of the arm that it is compared with, on the same folds.
        train: of the arm on the training samples; none if these were not ranked.
    """
    mine = [one.values for one in test]
    changes = differences(mine, [one.values for one in baseline])
    entry = Entry(estimate_means(mine), estimate_means(changes, CHANGE_COLUMNS))
    if train:
        seen = [one.values for one in train]
        entry.train = estimate_means(seen)
        first = [{place: {"R@1": each["R@1"]} for place, each in values.items() if is_macro(place)} for values in seen]
        entry.gap = estimate_means(differences(first, mine))
    return entry


def estimate_means(folds: Folds, columns: Sequence[str] = LEVEL_COLUMNS, *, exact: bool = False) -> Estimates:
    """The mean and standard deviation over folds of what all of them have.

    Args:
        folds: the values of each.
        columns: those beside mean and standard deviation are open.
        exact: nothing was sampled, so that the interval is the mean itself.
    """
    places = [place for place in folds[0] if all(place in fold for fold in folds)]
    metrics = list(folds[0][places[0]]) if places else []
    values = [[[fold[place][metric] for metric in metrics] for place in places] for fold in folds]
    mean, std = mean_and_std(np.array(values, float).reshape(len(folds), len(places), len(metrics)))
    found = {key: np.full(mean.shape, np.nan) for key in columns} | {"mean": mean, "std": std}
    if exact:
        found |= {"low": mean, "high": mean}
    return Estimates(places, metrics, found)


def differences(mine: Folds, base: Folds) -> list[dict[Place, dict[str, float]]]:
    """Fold by fold the values of one arm less those of another, in the places that both have."""
    return [
        {
            place: {metric: value - theirs[place][metric] for metric, value in each.items()}
            for place, each in one.items()
            if place in theirs
        }
        for one, theirs in zip(mine, base, strict=True)
    ]


def mean_and_std(
    values: Float[np.ndarray, "folds places metrics"],
) -> tuple[Float[np.ndarray, "places metrics"], Float[np.ndarray, "places metrics"]]:
    """Mean and sample standard deviation over folds; the latter is NaN of one fold.

    Example:
        >>> [float(each[0, 0]) for each in mean_and_std(np.array([[[0.25]], [[0.75]]]))]
        [0.5, 0.3535533905932738]
    """
    last = np.ascontiguousarray(np.moveaxis(values, 0, -1))
    mean = last.mean(axis=-1)
    return mean, last.std(axis=-1, ddof=1) if len(values) > 1 else np.full(mean.shape, np.nan)

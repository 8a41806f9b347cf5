"""Intervals and p-values of metrics and their changes, from bootstrap replicates and sign flips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Float

from ccalign_jax.measurement.measure import MEDIAN, Place, is_pair
from ccalign_jax.measurement.replicates import PAIR_REPLICATES, MetricReplicates, Replicates
from ccalign_jax.metrics import mean_metrics
from ccalign_jax.statistics import LEVEL, interval_stretch, percentile_interval, sign_flip_test

__all__ = ["bounds", "change_tests", "two_sided"]


def bounds(
    replicates: Mapping[Place, MetricReplicates], kind: Literal["level", "change"], *, level: float = LEVEL
) -> dict[Place, dict[str, tuple[float, float]]]:
    """Low and high end of every metric of every place: percentiles, further apart where few clusters carry it.

    Args:
        replicates: of one kind.
        kind: levels lie in [0, 1], changes in [-1, 1]; median ranks have no such limits.
        level: of the interval.
    """
    lowest = {"level": 0.0, "change": -1.0}[kind]
    found = {}
    for place, metric in replicates.items():
        value = metric.shares.sum(axis=1)
        stretch = interval_stretch(metric.linear, metric.left_out, level=level)
        end = np.stack(percentile_interval(metric.means, level=level))
        low, high = np.clip(value + stretch * (end - value), lowest, 1.0)
        each = dict(zip(mean_metrics(), zip(low, high, strict=True), strict=True))
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
    for many in (False, True):
        places = [place for place in changes if is_pair(place) is many]
        if not places:
            continue
        signs = replicates.signs
        if many and len(signs) != 2 ** signs.shape[1]:  # all assignments are no sample to take the first of
            signs = signs[:PAIR_REPLICATES]
        tested = sign_flip_test(np.concatenate([changes[place].shares for place in places]).T, signs)
        for place, each in zip(places, tested.reshape(len(places), len(mean_metrics())), strict=True):
            found[place] = {name: float(p) for name, p in zip(mean_metrics(), each, strict=True)}
            if len(changes[place].median):
                found[place][MEDIAN] = two_sided(changes[place].median)
    return found


def two_sided(replicates: Float[np.ndarray, " replicates"]) -> float:
    """Twice the smaller share of replicates on either side of no change."""
    replicates = replicates[~np.isnan(replicates)]
    tail = min((replicates <= 0).mean(), (replicates >= 0).mean())
    return float(min(1.0, 2 * max(tail, 1 / (len(replicates) + 1))))

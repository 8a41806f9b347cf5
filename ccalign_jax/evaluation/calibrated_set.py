"""What scores of held-out pairs say: fitted probabilities and their error, the threshold of a precision, sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ccalign_jax.calibration import (
    Isotonic,
    Platt,
    ScoreCounts,
    conformal_bound,
    fit_isotonic,
    fit_platt,
    operating_points,
    reliability,
    threshold_at_precision,
)
from ccalign_jax.evaluation.pair_scores import Gallery, PairScores, count_above
from ccalign_jax.statistics import bootstrap_weights, percentile_interval, ratio_replicates

__all__ = ["describe_scores"]

SHOWN = 0.01  # the least probability of pairs that the calibration error is of; nearly all pairs are below
REPLICATES = 2000
FITS: dict[str, Callable[[ScoreCounts], Platt | Isotonic]] = {"platt": fit_platt, "isotonic": fit_isotonic}


def describe_scores(
    pairs: PairScores, galleries: Sequence[Gallery], size: int, *, precision: float, coverage: float
) -> dict[str, Any]:
    """Calibrations, the threshold of a precision and conformal sets, each measured on the half it was not fitted on.

    Args:
        pairs: the scores.
        galleries: that they are of.
        size: of the gallery that pairs are counted for.
        precision, coverage: as in `calibrate`.
    """
    fitted = {name: _calibration(fit, pairs) for name, fit in FITS.items()}
    return {
        "captions": len(pairs.own),
        "images": len(np.unique(pairs.groups)),
        **fitted,
        "chosen": min(fitted, key=lambda name: fitted[name]["brier"]),
        "threshold": _threshold(pairs, galleries, size, precision),
        "sets": _sets(pairs, coverage),
    }


def _calibration(fit: Callable[[ScoreCounts], Platt | Isotonic], pairs: PairScores) -> dict[str, Any]:
    """Parameters of the fit to all pairs; errors of each half's probabilities by the fit to the other."""
    parts = []
    for fitted, measured in (pairs.halves, pairs.halves[::-1]):
        given = fit(fitted).probabilities(measured.scores)
        parts.append((given, measured.right, measured.total))
    given, right, total = (np.concatenate(each) for each in zip(*parts, strict=True))
    there = (total > 0) & (given >= SHOWN)
    found: dict[str, Any] = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in fit(pairs.both)._asdict().items()
    }
    brier = right @ (1 - given) ** 2 + (total - right) @ given**2
    found |= {"brier": float(brier / right.sum()), "error": None, "bins": None}
    if there.any():
        bins = reliability(given[there], right[there] / total[there], total[there])
        found |= {"error": bins.error, "bins": {name: value.tolist() for name, value in bins._asdict().items()}}
    return found


def _threshold(pairs: PairScores, galleries: Sequence[Gallery], size: int, precision: float) -> dict[str, Any]:
    """The threshold of a precision by all pairs, and the precision of each half at the threshold of the other."""
    points = operating_points(pairs.both)
    threshold = threshold_at_precision(points, precision)
    first, second = (threshold_at_precision(operating_points(half), precision) for half in pairs.halves)
    counted = [count_above(one, size, (second, first)) for one in galleries]
    right, results = (np.concatenate(each) for each in zip(*counted, strict=True))
    found, recall, _ = points.at(threshold)
    return {
        "threshold": threshold if np.isfinite(threshold) else None,
        "results": found / len(pairs.own),
        "recall": recall,
        "precision": _ratio(right, results, pairs.groups),
    }


def _sets(pairs: PairScores, coverage: float) -> dict[str, Any]:
    """Images above a score, and the nearest images: bounds by all captions, coverage of each half by the other's."""
    found: dict[str, Any] = {}
    for name, values in (("score", -pairs.own.astype(np.float64)), ("nearest", pairs.place.astype(np.float64))):
        bound = conformal_bound(values, pairs.groups, coverage)
        covered = np.empty(len(values), bool)
        for fitted in (pairs.first, ~pairs.first):
            covered[~fitted] = values[~fitted] <= conformal_bound(values[fitted], pairs.groups[fitted], coverage)
        found[name] = {"bound": None if np.isinf(bound) else bound, "coverage": _share(covered, pairs.groups)}
    if (bound := found["score"].pop("bound")) is not None:
        results, _, _ = operating_points(pairs.both).at(-bound)
        found["score"] |= {"threshold": -bound, "results": results / len(pairs.own)}
    else:
        found["score"] |= {"threshold": None, "results": None}
    return found


def _share(covered: Bool[np.ndarray, " m"], groups: Int[np.ndarray, " m"]) -> dict[str, float | None]:
    """The mean over groups, which all weigh the same, of their share of covered queries."""
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    weights = 1.0 / counts[place]
    return _ratio(covered * weights, weights, groups)


def _ratio(
    part: Float[np.ndarray, " m"], whole: Float[np.ndarray, " m"], groups: Int[np.ndarray, " m"]
) -> dict[str, float | None]:
    """The sum of one over that of the other, with a 95 % interval from bootstrap replicates of groups."""
    place = np.unique(groups, return_inverse=True)[1]
    parts, wholes = np.bincount(place, part), np.bincount(place, whole)
    if not wholes.sum():
        return {"mean": None, "low": None, "high": None}
    weights = bootstrap_weights(len(parts), replicates=REPLICATES, seed=0)
    low, high = percentile_interval(ratio_replicates(weights, parts[:, None, None], wholes[:, None])[0, 0])
    return {"mean": float(parts.sum() / wholes.sum()), "low": float(low), "high": float(high)}

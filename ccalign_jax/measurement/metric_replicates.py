"""Bootstrap replicates of metrics: images are drawn with all their captions, in all languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.measurement.measure import BOTH, Measurement, Place, is_pair
from ccalign_jax.measurement.replicates import Replicates
from ccalign_jax.metrics import mean_metrics
from ccalign_jax.statistics import LEVEL, ratio_replicates, ratio_residuals, weighted_medians

__all__ = [
    "PAIR_REPLICATES",
    "FoldReplicates",
    "MetricReplicates",
    "describe_statistics",
    "mean_replicates",
    "minus_replicates",
    "replicate_folds",
    "replicate_metrics",
]

PAIR_REPLICATES, PAIR_MEDIANS = 2_000, 200  # of the many pairs of languages


class MetricReplicates(NamedTuple):
    """One metric in every replicate: means over folds.

    Attributes:
        means: `[means, replicates]`, those of `Replicates.metrics`.
        median: `[fewer replicates]`, or none.
        shares: `[means, clusters]`, what each cluster adds to the metric as it was measured.
        linear, left_out: `[means, clusters]`, its residuals (`statistics.ratio_residuals`).
    """

    means: Float[np.ndarray, "means replicates"]
    median: Float[np.ndarray, " replicates"]
    shares: Float[np.ndarray, "means clusters"]
    linear: Float[np.ndarray, "means clusters"]
    left_out: Float[np.ndarray, "means clusters"]


def replicate_metrics(
    folds: Sequence[Measurement], replicates: Replicates, *, known: dict[bytes, FoldWeights] | None = None
) -> dict[Place, MetricReplicates]:
    """The metrics of every place that all folds have, in every replicate.

    An image in several test parts, as under repeats, is drawn as often in each. `both` is the mean of the two
    directions.

    Args:
        folds: of one arm.
        replicates: of the data.
        known: the weights of images that were asked for before, which it gains; arms have the same test images.
    """
    return mean_replicates(replicate_folds(folds, replicates, known=known), clusters=replicates.weights.shape[1])


def replicate_folds(
    folds: Sequence[Measurement], replicates: Replicates, *, known: dict[bytes, FoldWeights] | None = None
) -> list[FoldReplicates]:
    """The metrics of each fold in every replicate; arguments as in `replicate_metrics`."""
    drawn = [_fold_weights(fold, replicates, {} if known is None else known) for fold in folds]
    rows = [list(mean_metrics()).index(name) for name in replicates.metrics]
    sizes = (
        (False, len(replicates.weights), replicates.medians),
        (True, PAIR_REPLICATES, min(PAIR_MEDIANS, replicates.medians)),
    )
    return [
        [_fold_replicates(fold, some, pairs, count, medians, rows) for pairs, count, medians in sizes]
        for fold, some in zip(folds, drawn, strict=True)
    ]


def mean_replicates(folds: Sequence[FoldReplicates], *, clusters: int | None = None) -> dict[Place, MetricReplicates]:
    """The mean over folds of every place that all folds have.

    Args:
        folds: from `replicate_folds`.
        clusters: of the data; None, for one fold, leaves its own alone.
    """
    found: dict[Place, MetricReplicates] = {}
    for each in zip(*folds, strict=True):
        found |= _fold_means(each, clusters)
    for (task, name), metric in list(found.items()):
        other = found.get(("i2t", name))
        if task == "t2i" and other is not None:
            found[BOTH, name] = MetricReplicates(*(0.5 * (a + b) for a, b in zip(metric, other, strict=True)))
    return found


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


def minus_replicates(
    mine: Mapping[Place, MetricReplicates], base: Mapping[Place, MetricReplicates]
) -> dict[Place, MetricReplicates]:
    """The differences of the metrics that both have."""
    return {
        place: MetricReplicates(*(a - b for a, b in zip(metric, base[place], strict=True)))
        for place, metric in mine.items()
        if place in base
    }


def _mean_known(values: Float[np.ndarray, "columns ..."]) -> Float[np.ndarray, ...]:
    """The mean over columns of those that a replicate has a query of; NaN where it has none at all."""
    known = ~np.isnan(values)
    if known.all():
        return values.mean(axis=0)
    counts = known.sum(axis=0)
    return np.where(counts > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)


class FoldWeights(NamedTuple):
    """The clusters of a fold's images and how often each is drawn; `place` of each image is its cluster among them."""

    clusters: Int[np.ndarray, " c"]
    place: Int[np.ndarray, " s"]
    weights: Int[np.ndarray, "replicates c"]


def _fold_weights(fold: Measurement, replicates: Replicates, known: dict[bytes, FoldWeights]) -> FoldWeights:
    key = np.asarray(fold.images).tobytes()
    if key not in known:
        known[key] = _take_weights(fold.images, replicates)
    return known[key]


def _take_weights(images: Int[np.ndarray, " s"], replicates: Replicates) -> FoldWeights:
    clusters, place = np.unique(replicates.cluster_of[images], return_inverse=True)
    every = len(clusters) == replicates.weights.shape[1]
    return FoldWeights(clusters, place, replicates.weights if every else np.take(replicates.weights, clusters, axis=1))


class PlaceReplicates(NamedTuple):
    """`MetricReplicates` of several places of a fold, one below the other, and of its own clusters alone."""

    places: list[Place]
    clusters: Int[np.ndarray, " c"]
    means: Float[np.ndarray, "places means replicates"]
    median: Float[np.ndarray, "places replicates"]
    shares: Float[np.ndarray, "places means c"]
    linear: Float[np.ndarray, "places means c"]
    left_out: Float[np.ndarray, "places means c"]


FoldReplicates = list[PlaceReplicates | None]  # of pairs of languages, and of all other places


def _fold_replicates(
    fold: Measurement, drawn: FoldWeights, pairs: bool, count: int, medians: int, rows: Sequence[int]
) -> PlaceReplicates | None:
    """The metrics of one fold: of pairs of languages, or all others; none where it has none."""
    columns = {place: column for place, column in fold.sums.items() if is_pair(place) is pairs}
    if not columns:
        return None
    every = list(columns.values())
    sums = _by_cluster(np.stack([column.sums[:, rows] for column in every], axis=1), drawn)
    counts = _by_cluster(np.stack([column.counts for column in every], axis=1), drawn)
    means = ratio_replicates(drawn.weights[:count], sums, counts)  # one product for all tasks
    owners = [drawn.place[column.owner] for column in every]
    median = weighted_medians([column.rank for column in every], owners, drawn.weights[:medians])
    by_cluster = (sums / counts.sum(axis=0)[:, None], *ratio_residuals(sums, counts))
    parts = (means, median, *(each.transpose(1, 2, 0) for each in by_cluster))
    places_of: dict[str, list[int]] = {}
    for place, (task, _) in enumerate(columns):
        places_of.setdefault(task, []).append(place)
    parts = tuple(
        np.concatenate([part, *(_mean_known(part[some])[None] for some in places_of.values())]) for part in parts
    )
    places = [*columns, *((task, None) for task in places_of)]
    return PlaceReplicates(places, drawn.clusters, *parts)


def _fold_means(each: Sequence[PlaceReplicates | None], clusters: int | None) -> dict[Place, MetricReplicates]:
    """The mean over folds of each place that all of them have."""
    folds = [fold for fold in each if fold is not None]
    if not folds or len(folds) < len(each):
        return {}
    shared = [place for place in folds[0].places if all(place in fold.places for fold in folds)]
    taken = [slice(None) if fold.places == shared else [fold.places.index(place) for place in shared] for fold in folds]
    means, median = (
        _mean([getattr(fold, name)[rows] for fold, rows in zip(folds, taken, strict=True)])
        for name in ("means", "median")
    )
    if clusters is None:
        spread = [getattr(folds[0], name) for name in ("shares", "linear", "left_out")]
    else:
        apart = len(np.unique(np.concatenate([fold.clusters for fold in folds]))) == sum(len(f.clusters) for f in folds)
        spread = [np.zeros((*means.shape[:2], clusters)) for _ in range(3)]
        for total, name in zip(spread, ("shares", "linear", "left_out"), strict=True):
            for fold, rows in zip(folds, taken, strict=True):
                values = getattr(fold, name)[rows]
                total[..., fold.clusters] = values if apart else total[..., fold.clusters] + values
            total /= len(folds)
    return {
        place: MetricReplicates(*(part[row] for part in (means, median, *spread))) for row, place in enumerate(shared)
    }


def _mean(folds: Sequence[Float[np.ndarray, ...]]) -> Float[np.ndarray, ...]:
    total = folds[0].copy()
    for values in folds[1:]:
        total += values
    total /= len(folds)
    return total


def _by_cluster(values: Float[np.ndarray, "s ..."], drawn: FoldWeights) -> Float[np.ndarray, "c ..."]:
    """The sums over the images of each cluster."""
    found = np.zeros((len(drawn.clusters), *values.shape[1:]))
    if len(drawn.clusters) == len(drawn.place):
        found[drawn.place] = values
    else:
        np.add.at(found, drawn.place, values)
    return found

"""Bootstrap replicates of metrics: images are drawn with all their captions, in all languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.measurement.measure import BOTH, Measurement, Place, is_pair
from ccalign_jax.metrics import mean_metrics
from ccalign_jax.statistics import (
    FLIPS,
    MEDIAN_REPLICATES,
    REPLICATES,
    bootstrap_weights,
    ratio_replicates,
    ratio_residuals,
    sign_flips,
    weighted_medians,
)

__all__ = [
    "PAIR_REPLICATES",
    "MetricReplicates",
    "Replicates",
    "draw_replicates",
    "minus_replicates",
    "replicate_metrics",
    "replicates_of",
]

PAIR_REPLICATES, PAIR_MEDIANS = 2_000, 200  # of the many pairs of languages


class Replicates(NamedTuple):
    """The same for every metric of a study, so that all differences are paired.

    Attributes:
        cluster_of: `[n]`, the cluster of each image of the data: itself, or its group.
        weights: `[replicates, clusters]`, how often each cluster is drawn.
        signs: `[flips, clusters]`, ±1.
        medians: how many of the replicates medians are taken in; 0 leaves their intervals open.
        only: the means that are replicated; None for all of `mean_metrics()`.
    """

    cluster_of: Int[np.ndarray, " n"]
    weights: Int[np.ndarray, "replicates clusters"]
    signs: Int[np.ndarray, "flips clusters"]
    medians: int = MEDIAN_REPLICATES
    only: tuple[str, ...] | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the means that are replicated."""
        return tuple(mean_metrics()) if self.only is None else self.only


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


def draw_replicates(
    groups: Int[np.ndarray, " n"], *, seed: int, replicates: int = REPLICATES, flips: int = FLIPS
) -> Replicates:
    """Replicates of the clusters of a data set.

    Args:
        groups: `[n]`, equal numbers for images that move together.
        seed: of both kinds.
        replicates: bootstrap replicates.
        flips: assignments of signs.
    """
    _, cluster_of = np.unique(groups, return_inverse=True)
    clusters = int(cluster_of.max()) + 1
    return Replicates(
        cluster_of,
        bootstrap_weights(clusters, replicates=replicates, seed=seed),
        sign_flips(clusters, flips=flips, seed=seed),
    )


def replicates_of(images: Int[np.ndarray, " s"], replicates: Replicates) -> Replicates:
    """The clusters of some images alone, drawn and flipped as in the whole."""
    clusters, places = np.unique(replicates.cluster_of[images], return_inverse=True)
    cluster_of = np.full_like(replicates.cluster_of, -1)
    cluster_of[images] = places
    weights, signs = (np.take(each, clusters, axis=1) for each in (replicates.weights, replicates.signs))
    return replicates._replace(cluster_of=cluster_of, weights=weights, signs=signs)


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
    drawn = [_fold_weights(fold, replicates, {} if known is None else known) for fold in folds]
    rows = [list(mean_metrics()).index(name) for name in replicates.metrics]
    found: dict[Place, MetricReplicates] = {}
    for pairs, count, medians in (
        (False, len(replicates.weights), replicates.medians),
        (True, PAIR_REPLICATES, min(PAIR_MEDIANS, replicates.medians)),
    ):
        each = [
            _fold_replicates(fold, some, pairs, count, medians, rows) for fold, some in zip(folds, drawn, strict=True)
        ]
        found |= _fold_means(each, replicates.weights.shape[1])
    for (task, name), metric in list(found.items()):
        other = found.get(("i2t", name))
        if task == "t2i" and other is not None:
            found[BOTH, name] = MetricReplicates(*(0.5 * (a + b) for a, b in zip(metric, other, strict=True)))
    return found


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


class _FoldReplicates(NamedTuple):
    """`MetricReplicates` of all places of a fold, one below the other, and of its own clusters alone."""

    places: list[Place]
    clusters: Int[np.ndarray, " c"]
    means: Float[np.ndarray, "places means replicates"]
    median: Float[np.ndarray, "places replicates"]
    shares: Float[np.ndarray, "places means c"]
    linear: Float[np.ndarray, "places means c"]
    left_out: Float[np.ndarray, "places means c"]


def _fold_replicates(
    fold: Measurement, drawn: FoldWeights, pairs: bool, count: int, medians: int, rows: Sequence[int]
) -> _FoldReplicates | None:
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
    return _FoldReplicates(places, drawn.clusters, *parts)


def _fold_means(each: Sequence[_FoldReplicates | None], clusters: int) -> dict[Place, MetricReplicates]:
    """The mean over folds of each place that all of them have."""
    folds = [fold for fold in each if fold is not None]
    if not folds or len(folds) < len(each):
        return {}
    shared = [place for place in folds[0].places if all(place in fold.places for fold in folds)]
    taken = [slice(None) if fold.places == shared else [fold.places.index(place) for place in shared] for fold in folds]
    means, median = (
        sum(getattr(fold, name)[rows] for fold, rows in zip(folds, taken, strict=True)) / len(folds)
        for name in ("means", "median")
    )
    spread = []
    for name in ("shares", "linear", "left_out"):
        total = np.zeros((*means.shape[:2], clusters))
        for fold, rows in zip(folds, taken, strict=True):
            total[..., fold.clusters] += getattr(fold, name)[rows]
        spread.append(total / len(folds))
    return {
        place: MetricReplicates(*(part[row] for part in (means, median, *spread))) for row, place in enumerate(shared)
    }


def _by_cluster(values: Float[np.ndarray, "s ..."], drawn: FoldWeights) -> Float[np.ndarray, "c ..."]:
    """The sums over the images of each cluster."""
    found = np.zeros((len(drawn.clusters), *values.shape[1:]))
    if len(drawn.clusters) == len(drawn.place):
        found[drawn.place] = values
    else:
        np.add.at(found, drawn.place, values)
    return found

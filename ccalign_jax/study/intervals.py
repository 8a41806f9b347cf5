"""Intervals and tests of figures: images resampled, or their signs flipped, with all their captions and languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.metrics import mean_metrics
from ccalign_jax.statistics import (
    DRAWS,
    FLIPS,
    LEVEL,
    MEDIAN_DRAWS,
    bootstrap_weights,
    interval_stretch,
    percentile_interval,
    ratio_draws,
    ratio_residuals,
    sign_flip_test,
    sign_flips,
    weighted_medians,
)
from ccalign_jax.study.measure import BOTH, MEDIAN, Measurement, Place, is_pair

__all__ = [
    "PAIR_DRAWS",
    "Draws",
    "Resamples",
    "bounds",
    "change_tests",
    "draw_figures",
    "draw_resamples",
    "minus_draws",
    "resamples_of",
    "two_sided",
]

PAIR_DRAWS, PAIR_MEDIANS = 2_000, 200  # of the many pairs of languages


class Resamples(NamedTuple):
    """The same for every figure of a study, so that all differences are paired.

    Attributes:
        cluster_of: `[n]`, the cluster of each image of the data: itself, or its group.
        weights: `[draws, clusters]`, how often each cluster is drawn.
        signs: `[flips, clusters]`, ±1.
        medians: how many of the draws medians are taken in; 0 leaves their intervals open.
    """

    cluster_of: Int[np.ndarray, " n"]
    weights: Int[np.ndarray, "draws clusters"]
    signs: Int[np.ndarray, "flips clusters"]
    medians: int = MEDIAN_DRAWS


class Draws(NamedTuple):
    """One figure in every resample: means over folds.

    Attributes:
        means: `[means, draws]`, those of `mean_metrics()`.
        median: `[fewer draws]`, or none.
        shares: `[means, clusters]`, what each cluster adds to the figure as it was measured.
        linear, left_out: `[means, clusters]`, its residuals (`statistics.ratio_residuals`).
    """

    means: Float[np.ndarray, "means draws"]
    median: Float[np.ndarray, " draws"]
    shares: Float[np.ndarray, "means clusters"]
    linear: Float[np.ndarray, "means clusters"]
    left_out: Float[np.ndarray, "means clusters"]


def draw_resamples(groups: Int[np.ndarray, " n"], *, seed: int, draws: int = DRAWS, flips: int = FLIPS) -> Resamples:
    """Resamples of the clusters of a data set.

    Args:
        groups: `[n]`, equal numbers for images that move together.
        seed: of both kinds.
        draws: bootstrap resamples.
        flips: assignments of signs.
    """
    _, cluster_of = np.unique(groups, return_inverse=True)
    clusters = int(cluster_of.max()) + 1
    return Resamples(
        cluster_of,
        bootstrap_weights(clusters, draws=draws, seed=seed),
        sign_flips(clusters, flips=flips, seed=seed),
    )


def resamples_of(images: Int[np.ndarray, " s"], resamples: Resamples) -> Resamples:
    """The clusters of some images alone, drawn and flipped as in the whole."""
    clusters, places = np.unique(resamples.cluster_of[images], return_inverse=True)
    cluster_of = np.full_like(resamples.cluster_of, -1)
    cluster_of[images] = places
    weights, signs = (np.take(each, clusters, axis=1) for each in (resamples.weights, resamples.signs))
    return Resamples(cluster_of, weights, signs, resamples.medians)


def draw_figures(folds: Sequence[Measurement], resamples: Resamples) -> dict[Place, Draws]:
    """The metrics of every place that all folds have, in every resample.

    An image that several folds report, as repeats do, is drawn as often in each. `both` is the mean of the two
    directions.
    """
    drawn = [_fold_weights(fold, resamples) for fold in folds]
    found: dict[Place, Draws] = {}
    for pairs, draws, medians in (
        (False, len(resamples.weights), resamples.medians),
        (True, PAIR_DRAWS, min(PAIR_MEDIANS, resamples.medians)),
    ):
        each = [_fold_draws(fold, some, pairs, draws, medians) for fold, some in zip(folds, drawn, strict=True)]
        found |= _fold_means(each, resamples.weights.shape[1])
    for (route, name), figure in list(found.items()):
        other = found.get(("i2t", name))
        if route == "t2i" and other is not None:
            found[BOTH, name] = Draws(*(0.5 * (a + b) for a, b in zip(figure, other, strict=True)))
    return found


def minus_draws(mine: Mapping[Place, Draws], base: Mapping[Place, Draws]) -> dict[Place, Draws]:
    """The differences of the figures that both have."""
    return {
        place: Draws(*(a - b for a, b in zip(figure, base[place], strict=True)))
        for place, figure in mine.items()
        if place in base
    }


def bounds(
    draws: Mapping[Place, Draws], kind: Literal["level", "change"], *, level: float = LEVEL
) -> dict[Place, dict[str, tuple[float, float]]]:
    """Low and high end of every metric of every place: percentiles, further apart where few clusters carry it.

    Args:
        draws: of one kind.
        kind: levels lie in [0, 1], changes in [-1, 1]; median ranks have no such limits.
        level: of the interval.
    """
    least = {"level": 0.0, "change": -1.0}[kind]
    found = {}
    for place, figure in draws.items():
        value = figure.shares.sum(axis=1)
        stretch = interval_stretch(figure.linear, figure.left_out, level=level)
        end = np.stack(percentile_interval(figure.means, level=level))
        low, high = np.clip(value + stretch * (end - value), least, 1.0)
        each = dict(zip(mean_metrics(), zip(low, high, strict=True), strict=True))
        if len(figure.median):
            each[MEDIAN] = percentile_interval(figure.median, level=level)
        found[place] = {name: (float(a), float(b)) for name, (a, b) in each.items()}
    return found


def change_tests(changes: Mapping[Place, Draws], resamples: Resamples) -> dict[Place, dict[str, float]]:
    """The p-value of every change: signs of the images' differences flipped; of a median from its resamples.

    Args:
        changes: from `minus_draws`.
        resamples: of the data.
    """
    found: dict[Place, dict[str, float]] = {}
    for many in (False, True):
        places = [place for place in changes if is_pair(place) is many]
        if not places:
            continue
        signs = resamples.signs
        if many and len(signs) != 2 ** signs.shape[1]:  # all assignments are no sample to take the first of
            signs = signs[:PAIR_DRAWS]
        tested = sign_flip_test(np.concatenate([changes[place].shares for place in places]).T, signs)
        for place, each in zip(places, tested.reshape(len(places), len(mean_metrics())), strict=True):
            found[place] = {name: float(p) for name, p in zip(mean_metrics(), each, strict=True)}
            if len(changes[place].median):
                found[place][MEDIAN] = two_sided(changes[place].median)
    return found


def _mean_known(values: Float[np.ndarray, "columns ..."]) -> Float[np.ndarray, ...]:
    """The mean over columns of those that a resample has a query of; NaN where it has none at all."""
    known = ~np.isnan(values)
    if known.all():
        return values.mean(axis=0)
    counts = known.sum(axis=0)
    return np.where(counts > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)


def two_sided(draws: Float[np.ndarray, " draws"]) -> float:
    """Twice the smaller share of resamples on either side of no change."""
    draws = draws[~np.isnan(draws)]
    tail = min((draws <= 0).mean(), (draws >= 0).mean())
    return float(min(1.0, 2 * max(tail, 1 / (len(draws) + 1))))


class _Drawn(NamedTuple):
    """The clusters of a fold's images and how often each is drawn; `place` of each image is its cluster among them."""

    clusters: Int[np.ndarray, " c"]
    place: Int[np.ndarray, " s"]
    weights: Int[np.ndarray, "draws c"]


def _fold_weights(fold: Measurement, resamples: Resamples) -> _Drawn:
    clusters, place = np.unique(resamples.cluster_of[fold.images], return_inverse=True)
    every = len(clusters) == resamples.weights.shape[1]
    return _Drawn(clusters, place, resamples.weights if every else np.take(resamples.weights, clusters, axis=1))


class _FoldDraws(NamedTuple):
    """`Draws` of all places of a fold, one below the other, and of its own clusters alone."""

    places: list[Place]
    clusters: Int[np.ndarray, " c"]
    means: Float[np.ndarray, "places means draws"]
    median: Float[np.ndarray, "places draws"]
    shares: Float[np.ndarray, "places means c"]
    linear: Float[np.ndarray, "places means c"]
    left_out: Float[np.ndarray, "places means c"]


def _fold_draws(fold: Measurement, drawn: _Drawn, pairs: bool, draws: int, medians: int) -> _FoldDraws | None:
    """The figures of one fold: of pairs of languages, or all others; none where it has none."""
    columns = {place: column for place, column in fold.sums.items() if is_pair(place) is pairs}
    if not columns:
        return None
    every = list(columns.values())
    sums, counts = (
        _by_cluster(np.stack([getattr(column, kind) for column in every], axis=1), drawn) for kind in ("sums", "counts")
    )
    means = ratio_draws(drawn.weights[:draws], sums, counts)  # one product for all routes
    owners = [drawn.place[column.owner] for column in every]
    median = weighted_medians([column.rank for column in every], owners, drawn.weights[:medians])
    by_cluster = (sums / counts.sum(axis=0)[:, None], *ratio_residuals(sums, counts))
    parts = (means, median, *(each.transpose(1, 2, 0) for each in by_cluster))
    rows_of: dict[str, list[int]] = {}
    for row, (task, _) in enumerate(columns):
        rows_of.setdefault(task, []).append(row)
    parts = tuple(
        np.concatenate([part, *(_mean_known(part[rows])[None] for rows in rows_of.values())]) for part in parts
    )
    places = [*columns, *((task, None) for task in rows_of)]
    return _FoldDraws(places, drawn.clusters, *parts)


def _fold_means(each: Sequence[_FoldDraws | None], clusters: int) -> dict[Place, Draws]:
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
    apart = sum(len(fold.clusters) for fold in folds) == len(np.unique(np.concatenate([f.clusters for f in folds])))
    spread = []
    for name in ("shares", "linear", "left_out"):
        total = np.zeros((*means.shape[:2], clusters))
        for fold, rows in zip(folds, taken, strict=True):
            if apart:
                total[..., fold.clusters] = getattr(fold, name)[rows]
            else:
                total[..., fold.clusters] += getattr(fold, name)[rows]
        total /= len(folds)
        spread.append(total)
    return {place: Draws(*(part[row] for part in (means, median, *spread))) for row, place in enumerate(shared)}


def _by_cluster(values: Float[np.ndarray, "s ..."], drawn: _Drawn) -> Float[np.ndarray, "c ..."]:
    """The sums over the images of each cluster."""
    found = np.zeros((len(drawn.clusters), *values.shape[1:]))
    if len(drawn.clusters) == len(drawn.place):
        found[drawn.place] = values
    else:
        np.add.at(found, drawn.place, values)
    return found

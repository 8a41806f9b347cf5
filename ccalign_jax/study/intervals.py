"""Intervals and tests of figures: images resampled, or their signs flipped, with all their captions and languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

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
    weighted_median_draws,
)
from ccalign_jax.study.tally import MEANS, MEDIAN, Tally

__all__ = [
    "BOTH",
    "PAIR_DRAWS",
    "Draws",
    "FoldTally",
    "Place",
    "Resamples",
    "bounds",
    "change_tests",
    "draw_figures",
    "draw_resamples",
    "minus_draws",
    "resamples_of",
    "two_sided",
]

BOTH = "both"  # the mean of the two directions
PAIR_DRAWS, PAIR_MEDIANS = 2_000, 200  # of the many pairs of languages

# A figure for each metric of `MEANS` and the median, of a route's macro mean (None) and of each language or pair.
Place = tuple[str, str | None]


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


class FoldTally(NamedTuple):
    """The tally of one fold, and which rows of the data its images are."""

    tally: Tally
    images: Int[np.ndarray, " s"]


class Draws(NamedTuple):
    """One figure in every resample: means over folds.

    Attributes:
        means: `[means, draws]`, those of `MEANS`.
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
    weights, signs = (np.ascontiguousarray(each[:, clusters]) for each in (resamples.weights, resamples.signs))
    return Resamples(cluster_of, weights, signs, resamples.medians)


def draw_figures(folds: Sequence[FoldTally], resamples: Resamples) -> dict[Place, Draws]:
    """Every figure that the tallies of all folds have, in every resample.

    An image that several folds report, as repeats do, is drawn as often in each. `both` is the mean of the two
    directions.
    """
    each = [_fold_draws(fold, resamples) for fold in folds]
    found = {
        place: Draws(*(_mean([getattr(fold[place], kind) for fold in each]) for kind in Draws._fields))
        for place in each[0]
        if all(place in fold for fold in each)
    }
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
) -> dict[Place, dict[str, dict[str, float]]]:
    """`{"low", "high"}` of every metric of every figure: percentiles, further apart where few clusters carry it.

    Args:
        draws: of one kind.
        kind: levels lie in [0, 1], changes in [-1, 1]; median ranks have no such limits.
        level: of the interval.
    """
    residuals = (np.stack([getattr(figure, name) for figure in draws.values()]) for name in ("linear", "left_out"))
    stretched = interval_stretch(*residuals, level=level)
    least = {"level": 0.0, "change": -1.0}[kind]
    ends = _intervals([figure.means for figure in draws.values()], level)
    middle = _intervals([figure.median for figure in draws.values()], level)
    found = {}
    for (place, figure), stretch, end, median in zip(draws.items(), stretched, ends, middle, strict=True):
        value = figure.shares.sum(axis=1)
        low, high = np.clip(value + stretch * (end - value), least, 1.0)
        each: dict[str, Any] = {name: (low[row], high[row]) for row, name in enumerate(MEANS)}
        if median is not None:
            each[MEDIAN] = median
        found[place] = {name: {"low": float(a), "high": float(b)} for name, (a, b) in each.items()}
    return found


def _intervals(draws: Sequence[np.ndarray], level: float) -> list[Float[np.ndarray, "2 ..."] | None]:
    """The percentile interval of each, none where there is no draw; those of one shape are sought together."""
    found: list[np.ndarray | None] = [None] * len(draws)
    for shape in {each.shape for each in draws if each.size}:
        numbers = [number for number, each in enumerate(draws) if each.shape == shape]
        ends = np.stack(percentile_interval(np.stack([draws[number] for number in numbers]), level=level), axis=1)
        for number, end in zip(numbers, ends, strict=True):
            found[number] = end
    return found


def change_tests(changes: Mapping[Place, Draws], resamples: Resamples) -> dict[Place, dict[str, dict[str, float]]]:
    """`{"p"}` of every change: signs of the images' differences flipped; of a median from its resamples.

    Args:
        changes: from `minus_draws`.
        resamples: of the data.
    """
    found: dict[Place, dict[str, dict[str, float]]] = {}
    for many in (False, True):
        places = [place for place in changes if _is_pair(place) is many]
        if not places:
            continue
        signs = resamples.signs
        if many and len(signs) != 2 ** signs.shape[1]:  # all assignments are no sample to take the first of
            signs = signs[:PAIR_DRAWS]
        tested = sign_flip_test(np.concatenate([changes[place].shares for place in places]).T, signs)
        for place, each in zip(places, tested.reshape(len(places), len(MEANS)), strict=True):
            found[place] = {name: {"p": float(p)} for name, p in zip(MEANS, each, strict=True)}
            if len(changes[place].median):
                found[place][MEDIAN] = {"p": two_sided(changes[place].median)}
    return found


def _is_pair(place: Place) -> bool:
    return place[1] is not None and "->" in place[1]


def _mean(values: Sequence[np.ndarray]) -> np.ndarray:
    return values[0] if len(values) == 1 else np.mean(values, axis=0)


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


def _by_cluster(values: Float[np.ndarray, "s ..."], fold: FoldTally, resamples: Resamples) -> Float[np.ndarray, ...]:
    """The sums over the images of each cluster."""
    found = np.zeros((resamples.signs.shape[1], *values.shape[1:]))
    np.add.at(found, resamples.cluster_of[fold.images], values)
    return found


def _fold_draws(fold: FoldTally, resamples: Resamples) -> dict[Place, Draws]:
    weights = resamples.weights[:, resamples.cluster_of[fold.images]]
    few = weights[: resamples.medians].astype(np.float32)
    found: dict[Place, Draws] = {}
    for pairs, draws, medians in (
        (False, len(weights), resamples.medians),
        (True, PAIR_DRAWS, min(PAIR_MEDIANS, resamples.medians)),
    ):
        columns = {
            (route, name): column
            for route, each in fold.tally.items()
            for name, column in each.items()
            if _is_pair((route, name)) is pairs
        }
        if not columns:
            continue
        sums, counts = (np.stack([getattr(c, kind) for c in columns.values()], axis=1) for kind in ("sums", "counts"))
        means = ratio_draws(weights[:draws], sums, counts)  # one product for all routes
        middle = [weighted_median_draws(column.rank, column.owner, few[:medians]) for column in columns.values()]
        sums, counts = (_by_cluster(each, fold, resamples) for each in (sums, counts))
        by_cluster = (sums / counts.sum(axis=0)[:, None], *ratio_residuals(sums, counts))
        by_place = [each.transpose(1, 2, 0) for each in by_cluster]
        found |= {
            place: Draws(means[row], middle[row], *(each[row] for each in by_place))
            for row, place in enumerate(columns)
        }
        for route in dict.fromkeys(route for route, _ in columns):
            each = [figure for place, figure in found.items() if place[0] == route]
            found[route, None] = Draws(*(_mean_known(np.stack(kind)) for kind in zip(*each, strict=True)))
    return found

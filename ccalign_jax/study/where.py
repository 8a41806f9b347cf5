"""Where the gain lies: between languages, among crowded images, and by how many captions an image has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ccalign_jax.metrics import mean_metrics
from ccalign_jax.numerics import unit_float32
from ccalign_jax.statistics import holm, percentile_interval
from ccalign_jax.study.claims import Claims, Measured, adjust
from ccalign_jax.study.figures import DIRECTIONS, IDENTITY, figures_of, minus
from ccalign_jax.study.intervals import BOTH, FoldTally, Resamples, draw_figures, two_sided
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.summary import Outcome
from ccalign_jax.study.tally import Tally, within

__all__ = ["crowding", "where_gained"]

METRIC = "R@1"
QUARTERS = ("the least alike to any other", "second quarter", "third quarter", "the most alike to another")
MOST_COUNTS = 6  # of captions, that have a row each; more are put together
TILE_ROWS = 2048


def where_gained(plan: Plan, identity: Outcome, chosen: Sequence[Outcome], resamples: Resamples) -> dict[str, Any]:
    """The `where` entry of a summary: what was chosen in each fold against identity, on parts of the images.

    Images are not sorted by how well identity ranks them: those that chance made hard would seem to gain from any map.

    Args:
        plan: of the sweep.
        identity: the baseline.
        chosen: the outcome that each fold chose.
        resamples: of the data.
    """
    sides = identity.tallies, [one.tallies[fold] for fold, one in enumerate(chosen)]
    before, after = ([_part(fold, np.full(len(fold.images), True)) for fold in side] for side in sides)
    resamples = resamples._replace(medians=0)  # no figure here is a median
    found: dict[str, Any] = {}
    if len(plan.data.languages) > 1 and plan.config.heldout_language is None:
        found["disparity"] = _disparity(before, after, resamples)
    alike = [crowding(plan.data.image[fold.report], plan.data.groups[fold.report]) for fold in plan.folds]
    edges = np.quantile(np.concatenate(alike), [0.25, 0.5, 0.75])
    quarters = [np.searchsorted(edges, values) for values in alike]
    counts = [plan.data.caption_counts().sum(axis=0)[fold.report] for fold in plan.folds]
    bins, names = _count_bins(counts)
    for key, what, places, labels in (
        (
            "difficulty",
            "images by the cosine of their nearest other image in the gallery, in quarters",
            quarters,
            QUARTERS,
        ),
        ("captions", "images by their number of captions, all languages together", bins, names),
    ):
        entries, lost = _bins(places, labels, before, after, resamples, plan)
        if len(entries) > 1:
            said = f"; {lost} images are left out, of whose kind some fold has none" if lost else ""
            found[key] = {"what": f"{what}{said}", "bins": entries}
    return found


def crowding(image: Float[np.ndarray, "n d"], groups: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The cosine of each image with the nearest image of another group; −1 where there is no other.

    Example:
        >>> crowding(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), np.arange(3)).astype(float).round(2).tolist()
        [0.6, 0.8, 0.8]
    """
    rows, found = unit_float32(image), np.empty(len(image), np.float32)
    for start in range(0, len(rows), TILE_ROWS):
        tile = slice(start, start + TILE_ROWS)
        scores = np.where(groups[tile, None] == groups, -1.0, rows[tile] @ rows.T)
        found[tile] = scores.max(axis=1)
    return found


def _disparity(before: Sequence[FoldTally], after: Sequence[FoldTally], resamples: Resamples) -> dict[str, Any]:
    """Best minus worst language; in each resample of the images anew."""
    sides = {"before": before, "after": after}
    draws = {side: draw_figures(folds, resamples) for side, folds in sides.items()}
    levels = {side: figures_of([_metrics(fold.tally) for fold in folds]) for side, folds in sides.items()}
    found: dict[str, Any] = {}
    row = mean_metrics().index(METRIC)
    for way in DIRECTIONS:
        spread, entry = {}, {}
        for side in sides:
            each = {name: one[METRIC]["mean"] for name, one in levels[side][way]["per_language"].items()}
            best, worst = max(each, key=each.__getitem__), min(each, key=each.__getitem__)
            drawn = np.stack([draws[side][way, name].means[row] for name in each])
            spread[side] = drawn.max(axis=0) - drawn.min(axis=0)
            difference = _spread_figure(each[best] - each[worst], spread[side])
            entry[side] = {"best": best, "worst": worst, "difference": difference}
        change = spread["after"] - spread["before"]
        mean = entry["after"]["difference"]["mean"] - entry["before"]["difference"]["mean"]
        found[way] = {**entry, "change": {**_spread_figure(mean, change), "p": two_sided(change)}}
    adjusted = holm(np.array([found[way]["change"]["p"] for way in DIRECTIONS]))
    for way, p in zip(DIRECTIONS, adjusted, strict=True):
        found[way]["change"]["p_adjusted"] = float(p)
    return found


def _spread_figure(mean: float, draws: Float[np.ndarray, " draws"]) -> dict[str, float | None]:
    low, high = percentile_interval(draws)
    return {"mean": float(mean), "std": None, "low": float(low), "high": float(high)}


def _count_bins(counts: Sequence[Int[np.ndarray, " n"]]) -> tuple[list[Int[np.ndarray, " n"]], list[str]]:
    """The bin of each image by its number of captions, and what the bins are called."""
    every = np.concatenate(counts)
    values = np.unique(every)
    quarters = np.unique(np.quantile(every, np.arange(4) / 4, method="lower"))
    starts = values if len(values) <= MOST_COUNTS else quarters
    ends = [*values[np.searchsorted(values, starts[1:]) - 1], values[-1]]
    names = [str(a) if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=True)]
    return [np.searchsorted(starts, each, side="right") - 1 for each in counts], names


def _bins(
    places: Sequence[Int[np.ndarray, " n"]],
    names: Sequence[str],
    before: Sequence[FoldTally],
    after: Sequence[FoldTally],
    resamples: Resamples,
    plan: Plan,
) -> tuple[list[dict[str, Any]], int]:
    """What each bin of images has under identity, and what it gains; its gallery is that of all. And images left out.

    A bin that some fold has no image of has no mean over folds.
    """
    entries, lost = [], 0
    for number, name in enumerate(names):
        masks = [place == number for place in places]
        images = len(np.unique(np.concatenate([one.images[mask] for one, mask in zip(before, masks, strict=True)])))
        sides = [[_part(fold, mask) for fold, mask in zip(side, masks, strict=True)] for side in (before, after)]
        if not all(fold.tally["t2i"] and fold.tally["i2t"] for side in sides for fold in side):
            lost += images
            continue
        base, mine = ([_metrics(fold.tally) for fold in side] for side in sides)
        changes = [minus(a, b) for a, b in zip(mine, base, strict=True)]
        entry: dict[str, Any] = {
            "name": name,
            "images": images,
            IDENTITY: figures_of(base),
            "delta": figures_of(changes, delta=True),
        }
        claims = Claims(Measured((IDENTITY,), sides[0]), resamples, test_share=plan.test_share)
        claims.level(entry[IDENTITY])
        claims.entry(entry, Measured((name,), sides[1]), changes)
        entries.append(entry)
    adjust(entries, optimistic=plan.config.protocol == "seed")
    for entry in entries:
        for key in (IDENTITY, "delta"):
            entry[key] = {way: {METRIC: entry[key][way][METRIC]} for way in (*DIRECTIONS, BOTH)}
    return entries, lost


def _part(fold: FoldTally, images: Bool[np.ndarray, " n"]) -> FoldTally:
    """Both directions of some of the images."""
    return FoldTally(within({way: fold.tally[way] for way in DIRECTIONS}, images), fold.images[images])


def _metrics(tally: Tally) -> dict[str, Any]:
    """The metrics that a tally adds up to: those that are means over queries."""
    found: dict[str, Any] = {}
    for way in DIRECTIONS:
        each = {
            name: dict(zip(mean_metrics(), (column.sums.sum(axis=0) / column.counts.sum()).tolist(), strict=True))
            for name, column in tally[way].items()
        }
        macro = {metric: float(np.mean([one[metric] for one in each.values()])) for metric in mean_metrics()}
        found[way] = {**macro, "per_language": each}
    found[BOTH] = {metric: 0.5 * (found["t2i"][metric] + found["i2t"][metric]) for metric in mean_metrics()}
    return found

"""Gains by subgroup: between languages, by the nearest other image, and by the number of captions of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.measurement.estimates import estimate_means
from ccalign_jax.measurement.inference import Arm, Inference, adjust, two_sided
from ccalign_jax.measurement.measure import BOTH, DIRECTIONS, IDENTITY, Measurement, Place, subgroup
from ccalign_jax.measurement.metric_replicates import replicate_metrics
from ccalign_jax.measurement.records import ArmEntry
from ccalign_jax.measurement.replicates import Replicates
from ccalign_jax.numerics import unit_float32
from ccalign_jax.statistics import holm, percentile_interval
from ccalign_jax.study.outcomes import Outcome
from ccalign_jax.study.plan import Plan

__all__ = ["crowding", "gain_by_subgroup"]

METRIC = "R@1"
SHOWN = [(task, None) for task in (*DIRECTIONS, BOTH)]
QUARTERS = ("the least alike to any other", "second quarter", "third quarter", "the most alike to another")
MAX_COUNTS = 6  # of captions, that have a row each; more are put together
TILE_ROWS = 2048

Sides = tuple[Sequence[Measurement], Sequence[Measurement]]  # identity and what was chosen, a fold each
Bins = Sequence[Int[np.ndarray, " s"]]  # the number of the bin of each test image, a fold each


def gain_by_subgroup(
    plan: Plan, identity: Outcome, chosen: Sequence[Outcome], replicates: Replicates
) -> tuple[dict[str, Any], list[ArmEntry]]:
    """What each fold chose against identity on subgroups of the images: an entry of the summary, and its records.

    Images are not sorted by how well identity ranks them: those that chance made hard would seem to gain from any map.

    Args:
        plan: of the sweep.
        identity: the baseline.
        chosen: the outcome that each fold chose.
        replicates: of the data.
    """
    folds = identity.test, [one.test[fold] for fold, one in enumerate(chosen)]
    before, after = ([subgroup(fold, np.full(len(fold.images), True)) for fold in side] for side in folds)
    replicates = replicates._replace(medians=0, only=(METRIC,))
    found: dict[str, Any] = {}
    arms: list[ArmEntry] = []
    if len(plan.data.languages) > 1 and plan.config.heldout_language is None:
        found["disparity"] = _disparity({"before": before, "after": after}, replicates)
    alike = [crowding(plan.data.image[fold.test], plan.data.groups[fold.test]) for fold in plan.folds]
    edges = np.quantile(np.concatenate(alike), [0.25, 0.5, 0.75])
    counts = [plan.data.caption_counts().sum(axis=0)[fold.test] for fold in plan.folds]
    nearest = "images by the cosine of their nearest other image in the gallery, in quarters"
    for key, what, (bins, names) in (
        ("difficulty", nearest, ([np.searchsorted(edges, values) for values in alike], QUARTERS)),
        ("captions", "images by their number of captions, all languages together", _count_bins(counts)),
    ):
        measured = {name: _measure_bin(number, bins, (before, after)) for number, name in enumerate(names)}
        kept = {name: sides for name, (_, sides) in measured.items() if sides is not None}
        if len(kept) < 2:
            continue
        lost = sum(images for images, sides in measured.values() if sides is None)
        inferences = {
            name: Inference(Arm((IDENTITY,), sides[0]), replicates, test_share=plan.test_share)
            for name, sides in kept.items()
        }
        entries = {name: inferences[name].entry(Arm((name,), sides[1])) for name, sides in kept.items()}
        adjust(list(entries.values()), optimistic=plan.config.protocol == "seed")
        entries = {name: entry.only(SHOWN.__contains__, (METRIC,)) for name, entry in entries.items()}
        described = [
            {
                "name": name,
                "images": measured[name][0],
                IDENTITY: inferences[name].levels().only(SHOWN.__contains__, (METRIC,)).nest(),
                "delta": entry.delta.nest(),
                "verdict": entry.verdict,
            }
            for name, entry in entries.items()
        ]
        left_out = f"; {lost} images are left out, of whose kind some fold has none" if lost else ""
        found[key] = {"what": f"{what}{left_out}", "bins": described}
        arms += [ArmEntry("subgroup", f"{key}: {name}", entry) for name, entry in entries.items()]
    return found, arms


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


def _disparity(sides: Mapping[str, Sequence[Measurement]], replicates: Replicates) -> dict[str, Any]:
    """Best minus worst language; in each replicate of the images anew."""
    drawn = {side: replicate_metrics(folds, replicates) for side, folds in sides.items()}
    levels = {side: estimate_means([fold.values for fold in folds]) for side, folds in sides.items()}
    found: dict[str, Any] = {}
    for task in DIRECTIONS:
        entry: dict[str, Any] = {}
        spread: dict[str, np.ndarray] = {}
        for side in sides:
            names = [name for other, name in levels[side].places if other == task and name is not None]
            each = {name: levels[side].at((task, name), METRIC) for name in names}
            best, worst = max(each, key=each.__getitem__), min(each, key=each.__getitem__)
            spread[side] = np.ptp(np.stack([drawn[side][task, name].means[0] for name in each]), axis=0)
            difference = _spread_estimate(each[best] - each[worst], spread[side])
            entry[side] = {"best": best, "worst": worst, "difference": difference}
        change = spread["after"] - spread["before"]
        mean = entry["after"]["difference"]["mean"] - entry["before"]["difference"]["mean"]
        found[task] = {**entry, "change": {**_spread_estimate(mean, change), "p": two_sided(change)}}
    adjusted = holm(np.array([found[task]["change"]["p"] for task in DIRECTIONS]))
    for task, p in zip(DIRECTIONS, adjusted, strict=True):
        found[task]["change"]["p_adjusted"] = float(p)
    return found


def _spread_estimate(mean: float, replicates: Float[np.ndarray, " replicates"]) -> dict[str, float | None]:
    low, high = percentile_interval(replicates)
    return {"mean": float(mean), "std": None, "low": float(low), "high": float(high)}


def _count_bins(counts: Bins) -> tuple[Bins, Sequence[str]]:
    """The bin of each image by its number of captions, and what the bins are called."""
    every = np.concatenate(counts)
    values = np.unique(every)
    quarters = np.unique(np.quantile(every, np.arange(4) / 4, method="lower"))
    starts = values if len(values) <= MAX_COUNTS else quarters
    ends = [*values[np.searchsorted(values, starts[1:]) - 1], values[-1]]
    names = [str(a) if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=True)]
    return [np.searchsorted(starts, each, side="right") - 1 for each in counts], names


def _measure_bin(number: int, bins: Bins, sides: Sides) -> tuple[int, Sides | None]:
    """The images of a bin, and both sides measured on them in the gallery of all; None if a fold has none of them."""
    masks = [place == number for place in bins]
    images = np.unique(np.concatenate([one.images[mask] for one, mask in zip(sides[0], masks, strict=True)]))
    before, after = ([subgroup(fold, mask) for fold, mask in zip(side, masks, strict=True)] for side in sides)
    wanted: list[Place] = [(task, None) for task in DIRECTIONS]
    whole = all(place in fold.values for fold in (*before, *after) for place in wanted)
    return len(images), (before, after) if whole else None

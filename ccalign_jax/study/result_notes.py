"""Notes on results: choices at the edge of the grid, trials that diverged, rows that may not be paired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ccalign_jax.aligners import Aligner, Params
from ccalign_jax.measurement.measure import IDENTITY, chance_measurement
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.statistics import bootstrap_weights, percentile_interval
from ccalign_jax.study.grids import NUMBERS, SIZES
from ccalign_jax.study.outcomes import Outcome
from ccalign_jax.training import Embeddings, Part, Recipe, Space, Trial, score_map
from ccalign_jax.training.parts import SCORES

__all__ = ["divergence_notes", "edge_notes", "held_out_pairing_notes", "pairing_notes"]

SEARCHED = tuple(key for key in (*NUMBERS, *SIZES) if key != "tile")  # a tile changes memory use only
CHANCE_METRIC = "MRR"
MAX_NOTES = 5  # of trials that diverged


def edge_notes(chosen: Sequence[Outcome], outcomes: Sequence[Outcome]) -> Iterator[str]:
    """One sentence for each family whose chosen settings lie at the edge of its grid: better values may lie beyond.

    Only for families that at least half of the folds chose, and settings that have the smallest or the largest of
    several values in all of these folds, or the last epoch in all of them. A value of 0 is no edge.
    """
    families: dict[tuple[str, ...], list[tuple[Trial, bool]]] = {}
    for fold, one in enumerate(chosen):
        if one.trial is not None:
            last = one.trial.aligner not in CLOSED_FORMS and one.epochs[fold] == one.trial.recipe.epochs
            families.setdefault(one.family, []).append((one.trial, last))
    for family, members in families.items():
        if 2 * len(members) < len(chosen):
            continue
        tried = [one.trial for one in outcomes if one.trial is not None and one.family == family]
        trials = [trial for trial, _ in members]
        edges = [found for key in SEARCHED if (found := _edge(key, trials, tried))]
        edges += ["the last epoch"] if all(last for _, last in members) else []
        if edges:
            yield (
                f"{'/'.join(family)}: in {len(members)} of {len(chosen)} folds the choice is at the edge of the grid: "
                f"{', '.join(edges)}; better values may lie beyond, so widen --grid or --hyper"
            )


def pairing_notes(summary: Mapping[str, Any], maps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A sentence if identity and every map are at chance, so that rows may not be paired.

    A level is at chance if its interval reaches down to it; one without an interval is not considered. Where widths
    differ, identity alone is no sign.
    """
    chance = summary["baselines"]["chance"]["both"][CHANCE_METRIC]["mean"]
    wide = summary["data"]["d_text"] == summary["data"]["d_image"]
    identity, *lows = (one["both"][CHANCE_METRIC]["low"] for one in (summary["baselines"][IDENTITY], *maps))
    lows = [low for low in lows if low is not None]
    if identity is not None and max([identity, *lows]) <= chance and (wide or lows):
        yield _unpaired(wide=wide, maps=bool(lows))


def held_out_pairing_notes(
    space: Space, aligner: Aligner, params: Params, embeddings: Embeddings, held: Part, *, seed: int
) -> Iterator[str]:
    """The sentence of `pairing_notes` on one map and the pairs that were held out for it.

    Args:
        space: widths and languages.
        aligner, params: the map.
        embeddings: the data.
        held: the part of the held-out pairs; their images are resampled for the intervals.
        seed: of this resampling.
    """
    weights = bootstrap_weights(len(held.images), seed=seed)
    chance = chance_measurement(held, space.languages).values["both", None][CHANCE_METRIC]

    def is_at_chance(aligner: Aligner, params: Params) -> bool:
        images = np.asarray(score_map(aligner, params, embeddings, held).images, np.float64)
        return float(percentile_interval(weights @ images[:, SCORES.index(CHANCE_METRIC)])[0]) <= chance

    if is_at_chance(aligner, params) and is_at_chance(space.aligner(IDENTITY, Recipe()), {}):
        yield _unpaired(wide=space.d_text == space.d_image, maps=True)


def _unpaired(*, wide: bool, maps: bool) -> str:
    equal = " although widths are equal" if wide else ""
    return f"identity is at chance{equal}{', and so is every map' if maps else ''}: are your rows paired by key?"


def divergence_notes(outcomes: Sequence[Outcome]) -> list[str]:
    """One sentence for each trial that diverged, up to `MAX_NOTES`; the others are counted.

    Example:
        >>> divergence_notes([Outcome("linear", diverged=[0, 7, 3])])[0][:45]
        'linear diverged in 2 of 3 folds, first after '
    """
    found = [outcome for outcome in outcomes if any(outcome.diverged)]
    notes = [
        f"{outcome.name} diverged in {sum(map(bool, outcome.diverged))} of {len(outcome.diverged)} folds, first after "
        f"step {min(filter(None, outcome.diverged))}: parameters are NaN or infinite, and epochs from there on are not "
        "chosen; lower learning_rate or raise temperature"
        for outcome in found[:MAX_NOTES]
    ]
    if len(found) > MAX_NOTES:
        notes.append(f"{len(found) - MAX_NOTES} more trials diverged: see diverged in summary.json")
    return notes


def _edge(key: str, chosen: Sequence[Trial], tried: Sequence[Trial]) -> str | None:
    """A phrase for a setting whose one chosen value is the smallest or largest tried, else None."""
    if key not in chosen[0].reads:
        return None
    values, mine = (sorted({_value(trial, key) for trial in trials}) for trials in (tried, chosen))
    if len(values) < 2 or len(mine) > 1:
        return None
    side = "smallest" if mine[0] == values[0] != 0 else "largest" if mine[0] == values[-1] else None
    return side and f"{key} {mine[0]:g} (the {side} of {len(values)})"


def _value(trial: Trial, key: str) -> float:
    return getattr(trial.hyper if key in NUMBERS else trial.recipe, key)

"""What a sweep shows besides its numbers: retrieval examples, a map of neighbourhoods, and geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ccalign_jax.study.examples.geometry import describe_geometry
from ccalign_jax.study.examples.mapped_fold import MappedFold
from ccalign_jax.study.examples.neighbourhoods import map_neighbourhoods
from ccalign_jax.study.examples.retrieval import retrieval_examples
from ccalign_jax.study.outcomes import Outcome, select
from ccalign_jax.study.plan import Plan
from ccalign_jax.training import Embeddings, FoldArrays, Recipe, map_part

__all__ = ["find_examples"]

SCHEMA = 1


def find_examples(
    plan: Plan,
    identity: Outcome,
    outcomes: Sequence[Outcome],
    inputs: tuple[Embeddings, FoldArrays] | None = None,
) -> dict[str, Any]:
    """The content of `examples.json`: identity against the map that each fold selected, on its test part.

    Where every fold selected identity, which changes nothing, it is the map with the best selection score of each fold.

    Args:
        plan, identity, outcomes: as in `SweepResult`.
        inputs: the plan's arrays on the device.

    Returns:
        `compared`, which maps these are; `examples`, `neighbourhoods` and `geometry`, see docs/results.md; empty
        without a map.
    """
    if not outcomes:
        return {}
    per_fold, kind = plan.config.protocol == "nested", "selected"
    chosen = select([identity, *outcomes] if per_fold else outcomes, per_fold=per_fold)
    if all(one is identity for one in chosen):
        chosen, kind = select(outcomes, per_fold=per_fold), "best_trained"
    embeddings, arrays = inputs or plan.arrays()
    folds = [
        _mapped_fold(plan, number, identity, one, embeddings, arrays)
        for number, one in enumerate(chosen)
        if one is not identity
    ]
    found: Mapping[str, Any] = {
        "examples": retrieval_examples(plan, folds),
        "neighbourhoods": map_neighbourhoods(plan, folds[0]),
        "geometry": describe_geometry(plan, folds),
    }
    about = {"schema": SCHEMA, "map": kind, "per_fold": [one.name for one in chosen]}
    return {"compared": about, **{key: value for key, value in found.items() if value}}


def _mapped_fold(
    plan: Plan, number: int, identity: Outcome, chosen: Outcome, embeddings: Embeddings, arrays: FoldArrays
) -> MappedFold:
    part = plan.part(number, "test")
    padded = jax.tree.map(lambda leaf: np.asarray(leaf)[number], arrays.test)

    def rows(outcome: Outcome) -> tuple[list[np.ndarray], np.ndarray]:
        kind = (identity.name, Recipe()) if outcome.trial is None else (outcome.trial.aligner, outcome.trial.recipe)
        params = {} if outcome.trial is None else outcome.params[number]
        found = map_part(plan.space.aligner(*kind), params, embeddings, padded)
        text = zip(found.text, part.captions, strict=True)
        return [np.asarray(one)[: len(captions)] for one, captions in text], np.asarray(found.image)[: len(part.images)]

    return MappedFold(number, part, rows(identity), rows(chosen), identity.ranks[number], chosen.ranks[number])

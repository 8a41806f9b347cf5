"""Maps of a migration: solved, chosen by cross-validation on pairs of rows, and searched with."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import jax
import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.metrics import Ranks, rank, retrieval_metrics
from ccalign_jax.migration.maps import MAPS, Candidate, candidates
from ccalign_jax.migration.task import Direction, Task, nearest

__all__ = ["CRITERION", "apply_map", "best_of_family", "choose", "rank_search", "search", "solve"]

FOLDS, MOST = 3, 2000  # pairs of a validation part
CRITERION = "MRR"
LEAST_ROWS = 256  # of a call, so that few shapes are compiled


def solve(
    old: Float[np.ndarray, "n d_old"],
    new: Float[np.ndarray, "n d_new"],
    direction: Direction,
    families: Collection[str] = tuple(MAPS),
) -> list[Candidate]:
    """Every candidate, from the new to the old space for queries, and back for documents."""
    source, target = (new, old) if direction == "queries" else (old, new)
    return list(candidates(source, target, families))


def apply_map(found: Candidate, rows: Float[np.ndarray, "n d_in"]) -> Float[np.ndarray, "n d_out"]:
    """Rows of unit length, mapped and scaled to unit length."""
    several = np.resize(rows, (max(len(rows), LEAST_ROWS), rows.shape[1]))  # repeated, not padded: none may be zero
    return found.learned()(several)[: len(rows)]


def choose(
    old: Float[np.ndarray, "n d_old"],
    new: Float[np.ndarray, "n d_new"],
    direction: Direction,
    families: Collection[str] = tuple(MAPS),
    *,
    seed: int,
) -> list[float]:
    """The score of every candidate on pairs that it was not solved on: its mean reciprocal rank over three folds.

    Half of the pairs left out are queries, the other half is searched. Right is the document that is nearest in the
    space that the map leads to, so that no relevance has to be known.
    """
    order = np.random.default_rng(seed).permutation(len(old))
    scores = []
    for part in np.array_split(order, FOLDS):
        part = part[:MOST]
        queries, gallery = np.array_split(part, 2)
        kept = np.setdiff1d(order, part)
        target = old if direction == "queries" else new
        gold = nearest(target[queries], target[gallery])
        found = solve(old[kept], new[kept], direction, families)
        scores.append([_score(one, old, new, queries, gallery, gold, direction) for one in found])
    return np.mean(scores, axis=0).tolist()


def best_of_family(found: Sequence[Candidate], scores: Sequence[float]) -> dict[str, int]:
    """The place of the best candidate of each family."""
    best: dict[str, int] = {}
    for place, one in enumerate(found):
        if one.family not in best or scores[place] > scores[best[one.family]]:
            best[one.family] = place
    return best


def search(task: Task, found: Candidate | None, direction: Direction) -> Ranks:
    """Ranks of the relevant documents; of the reference without a map."""
    if found is None:
        again = task.index_new is not None
        queries, index = (task.queries_new, task.index_new) if again else (task.queries_old, task.index_old)
    elif direction == "queries":
        queries, index = apply_map(found, task.queries_new), task.index_old
    else:
        queries, index = task.queries_new, apply_map(found, task.index_old)
    assert queries is not None and index is not None
    return rank_search(queries, index, task.relevant)


def _score(
    found: Candidate,
    old: Float[np.ndarray, "n d_old"],
    new: Float[np.ndarray, "n d_new"],
    queries: Int[np.ndarray, " q"],
    gallery: Int[np.ndarray, " g"],
    gold: Int[np.ndarray, "q 1"],
    direction: Direction,
) -> float:
    if direction == "queries":
        ranks = rank_search(apply_map(found, new[queries]), old[gallery], gold)
    else:
        ranks = rank_search(new[queries], apply_map(found, old[gallery]), gold)
    return retrieval_metrics(ranks)[CRITERION]


def rank_search(
    queries: Float[np.ndarray, "q d"], index: Float[np.ndarray, "g d"], gold: Int[np.ndarray, "q k"]
) -> Ranks:
    """Ranks of the relevant documents, as NumPy arrays."""
    found = _ranks(queries, index, gold)
    return Ranks(*(np.asarray(leaf) for leaf in found))


_ranks = jax.jit(rank)  # compiled once for each shape

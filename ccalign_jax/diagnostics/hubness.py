"""Hubs: items that are among the nearest of far more queries than their share, within a set or across modalities."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.diagnostics.neighbours import NEIGHBOURS, nearest_rows

__all__ = ["hub_gini", "hub_share", "hub_skew", "k_occurrence", "share_ties"]

SAME_SCORE = 1e-6  # inner products of unit rows in float32 that are nearer than this tie


def k_occurrence(scores: Float[np.ndarray, "q g"], k: int = NEIGHBOURS, *, same: bool = True) -> Int[np.ndarray, " g"]:
    """N_k: how many queries have each item among their k nearest; ties as in `nearest_rows`, the seed study's.

    Radovanović, Nanopoulos & Ivanović, 2010, "Hubs in Space: Popular Nearest Neighbors in High-Dimensional Data".

    Args:
        scores: `[q, g]`, higher is nearer.
        k: neighbours a query.
        same: query i is item i, and never its own neighbour; False across modalities.

    Raises:
        ValueError: fewer than k items.

    Example:
        >>> k_occurrence(np.array([[0.9, 0.1], [0.8, 0.2]]), 1, same=False).tolist()
        [2, 0]
    """
    return np.bincount(nearest_rows(scores, k, same=same).ravel(), minlength=scores.shape[1])


def share_ties(
    scores: Float[np.ndarray, "q g"], near: Int[np.ndarray, "q k"], *, same: bool = True
) -> Float[np.ndarray, " g"]:
    """N_k with ties shared: items that tie for a query's last places each get an equal part of them.

    Unlike `k_occurrence`, it does not depend on the order of the rows: captions repeat, and so tie.

    Args:
        scores: `[q, g]` inner products of unit rows; less than 1e-6 apart is a tie.
        near: `[q, k]` neighbours of each query, from `nearest_rows`.
        same: query i is item i, and never its own neighbour.

    Example:
        >>> scores = np.array([[0.5, 0.5, 0.1]])
        >>> share_ties(scores, nearest_rows(scores, 1, same=False), same=False).tolist()
        [0.5, 0.5, 0.0]
    """
    last = np.take_along_axis(scores, near, axis=1).min(axis=1)[:, None]
    above = scores > last + SAME_SCORE
    level = (scores >= last - SAME_SCORE) & ~above
    if same:
        np.fill_diagonal(above, False)
        np.fill_diagonal(level, False)
    part = (near.shape[1] - above.sum(axis=1)) / level.sum(axis=1)
    return above.sum(axis=0) + part @ level


def hub_skew(occurrence: Float[np.ndarray, " g"]) -> float:
    """Skewness of N_k, the third standardised moment with ddof 0 (biased, as the seed study's); 0 if all are equal.

    Example:
        >>> round(hub_skew(np.array([0.0, 0.0, 3.0])), 4)
        0.7071
    """
    centred = np.asarray(occurrence, np.float64) - np.mean(occurrence)
    variance = np.mean(centred**2)
    return float(np.mean(centred**3) / variance**1.5) if variance > 1e-18 else 0.0


def hub_share(occurrence: Float[np.ndarray, " g"], share: float = 0.01) -> float:
    """Part of all N_k that falls to the `share` of the items with the most: of round(n · share), but at least 1.

    Example:
        >>> hub_share(np.array([1, 6, 1]))
        0.75
    """
    # n / 100, not n · 0.01: where a half is rounded, the two differ.
    top = max(1, round(len(occurrence) / (1 / share)))
    return float(np.sum(np.sort(occurrence)[-top:]) / np.sum(occurrence))


def hub_gini(occurrence: Float[np.ndarray, " g"]) -> float:
    """Gini coefficient of N_k: 0 where all items are found equally often, near 1 where one item alone is.

    Example:
        >>> hub_gini(np.array([2, 2, 2])), hub_gini(np.array([0, 0, 0, 4]))
        (0.0, 0.75)
    """
    counts = np.sort(np.asarray(occurrence, np.float64))
    total, size = counts.sum(), len(counts)
    weights = 2 * np.arange(1, size + 1) - size - 1
    return float(weights @ counts / (size * total)) if total > 0 else 0.0

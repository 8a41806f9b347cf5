"""Local similarity of row-aligned sets: shared neighbours, and CKNNA."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ccalign_jax.diagnostics.similarity import normalised

__all__ = [
    "NEIGHBOURS",
    "cknna",
    "local_hsic",
    "mutual_neighbours",
    "nearest_rows",
    "neighbour_jaccard",
    "shared_neighbours",
]

NEIGHBOURS = 10  # the seed study's k


def nearest_rows(scores: Float[np.ndarray, "q g"], k: int = NEIGHBOURS, *, same: bool = True) -> Int[np.ndarray, "q k"]:
    """The k items of highest score of each query, in no order; of items that tie for the last places, some.

    Which of them is up to NumPy's partition of the negated scores, as in the seed study's program: no rule, but its
    results rest on it. Captions that repeat tie, so that results on them differ in the third digit between CPUs.

    Args:
        scores: `[q, g]`.
        k: < g, or < g − 1 where queries are no neighbours of their own.
        same: query i is item i, and never its own neighbour.

    Raises:
        ValueError: fewer than k items.
    """
    items = scores.shape[1]
    if not 0 < k <= items - same:
        raise ValueError(f"k is {k}; {items} items have at most {items - same} neighbours")
    far = -scores
    if same:
        np.fill_diagonal(far, np.inf)
    return far.argpartition(min(k, items - 1), axis=1)[:, :k]


def shared_neighbours(a: Int[np.ndarray, "n k"], b: Int[np.ndarray, "n k"]) -> Int[np.ndarray, " n"]:
    """Number of neighbours that each row shares between two sets.

    Example:
        >>> shared_neighbours(np.array([[1, 2], [0, 2]]), np.array([[2, 1], [3, 2]])).tolist()
        [2, 1]
    """
    return np.sum(a[:, :, None] == b[:, None, :], axis=(1, 2))


def neighbour_jaccard(a: Int[np.ndarray, "n k"], b: Int[np.ndarray, "n k"]) -> float:
    """Mean over rows of |A ∩ B| / |A ∪ B|, the seed study's neighbour overlap, in [0, 1].

    Example:
        >>> neighbour_jaccard(np.array([[1, 2], [0, 2]]), np.array([[2, 1], [0, 3]]))
        0.6666666666666666
    """
    shared = shared_neighbours(a, b)
    return float(np.mean(shared / (2 * a.shape[1] - shared)))


def mutual_neighbours(a: Int[np.ndarray, "n k"], b: Int[np.ndarray, "n k"]) -> float:
    """Mean over rows of |A ∩ B| / k, in [0, 1]: mutual k-NN of Huh et al., 2024.

    "The Platonic Representation Hypothesis", arXiv 2405.07987.

    Example:
        >>> mutual_neighbours(np.array([[1, 2], [0, 2]]), np.array([[2, 1], [0, 3]]))
        0.75
    """
    return float(np.mean(shared_neighbours(a, b)) / a.shape[1])


def local_hsic(a: Int[Array, "n k"], a_values: Array, b: Int[Array, "n k"], b_values: Array) -> Float[Array, ""]:
    """n (n − 3) HSIC_1 of two Gram matrices whose entries are kept where j is a neighbour of i in both sets."""
    count = a.shape[0]
    match = a[:, :, None] == b[:, None, :]
    kept = match.any(axis=2)
    partner = jnp.sum(jnp.where(match, b_values[:, None, :], 0.0), axis=2)
    # The trace of the product pairs entry (i, j) with (j, i), and neighbours need not be mutual.
    back = jnp.any((a[a] == jnp.arange(count)[:, None, None]) & kept[a], axis=2)
    trace = jnp.sum(jnp.where(kept & back, a_values * partner, 0.0))
    a_kept = jnp.where(kept, a_values, 0.0)
    columns = jnp.zeros(count, a_kept.dtype).at[a].add(a_kept)
    row_sums = jnp.sum(partner, axis=1)
    product = jnp.sum(a_kept) * jnp.sum(partner) / ((count - 1) * (count - 2))
    return trace + product - 2 / (count - 2) * jnp.sum(columns * row_sums)


_local_hsic = jax.jit(local_hsic)


def cknna(
    grams: Sequence[Float[np.ndarray, "n n"]], neighbours: Sequence[Int[np.ndarray, "n k"]]
) -> Float[np.ndarray, "s s"]:
    """CKNNA between all pairs: unbiased CKA over the pairs of rows that are neighbours in both sets.

    Huh et al., 2024, "The Platonic Representation Hypothesis", arXiv 2405.07987, as in the authors' program, but for
    the 1e-6 that it adds to the denominator. As neighbours need not be mutual, it is not quite symmetric: a pair is
    read in the order of the sets, and stands on both sides of the diagonal.

    Args:
        grams: of each set, `[n, n]`; unit rows in the paper.
        neighbours: of each set, from `nearest_rows`; k ≥ 2.
    """
    size = len(grams)
    values = [np.take_along_axis(gram, places, axis=1) for gram, places in zip(grams, neighbours, strict=True)]
    covariance = np.zeros((size, size))
    for i in range(size):
        for j in range(i, size):
            covariance[i, j] = covariance[j, i] = _local_hsic(neighbours[i], values[i], neighbours[j], values[j])
    return normalised(covariance, np.zeros(size))

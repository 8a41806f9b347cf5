"""Global similarity of row-aligned sets: Gram correlation, CKA, and the modality gap."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ccalign_jax.numerics import AnyArray, map_by_shape

__all__ = [
    "Moments",
    "biased_cka",
    "gram_correlation",
    "gram_matrices",
    "gram_ranks",
    "mean_pairwise_cosine",
    "modality_gap",
    "moments",
    "normalised",
    "unbiased_cka",
]

FLAT = 1e-12  # below this share of the mean square of its diagonal, the variance of a Gram matrix is rounding


class Moments(NamedTuple):
    """Sums over Gram matrices of `s` row-aligned sets, sufficient for Gram correlation and both CKA; float64.

    Attributes:
        inner: `[s, s]` sums over i ≠ j of products of entries, each less the mean of its own off-diagonal entries.
        row_sums: `[s, n]` sums of those entries over j ≠ i.
        diagonal: `[s, n]` diagonals, less the same mean.
    """

    inner: Float[np.ndarray, "s s"]
    row_sums: Float[np.ndarray, "s n"]
    diagonal: Float[np.ndarray, "s n"]


def _gram(rows: Float[Array, "n d"]) -> Float[Array, "n n"]:
    return jnp.matmul(rows, rows.T, precision=jax.lax.Precision.HIGHEST)


_grams = jax.jit(functools.partial(map_by_shape, _gram))


def gram_matrices(sets: Sequence[Float[AnyArray, "n d"]]) -> list[Float[np.ndarray, "n n"]]:
    """Inner products of the rows within each set, float32; the widths d may differ.

    Raises:
        ValueError: the sets differ in their number of rows, or have fewer than five.

    Example:
        >>> float(gram_matrices([np.eye(5), np.ones((5, 2))])[1][0, 4])
        2.0
    """
    counts = {len(rows) for rows in sets}
    if len(counts) != 1 or min(counts) < 5:
        raise ValueError(f"the sets have {[len(rows) for rows in sets]} rows; they must have equally many, 5 at least")
    return [np.asarray(gram) for gram in _grams([jnp.asarray(rows, jnp.float32) for rows in sets])]


def moments(grams: Sequence[Float[np.ndarray, "n n"]]) -> Moments:
    """Sums over symmetric matrices from which the coefficients between all pairs of them follow.

    Entries are centred before they are multiplied: of rows with a common direction, the mean square is hundreds of
    times the variance, and float32 would lose it.
    """
    count = len(grams[0])
    off = np.empty((len(grams), count, count), np.float32)
    diagonal = np.empty((len(grams), count))
    for place, gram in enumerate(grams):
        own = np.diagonal(gram)
        mean = (gram.sum(dtype=np.float64) - own.sum(dtype=np.float64)) / (count * (count - 1))
        np.subtract(gram, np.float32(mean), out=off[place])
        np.fill_diagonal(off[place], 0.0)
        diagonal[place] = own - mean
    inner = np.zeros((len(grams), len(grams)))
    step = max(1, 2**18 // count)
    for start in range(0, count, step):
        block = off[:, start : start + step].reshape(len(grams), -1)
        inner += block @ block.T
    return Moments(inner, off.sum(axis=2, dtype=np.float64), diagonal)


def normalised(covariance: Float[np.ndarray, "s s"], floor: Float[np.ndarray, " s"]) -> Float[np.ndarray, "s s"]:
    """Covariances over the square roots of both variances; 0 where a variance is no more than `floor`.

    Example:
        >>> normalised(np.array([[4.0, 1.0], [1.0, 1.0]]), np.zeros(2)).tolist()
        [[1.0, 0.5], [0.5, 1.0]]
    """
    variance = np.diagonal(covariance)
    varies = variance > floor
    scale = np.sqrt(np.where(varies, variance, 1.0))
    return np.where(varies[:, None] & varies[None, :], covariance / scale[:, None] / scale[None, :], 0.0)


def _floor(sums: Moments) -> Float[np.ndarray, " s"]:
    return FLAT * sums.diagonal.shape[1] * np.sum(sums.diagonal**2, axis=1)


def gram_correlation(sums: Moments) -> Float[np.ndarray, "s s"]:
    """Pearson correlation of the inner products i < j of each pair of sets, in [−1, 1].

    The seed study's "Gram correlation"; representational similarity analysis with the inner product (Kriegeskorte,
    Mur & Bandettini, 2008, "Representational similarity analysis"). 0 where a set does not vary.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(6, 3))
        >>> round(float(gram_correlation(moments(gram_matrices([rows, 2 * rows])))[0, 1]), 4)
        1.0
    """
    return normalised(sums.inner, _floor(sums))


def biased_cka(sums: Moments) -> Float[np.ndarray, "s s"]:
    """Linear CKA, ‖XᵀY‖² / (‖XᵀX‖ ‖YᵀY‖) of centred rows, in [0, 1]; above 0 for independent sets of few rows.

    Kornblith et al., 2019, "Similarity of Neural Network Representations Revisited". It is .48 between independent
    noise of 554 rows in 512 dimensions, so values at different n or d are not comparable: see `unbiased_cka`.
    """
    rows = sums.row_sums + sums.diagonal
    total = rows.sum(axis=1)
    count = rows.shape[1]
    covariance = sums.inner + sums.diagonal @ sums.diagonal.T - 2 / count * rows @ rows.T
    return normalised(covariance + np.outer(total, total) / count**2, _floor(sums))


def unbiased_cka(sums: Moments) -> Float[np.ndarray, "s s"]:
    """CKA with the unbiased HSIC_1 in place of HSIC: 0 on average for independent sets, and so below 0 at times.

    HSIC_1 is equation 5 of Song et al., 2012, "Feature Selection via Dependence Maximization" (JMLR 13).
    """
    # Less their own mean, the off-diagonal entries sum to zero, and the middle term of equation 5 is zero with them.
    count = sums.row_sums.shape[1]
    return normalised(sums.inner - 2 / (count - 2) * sums.row_sums @ sums.row_sums.T, _floor(sums))


def gram_ranks(gram: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """The matrix with the ranks of its entries i < j in their place, in [0, 1], ties at their mean rank.

    `gram_correlation` of the moments of two such matrices is the Spearman correlation of the inner products.

    Example:
        >>> gram_ranks(np.array([[9.0, 1.0, 4.0], [1.0, 9.0, 2.0], [4.0, 2.0, 9.0]]))[0].tolist()
        [0.0, 0.0, 1.0]
    """
    upper = np.triu_indices(len(gram), 1)
    values = gram[upper]
    order = np.argsort(values)
    ordered = values[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    last = np.append(first[1:], len(ordered))
    ranks = np.empty(len(values), np.float32)
    ranks[order] = np.repeat((first + last - 1) / (2 * max(len(values) - 1, 1)), last - first)
    done = np.zeros(gram.shape, np.float32)
    done[upper] = ranks
    return done + done.T


def mean_pairwise_cosine(rows: Float[AnyArray, "n d"]) -> float:
    """Mean cosine of two different rows; no measure of isotropy: one common direction alone raises it.

    Args:
        rows: `[n, d]` unit rows, n ≥ 2.

    Example:
        >>> mean_pairwise_cosine(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
        0.3333333333333333
    """
    rows = np.asarray(rows, np.float64)
    count = len(rows)
    return float((np.sum(rows.sum(axis=0) ** 2) - np.sum(rows**2)) / (count * (count - 1)))


def modality_gap(text: Float[AnyArray, "m d"], image: Float[AnyArray, "n d"]) -> float:
    """Euclidean distance between the mean of the captions and the mean of the images.

    Liang et al., 2022, "Mind the Gap: Understanding the Modality Gap in Multi-modal Contrastive Representation
    Learning", arXiv 2203.02053.

    Raises:
        ValueError: widths that differ.

    Example:
        >>> modality_gap(np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]]))
        5.0
    """
    if text.shape[1] != image.shape[1]:
        raise ValueError(f"text is {text.shape}, image {image.shape}; a gap needs one common space")
    means = (np.mean(np.asarray(side), axis=0, dtype=np.float64) for side in (text, image))
    return float(np.linalg.norm(next(means) - next(means)))

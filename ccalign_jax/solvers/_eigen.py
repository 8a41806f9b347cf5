"""Symmetric matrices in float64: floored eigenvalues, powers, condition numbers, and the nearest orthogonal map."""

from __future__ import annotations

import numpy as np
import scipy.linalg.lapack
from jaxtyping import Float

__all__ = [
    "condition_number",
    "eigendecompose",
    "inverse",
    "mean_eigenvalue",
    "nearest_orthogonal",
    "power",
    "scaled_penalty",
    "thin_eigendecompose",
]

EPSILON = float(np.finfo(np.float64).eps)


def eigendecompose(
    matrix: Float[np.ndarray, "d d"],
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d d"]]:
    """Eigenvalues of a positive semidefinite matrix, ascending and at least 0, and its eigenvectors as columns."""
    values, vectors = np.linalg.eigh(matrix)
    return np.maximum(values, 0.0), vectors


def thin_eigendecompose(
    matrix: Float[np.ndarray, "d d"],
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, "d r"]]:
    """`eigendecompose` without the eigenvalues that are rounding: r pairs for a positive semidefinite matrix of rank r.

    Far below full rank, as of fewer rows than dimensions, the SVD of a pivoted Cholesky factor `[d, r]` takes O(d² r).

    Example:
        >>> values, vectors = thin_eigendecompose(np.diag([0.0, 4.0, 0.0]))
        >>> values.round(6).tolist(), abs(vectors).tolist()
        ([4.0], [[0.0], [1.0], [0.0]])
    """
    factor, pivots, rank, _ = scipy.linalg.lapack.dpstrf(matrix, lower=1)
    if 2 * rank > len(matrix) or not rank:
        values, vectors = eigendecompose(matrix)
    else:
        lower = np.empty((len(matrix), rank))
        lower[pivots - 1] = np.tril(factor)[:, :rank]
        vectors, roots, _ = np.linalg.svd(lower, full_matrices=False)
        values, vectors = np.square(roots[::-1]), vectors[:, ::-1]
    kept = values > len(matrix) * EPSILON * values.max()
    return values[kept], vectors[:, kept]


def null(values: Float[np.ndarray, "d ..."]) -> Float[np.ndarray, "d ..."]:
    """Mask of eigenvalues that are no more than the rounding of the largest along the first axis."""
    return values <= len(values) * EPSILON * values.max(axis=0)


def inverse(values: Float[np.ndarray, "d ..."]) -> Float[np.ndarray, "d ..."]:
    """1 / values along the first axis, and 0 for those that are rounding, as a pseudo-inverse has it.

    Example:
        >>> inverse(np.array([0.0, 1e-20, 4.0])).tolist()
        [0.0, 0.0, 0.25]
    """
    absent = null(values)
    return np.where(absent, 0.0, 1.0 / np.where(absent, 1.0, values))


def condition_number(values: Float[np.ndarray, " d"], *, absent: float | None = None) -> float:
    """The largest eigenvalue over the smallest; infinite where the smallest is rounding.

    Args:
        values: the eigenvalues.
        absent: one more, of directions that have no eigenvalue in `values`.

    Example:
        >>> condition_number(np.array([2.0, 8.0])), condition_number(np.array([0.0, 1.0]))
        (4.0, inf)
    """
    values = values if absent is None else np.append(values, absent)
    return float("inf") if null(values).any() else float(values.max() / values.min())


def power(
    values: Float[np.ndarray, " d"], vectors: Float[np.ndarray, "d d"], exponent: float
) -> Float[np.ndarray, "d d"]:
    """The symmetric matrix with these eigenvectors and the eigenvalues to the power; those that are rounding give 0.

    Example:
        >>> power(np.array([0.0, 4.0]), np.eye(2), -0.5).tolist()
        [[0.0, 0.0], [0.0, 0.5]]
    """
    absent = null(values)
    raised = np.where(absent, 0.0, np.where(absent, 1.0, values) ** exponent)
    return (vectors * raised) @ vectors.T


def nearest_orthogonal(matrix: Float[np.ndarray, "d k"]) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, " r"]]:
    """U Vᵀ and the r = min(d, k) singular values of a matrix U S Vᵀ: its polar factor.

    Rows (d ≤ k) or columns (d ≥ k) of U Vᵀ are orthonormal.
    """
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    return left @ right, values


def mean_eigenvalue(matrix: Float[np.ndarray, "d d"]) -> float:
    """The mean eigenvalue of a second moment, tr(XᵀX) / d: the unit of every relative penalty; n / d for unit rows.

    Example:
        >>> mean_eigenvalue(np.diag([1.0, 3.0]))
        2.0
    """
    return float(matrix.trace() / len(matrix))


def scaled_penalty(penalty: float, unit: float) -> float:
    """λ for a relative penalty: so many times the mean eigenvalue `unit`.

    Raises:
        ValueError: a penalty that is negative or not finite.

    Example:
        >>> scaled_penalty(0.5, 4.0)
        2.0
    """
    if not 0 <= penalty < float("inf"):
        raise ValueError(f"the penalty is {penalty}; it must be finite and at least 0")
    return penalty * unit

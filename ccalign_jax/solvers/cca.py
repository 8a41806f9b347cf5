"""Regularised canonical correlation analysis (CCA), and canonical similarity analysis (CSA)."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ccalign_jax.numerics import AnyArray, unit_rows
from ccalign_jax.solvers._eigen import condition_number, inverse, mean_eigenvalue, scaled_penalty, thin_eigendecompose
from ccalign_jax.solvers.moments import Moments, centred, means
from ccalign_jax.solvers.procrustes import TwoSided

__all__ = ["CCAPath", "cca_map", "cca_path", "csa_rows"]


class CCAPath(NamedTuple):
    """Eigendecompositions of both covariances, and C_xy between the eigenvectors: what all penalties share.

    Attributes:
        text_values: `[r]`, of C_xx, ascending, without those that are rounding: fewer than d_text where n < d_text.
        text_vectors: `[d_text, r]`.
        target_values: `[s]`, of C_yy.
        target_vectors: `[d_target, s]`.
        cross: `[r, s]`, C_xy in these bases; 0 in all others.
        text_unit, target_unit: mean variances of a dimension.
        text_mean: `[d_text]`.
        target_mean: `[d_target]`.
    """

    text_values: Float[np.ndarray, " r"]
    text_vectors: Float[np.ndarray, "d_text r"]
    target_values: Float[np.ndarray, " s"]
    target_vectors: Float[np.ndarray, "d_target s"]
    cross: Float[np.ndarray, "r s"]
    text_unit: float
    target_unit: float
    text_mean: Float[np.ndarray, " d_text"]
    target_mean: Float[np.ndarray, " d_target"]


def cca_path(moments: Moments) -> CCAPath:
    """Eigendecompositions that canonical correlation analyses of the same rows share, one a side.

    Args:
        moments: of text rows and targets.

    Raises:
        ValueError: moments of no rows.

    Example:
        >>> from ccalign_jax.solvers.moments import add_rows, empty_moments
        >>> rows = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [0.0, -3.0]])
        >>> path = cca_path(add_rows(empty_moments(2, 2), rows, rows[:, ::-1]))
        >>> cca_map(path, text_penalty=0.0, target_penalty=1.0).correlations.round(3).tolist()
        [0.802, 0.408]
    """
    text_mean, target_mean = means(moments)
    about = centred(moments)
    covariances = about.text_text / about.weight, about.target_target / about.weight
    (text_values, text_vectors), (target_values, target_vectors) = map(thin_eigendecompose, covariances)
    cross = text_vectors.T @ (about.text_target / about.weight) @ target_vectors
    text_unit, target_unit = map(mean_eigenvalue, covariances)
    return CCAPath(
        text_values,
        text_vectors,
        target_values,
        target_vectors,
        cross,
        text_unit,
        target_unit,
        text_mean,
        target_mean,
    )


def cca_map(path: CCAPath, *, text_penalty: float, target_penalty: float, dimensions: int | None = None) -> TwoSided:
    """Canonical correlation analysis at one penalty a side, by one SVD of the whitened cross-covariance.

    Over the training rows, columns of both sides have variance 1 and the largest correlations. Hotelling, 1936,
    "Relations between two sets of variates", with the covariances C_xx + λI and C_yy + μI of the canonical ridge
    (Vinod, 1976); n ≤ d needs them, or every correlation is 1. With them variances are below 1, and `correlations` are
    the singular values of (C_xx + λI)^-½ C_xy (C_yy + μI)^-½, below the correlations proper.

    Args:
        path: from `cca_path`.
        text_penalty: λ over the mean variance of a text dimension. Far below 1, hundreds of columns of noise weigh as
            much as the first.
        target_penalty: μ over the mean variance of a target dimension.
        dimensions: how many of the most correlated columns are kept; all by default. Maps of fewer are the first
            columns of this. There are no more than C_xy has dimensions that vary: fewer than n.

    Raises:
        ValueError: `dimensions` that there are not, or a penalty that is negative or not finite.
    """
    d_text, d_target = len(path.text_vectors), len(path.target_vectors)
    largest = min(d_text, d_target)
    kept = largest if dimensions is None else dimensions
    if not 1 <= kept <= largest:
        raise ValueError(f"dimensions is {dimensions}; between {d_text} and {d_target} columns it is 1 to {largest}")
    text_lambda = scaled_penalty(text_penalty, path.text_unit)
    target_lambda = scaled_penalty(target_penalty, path.target_unit)
    text_values, target_values = path.text_values + text_lambda, path.target_values + target_lambda
    text_scale, target_scale = (np.sqrt(inverse(values)) for values in (text_values, target_values))
    left, correlations, right = np.linalg.svd(text_scale[:, None] * path.cross * target_scale, full_matrices=False)
    return TwoSided(
        (path.text_vectors * text_scale) @ left[:, :kept],
        (path.target_vectors * target_scale) @ right[:kept].T,
        path.text_mean,
        path.target_mean,
        correlations[:kept],
        max(
            condition_number(text_values, absent=text_lambda if len(text_values) < d_text else None),
            condition_number(target_values, absent=target_lambda if len(target_values) < d_target else None),
        ),
    )


def csa_rows(projected: Float[AnyArray, "n k"], correlations: Float[AnyArray, " k"]) -> Float[Array, "n k"]:
    """Rows whose inner products are the canonical similarity Σᵢ ρᵢ aᵢbᵢ / (‖a‖ ‖b‖) of projected rows a and b.

    Li, Chinchali & Topcu, 2025, "CSA: Data-efficient Mapping of Unimodal Features to Multimodal Features" (ICLR).
    The rows are not unit rows, and taking their cosine instead is another similarity.

    Args:
        projected: `[n, k]`, rows of either side through its map of `cca_map`; a zero row stays zero.
        correlations: `[k]`, those of `cca_map`, at least 0.

    Example:
        >>> text, image = csa_rows(jnp.array([[3.0, 4.0]]), jnp.array([1.0, 0.5])), jnp.array([[2.0, 0.0]])
        >>> round(float(jnp.vdot(text, csa_rows(image, jnp.array([1.0, 0.5])))), 6)
        0.6
    """
    return unit_rows(jnp.asarray(projected)) * jnp.sqrt(jnp.asarray(correlations))

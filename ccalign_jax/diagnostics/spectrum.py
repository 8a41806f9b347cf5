"""Spectrum, effective rank, isotropy and entropy of one set of rows, and rotation angles of a map."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from ccalign_jax.numerics import AnyArray

__all__ = [
    "BINS",
    "components_for",
    "deviation_from_identity",
    "effective_rank",
    "histogram_entropy",
    "iso_score",
    "near_zero_share",
    "rotation_angles",
    "variances",
]

BINS = 30
NEAR_ZERO = 1e-3
NEAR_ZERO_RELATIVE = NEAR_ZERO * 512**0.5  # agrees with the absolute one in 512 dimensions
SPAN = 4.0  # a relative histogram reaches to four standard deviations of isotropic unit rows
TILE_ROWS = 65536


def variances(rows: Float[AnyArray, "n d"]) -> Float[np.ndarray, " r"]:
    """Squared singular values of the centred rows, descending, r = min(n, d): n times the PCA variances; float64.

    Example:
        >>> variances(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])).tolist()
        [2.0, 0.0]
    """
    rows = np.asarray(rows, np.float64)
    rows = rows - rows.mean(axis=0)
    product = rows.T @ rows if rows.shape[0] >= rows.shape[1] else rows @ rows.T
    found = np.maximum(np.linalg.eigvalsh(product)[::-1], 0.0)
    # What is left of a direction that no row has: rounding, which the logarithm of an entropy would count.
    return np.where(found > 1e-12 * max(found[0], 1e-300), found, 0.0)


def effective_rank(spectrum: Float[np.ndarray, " r"]) -> float:
    """Effective rank: exp of the entropy of the shares of `spectrum`; 0 for an empty one.

    Give it `variances(rows)` for the seed study's value. Roy & Vetterli, 2007, "The effective rank: a measure of
    effective dimensionality", who named it, take the singular values themselves: `variances(rows) ** 0.5`, which reads
    higher. Both grow with the number of rows: compare only at equal n.

    Example:
        >>> round(effective_rank(np.array([2.0, 2.0, 0.0])), 6)
        2.0
    """
    total = spectrum.sum()
    if total <= 0:
        return 0.0
    shares = spectrum[spectrum > 0] / total
    return float(np.exp(-np.sum(shares * np.log(shares))))


def components_for(spectrum: Float[np.ndarray, " r"], share: float = 0.9) -> int:
    """The fewest leading entries that hold `share` of the sum, of `variances(rows)` for PCA; 0 for none.

    Example:
        >>> components_for(np.array([8.0, 1.5, 0.5]))
        2
    """
    total = spectrum.sum()
    if total <= 0:
        return 0
    return min(int(np.searchsorted(np.cumsum(spectrum) / total, share)) + 1, len(spectrum))


def iso_score(spectrum: Float[np.ndarray, " r"], dimensions: int) -> float:
    """IsoScore in [0, 1]: 1 where every direction of the space has the same variance, 0 where one has all of it.

    Rudman et al., 2022, "IsoScore: Measuring the Uniformity of Embedding Space Utilization", arXiv 2108.07344. Their
    seven steps come to (p − 1) / (d − 1) with the participation ratio p = (Σλ)² / Σλ² of the variances λ.

    Args:
        spectrum: `variances(rows)`.
        dimensions: d, the width of the rows.

    Example:
        >>> iso_score(np.array([1.0, 1.0]), 3)
        0.5
    """
    square = np.sum(spectrum**2)
    if square <= 0 or dimensions < 2:
        return 0.0
    return float((spectrum.sum() ** 2 / square - 1) / (dimensions - 1))


def near_zero_share(rows: Float[AnyArray, "n d"], *, relative: bool = False) -> float:
    """Share of entries with |x| < 1e-3, the seed study's PoZ; or below 1e-3 √(512 / d), which d does not sway.

    Example:
        >>> near_zero_share(np.array([[0.0005, 0.5, -0.0005, 1.0]]))
        0.5
    """
    rows = np.asarray(rows)
    bound = NEAR_ZERO_RELATIVE / math.sqrt(rows.shape[1]) if relative else NEAR_ZERO
    return float(np.mean(np.abs(rows) < bound))


def histogram_entropy(rows: Float[AnyArray, "n d"], *, relative: bool = False) -> float:
    """Entropy in nats of the histogram of each dimension, 30 equal bins, the mean over dimensions; at most 3.40.

    The seed study's bins divide [−1, 1], where isotropic unit rows in 512 dimensions read 1.09, for they lie in five
    of them. The relative ones divide [−4, 4] / √d (what lies outside counts to the outermost), and such rows read 2.74
    in any dimension.

    Example:
        >>> histogram_entropy(np.array([[0.9], [-0.9]])) == math.log(2)
        True
    """
    rows = np.asarray(rows)
    count, width = rows.shape
    reach = SPAN / math.sqrt(width) if relative else 1.0
    counts = np.zeros(width * BINS, np.int64)
    for start in range(0, count, TILE_ROWS):
        tile = rows[start : start + TILE_ROWS].astype(np.float64)
        # A unit row may exceed 1 by a rounding.
        bins = np.clip(np.floor((tile / reach + 1) * (BINS / 2)), 0, BINS - 1).astype(np.int64)
        counts += np.bincount((bins + BINS * np.arange(width)).ravel(), minlength=len(counts))
    shares = counts.reshape(width, BINS) / count
    return float(-np.mean(np.sum(shares * np.log(np.where(shares > 0, shares, 1.0)), axis=1)))


def rotation_angles(matrix: Float[AnyArray, "d d"]) -> Float[np.ndarray, " d"]:
    """Rotation angles of the polar factor of a square map in its invariant planes, in degrees, descending, [0, 180].

    The polar factor U Vᵀ of W = U S Vᵀ is the orthogonal map nearest to W; its eigenvalues are exp(±iθ). A plane gives
    its angle twice; a reflection counts as 180.

    Raises:
        ValueError: a map that is not square.

    Example:
        >>> rotation_angles(np.array([[0.0, 3.0], [-3.0, 0.0]])).tolist()
        [90.0, 90.0]
    """
    matrix = np.asarray(matrix, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"the map is {list(matrix.shape)}; only a square one has rotation angles")
    left, _, right = np.linalg.svd(matrix)
    polar = left @ right
    cosines = np.linalg.eigvalsh(0.5 * (polar + polar.T))
    return np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))


def deviation_from_identity(matrix: Float[AnyArray, "d_text d_image"]) -> tuple[float, float]:
    """‖W − E‖ (Frobenius) of a map against the rectangular identity E, and the same over ‖E‖.

    Example:
        >>> deviation_from_identity(2 * np.eye(4))
        (2.0, 1.0)
    """
    matrix = np.asarray(matrix, np.float64)
    norm = float(np.linalg.norm(matrix - np.eye(*matrix.shape)))
    return norm, norm / math.sqrt(min(matrix.shape))

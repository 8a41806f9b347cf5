"""Wider intervals where few clusters carry an estimate."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Real

from ccalign_jax.statistics._constants import LEVEL

__all__ = ["interval_stretch", "ratio_residuals"]


def ratio_residuals(
    sums: Real[np.ndarray, "n ... metrics"], counts: Real[np.ndarray, "n ..."]
) -> tuple[Float[np.ndarray, "n ... metrics"], Float[np.ndarray, "n ... metrics"]]:
    """Linearised and jackknife residuals: the influence of each cluster on a ratio sum / count.

    The linearised residual is (sᵢ − R cᵢ) / C, where R = S / C is the ratio of the totals. The jackknife one is R less
    the ratio without the cluster, exactly (sᵢ − R cᵢ) / (C − cᵢ): larger where a cluster has many of the queries.

    Args:
        sums: `[n, ..., metrics]`, of each cluster.
        counts: `[n, ...]` ≥ 0, its queries.

    Returns:
        Both residuals, each of the shape of `sums`, float64; the linearised ones add up to 0.

    References:
        Cochran, 1977, "Sampling Techniques", chapter 6; Efron, 1982, "The Jackknife, the Bootstrap and Other
        Resampling Plans".

    Example:
        >>> linear, left_out = ratio_residuals(np.array([[3.0], [1.0]]), np.array([4.0, 4.0]))
        >>> linear.ravel().tolist(), left_out.ravel().tolist()
        ([0.125, -0.125], [0.25, -0.25])
    """
    counts = np.asarray(counts, np.float64)[..., None]
    total = np.maximum(counts.sum(axis=0), 1e-300)
    apart = sums - sums.sum(axis=0) / total * counts
    rest = total - counts
    linear = apart / total
    return linear, np.divide(apart, rest, out=linear.copy(), where=rest > 0)


def interval_stretch(
    linear: Float[np.ndarray, "*columns n"], left_out: Float[np.ndarray, "*columns n"], *, level: float = LEVEL
) -> Float[np.ndarray, "*columns"]:
    """Factor, 1 or more, that widens a percentile interval where few clusters carry the estimate.

    Two factors: the jackknife standard error over that of the bootstrap, which is too small where a few clusters have
    most of the queries; and Student's t over the normal quantile, since the standard error was estimated from the
    clusters, too. Its degrees of freedom are 2 n / (κ − 1), κ the kurtosis of the residuals (Satterthwaite's rule), at
    most n − 1. A change that rests on four images has about four.

    Args:
        linear: `[..., n]`, the linearised residuals of `ratio_residuals`, or differences or means of such residuals.
        left_out: `[..., n]`, the jackknife ones, of the same.
        level: of the interval, in (0, 1).

    Returns:
        `[...]` float64; 1 where all residuals are 0.

    References:
        Satterthwaite, 1946, "An Approximate Distribution of Estimates of Variance Components"; Efron & Tibshirani,
        1993, "An Introduction to the Bootstrap", chapter 11.

    Example:
        >>> few, many = np.zeros(1000), np.tile([1.0, -1.0], 500)
        >>> few[:4] = [1, -1, -1, 1]
        >>> changes = np.stack([few, many])
        >>> interval_stretch(changes, changes * 1000 / 999).round(2).tolist()
        [1.18, 1.0]
    """
    from scipy.special import ndtri, stdtrit

    n = linear.shape[-1]
    scale = np.abs(left_out).max(axis=-1, keepdims=True)  # fourth powers of what is small would vanish
    linear, left_out = (np.divide(one, scale, out=np.zeros_like(one), where=scale > 0) for one in (linear, left_out))
    squares = left_out * left_out  # a power of four takes ten times as long
    jackknife, fourth = squares.sum(axis=-1), np.einsum("...i,...i->...", squares, squares)
    bootstrap = np.einsum("...i,...i->...", linear, linear)
    moved = bootstrap > 0
    wider = np.sqrt((n - 1) / n * np.divide(jackknife, bootstrap, out=np.ones_like(bootstrap), where=moved))
    excess = np.divide(n * fourth, jackknife**2, out=np.ones_like(jackknife), where=moved) - 1
    degrees = np.divide(2.0 * n, excess, out=np.full_like(excess, np.inf), where=excess > 0)
    degrees = np.clip(degrees, 1.0, max(n - 1, 1))
    tail = 0.5 + level / 2
    return np.where(moved, np.maximum(wider * stdtrit(degrees, tail) / ndtri(tail), 1.0), 1.0)

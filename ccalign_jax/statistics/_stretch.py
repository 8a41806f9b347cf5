"""Wider intervals where a few clusters carry a figure."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ccalign_jax.statistics._draws import LEVEL

__all__ = ["interval_stretch"]


def interval_stretch(shares: Float[np.ndarray, "*columns n"], *, level: float = LEVEL) -> Float[np.ndarray, "*columns"]:
    """How much wider than its percentiles an interval should be: Student's t over the normal quantile, 1 or more.

    A change that rests on four images has a variance that was guessed from four images. What is known of it is that of
    2 n / (κ − 1) degrees of freedom, κ the kurtosis of what the clusters add (Satterthwaite's rule); for a level, to
    which all images add about alike, that is more than n, and nothing is widened.

    Args:
        shares: `[..., n]`, what each cluster adds to a figure.
        level: of the interval, in (0, 1).

    Returns:
        `[...]` float64; 1 where all clusters add the same.

    References:
        Satterthwaite, 1946, "An Approximate Distribution of Estimates of Variance Components".

    Example:
        >>> few, many = np.zeros(1000), np.tile([1.0, -1.0], 500)
        >>> few[:4] = [1, 1, -1, 1]
        >>> interval_stretch(np.stack([few, many])).round(2).tolist()
        [1.18, 1.0]
    """
    from scipy.special import ndtri, stdtrit

    shares = np.asarray(shares, np.float64)
    apart = shares - shares.mean(axis=-1, keepdims=True)
    scale = np.abs(apart).max(axis=-1, keepdims=True)  # fourth powers of what is small would vanish
    apart = np.divide(apart, scale, out=np.zeros_like(apart), where=scale > 0)
    squares = apart * apart  # a power of four takes ten times as long
    square, fourth = squares.sum(axis=-1), np.einsum("...i,...i->...", squares, squares)
    n = shares.shape[-1]
    excess = np.divide(n * fourth, square**2, out=np.ones_like(square), where=square > 0) - 1
    tail = 0.5 + level / 2
    degrees = np.clip(np.divide(2.0 * n, excess, out=np.full_like(excess, np.inf), where=excess > 0), 1.0, 1e12)
    return np.maximum(stdtrit(degrees, tail) / ndtri(tail), 1.0)

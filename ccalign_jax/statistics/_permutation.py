"""Paired sign-flip test: under the null hypothesis the two arms are exchangeable within each cluster."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int8, Real

from ccalign_jax.statistics._blocks import blocks, unlike_rows
from ccalign_jax.statistics._constants import FLIPS

__all__ = ["Alternative", "sign_flip_test", "sign_flips"]

Alternative = Literal["two-sided", "greater", "less"]
# In standard deviations of the flipped sums: above rounding, even of float32 differences, and far below what counts.
TIE = 1e-6


def sign_flips(clusters: int, *, flips: int = FLIPS, seed: int) -> Int8[np.ndarray, "flips clusters"]:
    """Random signs of every cluster in every flip; all 2ⁿ assignments, once each, if they are no more than `flips`.

    With `flips=2**clusters` the test is exact, which is feasible up to some twenty clusters.

    Args:
        clusters: n, at least 1.
        flips: number of assignments, at least 1; the first random ones do not depend on how many follow.
        seed: of NumPy's default generator; without effect if all assignments are there.

    Returns:
        `[flips, n]` or `[2ⁿ, n]` of −1 and +1.

    Raises:
        ValueError: no cluster or no flip.

    Example:
        >>> sign_flips(2, flips=10, seed=0).tolist()
        [[1, 1], [-1, 1], [1, -1], [-1, -1]]
        >>> sign_flips(5, flips=2, seed=0).tolist()
        [[-1, -1, -1, -1, -1], [1, -1, 1, 1, 1]]
    """
    if clusters < 1 or flips < 1:
        raise ValueError(f"{clusters} clusters and {flips} flips; both must be at least 1")
    if 2**clusters <= flips:
        packed = np.arange(2**clusters, dtype="<u8").view(np.uint8).reshape(-1, 8)
    else:
        width = -(-clusters // 8)
        packed = np.frombuffer(np.random.default_rng(seed).bytes(flips * width), np.uint8).reshape(flips, width)
    signs = np.unpackbits(packed, axis=1, count=clusters, bitorder="little").view(np.int8)
    signs *= -2
    signs += 1
    return signs


def sign_flip_test(
    differences: Real[np.ndarray, "n ..."],
    signs: Int8[np.ndarray, "flips n"],
    *,
    alternative: Alternative = "two-sided",
) -> Float[np.ndarray, ...]:
    """Paired sign-flip test: p-value of each column under the null hypothesis of no change.

    T is the sum of the differences over clusters. Flipping the sign of one swaps the two arms in that cluster and
    keeps its queries, so that T stands for the change of sum over count as well. Random signs give
    p = (1 + #{|T*| ≥ |T|}) / (1 + flips), never 0; all 2ⁿ assignments, of which one is what was seen, give
    #{|T*| ≥ |T|} / 2ⁿ, exact. Sums that differ by less than a millionth of their standard deviation are equal.

    Args:
        differences: `[n, ...]`, of a cluster's sums under the two arms; 0 where a cluster has no query.
        signs: `[flips, n]` from `sign_flips`; 2ⁿ rows are taken to be all assignments.
        alternative: "two-sided", or what T is expected to be if there is a change: "greater" or "less" than 0.

    Returns:
        `[...]` float64 in (0, 1]; 1 where all differences are 0, NaN where one is NaN.

    Raises:
        ValueError: an unknown alternative, or shapes that do not fit.

    References:
        Smucker, Allan & Carterette, 2007, "A Comparison of Statistical Significance Tests for Information Retrieval
        Evaluation"; Phipson & Smyth, 2010, "Permutation P-values Should Never Be Zero".

    Example:
        >>> signs = sign_flips(4, flips=16, seed=0)
        >>> sign_flip_test(np.array([[1.0, 1], [2, -2], [1, 1], [3, 0]]), signs).tolist()
        [0.125, 1.0]
    """
    if alternative not in get_args(Alternative):
        raise ValueError(f"alternative {alternative!r} is unknown; it is one of {', '.join(get_args(Alternative))}")
    flips, n = signs.shape
    if len(differences) != n:
        raise ValueError(f"differences of {len(differences)} clusters, but signs of {n}")
    # float64, for ties are common where differences are multiples of a few fractions
    rows, place = unlike_rows(np.ascontiguousarray(np.asarray(differences, np.float64).reshape(n, -1).T))
    columns = -rows.T if alternative == "less" else rows.T
    two_sided = alternative == "two-sided"
    seen = columns.sum(0)
    least = (np.abs(seen) if two_sided else seen) - TIE * np.sqrt(np.square(columns).sum(0))
    reached = np.zeros(columns.shape[1], np.int64)
    for block in blocks(flips, n):
        sums = signs[block].astype(np.float64) @ columns
        reached += np.sum((np.abs(sums) if two_sided else sums) >= least, axis=0)
    complete = flips == 2**n
    p = reached / flips if complete else (1 + reached) / (1 + flips)
    return np.where(np.isnan(seen), np.nan, p)[place].reshape(differences.shape[1:])

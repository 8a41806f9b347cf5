"""Ridge regression towards the identity or zero: one eigendecomposition for all penalties, exact leave-one-out errors.

The map is W = E + D with the rectangular identity E. Towards the identity D minimises ‖Y − X(E + D)‖² + λ‖D‖², so that
λ → ∞ is the identity; towards zero it is W that is penalised: plain ridge regression. λ adds to the eigenvalues of XᵀX,
which grow with the number of rows; a relative `penalty` = λ / mean eigenvalue means the same for any n. Functions that
take `penalty` are relative, those that take λ (`lam`, `lambdas`) are plain; `RidgePath.mean_eigenvalue` is what lies
between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from ccalign_jax.numerics import AnyArray
from ccalign_jax.solvers._eigen import condition_number, eigendecompose, inverse, mean_eigenvalue
from ccalign_jax.solvers.moments import Moments, centred, check_weights, means

__all__ = [
    "Ridge",
    "RidgePath",
    "leave_one_out",
    "less_identity",
    "ridge_map",
    "ridge_path",
]

BLOCK_ROWS = 1024
DETERMINED = 1e-10  # a row whose leverage is this near to 1 has no prediction without itself
CLOSE = 1e-5  # eigenvalues this near, relatively, count as equal: costs CLOSE² / 2, while rounding grows by 1 / CLOSE


class Ridge(NamedTuple):
    """One solution: `delta` D `[d_text, d_target]`, float64, the means it goes with, and how well it is determined.

    Text is mapped as (x − text_mean)(E + D) + target_mean; the means are zero unless the path is centred.
    `condition` is that of XᵀX + λI, infinite where a direction has neither data nor penalty
    (D is 0 there, or W).
    """

    delta: Float[np.ndarray, "d_text d_target"]
    text_mean: Float[np.ndarray, " d_text"]
    target_mean: Float[np.ndarray, " d_target"]
    condition: float


class RidgePath(NamedTuple):
    """The solutions for all λ: V diag(1 / (s + λ)) C, which is D towards the identity, and W towards zero.

    Attributes:
        eigenvalues: `[d_text]`, s, of XᵀX, ascending, at least 0.
        eigenvectors: `[d_text, d_text]`, V.
        projected: `[d_text, d_target]`, C = VᵀXᵀ(Y − XE), or VᵀXᵀY towards zero.
        text_mean: `[d_text]`, what is subtracted from text rows; zero unless centred.
        target_mean: `[d_target]`, likewise.
        mean_leverage: what every row contributes to its own prediction through the means: 1 / n, or 0.
        mean_eigenvalue: λ for a relative penalty of 1.
        to_identity: whether λ → ∞ is the identity, or zero.
    """

    eigenvalues: Float[np.ndarray, " d_text"]
    eigenvectors: Float[np.ndarray, "d_text d_text"]
    projected: Float[np.ndarray, "d_text d_target"]
    text_mean: Float[np.ndarray, " d_text"]
    target_mean: Float[np.ndarray, " d_target"]
    mean_leverage: float
    mean_eigenvalue: float
    to_identity: bool = True


def less_identity(
    target: Float[np.ndarray, "n d_target"], text: Float[np.ndarray, "n d_text"]
) -> Float[np.ndarray, "n d_target"]:
    """target − text E with the rectangular identity E, for rows and for second moments alike; float64 kept.

    Example:
        >>> less_identity(np.array([[3.0, 3.0, 3.0]]), np.array([[1.0, 2.0]])).tolist()
        [[2.0, 1.0, 3.0]]
    """
    shared = min(text.shape[1], target.shape[1])
    rest = target.copy()
    rest[:, :shared] -= text[:, :shared]
    return rest


def ridge_path(moments: Moments, *, centre: bool = False, to_identity: bool = True) -> RidgePath:
    """Ridge solutions for all penalties, at the cost of one eigendecomposition.

    Hoerl & Kennard, 1970, "Ridge Regression: Biased Estimation for Nonorthogonal Problems".

    Args:
        moments: of text rows and targets; n may be smaller than d.
        centre: fit rows less their means, that is, with an unpenalised offset.
        to_identity: shrink the map to the identity, or to zero.

    Example:
        >>> from ccalign_jax.solvers.moments import add_rows, empty_moments
        >>> rows = np.eye(2)
        >>> path = ridge_path(add_rows(empty_moments(2, 2), rows, 3 * rows))
        >>> ridge_map(path, 1.0).delta.round(6).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    text_mean, target_mean = np.zeros_like(moments.text_sum), np.zeros_like(moments.target_sum)
    if centre:
        text_mean, target_mean = means(moments)
        moments = centred(moments)
    values, vectors = eigendecompose(moments.text_text)
    return RidgePath(
        eigenvalues=values,
        eigenvectors=vectors,
        projected=vectors.T
        @ (less_identity(moments.text_target, moments.text_text) if to_identity else moments.text_target),
        text_mean=text_mean,
        target_mean=target_mean,
        mean_leverage=1.0 / moments.weight if centre else 0.0,
        mean_eigenvalue=mean_eigenvalue(moments.text_text),
        to_identity=to_identity,
    )


def ridge_map(path: RidgePath, lam: float) -> Ridge:
    """The solution of the path at one λ ≥ 0 (plain, not relative); at 0, least squares with the smallest D, or W.

    Example:
        >>> from ccalign_jax.solvers.moments import add_rows, empty_moments
        >>> path = ridge_path(add_rows(empty_moments(1, 1), np.array([[1.0]]), np.array([[3.0]])))
        >>> [ridge_map(path, lam).delta.item() for lam in (0.0, 1.0, 3.0)]
        [2.0, 1.0, 0.5]
    """
    shifted = path.eigenvalues + _checked(lam)
    delta = (path.eigenvectors * inverse(shifted)) @ path.projected
    if not path.to_identity:
        delta -= np.eye(*delta.shape)
    return Ridge(delta, path.text_mean, path.target_mean, condition_number(shifted))


def leave_one_out(
    path: RidgePath,
    text: Float[AnyArray, "n d_text"],
    target: Float[AnyArray, "n d_target"],
    lambdas: Sequence[float] | Float[AnyArray, " k"],
    *,
    weights: Float[AnyArray, " n"] | Bool[AnyArray, " n"] | None = None,
) -> Float[np.ndarray, "n k"]:
    """Squared error ‖eᵢ / (1 − hᵢᵢ)‖² of each training row when the map is fitted to all rows but this, for every λ.

    Exact, not approximate, and one more λ costs O(n d), not O(n d²): with q = xV, r = y − xE (towards
    zero r = y) and w(λ) = 1 / (s + λ),
    ‖e‖² = ‖r‖² − 2 Σⱼ wⱼqⱼ⟨Cⱼ, r⟩ + Σⱼₖ wⱼwₖ qⱼqₖ⟨Cⱼ, Cₖ⟩, and partial fractions, wⱼwₖ = (wⱼ − wₖ) / (sₖ − sⱼ), turn
    the double sum into sums over j alone whose coefficients no λ enters. Where sⱼ ≈ sₖ, wⱼwₖ ≈ (wⱼ² + wₖ²) / 2 does it.
    The rounding left in ‖e‖² is below 1e-9 ‖r‖².

    Rows of one image leave each other in: their errors come out too small. Give one row an image, or hold out folds.

    Args:
        path: of the moments that these rows are in.
        text: `[n, d_text]`, training rows, all or any chunk of them.
        target: `[n, d_target]`.
        lambdas: `[k]`, plain λ ≥ 0: relative penalties times `path.mean_eigenvalue`.
        weights: as they were added; a row is left out with its whole weight. A row of weight 0 had no part in the
            fit, and its error is the plain one.

    Returns:
        `[n, k]`, float64; the average over rows picks λ. Infinite where a row alone determines its prediction.

    Example:
        >>> from ccalign_jax.solvers.moments import add_rows, empty_moments
        >>> text, target = np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]])
        >>> path = ridge_path(add_rows(empty_moments(1, 1), text, target))
        >>> leave_one_out(path, text, target, [1.0]).round(6).tolist()  # maps 1.8 and 1.5
        [[0.04], [1.0]]
    """
    lambdas = _checked(lambdas)
    weight = inverse(path.eigenvalues[:, None] + lambdas)
    gram = path.projected @ path.projected.T
    apart, together = _pair_sums(gram, path.eigenvalues, lambdas.min())
    alone = gram.diagonal()[:, None] * np.square(weight)
    scale = np.ones(len(text)) if weights is None else check_weights(weights, len(text))
    errors = np.empty((len(text), len(lambdas)))
    for start in range(0, len(text), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        rows, rest = _residual_rows(path, text[block], target[block])
        turned = rows @ path.eigenvectors
        once = turned @ apart
        once -= rest @ path.projected.T
        once *= turned
        squares = np.einsum("nd,nd->n", rest, rest)[:, None] + 2 * (once @ weight)
        if together is not None:
            squares += (turned * (turned @ together)) @ np.square(weight)
        turned *= turned
        squares += turned @ alone
        leverage = (turned @ weight + path.mean_leverage) * scale[block, None]
        remaining = 1.0 - leverage
        determined = remaining <= DETERMINED
        errors[block] = np.where(
            determined, np.inf, np.maximum(squares, 0.0) / np.where(determined, 1.0, remaining) ** 2
        )
    return errors


def _checked(lambdas: Sequence[float] | Float[AnyArray, "*k"] | float) -> Float[np.ndarray, "*k"]:
    found = np.asarray(lambdas, np.float64)
    if found.size == 0 or not (np.isfinite(found) & (found >= 0)).all():
        raise ValueError(f"λ is {found.tolist()}; each must be finite and at least 0")
    return found


def _pair_sums(
    gram: Float[np.ndarray, "d d"], eigenvalues: Float[np.ndarray, " d"], least: float
) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, "d d"] | None]:
    """A and B with Σ_{j≠k} wⱼwₖqⱼqₖGⱼₖ = 2 Σⱼ wⱼqⱼ(qA)ⱼ + Σⱼ wⱼ²qⱼ(qB)ⱼ for every λ from the least on.

    B holds pairs of close eigenvalues; None if there are none.
    """
    gap = eigenvalues[:, None] - eigenvalues
    shifted = eigenvalues + least
    close = np.abs(gap) <= CLOSE * np.minimum(shifted[:, None], shifted)
    apart = np.where(close, 0.0, gram / np.where(close, 1.0, gap))
    np.fill_diagonal(close, False)
    return apart, np.where(close, gram, 0.0) if close.any() else None


def _residual_rows(
    path: RidgePath, text: Float[AnyArray, "n d_text"], target: Float[AnyArray, "n d_target"]
) -> tuple[Float[np.ndarray, "n d_text"], Float[np.ndarray, "n d_target"]]:
    """Rows less their means, in float64: of the text, and of the target or what the identity leaves of it."""
    rows, rest = np.asarray(text, np.float64) - path.text_mean, np.asarray(target, np.float64) - path.target_mean
    return rows, less_identity(rest, rows) if path.to_identity else rest

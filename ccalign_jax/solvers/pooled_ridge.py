"""Partially pooled ridge regression: the map of each language is a shared map plus a deviation, solved jointly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ccalign_jax.solvers._eigen import condition_number, eigendecompose, inverse, mean_eigenvalue, scaled_penalty
from ccalign_jax.solvers.moments import Moments
from ccalign_jax.solvers.ridge import less_identity

__all__ = ["PooledRidge", "pooled_ridge"]


class PooledRidge(NamedTuple):
    """Language l is mapped by E + `shared` + `own[l]`, and a language without data by E + `shared`; float64.

    `condition` is that of the system for `shared`, infinite where a direction has neither data nor penalty.
    """

    shared: Float[np.ndarray, "d_text d_target"]
    own: Float[np.ndarray, "languages d_text d_target"]
    condition: float


def pooled_ridge(
    moments: Sequence[Moments], *, shared_penalty: float, own_penalty: float, to_identity: bool = True
) -> PooledRidge:
    """Partially pooled ridge: E + D + D_l with the least Σ_l ‖Y_l − X_l(E + D + D_l)‖² + λ‖D‖² + μ Σ_l ‖D_l‖².

    With μ → ∞ it is one ridge over all languages, with λ → ∞ a ridge for each; between, a language with few captions
    keeps closer to the others. Eliminating D_l leaves one system of size d_text for D; at the solution λD = μ Σ_l D_l.

    Args:
        moments: of each language; one may be empty. `centred` ones fit each language about its own means.
        shared_penalty: λ over the mean eigenvalue of Σ_l X_lᵀX_l.
        own_penalty: μ over the mean eigenvalue of an average language, Σ_l X_lᵀX_l / L; the same for all, so that
            data decides.
        to_identity: λ pulls the shared map to the identity (λ‖D‖²), or to zero (λ‖E + D‖²).

    Raises:
        ValueError: no language, or a penalty that is negative or not finite.

    Example:
        >>> from ccalign_jax.solvers.moments import add_rows, empty_moments
        >>> none, rows = empty_moments(1, 1), np.array([[1.0]])
        >>> both = [add_rows(none, rows, 2 * rows), add_rows(none, rows, 4 * rows)]
        >>> found = pooled_ridge(both, shared_penalty=0.0, own_penalty=1.0)
        >>> found.shared.round(6).tolist(), found.own.round(6).tolist()  # the mean of 1 and 3, and half of what is left
        ([[2.0]], [[[-0.5]], [[0.5]]])
    """
    if not moments:
        raise ValueError("there are no moments; give those of one language at least")
    unit = mean_eigenvalue(np.sum([one.text_text for one in moments], axis=0))
    shared_lambda = scaled_penalty(shared_penalty, unit)
    own_lambda = scaled_penalty(own_penalty, unit / len(moments))

    d_text, d_target = moments[0].text_target.shape
    system, aim = shared_lambda * np.eye(d_text), np.zeros((d_text, d_target))
    solved = []
    for one in moments:
        values, vectors = eigendecompose(one.text_text)
        kept = (vectors * inverse(values + own_lambda)) @ vectors.T  # (XᵀX + μI)⁻¹
        aim_of_one = less_identity(one.text_target, one.text_text) if to_identity else one.text_target
        answer = kept @ aim_of_one  # D_l, were the shared map E, or zero
        explained = kept @ one.text_text
        # What D_l cannot take up: XᵀX − XᵀX(XᵀX + μI)⁻¹XᵀX, free of the difference of two large terms.
        system += (vectors * (own_lambda * values * inverse(values + own_lambda))) @ vectors.T
        aim += own_lambda * answer
        solved.append((answer, explained))
    values, vectors = eigendecompose(system)
    shared = (vectors * inverse(values)) @ (vectors.T @ aim)
    own = np.stack([answer - explained @ shared for answer, explained in solved])
    if not to_identity:
        shared = shared - np.eye(d_text, d_target)
    return PooledRidge(shared, own, condition_number(values))

"""Multiple testing: p-values adjusted to control the family-wise error rate."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

__all__ = ["holm"]


def holm(p: Float[np.ndarray, "*tests"], *, axis: int = -1) -> Float[np.ndarray, "*tests"]:
    """Holm's step-down adjusted p-values: compared with alpha, they keep the family-wise error rate ≤ alpha.

    In ascending order the i-th p-value becomes the largest of min(1, (m − j + 1) · p_j) over j ≤ i, however the tests
    depend on each other.

    Args:
        p: p-values in [0, 1]; NaN is no test: it stays NaN and does not count in m.
        axis: the family, whose tests are adjusted together.

    Returns:
        Of the same shape, float64 in [0, 1]; never below `p`, in the same order.

    Raises:
        ValueError: a p-value outside [0, 1].

    References:
        Holm, 1979, "A Simple Sequentially Rejective Multiple Test Procedure".

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03, np.nan])).tolist()
        [0.03, 0.06, 0.06, nan]
    """
    p = np.moveaxis(np.asarray(p, np.float64), axis, -1)
    if ((p < 0) | (p > 1)).any():
        raise ValueError(f"p-values run from {np.nanmin(p)} to {np.nanmax(p)}; they must be from 0 to 1")
    order = np.argsort(p, axis=-1)  # NaN stands last
    tests = np.sum(~np.isnan(p), axis=-1, keepdims=True)
    steps = (tests - np.arange(p.shape[-1])) * np.take_along_axis(p, order, axis=-1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(np.maximum.accumulate(steps, axis=-1), 1.0), axis=-1)
    return np.moveaxis(adjusted, -1, axis)

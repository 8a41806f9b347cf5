"""Changes over folds: a t-test corrected for overlapping training sets."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ccalign_jax.statistics._constants import LEVEL

__all__ = ["corrected_resampled_t"]


def corrected_resampled_t(
    changes: Float[np.ndarray, "folds ..."], *, test_share: float, level: float = LEVEL
) -> tuple[Float[np.ndarray, ...], Float[np.ndarray, ...], Float[np.ndarray, ...]]:
    """Corrected resampled t-test: interval and p-value of the mean change over folds.

    Folds share most of what they train on, so their mean varies by more than a J-th of their variance. It is given
    (1/J + test_share) of it, and Student's t with J − 1 degrees of freedom; `test_share=0` is the plain t-test. The
    correction is an approximation: with five folds it has little power, and no test over folds is exact.

    Args:
        changes: `[folds, ...]`, one change a fold.
        test_share: rows tested on over rows trained on in a fold, ≥ 0; 1/4 for five-fold cross-validation.
        level: of the interval, in (0, 1).

    Returns:
        Lower end, upper end and two-sided p-value, each `[...]` float64. With one fold all are NaN. Where all
        folds changed by the same, the interval is that one change, and p is 1 if it is 0, else 0.

    Raises:
        ValueError: no fold, a negative share, or a level outside (0, 1).

    References:
        Nadeau & Bengio, 2003, "Inference for the Generalization Error".

    Example:
        >>> found = corrected_resampled_t(np.array([0.02, 0.03, 0.01, 0.04]), test_share=0.25)
        >>> [round(float(part), 4) for part in found]
        [-0.0041, 0.0541, 0.0714]
    """
    from scipy.special import stdtr, stdtrit  # Student's t: its distribution, and the inverse of that

    changes = np.asarray(changes, np.float64)
    if not changes.ndim or not len(changes):
        raise ValueError("there is no fold to test")
    if not test_share >= 0:
        raise ValueError(f"test_share is {test_share}; it must be at least 0")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must be above 0 and below 1")
    folds = len(changes)
    mean = changes.mean(0)
    if folds == 1:
        nothing = np.full_like(mean, np.nan)
        return nothing, nothing.copy(), nothing.copy()
    same = (changes == changes[0]).all(0)  # rounding of the mean would leave a variance
    mean = np.where(same, changes[0], mean)
    error = np.where(same, 0.0, np.sqrt((1 / folds + test_share) * changes.var(0, ddof=1)))
    statistic = np.divide(mean, error, out=np.where(mean == 0, 0.0, np.inf), where=~same)
    p = 2 * stdtr(folds - 1, -np.abs(statistic))
    half = stdtrit(folds - 1, (1 + level) / 2) * error
    return mean - half, mean + half, p

"""Verdicts on changes: gain, loss or no evidence."""

from __future__ import annotations

from typing import Literal

from ccalign_jax.statistics._constants import ALPHA

__all__ = ["Verdict", "verdict"]

Verdict = Literal["gain", "claimed gain", "no evidence", "loss"]


def verdict(change: float, p_adjusted: float | None, *, optimistic: bool = False, alpha: float = ALPHA) -> Verdict:
    """ "gain" or "loss" where the adjusted p-value is below alpha, else "no evidence", which is not evidence of none.

    Args:
        change: above 0 is better; of a metric where less is better, its negative.
        p_adjusted: two-sided, adjusted for all changes that are judged together; None or NaN if there was no test.
        optimistic: the map was chosen on the images that the change is measured on, which biases it upwards: what
            would be a "gain" is a "claimed gain".
        alpha: in (0, 1).

    Example:
        >>> verdict(0.02, 0.001), verdict(-0.02, 0.001), verdict(0.02, 0.2), verdict(0.02, None)
        ('gain', 'loss', 'no evidence', 'no evidence')
        >>> verdict(0.02, 0.001, optimistic=True)
        'claimed gain'
    """
    if p_adjusted is None or not p_adjusted < alpha:
        return "no evidence"
    if change > 0:
        return "claimed gain" if optimistic else "gain"
    return "loss" if change < 0 else "no evidence"

"""Separation of pairs from other rows under the identity, which decides what regressions shrink to."""

from __future__ import annotations

import numpy as np

from ccalign_jax.solvers.moments import Moments, centred

__all__ = ["AT_CHANCE", "identity_informs", "identity_separation"]

AT_CHANCE = 0.5  # d′ below which R@1 is within about three times chance, for galleries of tens to thousands


def identity_separation(moments: Moments) -> float:
    """d′ of the identity: the mean inner product of pairs less that of other rows, over the latter's deviation.

    Of centred rows, tr(C_xy) / √tr(C_xx C_yy): 0 for unrelated rows. Unlike a test
    statistic it does not grow with the number of rows, and unlike recall it does not depend on the size of the gallery.

    Args:
        moments: of text rows and targets of one width.

    Raises:
        ValueError: widths that differ, where the identity means nothing; or no rows.

    Example:
        >>> from ccalign_jax.solvers.moments import add_rows, empty_moments
        >>> rows = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> turned = rows @ np.array([[0.0, 1.0], [-1.0, 0.0]])
        >>> [round(identity_separation(add_rows(empty_moments(2, 2), rows, y)), 3) for y in (rows, turned)]
        [1.414, 0.0]
    """
    d_text, d_target = moments.text_target.shape
    if d_text != d_target:
        raise ValueError(f"text rows have width {d_text}, targets {d_target}; the identity needs one width")
    about = centred(moments)
    variance = float(np.vdot(about.text_text, about.target_target))
    # Equal rows carry no information either way; their centred moments are rounding errors.
    rounding = np.finfo(np.float64).eps * float(moments.text_text.trace() * moments.target_target.trace())
    return float(about.text_target.trace() / np.sqrt(variance)) if variance > rounding else np.inf


def identity_informs(moments: Moments) -> bool:
    """Whether the identity retrieves above chance: both sides have one width, and its d′ is above `AT_CHANCE`.

    Example:
        >>> from ccalign_jax.solvers.moments import empty_moments
        >>> identity_informs(empty_moments(2, 3))
        False
    """
    d_text, d_target = moments.text_target.shape
    return d_text == d_target and identity_separation(moments) > AT_CHANCE

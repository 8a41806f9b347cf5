"""Regularised canonical correlation analysis, and the similarity that weights its columns by their correlation."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ccalign_jax.numerics import AnyArray, unit_rows
from ccalign_jax.solvers.moments import Moments
from ccalign_jax.solvers.procrustes import TwoSided, multi_step

__all__ = ["cca", "csa_rows"]


def cca(moments: Moments, *, penalty: float = 1.0, dimensions: int | None = None) -> TwoSided:
    """Maps of both sides whose columns, over the training rows, have variance 1 and the largest correlations.

    Hotelling, 1936, "Relations between two sets of variates", with the covariances C_xx + λI and C_yy + μI of the
    canonical ridge (Vinod, 1976); n ≤ d needs them, or every correlation is 1. With them variances are below 1, and
    `correlations` are the singular values of (C_xx + λI)^-½ C_xy (C_yy + μI)^-½, below the correlations proper.

    Args:
        moments: of text rows and targets.
        penalty: λ over the mean variance of a text dimension, and μ over that of a target dimension. What is far below
            1 lets hundreds of columns of noise weigh as much as the first.
        dimensions: how many columns are kept, from the first, most correlated; min(d_text, d_target) by default.

    Example:
        >>> from ccalign_jax.solvers.moments import add_rows, empty_moments
        >>> rows = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [0.0, -3.0]])
        >>> found = cca(add_rows(empty_moments(2, 2), rows, rows[:, ::-1]), penalty=0.0)
        >>> found.correlations.round(6).tolist()
        [1.0, 1.0]
    """
    found = multi_step(
        moments,
        penalty=penalty,
        text_reweight=0.0,
        target_reweight=0.0,
        text_dewhiten=None,
        target_dewhiten=None,
        dimensions=dimensions,
    )
    size = np.sqrt(moments.weight)  # moments are sums, variances are means
    return found._replace(text_map=size * found.text_map, target_map=size * found.target_map)


def csa_rows(projected: Float[AnyArray, "n k"], correlations: Float[AnyArray, " k"]) -> Float[Array, "n k"]:
    """Rows whose inner products are the canonical similarity Σᵢ ρᵢ aᵢbᵢ / (‖a‖ ‖b‖) of projected rows a and b.

    Li, Chinchali & Topcu, 2025, "CSA: Data-efficient Mapping of Unimodal Features to Multimodal Features" (ICLR).
    The rows are not unit rows, and taking their cosine instead is another similarity.

    Args:
        projected: `[n, k]`, rows of either side through its map of `cca`; a zero row stays zero.
        correlations: `[k]`, those of `cca`, at least 0.

    Example:
        >>> text, image = csa_rows(jnp.array([[3.0, 4.0]]), jnp.array([1.0, 0.5])), jnp.array([[2.0, 0.0]])
        >>> round(float(jnp.vdot(text, csa_rows(image, jnp.array([1.0, 0.5])))), 6)
        0.6
    """
    return unit_rows(jnp.asarray(projected)) * jnp.sqrt(jnp.asarray(correlations))

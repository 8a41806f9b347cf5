"""Mixture of linear maps, weighted for each row by a gate."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ccalign_jax.aligners._base import Aligner, Params, keep_rows
from ccalign_jax.numerics import resize_rows

__all__ = ["mixture", "mixture_gates"]


def mixture(d_text: int, d_out: int, *, experts: int = 4) -> Aligner:
    """Mixture of experts x ↦ Σ g_k(x) x(E + D_k), g = softmax(xG + b), exactly the identity at first (D_k = b = 0).

    A dense mixture of experts, without routing or a load-balancing loss. experts · (d_text · d_out + d_text + 1)
    parameters, experts · (d_text · d_out + d_text + d_out) multiply-adds a row.

    Args:
        experts: K, > 0; one expert is `residual`.

    References:
        Jacobs, Jordan, Nowlan & Hinton, Adaptive Mixtures of Local Experts, Neural Computation 3, 1991

    Example:
        >>> aligner = mixture(2, 2, experts=3)
        >>> aligner.text(aligner.init(jax.random.key(0)), jnp.ones((1, 2)), 0).tolist()
        [[1.0, 1.0]]
    """

    def init(key: jax.Array) -> Params:
        return {
            "delta": jnp.zeros((experts, d_text, d_out)),
            # Random, or all experts would have the same gradient for ever; logits of unit rows have variance one.
            "gate": jax.random.normal(key, (d_text, experts)),
            "bias": jnp.zeros(experts),
        }

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        each = jnp.einsum("md,kdo->mko", text, params["delta"])
        # Σ g_k = 1, so that E stands outside the sum, where rounding cannot reach it.
        return resize_rows(text, d_out) + jnp.einsum("mk,mko->mo", mixture_gates(params, text), each)

    return Aligner(init=init, text=text, image=keep_rows, deviation=lambda params: params["delta"])


def mixture_gates(params: Params, rows: Float[Array, "m d_text"]) -> Float[Array, "m experts"]:
    """Gate weights g(x) of `mixture`, ≥ 0, with a sum of 1 for each row."""
    return jax.nn.softmax(rows @ params["gate"] + params["bias"], axis=-1)

"""Nonlinear heads: layers built with Flax NNX, split once, and merged inside a pure function."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ccalign_jax.aligners._base import Aligner, Params, keep_rows
from ccalign_jax.numerics import resize_rows

__all__ = ["residual_mlp"]


def residual_mlp(d_text: int, d_out: int, *, hidden: int = 512) -> Aligner:
    """x ↦ xE + GELU(xW₁ + b₁)W₂ + b₂, exactly the identity at first (W₂ = b₂ = 0).

    Exact GELU, dropout on the hidden layer; (d_text + 1) · hidden + (hidden + 1) · d_out parameters.

    Example:
        >>> aligner = residual_mlp(2, 2, hidden=4)
        >>> aligner.text(aligner.init(jax.random.key(0)), jnp.ones((1, 2)), 0).tolist()
        [[1.0, 1.0]]
    """
    from flax import nnx  # 0.5 s to import, which only this aligner should pay

    class Head(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            zeros = nnx.initializers.zeros_init()
            self.expand = nnx.Linear(d_text, hidden, rngs=rngs)
            self.contract = nnx.Linear(hidden, d_out, kernel_init=zeros, rngs=rngs)

        def __call__(self, text, key, dropout):
            active = jax.nn.gelu(self.expand(text), approximate=False)
            if key is not None:
                kept = jax.random.bernoulli(key, 1.0 - dropout, active.shape)
                active = jnp.where(kept, active / (1.0 - dropout), 0.0)
            return resize_rows(text, d_out) + self.contract(active)

    graph, shapes = nnx.split(nnx.eval_shape(lambda: Head(nnx.Rngs(0))))

    def init(key: jax.Array) -> Params:
        return nnx.to_pure_dict(nnx.state(Head(nnx.Rngs(key))))

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        state = jax.tree.map(lambda leaf: leaf, shapes)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(graph, state)(text, key, dropout)

    return Aligner(
        init=init,
        text=text,
        image=keep_rows,
        deviation=_output_layer,
    )


def _output_layer(params: Params) -> Params:
    return params["contract"]

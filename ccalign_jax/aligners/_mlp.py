"""Nonlinear maps: layers built with Flax NNX, split once, and merged inside a pure function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ccalign_jax.aligners._base import Aligner, Params, keep_rows
from ccalign_jax.numerics import resize_rows

__all__ = ["gated_mlp", "mlp", "residual_mlp"]


def mlp(d_text: int, d_out: int, *, hidden: int = 512) -> Aligner:
    """MLP x ↦ GELU(xW₁ + b₁)W₂ + b₂, random at first: for spaces of which the identity knows nothing.

    Exact GELU, dropout on the hidden layer; parameters and multiply-adds as of `residual_mlp`. It is never the
    identity, and has no deviation from it.

    Example:
        >>> aligner = mlp(2, 3, hidden=4)
        >>> aligner.text(aligner.init(jax.random.key(0)), jnp.ones((1, 2)), 0).shape
        (1, 3)
    """
    from flax import nnx

    class Head(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            self.expand = nnx.Linear(d_text, hidden, rngs=rngs)
            self.contract = nnx.Linear(hidden, d_out, rngs=rngs)

        def __call__(self, text, key, dropout):
            return self.contract(_drop(jax.nn.gelu(self.expand(text), approximate=False), key, dropout))

    return _head(Head)._replace(deviation=lambda params: {})


def residual_mlp(d_text: int, d_out: int, *, hidden: int = 512) -> Aligner:
    """Residual MLP x ↦ xE + GELU(xW₁ + b₁)W₂ + b₂, exactly the identity at first (W₂ = b₂ = 0).

    Exact GELU, dropout on the hidden layer; (d_text + 1) · hidden + (hidden + 1) · d_out parameters,
    (d_text + d_out) · hidden multiply-adds a row.

    Example:
        >>> aligner = residual_mlp(2, 2, hidden=4)
        >>> aligner.text(aligner.init(jax.random.key(0)), jnp.ones((1, 2)), 0).tolist()
        [[1.0, 1.0]]
    """
    from flax import nnx  # 0.5 s to import, which only these aligners should pay

    class Head(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            zeros = nnx.initializers.zeros_init()
            self.expand = nnx.Linear(d_text, hidden, rngs=rngs)
            self.contract = nnx.Linear(hidden, d_out, kernel_init=zeros, rngs=rngs)

        def __call__(self, text, key, dropout):
            active = _drop(jax.nn.gelu(self.expand(text), approximate=False), key, dropout)
            return resize_rows(text, d_out) + self.contract(active)

    return _head(Head)


def gated_mlp(d_text: int, d_out: int, *, hidden: int = 512) -> Aligner:
    """Gated MLP (SwiGLU) x ↦ xE + (SiLU(xW₁) ⊙ xW₂)W₃ without biases, exactly the identity at first (W₃ = 0).

    Dropout on the hidden layer; (2 · d_text + d_out) · hidden parameters and multiply-adds a row.

    References:
        Shazeer, GLU Variants Improve Transformer, 2020, https://arxiv.org/abs/2002.05202

    Example:
        >>> aligner = gated_mlp(2, 2, hidden=4)
        >>> aligner.text(aligner.init(jax.random.key(0)), jnp.ones((1, 2)), 0).tolist()
        [[1.0, 1.0]]
    """
    from flax import nnx

    class Head(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            zeros = nnx.initializers.zeros_init()
            self.gate = nnx.Linear(d_text, hidden, use_bias=False, rngs=rngs)
            self.expand = nnx.Linear(d_text, hidden, use_bias=False, rngs=rngs)
            self.contract = nnx.Linear(hidden, d_out, use_bias=False, kernel_init=zeros, rngs=rngs)

        def __call__(self, text, key, dropout):
            active = _drop(jax.nn.silu(self.gate(text)) * self.expand(text), key, dropout)
            return resize_rows(text, d_out) + self.contract(active)

    return _head(Head)


def _drop(active: Float[Array, "m hidden"], key: Array | None, dropout: float | Array) -> Float[Array, "m hidden"]:
    """Inverted dropout: the mean stays; without a key nothing is dropped."""
    if key is None:
        return active
    kept = jax.random.bernoulli(key, 1.0 - dropout, active.shape)
    return jnp.where(kept, active / (1.0 - dropout), 0.0)


def _head(head: Callable[..., Any]) -> Aligner:
    """The aligner of an NNX module that is called as `module(text, key, dropout)` and ends in a layer `contract`."""
    from flax import nnx

    graph, shapes = nnx.split(nnx.eval_shape(lambda: head(nnx.Rngs(0))))

    def init(key: jax.Array) -> Params:
        return nnx.to_pure_dict(nnx.state(head(nnx.Rngs(key))))

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        state = jax.tree.map(lambda leaf: leaf, shapes)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(graph, state)(text, key, dropout)

    return Aligner(
        init=init,
        text=text,
        image=keep_rows,
        deviation=lambda params: params["contract"],
    )

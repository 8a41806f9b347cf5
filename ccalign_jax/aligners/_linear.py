"""Linear maps: identity, unconstrained W, and residual W = E + D."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ccalign_jax.aligners._base import Aligner, Params, keep_rows
from ccalign_jax.numerics import resize_rows

__all__ = ["identity", "linear", "residual"]


def identity(d_text: int, d_out: int) -> Aligner:
    """x ↦ xE, with no parameters: the rectangular identity where d_text ≠ d_out.

    Example:
        >>> identity(2, 2).text({}, jnp.ones((1, 2)), 0).tolist()
        [[1.0, 1.0]]
    """
    return Aligner(
        init=lambda key: {},
        text=lambda params, text, language, *, key=None, dropout=0.0: resize_rows(text, d_out),
        image=keep_rows,
        deviation=lambda params: {},
        matrix=lambda params: jnp.eye(d_text, d_out),
    )


def linear(d_text: int, d_out: int) -> Aligner:
    """x ↦ xW, W unconstrained and random at first (LeCun normal); d_text · d_out parameters.

    Example:
        >>> linear(3, 2).init(jax.random.key(0))["weight"].shape
        (3, 2)
    """

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        return text @ params["weight"]

    return Aligner(
        init=lambda key: {"weight": jax.nn.initializers.lecun_normal()(key, (d_text, d_out))},
        text=text,
        image=keep_rows,
        deviation=lambda params: params["weight"] - jnp.eye(d_text, d_out),
        matrix=lambda params: params["weight"],
    )


def residual(d_text: int, d_out: int) -> Aligner:
    """x ↦ xE + xD, exactly the identity at first (D = 0); d_text · d_out parameters.

    Example:
        >>> aligner = residual(2, 2)
        >>> aligner.text(aligner.init(jax.random.key(0)), jnp.ones((1, 2)), 0).tolist()
        [[1.0, 1.0]]
    """

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        # Apart from D, so that D = 0 is the identity to the last bit on every device.
        return resize_rows(text, d_out) + text @ params["delta"]

    return Aligner(
        init=lambda key: {"delta": jnp.zeros((d_text, d_out))},
        text=text,
        image=keep_rows,
        deviation=lambda params: params["delta"],
        matrix=lambda params: jnp.eye(d_text, d_out) + params["delta"],
    )

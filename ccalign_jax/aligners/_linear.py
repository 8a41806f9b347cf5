"""Linear and affine maps: identity, shift, diagonal, unconstrained W, residual W = E + D, and low-rank E + UVᵀ.

E is the rectangular identity [d_text, d_out], so that xE cuts a row or pads it with zeros. It is applied apart from
what is learned, so that a map that starts as the identity is it to the last bit on every device.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ccalign_jax.aligners._base import Aligner, Params, keep_rows
from ccalign_jax.numerics import resize_rows

__all__ = ["diagonal", "identity", "linear", "low_rank", "residual", "shift"]


def identity(d_text: int, d_out: int) -> Aligner:
    """Identity map x ↦ xE, with no parameters: the rectangular identity where d_text ≠ d_out.

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


def shift(d_text: int, d_out: int) -> Aligner:
    """Shift x ↦ xE + b, exactly the identity at first (b = 0); d_out parameters, no multiply-adds.

    Example:
        >>> shift(3, 2).text({"bias": jnp.array([1.0, 2.0])}, jnp.ones((1, 3)), 0).tolist()
        [[2.0, 3.0]]
    """

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        return resize_rows(text, d_out) + params["bias"]

    return Aligner(
        init=lambda key: {"bias": jnp.zeros(d_out)},
        text=text,
        image=keep_rows,
        deviation=lambda params: params["bias"],
    )


def diagonal(d_text: int, d_out: int) -> Aligner:
    """Diagonal map x ↦ (x ⊙ s)E with s = 1 + δ, exactly the identity at first (δ = 0).

    The parameter is δ, so that weight decay pulls to the identity. min(d_text, d_out) parameters, and as many
    multiply-adds a row.

    Example:
        >>> diagonal(2, 3).text({"delta": jnp.array([1.0, -1.0])}, jnp.ones((1, 2)), 0).tolist()
        [[2.0, 0.0, 0.0]]
    """

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        kept = resize_rows(text, min(d_text, d_out))
        return resize_rows(kept + kept * params["delta"], d_out)

    return Aligner(
        init=lambda key: {"delta": jnp.zeros(min(d_text, d_out))},
        text=text,
        image=keep_rows,
        deviation=lambda params: params["delta"],
        matrix=lambda params: jnp.eye(d_text, d_out) * (1.0 + resize_rows(params["delta"], d_out)),
    )


def linear(d_text: int, d_out: int) -> Aligner:
    """Linear map x ↦ xW, random at first (LeCun normal); d_text · d_out parameters and multiply-adds a row.

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
    """Residual map x ↦ xE + xD, the identity at first (D = 0); d_text · d_out parameters and multiply-adds a row.

    Example:
        >>> aligner = residual(2, 2)
        >>> aligner.text(aligner.init(jax.random.key(0)), jnp.ones((1, 2)), 0).tolist()
        [[1.0, 1.0]]
    """

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        return resize_rows(text, d_out) + text @ params["delta"]

    return Aligner(
        init=lambda key: {"delta": jnp.zeros((d_text, d_out))},
        text=text,
        image=keep_rows,
        deviation=lambda params: params["delta"],
        matrix=lambda params: jnp.eye(d_text, d_out) + params["delta"],
    )


def low_rank(d_text: int, d_out: int, *, rank: int = 32) -> Aligner:
    """Low-rank residual map x ↦ xE + xUVᵀ, exactly the identity at first (V = 0, U LeCun normal), both trained.

    The parametrisation of LoRA (Hu et al., 2022), without its scale. (d_text + d_out) · rank parameters and
    multiply-adds a row: fewer than a full D where rank < d_text · d_out / (d_text + d_out).

    Args:
        rank: columns of U `[d_text, rank]` (`down`) and V `[d_out, rank]` (`up` is Vᵀ), > 0.

    Example:
        >>> params = low_rank(3, 2, rank=1).init(jax.random.key(0))
        >>> params["down"].shape, params["up"].shape
        ((3, 1), (1, 2))
    """

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        return resize_rows(text, d_out) + (text @ params["down"]) @ params["up"]

    def init(key: jax.Array) -> Params:
        return {
            "down": jax.nn.initializers.lecun_normal()(key, (d_text, rank)),
            "up": jnp.zeros((rank, d_out)),
        }

    return Aligner(
        init=init,
        text=text,
        image=keep_rows,
        deviation=lambda params: params["down"] @ params["up"],
        matrix=lambda params: jnp.eye(d_text, d_out) + params["down"] @ params["up"],
    )

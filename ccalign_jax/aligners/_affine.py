"""Affine maps, the form of every closed-form solution: rows less a mean, times a matrix, plus a mean."""

from __future__ import annotations

import jax.numpy as jnp

from ccalign_jax.aligners._base import Aligner, Params, keep_rows
from ccalign_jax.numerics import resize_rows

__all__ = ["affine"]


def affine(d_text: int, d_out: int) -> Aligner:
    """Affine map x ↦ (x − m)(E + D) + c, the identity at first; closed forms set its parameters.

    Parameters: `mean` `[d_text]`, `delta` `[d_text, d_out]` and `offset` `[d_out]`, all frozen: (d_text + 1) · (d_out
    + 1) − 1 in all. Cost: d_text · d_out multiply-adds a row.

    Example:
        >>> aligner = affine(2, 2)
        >>> import jax
        >>> aligner.text(aligner.init(jax.random.key(0)), jnp.ones((1, 2)), 0).tolist()
        [[1.0, 1.0]]
    """

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        rows = text - params["mean"]
        return resize_rows(rows, d_out) + rows @ params["delta"] + params["offset"]

    return Aligner(
        init=lambda key: {
            "mean": jnp.zeros(d_text),
            "delta": jnp.zeros((d_text, d_out)),
            "offset": jnp.zeros(d_out),
        },
        text=text,
        image=keep_rows,
        deviation=lambda params: params,
        linear_part=lambda params: jnp.eye(d_text, d_out) + params["delta"],
        frozen=frozenset({"mean", "delta", "offset"}),
    )

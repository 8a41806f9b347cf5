"""Language-conditional maps: one shared by all languages, and a small part for each.

A language outside the list (-1, or a number too large) has no part of its own and uses the shared map; so does one of
the list that had no caption in training, whose part is still zero.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ccalign_jax.aligners._base import Aligner, Params, keep_rows
from ccalign_jax.numerics import resize_rows

__all__ = ["conditional", "film"]


def conditional(d_text: int, d_out: int, languages: int, *, rank: int = 32) -> Aligner:
    """x ↦ x(E + D + U_l V_lᵀ): a shared D and a low-rank part a language, exactly the identity at first (D = V = 0).

    d_text · d_out + languages · (d_text + d_out) · rank parameters, d_text · d_out + (d_text + d_out) · rank
    multiply-adds a row.

    Args:
        languages: how many languages have a part, > 0.
        rank: columns of U_l `[d_text, rank]` (`down`) and V_l `[d_out, rank]` (`up` is V_lᵀ), > 0.

    Returns:
        Aligner; its matrix is `[languages, d_text, d_out]`.

    Example:
        >>> aligner = conditional(3, 2, 4, rank=1)
        >>> aligner.matrix(aligner.init(jax.random.key(0))).shape
        (4, 3, 2)
    """

    def init(key: jax.Array) -> Params:
        keys = jax.random.split(key, languages)
        down = jax.vmap(lambda own: jax.nn.initializers.lecun_normal()(own, (d_text, rank)))(keys)
        return {"shared": jnp.zeros((d_text, d_out)), "down": down, "up": jnp.zeros((languages, rank, d_out))}

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        own = (text @ _part(params["down"], language)) @ _part(params["up"], language)
        return resize_rows(text, d_out) + text @ params["shared"] + own

    return Aligner(
        init=init,
        text=text,
        image=keep_rows,
        deviation=lambda params: {"shared": params["shared"], "own": params["down"] @ params["up"]},
        matrix=lambda params: jnp.eye(d_text, d_out) + params["shared"] + params["down"] @ params["up"],
    )


def film(d_text: int, d_out: int, languages: int) -> Aligner:
    """x ↦ x(E + D) ⊙ (1 + γ_l) + β_l: a shared D, then a scale and a shift of each feature by language.

    Feature-wise linear modulation with the language as the condition; exactly the identity at first (D = γ = β = 0).
    d_text · d_out + 2 · languages · d_out parameters, (d_text + 1) · d_out multiply-adds a row.

    Args:
        languages: how many languages have a scale and a shift, > 0.

    References:
        Perez et al., FiLM: Visual Reasoning with a General Conditioning Layer, AAAI 2018,
        https://arxiv.org/abs/1709.07871

    Example:
        >>> aligner = film(1, 1, 2)
        >>> scale, shift = jnp.array([[0.0], [2.0]]), jnp.array([[0.0], [5.0]])
        >>> params = {"shared": jnp.ones((1, 1)), "scale": scale, "shift": shift}
        >>> [float(aligner.text(params, jnp.ones((1, 1)), language)[0, 0]) for language in (0, 1, -1)]
        [2.0, 11.0, 2.0]
    """

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        shared = resize_rows(text, d_out) + text @ params["shared"]
        return shared + shared * _part(params["scale"], language) + _part(params["shift"], language)

    def init(key: jax.Array) -> Params:
        zeros = jnp.zeros((languages, d_out))
        return {"shared": jnp.zeros((d_text, d_out)), "scale": zeros, "shift": zeros}

    return Aligner(init=init, text=text, image=keep_rows, deviation=lambda params: params)


def _part(leaf: Float[Array, "languages ..."], language: int | Array) -> Float[Array, ...]:
    """A language's own part; zeros for one that is not in the list."""
    return jnp.asarray(leaf).at[language].get(mode="fill", fill_value=0.0, wrap_negative_indices=False)

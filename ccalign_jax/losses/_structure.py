"""Losses on similarities within one side: Gram matrix matching, and preservation of neighbour distributions."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ccalign_jax.losses._batch import as_languages, gather, language_mean, one_each, places, similarity
from ccalign_jax.numerics import masked_log_sum_exp

__all__ = ["gram_loss", "structure_loss"]


def gram_loss(
    text: Float[Array, "*languages b d"],
    target: Float[Array, "b d"],
    *,
    mask: Bool[Array, "*languages b"] | None = None,
    axis_name: str | None = None,
) -> Float[Array, ""]:
    """Mean squared difference of the captions' Gram matrix and the targets', off the diagonal.

    It does not change under a rotation of all captions, so it does not align by itself.

    Args:
        text, target, axis_name: as in `clip_loss`; used as given, so pass unit rows for cosine similarity.
        mask: True where the caption and its target exist; all by default. Every language weighs the same.

    Returns:
        The mean over pairs of captions of one language, ≥ 0, float32 or wider; 0 where there are none.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> float(gram_loss(jnp.eye(3), jnp.eye(3)[jnp.zeros(3, int)]))  # nothing alike, and nothing different
        1.0
    """
    text, target, mask = as_languages(text, target, mask)
    others = _others(mask, axis_name)
    gap = _scores(text, axis_name) - _scores(target[None], axis_name)
    count = jnp.sum(others, axis=-1)
    terms = jnp.sum(jnp.where(others, jnp.square(gap), 0.0), axis=-1) / jnp.maximum(count, 1)
    return language_mean(terms, mask & (count > 0), axis_name)


def structure_loss(
    mapped: Float[Array, "*languages b d"],
    original: Float[Array, "*languages b d_original"],
    *,
    temperature: float | Float[Array, ""],
    mask: Bool[Array, "*languages b"] | None = None,
    axis_name: str | None = None,
) -> Float[Array, ""]:
    """Jensen–Shannon divergence of the neighbour distributions of rows before and after a map.

    Row i's distribution over the other rows of its language is the softmax of its similarities divided by
    the temperature, once among the mapped rows and once among the original ones. Zero for every rotation, so it does
    not align by itself: add it to a loss that does.

    Args:
        mapped: `[b, d]` or `[languages, b, d]`; used as given, so pass unit rows for cosine similarity.
        original: the same rows before the map, `[b, d_original]` or `[languages, b, d_original]`.
        temperature: positive; divides the similarities. The lower, the fewer neighbours count.
        mask: True where the row exists; all by default. Every language weighs the same.
        axis_name: as in `clip_loss`.

    Returns:
        The mean divergence in nats, in [0, log 2], float32 or wider; 0 where no row has another.

    Raises:
        ValueError: shapes that do not fit.

    References:
        Lin, 1991, "Divergence Measures Based on the Shannon Entropy".

    Example:
        >>> rows = jnp.eye(3)
        >>> float(structure_loss(rows[:, ::-1], rows, temperature=0.1))
        0.0
    """
    mapped, original = jnp.asarray(mapped), jnp.asarray(original)
    if mapped.ndim not in (2, 3) or mapped.shape[:-1] != original.shape[:-1]:
        raise ValueError(
            f"mapped {mapped.shape} and original {original.shape} must both be [b, d] or both [languages, b, d]"
        )
    mask = one_each(mask, "mask", mapped.shape[:-1])
    if mapped.ndim == 2:
        mapped, original, mask = mapped[None], original[None], mask[None]
    others = _others(mask, axis_name)

    def log_shares(rows: Array) -> Array:
        scores = _scores(rows, axis_name) / temperature
        return jnp.where(others, scores - masked_log_sum_exp(scores, others)[..., None], 0.0)

    after, before = log_shares(mapped), log_shares(original)
    middle = jnp.logaddexp(after, before) - jnp.log(2.0)
    divergence = jnp.exp(after) * (after - middle) + jnp.exp(before) * (before - middle)
    terms = 0.5 * jnp.sum(jnp.where(others, divergence, 0.0), axis=-1)
    return language_mean(terms, mask & jnp.any(others, axis=-1), axis_name)


def _scores(rows: Float[Array, "languages b d"], axis_name: str | None) -> Float[Array, "languages b everywhere"]:
    return similarity("lbd,lcd->lbc", rows, gather(rows, axis_name, axis=1))


def _others(mask: Bool[Array, "languages b"], axis_name: str | None) -> Bool[Array, "languages b everywhere"]:
    """Rows that exist, are of the same language, and are not the row itself."""
    everywhere = gather(mask, axis_name, axis=1)
    itself = places(mask.shape[1], axis_name)[:, None] == jnp.arange(everywhere.shape[1])
    return everywhere[:, None, :] & ~itself

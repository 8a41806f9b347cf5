"""Losses on the hardest negatives: the hardest one (triplet), or the mean of the k nearest (RCSLS)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ccalign_jax.losses._batch import language_mean
from ccalign_jax.losses._directions import Direction, Pool, directions

__all__ = ["rcsls_loss", "triplet_loss"]


def triplet_loss(
    text: Float[Array, "*languages b d"],
    image: Float[Array, "b d"],
    *,
    margin: float | Float[Array, ""] = 0.2,
    mask: Bool[Array, "*languages b"] | None = None,
    image_mask: Bool[Array, " b"] | None = None,
    groups: Int[Array, " b"] | None = None,
    i2t_pool: Pool = "union",
    axis_name: str | None = None,
) -> Float[Array, ""]:
    """Triplet loss with the hardest rival, max(0, margin + rival − own), text→image plus image→text.

    Known positives are no rivals. Rivals that tie for the hardest share its gradient.

    Args:
        text, image, mask, image_mask, groups, axis_name: as in `clip_loss`. Every language weighs the same.
        margin: by how much the pair's own similarity shall exceed that of its hardest rival, ≥ 0.
        i2t_pool: an image's rivals are the captions of all languages together, or of one at a time.

    Returns:
        The mean over pairs of the sum of both hinges, ≥ 0, float32 or wider; 0 where nothing has a rival.

    Raises:
        ValueError: shapes that do not fit, or an unknown `i2t_pool`.

    References:
        Faghri et al., 2018, "VSE++: Improving Visual-Semantic Embeddings with Hard Negatives".

    Example:
        >>> rows = jnp.eye(3)
        >>> float(triplet_loss(rows, rows)), float(triplet_loss(rows, rows[jnp.array([1, 2, 0])], margin=0.5))
        (0.0, 3.0)
    """
    both = directions(
        text, image, mask=mask, image_mask=image_mask, groups=groups, i2t_pool=i2t_pool, axis_name=axis_name
    )
    pairs = both[0].anchors

    def one_direction(direction: Direction) -> Array:
        hardest = jnp.max(jnp.where(direction.rivals, direction.scores, -jnp.inf), axis=-1)
        return language_mean(jax.nn.relu(margin + hardest - direction.own), pairs, axis_name)

    return one_direction(both[0]) + one_direction(both[1])


def rcsls_loss(
    text: Float[Array, "*languages b d"],
    image: Float[Array, "b d"],
    *,
    neighbours: int = 10,
    mask: Bool[Array, "*languages b"] | None = None,
    image_mask: Bool[Array, " b"] | None = None,
    groups: Int[Array, " b"] | None = None,
    mask_positives: bool = True,
    i2t_pool: Pool = "union",
    axis_name: str | None = None,
) -> Float[Array, ""]:
    """Relaxed CSLS: −2 own + mean of the caption's nearest images + mean of the image's nearest captions.

    It pulls pairs together and penalises hubs, rows that are near to all others.

    Args:
        text, image, mask, image_mask, groups, axis_name: as in `clip_loss`. Every language weighs the same.
        neighbours: how many of the nearest, ≥ 1, static; all of them where there are fewer.
        mask_positives: known positives are no neighbours. False lets them be, the pair itself among them, as
            Joulin et al. do over a whole vocabulary; in a batch with few neighbours the pair then cancels much of its
            own gradient.
        i2t_pool: an image's neighbours are among the captions of all languages, or of the pair's own.

    Returns:
        The mean over pairs, float32 or wider, in [−4, 4] for unit rows; 0 where all is masked.

    Raises:
        ValueError: shapes that do not fit, an unknown `i2t_pool`, or `neighbours` below 1.

    References:
        Joulin et al., 2018, "Loss in Translation: Learning Bilingual Word Mapping with a Retrieval Criterion".

    Example:
        >>> rows = jnp.eye(3)
        >>> float(rcsls_loss(rows, rows)), float(rcsls_loss(rows, rows, neighbours=1, mask_positives=False))
        (-2.0, 0.0)
    """
    if neighbours < 1:
        raise ValueError(f"neighbours is {neighbours}; it must be at least 1")
    both = directions(
        text, image, mask=mask, image_mask=image_mask, groups=groups, i2t_pool=i2t_pool, axis_name=axis_name
    )
    pairs = both[0].anchors

    def one_direction(direction: Direction) -> Array:
        may_be = direction.rivals if mask_positives else direction.exists
        scores = jnp.where(may_be, direction.scores, -jnp.inf)
        nearest, _ = jax.lax.top_k(scores, min(neighbours, scores.shape[-1]))
        found = nearest > -jnp.inf
        mean = jnp.sum(jnp.where(found, nearest, 0.0), axis=-1) / jnp.maximum(jnp.sum(found, axis=-1), 1)
        return language_mean(mean - direction.own, pairs, axis_name)

    return one_direction(both[0]) + one_direction(both[1])

"""Combinators of aligners: a separate map for each language, or one map for each side."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ccalign_jax.aligners._base import Aligner, Params, keep_rows, linear_part

__all__ = ["dual", "per_language"]


def per_language(inner: Aligner, languages: int) -> Aligner:
    """A separate map for each language: `languages` times the parameters of `inner`, stacked.

    Each adapts to the captions of its language, and a row costs what it costs in `inner`.

    Args:
        inner: one-sided aligner.
        languages: how many languages there are; a caption's `language` picks the map.

    Raises:
        ValueError: `inner` trains image parameters (put `per_language` inside `dual` instead). The map itself
            raises it for a language, given as a plain number, that has none.

    Example:
        >>> from ccalign_jax.aligners import residual
        >>> per_language(residual(4, 4), 3).init(jax.random.key(0))["delta"].shape
        (3, 4, 4)
    """
    if inner.trains_image:
        raise ValueError("per_language takes a one-sided aligner; write dual(per_language(...))")

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        # Indexing would clamp it to another language's map; a traced number cannot be checked.
        if isinstance(language, int) and not 0 <= language < languages:
            raise ValueError(f"language {language} has no map; there are {languages}, numbered from 0")
        own = jax.tree.map(lambda leaf: jnp.asarray(leaf)[language], params)  # NumPy takes no traced index
        return inner.text(own, text, language, key=key, dropout=dropout)

    def adapt(params: Params, text, text_mask, image, image_mask, key):
        def one(own: Params, rows: jax.Array, mask: jax.Array, key: jax.Array) -> Params:
            assert inner.adapt is not None
            return inner.adapt(own, rows[None], mask[None], image, image_mask, key)

        return jax.vmap(one)(params, text, text_mask, jax.random.split(key, languages))

    return inner._replace(
        init=lambda key: jax.vmap(inner.init)(jax.random.split(key, languages)),
        text=text,
        image=keep_rows,
        deviation=jax.vmap(inner.deviation),
        matrix=None if inner.matrix is None else jax.vmap(inner.matrix),
        linear_part=None if inner.linear_part is None else jax.vmap(inner.linear_part),
        adapt=None if inner.adapt is None else adapt,
    )


def dual(text_side: Aligner, image_side: Aligner) -> Aligner:
    """Two-sided aligner: `text_side` maps captions and `image_side` maps images into a shared space.

    The parameters and the cost are those of both sides; each adapts to the rows that it maps.

    Args:
        text_side: one-sided aligner d_text → d_shared.
        image_side: one-sided aligner d_image → d_shared, applied to image rows, which have no language.

    Example:
        >>> from ccalign_jax.aligners import residual
        >>> sorted(dual(residual(4, 3), residual(3, 3)).init(jax.random.key(0)))
        ['image', 'text']
    """

    def init(key: jax.Array) -> Params:
        text_key, image_key = jax.random.split(key)
        return {"text": text_side.init(text_key), "image": image_side.init(image_key)}

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        return text_side.text(params["text"], text, language, key=key, dropout=dropout)

    def adapt(params: Params, text, text_mask, image, image_mask, key):
        text_key, image_key = jax.random.split(key)
        adapted = dict(params)
        if text_side.adapt is not None:
            adapted["text"] = text_side.adapt(params["text"], text, text_mask, image, image_mask, text_key)
        if image_side.adapt is not None:
            rows, mask = image[None], image_mask[None]
            adapted["image"] = image_side.adapt(params["image"], rows, mask, image, image_mask, image_key)
        return adapted

    of_text = linear_part(text_side)
    return Aligner(
        init=init,
        text=text,
        image=lambda params, image: image_side.text(params["image"], image, -1),
        deviation=lambda params: {
            "text": text_side.deviation(params["text"]),
            "image": image_side.deviation(params["image"]),
        },
        linear_part=None if of_text is None else lambda params: of_text(params["text"]),
        trains_image=True,
        frozen=text_side.frozen | image_side.frozen,
        adapt=None if text_side.adapt is None and image_side.adapt is None else adapt,
    )

"""The terms of each pivot: functions of the aligner, its parameters and a batch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ccalign_jax.aligners import Aligner, Params
from ccalign_jax.numerics import unit_rows
from ccalign_jax.pivots._registry import Batch, Term, Terms, TextRows, Weights

__all__ = [
    "auxiliary_terms",
    "centroid_terms",
    "consensus_terms",
    "image_terms",
    "map_languages",
    "symmetric_terms",
    "text_terms",
]


def _text_term(batch: Batch, anchors: Array, number: int) -> Term:
    """All captions to the frozen caption of one language."""
    has_target = batch.mask[number] & batch.image_mask
    return Term(anchors, batch.text[number], batch.mask & has_target, has_target, original=batch.text)


def _image_term(batch: Batch, anchors: Array, image: Array) -> Term:
    return Term(anchors, image, batch.mask, batch.image_mask, original=batch.text)


def image_terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows, hyper: Weights) -> list[Term]:
    """Captions to their frozen image."""
    return [_image_term(batch, map_text(batch.text), batch.image)]


def symmetric_terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows, hyper: Weights) -> list[Term]:
    """Captions to their image, which moves too."""
    return [_image_term(batch, map_text(batch.text), aligner.image(params, batch.image))]


def centroid_terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows, hyper: Weights) -> list[Term]:
    """Captions to the frozen mean of the other languages."""
    there = batch.mask & batch.image_mask
    rows = jnp.where(there[..., None], batch.text, 0.0)
    # Without the anchor's own caption, which would leak into its target.
    targets = unit_rows(jnp.sum(rows, axis=0) - rows)
    has_target = (jnp.sum(there, axis=0) - there) > 0
    return [Term(map_text(batch.text), targets, batch.mask & has_target, has_target, original=batch.text)]


def consensus_terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows, hyper: Weights) -> list[Term]:
    """Captions and images each to the consensus of all views; an image counts as much as all captions of it."""
    if batch.consensus is None:
        raise ValueError("the batch has no consensus; prepare it from the training images first")
    mapped, rows = aligner.image(params, batch.image)[None], batch.image[None]
    return [
        _image_term(batch, map_text(batch.text), batch.consensus)._replace(weight=0.5),
        Term(mapped, batch.consensus, batch.image_mask[None], batch.image_mask, weight=0.5, original=rows),
    ]


def text_terms(number: int) -> Terms:
    """Captions to the frozen caption of the language of this number."""

    def terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows, hyper: Weights) -> list[Term]:
        return [_text_term(batch, map_text(batch.text), number)]

    return terms


def auxiliary_terms(number: int) -> Terms:
    """Captions to the frozen caption of the language of this number and, weighted, to their image."""

    def terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows, hyper: Weights) -> list[Term]:
        anchors, share = map_text(batch.text), hyper.image_weight / (1.0 + hyper.image_weight)
        return [
            _text_term(batch, anchors, number)._replace(weight=1.0 - share),
            _image_term(batch, anchors, batch.image)._replace(weight=share),
        ]

    return terms


def map_languages(
    aligner: Aligner,
    params: Params,
    text: Float[Array, "languages b d_text"],
    *,
    key: Array | None,
    dropout: Array | float,
) -> Float[Array, "languages b d_out"]:
    """Rows of all languages through the aligner, with a dropout key of its own for each language."""
    numbers = jnp.arange(text.shape[0])
    if key is None:
        return jax.vmap(lambda rows, number: aligner.text(params, rows, number))(text, numbers)
    keys = jax.random.split(key, text.shape[0])
    return jax.vmap(lambda rows, number, k: aligner.text(params, rows, number, key=k, dropout=dropout))(
        text, numbers, keys
    )

"""Scores without parameters on top of the rows as they stand: the rungs that a trained map must stand above."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ccalign_jax.metrics import SCORINGS, Banks, Ranks, rank_pairs
from ccalign_jax.study.summary import FoldMetrics, fold_metrics
from ccalign_jax.training import Part

__all__ = ["BANK_ROWS", "score_ladder", "take_bank"]

BANK_STEP = 500
BANK_ROWS = 5000  # of each side: the neighbourhoods of more tell hardly more, and take their time


def take_bank(rows: np.ndarray, *, seed: int) -> tuple[Array, Array]:
    """At most `BANK_ROWS` of the rows, drawn at random; padded to one of few sizes; and which are real."""
    if len(rows) > BANK_ROWS:
        rows = rows[np.sort(np.random.default_rng(seed).choice(len(rows), BANK_ROWS, replace=False))]
    size = min(BANK_ROWS, max(1, -(-len(rows) // BANK_STEP)) * BANK_STEP)  # so that languages share compiled code
    padded = np.zeros((size, rows.shape[1]), np.float32)
    padded[: len(rows)] = rows
    return jnp.asarray(padded), jnp.arange(size) < len(rows)


@partial(jax.jit, static_argnames="name")
def _ranks(
    name: str, text: Array, image: Array, image_of: Array, captions_of: Array, image_mask: Array, banks: Banks
) -> tuple[Ranks, Ranks]:
    return rank_pairs(*SCORINGS[name](text, image, banks), image_of, captions_of, image_mask=image_mask)


def score_ladder(
    text: Sequence[np.ndarray],
    image: np.ndarray,
    part: Part,
    bank_text: Sequence[np.ndarray],
    bank_image: np.ndarray,
    languages: Sequence[str],
) -> dict[str, FoldMetrics]:
    """Retrieval both ways under every scoring, by its name in `metrics.SCORINGS`.

    Args:
        text: for each language `[m_l, d]` unit rows.
        image: `[n, d]` unit rows.
        part: where they belong.
        bank_text: for each language unit rows that its images' neighbours are sought among.
        bank_image: unit rows that its captions' neighbours are sought among.
        languages: their names.
    """
    found, there = {}, jnp.asarray(np.asarray(part.images) >= 0)
    images, image_mask = take_bank(bank_image, seed=0)
    captions = [take_bank(rows, seed=1) for rows in bank_text]
    for name in SCORINGS:
        ranks = []
        for rows, owner, gold, (near, mask) in zip(text, part.image_of, part.captions_of, captions, strict=True):
            banks = Banks(near, images, mask, image_mask)
            ranks.append(jax.tree.map(np.asarray, _ranks(name, rows, image, owner, gold, there, banks)))
        found[name] = fold_metrics(tuple(ranks), languages)
    return found

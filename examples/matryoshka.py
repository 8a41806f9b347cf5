"""A loss for rows that will be cut: InfoNCE of whole rows and of their first half, quarter and eighth.

    python experiments/sweep.py --plugin=examples/matryoshka.py --losses=matryoshka --pivot=symmetric \
        --aligners='dual(linear)' --out=runs/cut
    python experiments/shorten.py --checkpoint=runs/cut/best

It is for maps that move both sides: where images stay as they are, so do their first numbers. Reference: Kusupati et
al., 2022, "Matryoshka Representation Learning". docs/findings.md says what it earns beside a rotation after training.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

import ccalign_jax as cc
from ccalign_jax import losses
from ccalign_jax.numerics import unit_rows

HALVINGS, LEAST = 3, 2  # of the width, as far as so many numbers are left


def matryoshka_loss(text: Array, image: Array, **settings: Any) -> Array:
    """The mean of `clip_loss` over rows that are cut to each width and scaled to unit length again.

    Args:
        text: captions `[languages, b, d]`.
        image: images `[b, d]`.
        settings: those of `clip_loss`.
    """
    width = image.shape[-1]
    widths = [width >> step for step in range(HALVINGS + 1) if not step or width >> step >= LEAST]
    terms = [losses.clip_loss(unit_rows(text[..., :cut]), unit_rows(image[..., :cut]), **settings) for cut in widths]
    return jnp.mean(jnp.stack(terms))


cc.register_loss(
    "matryoshka",
    matryoshka_loss,
    summary="InfoNCE of whole rows and of their first half, quarter and eighth",
    reads=["temperature", "mask_positives", "i2t_pool"],
    tiled=True,
)

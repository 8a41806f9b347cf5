"""An aligner, a loss, a pivot and a metric of your own, without a change to ccalign_jax.

    python experiments/sweep.py --plugin=examples/plugin.py --pivot=halfway,image --aligners=gated_shift,residual \
        --losses=pairwise,infonce --out=runs/mine
    python experiments/evaluate.py --plugin=examples/plugin.py --checkpoint=runs/mine/best --data=other.npz

Copy this file, keep what you need, and check it (with the project's tests):

    CCALIGN_PLUGIN=my_maps.py python -m pytest tests/test_registry.py -k my_map

A package that names it as an entry point needs no flag: the scripts load all those that are installed.

    [project.entry-points."ccalign_jax.plugins"]
    my_maps = "my_maps"

Compute nothing while it is imported: scripts choose their devices afterwards.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

import ccalign_jax as cc
from ccalign_jax import aligners
from ccalign_jax.metrics import recall_at
from ccalign_jax.numerics import unit_rows
from ccalign_jax.pivots import Batch, Term

# An aligner: a factory of pure functions of parameters and rows.


def gated_shift(d_text: int, d_out: int) -> aligners.Aligner:
    """Gated shift x ↦ xE + σ(⟨x, g⟩ + c) b, the identity at first (b = 0)."""
    plain = aligners.identity(d_text, d_out)

    def move(params: Any, text: Array, language: Any, *, key: Any = None, dropout: Any = 0.0) -> Array:
        gates = jax.nn.sigmoid(text @ params["gate"] + params["offset"])
        return plain.text({}, text, language) + gates[:, None] * params["shift"]

    return aligners.Aligner(
        init=lambda key: {"gate": jnp.zeros(d_text), "offset": jnp.zeros(1), "shift": jnp.zeros(d_out)},
        text=move,
        image=plain.image,  # images stay; dual(gated_shift) moves them, too
        deviation=lambda params: params["shift"],  # zero exactly at the identity
    )


cc.register_aligner(
    "gated_shift",
    lambda d_text, d_out, sizes: gated_shift(d_text, d_out),
    summary="x plus a shift, weighted by a gate on x, identity at first",
)

# A loss: captions [languages, b, d] against images [b, d], unit rows; masks are True where a row exists.


def pairwise_loss(
    text: Array,
    image: Array,
    *,
    mask: Array,
    image_mask: Array,
    groups: Array,
    axis_name: str | None,
    temperature: Array,
    margin: Array,
) -> Array:
    """Mean of log(1 + exp((s_rival − s_own + margin) / τ)) over captions and the images that show something else.

    Burges et al., 2005, "Learning to rank using gradient descent", with a margin.
    """
    if axis_name is not None:
        raise ValueError("pairwise_loss needs the whole batch on one device")
    scores, own = jnp.einsum("lbd,cd->lbc", text, image), jnp.einsum("lbd,bd->lb", text, image)
    rivals = (groups[:, None] != groups[None, :]) & image_mask[None, :]
    costs = jax.nn.softplus((scores - own[..., None] + margin) / temperature)
    each = jnp.sum(jnp.where(rivals, costs, 0.0), axis=-1) / jnp.maximum(jnp.sum(rivals, axis=-1), 1)
    pairs = mask & image_mask
    return jnp.sum(jnp.where(pairs, each, 0.0)) / jnp.maximum(jnp.sum(pairs), 1)


cc.register_loss(
    "pairwise",
    pairwise_loss,
    summary="logistic loss of the caption's own image against every other one, with a margin",
    reads={"temperature", "margin"},
)

# A pivot: a function from a batch to terms of the objective: anchors, targets, and which of both exist.


def halfway_terms(aligner: aligners.Aligner, params: Any, batch: Batch, map_text: Any, hyper: Any) -> list[Term]:
    """Captions to the midpoint between themselves and their frozen image."""
    pairs = batch.mask & batch.image_mask
    return [Term(map_text(batch.text), unit_rows(batch.text + batch.image), pairs, pairs, original=batch.text)]


cc.register_pivot(
    "halfway",
    halfway_terms,
    summary="captions move to the midpoint between themselves and their frozen image",
    within_text=True,  # targets are sums with captions, so both widths must be equal
)

# A metric: a function of the ranks of queries, in [0, 1]; all tables, plots and CSV files take its mean over queries.

cc.register_metric("R@3", partial(recall_at, k=3))

"""What a run minimises: the pivot's terms under a loss, and the penalties on the map."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from ccalign_jax.aligners import Aligner, Params
from ccalign_jax.losses import LossEntry, Normalization, ortho_penalty, prox_penalty
from ccalign_jax.pivots import Batch, Pivot, map_languages

__all__ = ["Hyper", "Recipe", "fitting_recipe", "make_objective"]


class Hyper(NamedTuple):
    """The numbers a sweep varies; every leaf is traced.

    Attributes:
        learning_rate: peak of the schedule, > 0.
        l2: weight decay added to the clipped gradient before Adam (not decoupled), ≥ 0.
        temperature: of contrastive losses, > 0.
        prox: weight of the squared distance from identity, ≥ 0.
        ortho: weight of ‖WᵀW − I‖², ≥ 0.
        clip: largest global norm of the gradient, ≥ 0; 0 is none.
        warmup: steps of linear warm-up, ≥ 0.
        dropout: on hidden layers, in [0, 1).
    """

    learning_rate: float | Array = 1e-3
    l2: float | Array = 5e-4
    temperature: float | Array = 0.07
    prox: float | Array = 0.0
    ortho: float | Array = 0.0
    clip: float | Array = 1.0
    warmup: float | Array = 24.0
    dropout: float | Array = 0.0


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is fixed while a program is compiled: sizes, choices, and which penalties exist at all.

    Attributes:
        epochs: the selection part is scored after each; epoch 0 is the start.
        steps_per_epoch: optimiser steps between two scores.
        batch_images: images a step; each brings one caption in every language it has.
        hidden: width of the hidden layer of MLPs.
        replacement: draw images with replacement, as the seed study does.
        mask_positives: known positives are no negatives (see `clip_loss`).
        i2t_pool: an image's rivals are captions of all languages, or of one at a time.
        normalization: of the prox and ortho penalties: plain sums, or divided by the number of entries.
        criterion: what picks the epoch: the mean of t2i R@1, i2t R@1 and MRR, or t2i R@1 alone.
        start_counts: whether epoch 0 may be picked.
        terms: which of prox, ortho, clip, dropout and l2 are not zero; the others cost nothing.
    """

    epochs: int = 20
    steps_per_epoch: int = 12
    batch_images: int = 32
    hidden: int = 512
    replacement: bool = False
    mask_positives: bool = True
    i2t_pool: Literal["union", "per_language"] = "union"
    normalization: Normalization = "sum"
    criterion: Literal["mean", "t2i"] = "mean"
    start_counts: bool = True
    terms: frozenset[str] = frozenset({"l2", "clip"})


def fitting_recipe(recipe: Recipe, images: int) -> Recipe:
    """The recipe with batches no larger than the images there are."""
    return dataclasses.replace(recipe, batch_images=min(recipe.batch_images, images))


Objective = Callable[[Params, Batch, Hyper, Array], Array]


def make_objective(
    aligner: Aligner, pivot: Pivot, loss: LossEntry, recipe: Recipe, *, axis_name: str | None = None
) -> Objective:
    """`objective(params, batch, hyper, key) -> scalar`, differentiable in `params`.

    Args:
        aligner, pivot, loss: any combination for which it makes sense.
        recipe: which penalties exist, and how they are normalised.
        axis_name: mapped axis over which batches are spread (see `clip_loss`).
    """

    def objective(params: Params, batch: Batch, hyper: Hyper, key: Array) -> Array:
        dropout_key = key if "dropout" in recipe.terms else None

        def map_text(rows: Array) -> Array:
            return map_languages(aligner, params, rows, key=dropout_key, dropout=hyper.dropout)

        total = jnp.zeros(())
        for term in pivot.terms(aligner, params, batch, map_text):
            total += term.weight * loss.call(
                term.anchors,
                term.targets,
                temperature=jnp.asarray(hyper.temperature),
                mask=term.mask,
                target_mask=term.target_mask,
                groups=batch.groups,
                mask_positives=recipe.mask_positives,
                i2t_pool=recipe.i2t_pool,
                axis_name=axis_name,
            )
        if "prox" in recipe.terms:
            total += hyper.prox * prox_penalty(aligner.deviation(params), normalization=recipe.normalization)
        if "ortho" in recipe.terms and aligner.matrix is not None:
            total += hyper.ortho * ortho_penalty(aligner.matrix(params), normalization=recipe.normalization)
        return total

    return objective

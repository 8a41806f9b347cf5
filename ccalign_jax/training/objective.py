"""Training objective: the pivot's terms under a loss, and penalties on the map."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ccalign_jax.aligners import Aligner, Params, linear_part
from ccalign_jax.losses import (
    LossEntry,
    Normalization,
    learned_temperature,
    ortho_penalty,
    prox_penalty,
    spectral_penalty,
)
from ccalign_jax.pivots import Batch, Pivot, Term, map_languages
from ccalign_jax.precision import Precision
from ccalign_jax.training.augmentation import embedding_noise, fusemix

__all__ = ["COSTLY", "OPTIONAL", "Hyper", "Recipe", "Trained", "fitting_recipe", "make_objective", "scored_epochs"]

LOSS_SETTINGS = ("bias", "margin", "uniformity_weight", "structure_weight")


class Hyper(NamedTuple):
    """Numeric hyper-parameters; every leaf is traced.

    Attributes:
        learning_rate: peak of the schedule, > 0.
        l2: weight decay added to the clipped gradient before Adam (not decoupled), ≥ 0.
        temperature: of contrastive losses, > 0.
        prox: weight of the squared distance from identity, ≥ 0.
        ortho: weight of ‖WᵀW − I‖², ≥ 0.
        clip: largest global norm of the gradient, ≥ 0; 0 is none.
        warmup: steps of linear warm-up, ≥ 0.
        dropout: on hidden layers, in [0, 1).
        spectral: weight of ‖D‖₂², the square of the largest singular value of W − E, ≥ 0.
        noise: Gaussian noise on caption and image rows, as a share of their length, ≥ 0.
        mix: FuseMix, the alpha of the Beta that mixes pairs with other pairs, ≥ 0; 0 is none.
        image_weight: λ ≥ 0 of the auxiliary pivot: captions count 1 / (1 + λ), images λ / (1 + λ).
        bias: of the sigmoid loss.
        margin: of the triplet loss, ≥ 0.
        uniformity_weight: of uniformity against alignment, ≥ 0.
        structure_weight: of structure against InfoNCE, ≥ 0.
        penalty: λ ≥ 0 of a closed form, in units of the mean eigenvalue; the path of a ridge has its own.
    """

    learning_rate: float | Array = 1e-3
    l2: float | Array = 5e-4
    temperature: float | Array = 0.07
    prox: float | Array = 0.0
    ortho: float | Array = 0.0
    clip: float | Array = 1.0
    warmup: float | Array = 24.0
    dropout: float | Array = 0.0
    spectral: float | Array = 0.0
    noise: float | Array = 0.0
    mix: float | Array = 0.0
    image_weight: float | Array = 1.0
    bias: float | Array = -10.0
    margin: float | Array = 0.2
    uniformity_weight: float | Array = 1.0
    structure_weight: float | Array = 1.0
    penalty: float | Array = 1.0


OPTIONAL = ("l2", "prox", "ortho", "spectral", "clip", "dropout", "noise", "mix")  # zero is absence
COSTLY = ("ortho", "spectral")  # products of whole matrices: more than a step of a linear map costs without them


SCORE_EVERY, MIN_SCORES = 5, 4  # epochs, and epochs that are scored beside the start, unless a recipe says


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Static settings of a compiled program: sizes, choices, and which penalties exist.

    Attributes:
        epochs: how many; epoch 0 is the start.
        steps_per_epoch: optimiser steps of an epoch.
        score_every: epochs between two scores on the validation part; the start and the last epoch are scored, too.
            0: five, or fewer where there are few epochs, so that at least four are scored beside the start.
        batch_images: images a step; each brings one caption in every language it has.
        hidden: width of the hidden layer of MLPs.
        rank: of low-rank parts.
        features: of kernel maps.
        experts: of mixtures.
        neighbours: that RCSLS looks at.
        tile: captions, and images, whose scores exist at one time, in losses that are `tiled`; 0 leaves it to the
            loss: all at once in small batches, tiles in large ones (`losses.auto_tile`).
        learned_temperature: train the temperature too, from the one given.
        replacement: draw images with replacement, as the seed study does.
        mask_positives: known positives are no negatives (see `clip_loss`).
        i2t_pool: an image's rivals are captions of all languages, or of one at a time.
        normalization: of the prox and ortho penalties: plain sums, or divided by the number of entries.
        criterion: what picks the epoch: the mean of t2i R@1, i2t R@1 and MRR, or t2i R@1 alone.
        start_counts: whether epoch 0 may be picked.
        precision: of the products of matrices in training and in the scores of epochs: `bfloat16` rounds their factors
            and sums in float32. Parameters, and the ranks that are reported, are float32.
        terms: which of `OPTIONAL` are not zero; the others cost nothing.
    """

    epochs: int = 20
    steps_per_epoch: int = 12
    score_every: int = 0
    batch_images: int = 32
    hidden: int = 512
    rank: int = 32
    features: int = 1024
    experts: int = 4
    neighbours: int = 10
    tile: int = 0
    learned_temperature: bool = False
    replacement: bool = False
    mask_positives: bool = True
    i2t_pool: Literal["union", "per_language"] = "union"
    normalization: Normalization = "sum"
    criterion: Literal["mean", "t2i"] = "mean"
    start_counts: bool = True
    precision: Precision = "float32"
    terms: frozenset[str] = frozenset({"l2", "clip"})


def scored_epochs(recipe: Recipe) -> tuple[int, ...]:
    """The epochs whose maps are kept and scored: the start, every `score_every`-th, and the last.

    Example:
        >>> scored_epochs(Recipe(epochs=10, score_every=4)), scored_epochs(Recipe(epochs=4))
        ((0, 4, 8, 10), (0, 1, 2, 3, 4))
    """
    step = recipe.score_every or max(1, min(SCORE_EVERY, recipe.epochs // MIN_SCORES))
    return (*range(0, recipe.epochs, step), recipe.epochs)


def fitting_recipe(recipe: Recipe, images: int) -> Recipe:
    """The recipe with batches no larger than the images there are."""
    return dataclasses.replace(recipe, batch_images=min(recipe.batch_images, images))


class Trained(NamedTuple):
    """Parameters that the optimiser updates.

    Attributes:
        map: parameters of the aligner.
        log_scale: log of the inverse temperature; None where the temperature is fixed.
    """

    map: Params
    log_scale: Array | None = None


Objective = Callable[[Trained, Batch, Hyper, Array], Array]


def make_objective(
    aligner: Aligner, pivot: Pivot, loss: LossEntry, recipe: Recipe, *, axis_name: str | None = None
) -> Objective:
    """`objective(trained, batch, hyper, key) -> scalar`, differentiable in `trained`.

    Args:
        aligner, pivot, loss: any combination for which it makes sense.
        recipe: which penalties exist, and how they are normalised.
        axis_name: mapped axis over which batches are spread (see `clip_loss`).
    """

    def objective(trained: Trained, batch: Batch, hyper: Hyper, key: Array) -> Array:
        params = trained.map
        mix_key, noise_key, dropout_key = jax.random.split(key, 3)
        if "mix" in recipe.terms:
            text, image = fusemix(
                mix_key, batch.text, batch.image, alpha=hyper.mix, mask=batch.mask, image_mask=batch.image_mask
            )
            batch = batch._replace(text=text, image=image)
        if "noise" in recipe.terms:
            text, image = embedding_noise(noise_key, batch.text, batch.image, scale=hyper.noise)
            batch = batch._replace(text=text, image=image)

        def map_text(rows: Array) -> Array:
            drop = dropout_key if "dropout" in recipe.terms else None
            return map_languages(aligner, params, rows, key=drop, dropout=hyper.dropout)

        temperature = jnp.asarray(hyper.temperature)
        if trained.log_scale is not None:
            temperature = learned_temperature(trained.log_scale)
        settings: dict[str, Any] = {name: jnp.asarray(getattr(hyper, name)) for name in LOSS_SETTINGS}

        def measure(anchors: Array, targets: Array, mask: Array, target_mask: Array, original: Array) -> Array:
            return loss.call(
                anchors,
                targets,
                temperature=temperature,
                mask=mask,
                target_mask=target_mask,
                groups=batch.groups,
                mask_positives=recipe.mask_positives,
                i2t_pool=recipe.i2t_pool,
                axis_name=axis_name,
                original=original,
                neighbours=recipe.neighbours,
                tile=recipe.tile or "auto",
                **settings,
            )

        total = jnp.zeros(())
        for term in pivot.terms(aligner, params, batch, map_text, hyper):
            total += term.weight * measure_term(measure, term, axis_name)
        if "prox" in recipe.terms:
            total += hyper.prox * prox_penalty(aligner.deviation(params), normalization=recipe.normalization)
        matrix_of = linear_part(aligner)
        if "ortho" in recipe.terms and matrix_of is not None:
            total += hyper.ortho * ortho_penalty(matrix_of(params), normalization=recipe.normalization)
        if "spectral" in recipe.terms and matrix_of is not None:
            matrix = matrix_of(params)
            total += hyper.spectral * spectral_penalty(matrix - jnp.eye(matrix.shape[-2], matrix.shape[-1]))
        return total

    return objective


def measure_term(measure: Callable[..., Array], term: Term, axis_name: str | None) -> Array:
    """The loss of a term; where each language has targets of its own, the mean over the languages that have pairs."""
    original = term.original if term.original is not None else term.anchors
    if term.targets.ndim == 2:
        return measure(term.anchors, term.targets, term.mask, term.target_mask, original)

    def one_language(anchors: Array, targets: Array, mask: Array, target_mask: Array, original: Array) -> Array:
        return measure(anchors[None], targets, mask[None], target_mask, original[None])

    each = jax.vmap(one_language)(term.anchors, term.targets, term.mask, term.target_mask, original)
    there = jnp.any(term.mask & term.target_mask, axis=1)
    if axis_name is not None:
        there = jax.lax.pmax(there.astype(jnp.int32), axis_name) > 0
    return jnp.sum(jnp.where(there, each, 0.0)) / jnp.maximum(jnp.sum(there), 1)

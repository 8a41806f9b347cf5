"""One run as a pure function: every step in one `lax.scan`, the maps of the epochs that are scored kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PyTree

from ccalign_jax.aligners import Aligner, Params
from ccalign_jax.losses import LossEntry
from ccalign_jax.pivots import Batch, Pivot
from ccalign_jax.precision import in_precision
from ccalign_jax.training.batches import Embeddings, draw_batch, image_order, take, towards_teacher
from ccalign_jax.training.objective import Hyper, Objective, Recipe, Trained, make_objective, scored_epochs

__all__ = ["TrainState", "Trajectory", "fit", "frozen_leaves", "learning_rate", "start", "step"]

FLOOR = 0.1  # the schedule ends at this share of its peak


ADAPT_IMAGES = 1024  # images that an aligner may look at before the first step


class TrainState(NamedTuple):
    """State of a run: parameters, optimiser state, the number of steps taken, and the first that diverged.

    `diverged` is the number of the first step, from 1, after which a parameter was NaN or infinite; 0 before that.
    """

    params: Trained
    optimizer: optax.OptState
    steps: Int[Array, ""]
    diverged: Int[Array, ""]


class Trajectory(NamedTuple):
    """Parameters and losses of one run, by epoch.

    Attributes:
        params: parameters after each epoch of `scored_epochs`, `[points, …]` each, the start first.
        losses: `[epochs]` mean objective of the steps of each epoch.
        diverged: `[points]` for each of these parameters the first step, from 1, after which one was NaN or infinite;
            0 where all are finite.
        epochs: `[points]` the number of each of these epochs.
    """

    params: Params
    losses: Float[Array, " epochs"]
    diverged: Int[Array, " points"]
    epochs: Int[Array, " points"]

    def at(self, point: Int[Array, ""] | int) -> Params:
        """The parameters of one of these epochs; 0 is the start."""
        return take(self.params, point)


def learning_rate(hyper: Hyper, steps: Array | int, total: int) -> Array:
    """Linear warm-up over `hyper.warmup` steps, then a cosine down to a tenth of the peak at `total`.

    Example:
        >>> [round(float(learning_rate(Hyper(learning_rate=1.0, warmup=2), s, 10)), 3) for s in (0, 1, 10)]
        [0.5, 1.0, 0.1]
    """
    rising = (steps + 1) / jnp.maximum(hyper.warmup, 1)
    progress = jnp.clip((steps - hyper.warmup) / jnp.maximum(total - hyper.warmup, 1), 0.0, 1.0)
    falling = FLOOR + (1 - FLOOR) * 0.5 * (1 + jnp.cos(jnp.pi * progress))
    return hyper.learning_rate * jnp.where(steps < hyper.warmup, rising, falling)


def _optimizer(hyper: Hyper, recipe: Recipe) -> optax.GradientTransformation:
    """Clip, then L2, then Adam: the order of the seed study (torch's Adam with weight decay)."""
    parts: list[optax.GradientTransformation] = []
    if "clip" in recipe.terms:
        parts.append(optax.clip_by_global_norm(jnp.where(hyper.clip > 0, hyper.clip, jnp.inf)))
    if "l2" in recipe.terms:
        # The temperature is no weight: it has no zero to decay to.
        decays = Trained._make([True, False if recipe.learned_temperature else None])
        parts.append(optax.add_decayed_weights(hyper.l2, mask=decays))
    return optax.chain(*parts, optax.scale_by_adam())


def start(aligner: Aligner, hyper: Hyper, recipe: Recipe, key: Array, sample: Batch | None = None) -> TrainState:
    """The state before the first step.

    Args:
        aligner: what to train.
        hyper: traced numbers.
        recipe: static choices.
        key: typed random key.
        sample: training rows, for an aligner with data-dependent parameters; without them it keeps its own start.
    """
    params = aligner.init(key)
    if aligner.adapt is not None and sample is not None:
        adapt_key = jax.random.fold_in(key, 1)
        params = aligner.adapt(params, sample.text, sample.mask, sample.image, sample.image_mask, adapt_key)
    log_scale = -jnp.log(jnp.asarray(hyper.temperature, jnp.float32)) if recipe.learned_temperature else None
    trained = Trained(params, log_scale)
    return TrainState(trained, _optimizer(hyper, recipe).init(trained), jnp.int32(0), jnp.int32(0))


def frozen_leaves(aligner: Aligner, params: Params) -> PyTree[bool]:
    """True for the leaves that are set once and never trained."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: bool(path) and getattr(path[-1], "key", None) in aligner.frozen, params
    )


def step(
    state: TrainState,
    batch: Batch,
    key: Array,
    *,
    objective: Objective,
    hyper: Hyper,
    recipe: Recipe,
    total: int,
    frozen: PyTree[bool] | None = None,
) -> tuple[TrainState, Float[Array, ""]]:
    """One optimiser step on one batch; `fit` scans it, and a streaming loop may call it.

    Args:
        state: from `start` or the step before.
        batch: images and captions.
        key: for dropout, noise and mixing.
        objective: from `make_objective`.
        hyper: traced numbers.
        recipe: static choices.
        total: steps of the whole run, for the schedule.
        frozen: from `frozen_leaves`; by default everything moves.

    Returns:
        The next state, and the objective at the state given.
    """
    differentiated = in_precision(jax.value_and_grad(objective), recipe.precision)
    value, gradient = differentiated(state.params, batch, hyper, key)
    updates, optimizer = _optimizer(hyper, recipe).update(gradient, state.optimizer, state.params)
    rate = learning_rate(hyper, state.steps, total)
    params = jax.tree.map(lambda leaf, update: leaf - rate * update, state.params, updates)
    if frozen is not None:
        kept = jax.tree.map(lambda stays, new, old: old if stays else new, frozen, params.map, state.params.map)
        params = params._replace(map=kept)
    finite = jnp.array([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(params)], bool).all()  # also of no leaf
    diverged = jnp.where(finite | (state.diverged > 0), state.diverged, state.steps + 1)
    return TrainState(params, optimizer, state.steps + 1, diverged), value


def fit(
    aligner: Aligner,
    pivot: Pivot,
    loss: LossEntry,
    hyper: Hyper,
    key: Array,
    embeddings: Embeddings,
    images: Int[Array, " t"],
    count: Int[Array, ""] | int,
    *,
    recipe: Recipe,
    min_train_size: int | None = None,
    shard: Callable[[Batch], Batch] = lambda batch: batch,
) -> Trajectory:
    """Train one aligner; pure, so that `jit`, `vmap` and `lax.map` apply.

    Args:
        aligner, pivot, loss: what to train, towards what, and how the distance is measured.
        hyper: traced numbers.
        key: typed random key; all randomness of the run follows from it.
        embeddings: the data.
        images: `[t]` training images, the first `count` real, the rest padding.
        count: how many are real; may be traced.
        recipe: static choices.
        min_train_size: a static lower bound of `count`, by default `t`.
        shard: constrains the sharding of a batch over devices (see `fit_spread`).

    Returns:
        Parameters after each of the `scored_epochs`; `choose_epoch` picks one.
    """
    embeddings = towards_teacher(embeddings, pivot)
    init_key, order_key, step_key = jax.random.split(key, 3)
    min_train_size = images.shape[0] if min_train_size is None else min_train_size
    total = recipe.epochs * recipe.steps_per_epoch
    objective = make_objective(aligner, pivot, loss, recipe)
    order = image_order(
        order_key,
        images,
        count,
        steps=total,
        size=recipe.batch_images,
        replacement=recipe.replacement,
        min_train_size=min_train_size,
    ).reshape(recipe.epochs, recipe.steps_per_epoch, recipe.batch_images)

    def train_step(state: TrainState, chosen: Array) -> tuple[TrainState, Array]:
        batch_key, dropout_key = jax.random.split(jax.random.fold_in(step_key, state.steps))
        if embeddings.negatives is not None:
            chosen = jnp.concatenate([chosen, jnp.asarray(embeddings.negatives)[chosen].ravel()])
        batch = shard(draw_batch(batch_key, embeddings, chosen))
        return step(
            state, batch, dropout_key, objective=objective, hyper=hyper, recipe=recipe, total=total, frozen=frozen
        )

    def train_epoch(carried: tuple[TrainState, PyTree], epoch: tuple[Array, Array]) -> tuple[tuple, Array]:
        state, kept = carried
        chosen, point = epoch
        state, values = jax.lax.scan(train_step, state, chosen)
        # Each epoch overwrites those before it that are not scored.
        kept = jax.tree.map(lambda points, leaf: points.at[point].set(leaf), kept, (state.params.map, state.diverged))
        return (state, kept), jnp.mean(values)

    sample = None
    if aligner.adapt is not None:
        noise = jnp.where(jnp.arange(images.shape[0]) < count, jax.random.uniform(init_key, images.shape), jnp.inf)
        sample = draw_batch(init_key, embeddings, images[jnp.argsort(noise)[: min(ADAPT_IMAGES, min_train_size)]])
    state = start(aligner, hyper, recipe, init_key, sample)
    frozen = frozen_leaves(aligner, state.params.map) if aligner.frozen else None
    scored = np.asarray(scored_epochs(recipe), np.int32)
    kept = jax.tree.map(lambda leaf: jnp.stack([leaf] * len(scored)), (state.params.map, state.diverged))
    point_of = jnp.asarray(np.searchsorted(scored, np.arange(1, recipe.epochs + 1)), jnp.int32)
    (_, (params, diverged)), losses = jax.lax.scan(train_epoch, (state, kept), (order, point_of))
    return Trajectory(params, losses, diverged, jnp.asarray(scored))

"""One run over batches that come from outside, such as a stream from disk: the same steps as `fit`, in a host loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float

from ccalign_jax.aligners import Aligner
from ccalign_jax.errors import InputError
from ccalign_jax.losses import LossEntry
from ccalign_jax.numerics import unit_rows
from ccalign_jax.pivots import Batch, Pivot
from ccalign_jax.training.fit import TrainState, frozen_leaves, start, step
from ccalign_jax.training.objective import Hyper, Recipe, make_objective

__all__ = ["StreamPoint", "fit_stream", "make_stream_step", "start_stream"]

AHEAD = 2  # steps that the host may be ahead of the device: one computes, the rows of the next are in transfer

StreamStep = Callable[[TrainState, Batch, Hyper, Array], tuple[TrainState, Float[Array, ""]]]


class StreamPoint(NamedTuple):
    """State of a run after all batches taken so far.

    Attributes:
        state: NumPy arrays, of the caller to keep or to save; `fit_stream` goes on from it.
        loss: mean objective of the steps since the point before.
        losses: objective of each of these steps.
    """

    state: TrainState
    loss: float
    losses: tuple[float, ...] = ()


def start_stream(aligner: Aligner, hyper: Hyper, recipe: Recipe, key: Array, sample: Batch | None = None) -> TrainState:
    """The state before the first step, that of `fit` with the same key.

    Args:
        aligner, hyper, recipe: as for `fit_stream`.
        key: typed random key of the run.
        sample: rows of any float dtype and length, for an aligner with data-dependent parameters.
    """
    sample = None if sample is None else _unit_batch(jax.tree.map(jnp.asarray, sample))
    return start(aligner, hyper, recipe, jax.random.split(key, 3)[0], sample)


def make_stream_step(
    aligner: Aligner, pivot: Pivot, loss: LossEntry, recipe: Recipe, *, key: Array, total: int
) -> StreamStep:
    """`step(state, batch, hyper, step_key)`, compiled once; it takes rows as stored, and gives up the state's memory.

    Args:
        aligner, pivot, loss, recipe, total: as for `fit_stream`.
        key: typed random key of the run; only the shapes of the parameters are made with it.
    """
    objective = make_objective(aligner, pivot, loss, recipe)
    frozen = frozen_leaves(aligner, jax.eval_shape(aligner.init, key)) if aligner.frozen else None

    def stream_step(state: TrainState, batch: Batch, hyper: Hyper, step_key: Array) -> tuple[TrainState, Array]:
        _, dropout_key = jax.random.split(jax.random.fold_in(step_key, state.steps))
        return step(
            state,
            _unit_batch(batch),
            dropout_key,
            objective=objective,
            hyper=hyper,
            recipe=recipe,
            total=total,
            frozen=frozen,
        )

    return jax.jit(stream_step, donate_argnums=0)


def fit_stream(
    aligner: Aligner,
    pivot: Pivot,
    loss: LossEntry,
    hyper: Hyper,
    key: Array,
    batches: Iterator[Batch],
    *,
    recipe: Recipe,
    total: int,
    points: Iterable[int],
    state: TrainState | None = None,
    sample: Batch | None = None,
    mesh: Mesh | None = None,
) -> Iterator[StreamPoint]:
    """Train one aligner on batches as they come.

    At every point just as many batches were taken as steps were made, so that a point and the place of `batches` at
    that time are a checkpoint, from which a run goes on to the same bits.

    Args:
        aligner, pivot, loss: what to train, towards what, and how the distance is measured.
        hyper: numbers.
        key: typed random key; all randomness but the order of the batches follows from it.
        batches: NumPy arrays; rows of any float dtype and length, all batches of one shape.
        recipe: static choices; its `epochs`, `steps_per_epoch` and `batch_images` are not looked at.
        total: steps of the whole run, for the schedule.
        points: ascending numbers of steps, at which a point is given; training ends at the last. Those that a given
            `state` has passed are passed over.
        state: where to go on from; by default the start.
        sample: rows, for an aligner with data-dependent parameters.
        mesh: of one axis, over which the images of a batch are spread; every process brings its share of each batch.

    Yields:
        A point at each of `points`.

    Raises:
        InputError: the pivot has to see all rows at once.
        ValueError: the batches end before the last point.

    Example:
        >>> from ccalign_jax.aligners import make_aligner
        >>> from ccalign_jax.losses import LOSSES
        >>> from ccalign_jax.pivots import make_pivot
        >>> rows, there = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float16), np.ones((1, 8), bool)
        >>> batch = Batch(rows[None], there, rows[:, ::-1], there[0], np.arange(8, dtype=np.int32))
        >>> run = fit_stream(
        ...     make_aligner("residual", 4, 4, languages=1), make_pivot("image", ("en",)), LOSSES["infonce"], Hyper(),
        ...     jax.random.key(0), iter([batch] * 6), recipe=Recipe(), total=6, points=(4, 6),
        ... )  # fmt: skip
        >>> [int(point.state.steps) for point in run]
        [4, 6]
    """
    if pivot.consensus is not None:
        raise InputError(f"pivot {pivot.name} needs all rows at once and cannot be streamed; use image")
    if pivot.teacher is not None:
        raise InputError(f"pivot {pivot.name}: streams have no teacher rows; use image")
    init_key, step_key = key, jax.random.split(key, 3)[2]
    hyper = jax.tree.map(lambda number: jnp.asarray(number, jnp.float32), hyper)
    take_step = make_stream_step(aligner, pivot, loss, recipe, key=init_key, total=total)
    if state is None:
        state = start_stream(aligner, hyper, recipe, init_key, sample)
    done = int(state.steps)
    state = jax.tree.map(jnp.array, state)  # copies, which the step may overwrite
    if mesh is not None:
        everywhere = NamedSharding(mesh, PartitionSpec())
        state, hyper = (jax.tree.map(lambda leaf: jax.device_put(leaf, everywhere), part) for part in (state, hyper))
    for stop in (point for point in points if point > done):
        values: deque[Array] = deque()
        losses: list[float] = []
        count = stop - done
        for number in range(count):
            batch = next(batches, None)
            if batch is None:
                raise ValueError(f"the batches end after {done + number} of {stop} steps; give more, or earlier points")
            state, value = take_step(state, _put(batch, mesh), hyper, step_key)
            values.append(value)
            # The host must not run far ahead: rows in transfer to the device take memory.
            if len(values) > AHEAD:
                losses.append(float(values.popleft()))
        done = stop
        losses += map(float, values)
        yield StreamPoint(jax.tree.map(np.array, state), sum(losses) / count, tuple(losses))


def _unit_batch(batch: Batch) -> Batch:
    """Rows of any float dtype as float32 unit rows."""
    return batch._replace(
        text=unit_rows(batch.text.astype(jnp.float32)), image=unit_rows(batch.image.astype(jnp.float32))
    )


def _put(batch: Batch, mesh: Mesh | None) -> Batch:
    """The batch on the device, or spread over the devices of all processes along its images."""
    if mesh is None:
        return jax.device_put(batch)
    (axis,) = mesh.axis_names
    by_image, by_language = (NamedSharding(mesh, PartitionSpec(*parts)) for parts in ((axis,), (None, axis)))
    place = {"text": by_language, "mask": by_language}
    parts = batch._asdict()
    for name, rows in parts.items():
        if rows is not None:
            parts[name] = jax.make_array_from_process_local_data(place.get(name, by_image), rows)
    return Batch(**parts)

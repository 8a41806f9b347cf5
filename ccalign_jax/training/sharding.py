"""Many runs, or the batches of one run, sharded over devices."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int

from ccalign_jax.aligners import Aligner
from ccalign_jax.errors import InputError
from ccalign_jax.losses import LossEntry
from ccalign_jax.pivots import Batch, Pivot
from ccalign_jax.training.batches import Embeddings
from ccalign_jax.training.fit import Trajectory, fit
from ccalign_jax.training.objective import Hyper, Recipe

__all__ = ["everywhere", "fit_spread", "make_mesh", "runs_of_devices", "spread_runs"]

AXIS = "devices"


def make_mesh(count: int | None = None) -> Mesh:
    """The devices of this process to work on, in a row.

    Args:
        count: how many; None for all of an accelerator, and one of a CPU, which is one device unless XLA is told
            to pretend otherwise.

    Raises:
        InputError: there are fewer.

    Example:
        >>> make_mesh(1).size
        1
    """
    devices = jax.local_devices()
    if count is None:
        count = 1 if devices[0].platform == "cpu" else len(devices)
    if not 1 <= count <= len(devices):
        raise InputError(f"--devices={count}: this process has {len(devices)} ({devices[0].platform})")
    return Mesh(devices[:count], (AXIS,))


def everywhere(mesh: Mesh) -> NamedSharding:
    """A copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def spread_runs(function: Callable[..., Any], mesh: Mesh, *, copied: int) -> Any:
    """A function of runs, compiled so that each device computes a part of them, without communication.

    Args:
        function: its first `copied` arguments are of all runs; all others, and its results, have a leading axis of
            runs, a multiple of the devices.
        mesh: from `make_mesh`.
        copied: how many.
    """

    def spread(*inputs: Any) -> Any:
        specs = tuple(PartitionSpec() if place < copied else PartitionSpec(AXIS) for place in range(len(inputs)))
        # No gradient and no collective crosses the devices, which is all that check_vma guards.
        mapped = jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=PartitionSpec(AXIS), check_vma=False)
        return mapped(*inputs)

    return jax.jit(spread)


def runs_of_devices(found: Any, mesh: Mesh) -> list[Any]:
    """The part of each device of a result of `spread_runs`, on that device."""

    def parts(leaf: jax.Array) -> list[jax.Array]:
        return [shard.data for shard in sorted(leaf.addressable_shards, key=lambda shard: shard.index[0].start or 0)]

    leaves, structure = jax.tree.flatten(found)
    return [jax.tree.unflatten(structure, each) for each in zip(*map(parts, leaves), strict=True)]


def fit_spread(
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
    mesh: Mesh,
) -> Trajectory:
    """`fit`, compiled, with every batch spread over devices; the same to rounding on any number of them.

    Args:
        aligner, pivot, loss, hyper, key, embeddings, images, count, recipe: as for `fit`; `recipe.batch_images` is a
            multiple of the devices.
        mesh: of one axis, over which the images of a batch are spread.

    Returns:
        A copy on every device.

    Raises:
        InputError: a batch cannot be divided evenly.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from ccalign_jax.aligners import make_aligner
        >>> from ccalign_jax.losses import LOSSES
        >>> from ccalign_jax.numerics import unit_rows
        >>> from ccalign_jax.pivots import make_pivot
        >>> text, image = unit_rows(jax.random.normal(jax.random.key(0), (2, 64, 8)))
        >>> rows = jnp.arange(64)
        >>> data = Embeddings(text, image, rows.reshape(1, 64, 1), jnp.ones((1, 64), int), rows)
        >>> aligner, pivot = make_aligner("residual", 8, 8, languages=1), make_pivot("image", ("en",))
        >>> recipe, mesh = Recipe(epochs=2, batch_images=32), make_mesh()
        >>> run = fit_spread(
        ...     aligner, pivot, LOSSES["infonce"], Hyper(), jax.random.key(1), data, rows, 64, recipe=recipe, mesh=mesh
        ... )
        >>> run.params["delta"].shape
        (3, 8, 8)
    """
    if recipe.batch_images % mesh.size:
        raise InputError(f"batches of {recipe.batch_images} images cannot be spread evenly over {mesh.size} devices")
    inputs = jax.device_put((hyper, key, embeddings, images, count), everywhere(mesh))
    return _spread_fit(aligner, pivot, loss, recipe, mesh)(*inputs)


@functools.lru_cache(maxsize=16)
def _spread_fit(aligner: Aligner, pivot: Pivot, loss: LossEntry, recipe: Recipe, mesh: Mesh) -> Any:
    (axis,) = mesh.axis_names

    def shard(batch: Batch) -> Batch:
        """Captions and their masks have their images along the second axis, all else along the first."""
        by_language, by_image = PartitionSpec(None, axis), PartitionSpec(axis)
        rest = jax.tree.map(lambda _: by_image, batch)
        specs = rest._replace(text=by_language, mask=by_language)
        shardings = jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs)
        return jax.lax.with_sharding_constraint(batch, shardings)

    def run(hyper: Hyper, key: Array, embeddings: Embeddings, images: Array, count: Array) -> Trajectory:
        return fit(aligner, pivot, loss, hyper, key, embeddings, images, count, recipe=recipe, shard=shard)

    # The loss is that of the whole batch: XLA's partitioner inserts the communication.
    return jax.jit(run, out_shardings=everywhere(mesh))

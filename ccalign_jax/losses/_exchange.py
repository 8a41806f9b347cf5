"""Parts of a batch that devices let each other see, and sums that all of them add to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array

__all__ = ["Exchange", "exchanged", "varying"]

Exchange = Literal["ring", "gather"]


def exchanged(
    axis_name: str | None, exchange: Exchange, step: Callable, here: Any, reads: Any, writes: Any, merge: Any
) -> tuple[Any, Any]:
    """`step(here, reads, writes) -> (here, writes)` with what every device reads and writes, its own parts in turn.

    Args:
        axis_name: mapped axis over which the batch is spread; None where it is not.
        exchange: from neighbour to neighbour (`ring`), or to all at once (`gather`).
        step: adds to what is here, and to what is written.
        here: what stays on this device.
        reads: what others must see of this device's images, the images along the first axis.
        writes: what all add up for this device's images, likewise; the totals of nothing to begin with.
        merge: `(parts, axis) -> whole` for each leaf of `writes`.
    """
    if axis_name is None:
        return step(here, reads, writes)
    devices = jax.lax.axis_size(axis_name)
    if exchange == "ring":
        hops = [(device, (device + 1) % devices) for device in range(devices)]

        def hop(carry: Any, _: None) -> tuple[Any, None]:
            here, reads, writes = carry
            here, writes = step(here, reads, writes)
            return (here, *jax.tree.map(lambda leaf: jax.lax.ppermute(leaf, axis_name, hops), (reads, writes))), None

        (here, _, writes), _ = jax.lax.scan(hop, (here, reads, writes), length=devices)
        return here, writes
    everywhere = jax.tree.map(lambda leaf: jax.lax.all_gather(leaf, axis_name, tiled=True), reads)
    here, parts = step(here, everywhere, jax.tree.map(lambda leaf: jnp.concatenate([leaf] * devices), writes))

    def bring_home(leaf: Array, merge: Callable[[Array, int], Array]) -> Array:
        leaf = leaf.reshape(devices, -1, *leaf.shape[1:])
        return merge(jax.lax.all_to_all(leaf, axis_name, split_axis=0, concat_axis=0), 0)

    return here, jax.tree.map(bring_home, parts, merge)


def varying(tree: Any, axis_name: str | None) -> Any:
    """The same values, as such that differ from device to device: under `shard_map`, all that meets in a loop must."""
    if axis_name is None:
        return tree
    # True, but not known to be: the same under `vmap`, `pmap` and `shard_map`, where `lax.pcast` is for the last alone.
    here = jax.lax.axis_index(axis_name) >= 0
    return jax.tree.map(lambda leaf: jnp.where(here, leaf, jnp.zeros_like(leaf)), tree)

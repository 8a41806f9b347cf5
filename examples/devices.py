"""One batch over eight devices, under `shard_map` and under `pmap`: the loss and gradients of the whole batch.

python examples/devices.py
"""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")  # of a CPU; before jax starts

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array

from ccalign_jax.losses import clip_loss
from ccalign_jax.numerics import unit_rows

DEVICES, AXIS, LANGUAGES, IMAGES, WIDTH = 8, "batch", 2, 64, 16


def loss(weight: Array, text: Array, image: Array, axis_name: str | None = None) -> Array:
    """InfoNCE of the whole batch; with `axis_name`, each device holds a part of it."""
    return clip_loss(unit_rows(text @ weight), image, temperature=0.1, axis_name=axis_name)


def loss_and_gradient(weight: Array, text: Array, image: Array) -> tuple[Array, Array]:
    """The same on every device: differentiate the mean of the loss, and take the mean of the gradients.

    Both means are needed for a gradient that is right under `vmap`, `pmap` and `shard_map` alike: without the first it
    is too large by the number of devices under `shard_map`, without the second it is that of a part under `pmap`.
    """

    def mean_loss(weight: Array) -> Array:
        return jax.lax.pmean(loss(weight, text, image, AXIS), AXIS)

    value, gradient = jax.value_and_grad(mean_loss)(weight)
    return value, jax.lax.pmean(gradient, AXIS)


def main() -> None:
    """Print the largest difference of each from the gradient of one device that holds the whole batch."""
    devices = jax.devices()[:DEVICES]
    if len(devices) < DEVICES:
        raise SystemExit(f"{len(devices)} devices; set XLA_FLAGS=--xla_force_host_platform_device_count={DEVICES}")
    keys = jax.random.split(jax.random.key(0), 3)
    weight = jnp.eye(WIDTH) + 0.1 * jax.random.normal(keys[0], (WIDTH, WIDTH))
    image = unit_rows(jax.random.normal(keys[1], (IMAGES, WIDTH)))
    text = unit_rows(image + 0.5 * jax.random.normal(keys[2], (LANGUAGES, IMAGES, WIDTH)))
    whole = jax.jit(jax.value_and_grad(loss))(weight, text, image)
    print(f"one device: loss {whole[0]:.4f}, gradient of norm {jnp.linalg.norm(whole[1]):.4f}")

    mesh = Mesh(np.array(devices), (AXIS,))
    parts = P(), P(None, AXIS), P(AXIS)  # weights whole, captions and images by image
    sharded = jax.jit(jax.shard_map(loss_and_gradient, mesh=mesh, in_specs=parts, out_specs=(P(), P())))
    mapped = jax.pmap(loss_and_gradient, AXIS, in_axes=(None, 1, 0), devices=devices)
    split = (weight, text.reshape(LANGUAGES, DEVICES, -1, WIDTH), image.reshape(DEVICES, -1, WIDTH))
    found = {"shard_map": sharded(weight, text, image), "pmap": jax.tree.map(lambda each: each[0], mapped(*split))}
    for name, (value, gradient) in found.items():
        off = float(jnp.abs(gradient - whole[1]).max() / jnp.abs(whole[1]).max())
        verdict = "right" if off < 1e-5 else "wrong"
        print(f"{DEVICES} devices, {name}: loss {value:.4f}, gradient off by {off:.0e}: {verdict}")


if __name__ == "__main__":
    main()

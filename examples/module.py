"""A map as a module of your own, Equinox-style: a dataclass that is a pytree, of which a part is trained.

python examples/module.py

With Equinox, `Centred` is an `equinox.Module`, and `split` and `join` are `equinox.partition` and `equinox.combine`.
"""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from ccalign_jax.data import synthetic
from ccalign_jax.losses import clip_loss, prox_penalty
from ccalign_jax.numerics import unit_rows

STEPS, TEMPERATURE, PENALTY = 60, 0.1, 0.01


@partial(jax.tree_util.register_dataclass, data_fields=["mean", "delta"], meta_fields=["name"])
@dataclasses.dataclass(frozen=True)
class Centred:
    """x ↦ (x − mean) (I + ΔW); unit rows."""

    mean: Array
    delta: Array
    name: str = "centred residual"

    def __call__(self, rows: Array) -> Array:
        centred = rows - self.mean
        return unit_rows(centred + centred @ self.delta)


def split(module: Any, trained: Any) -> tuple[Any, Any]:
    """The leaves where a tree of bools says True, and the others; None stands where a leaf is in the other tree."""
    kept = jax.tree.map(lambda leaf, keep: leaf if keep else None, module, trained)
    return kept, jax.tree.map(lambda leaf, keep: None if keep else leaf, module, trained)


def join(one: Any, other: Any) -> Any:
    """What `split` took apart."""
    return jax.tree.map(lambda a, b: b if a is None else a, one, other, is_leaf=lambda leaf: leaf is None)


def main() -> None:
    """Train ΔW and leave the mean as it is; print the loss before and after."""
    data = synthetic(300, languages=("de", "en"), dimensions=32)  # a caption of each language and image, in their order
    image = unit_rows(jnp.asarray(data.image))
    text = unit_rows(jnp.stack([jnp.asarray(data.text[language]) for language in data.languages]))
    module = Centred(mean=text.mean((0, 1)), delta=jnp.zeros((data.d_text, data.d_image)))
    trained, frozen = split(module, dataclasses.replace(module, mean=False, delta=True))
    optimizer = optax.adam(3e-3)

    def loss(trained: Any) -> Array:
        module = join(trained, frozen)
        return clip_loss(module(text), image, temperature=TEMPERATURE) + PENALTY * prox_penalty(module.delta)

    @jax.jit
    def step(trained: Any, state: Any) -> tuple[Any, Any, Array]:
        value, gradients = jax.value_and_grad(loss)(trained)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(trained, updates), state, value

    state, values = optimizer.init(trained), []
    for _ in range(STEPS):
        trained, state, value = step(trained, state)
        values.append(float(value))
    fitted = join(trained, frozen)
    print(f"{fitted.name}: loss {values[0]:.3f} → {values[-1]:.3f} in {STEPS} steps")
    print(f"‖ΔW‖ {jnp.linalg.norm(fitted.delta):.2f}, mean unchanged: {bool((fitted.mean == module.mean).all())}")


if __name__ == "__main__":
    main()

"""The InfoNCE loss of ccalign_jax in a training loop of your own, with Flax NNX and optax.

python examples/flax_nnx.py
"""

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array

from ccalign_jax.data import synthetic
from ccalign_jax.losses import clip_loss
from ccalign_jax.metrics import rank, retrieval_metrics
from ccalign_jax.numerics import unit_rows

TRAINED, BATCH, STEPS, TEMPERATURE = 300, 100, 60, 0.1


class Residual(nnx.Module):
    """x ↦ x + x ΔW, the identity at first; unit rows."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.change = nnx.Linear(width, width, use_bias=False, kernel_init=nnx.initializers.zeros, rngs=rngs)

    def __call__(self, rows: Array) -> Array:
        return unit_rows(rows + self.change(rows))


@nnx.jit
def step(model: Residual, optimizer: nnx.Optimizer, text: Array, image: Array) -> Array:
    """One update, in place, on captions `[languages, b, d]` and their images `[b, d]`."""

    def loss(model: Residual) -> Array:
        return clip_loss(model(text), image, temperature=TEMPERATURE)

    value, gradients = nnx.value_and_grad(loss)(model)
    optimizer.update(model, gradients)
    return value


def recall(model: Residual, text: Array, image: Array) -> float:
    """R@1 of captions among the images, the mean over languages."""
    gold = jnp.arange(len(image))[:, None]
    return sum(retrieval_metrics(rank(model(rows), image, gold))["R@1"] for rows in text) / len(text)


def main() -> None:
    """Train on some images, and print R@1 on the others, before and after."""
    data = synthetic(400, languages=("de", "en"), dimensions=32)  # a caption of each language and image, in their order
    image = unit_rows(jnp.asarray(data.image))
    text = unit_rows(jnp.stack([jnp.asarray(data.text[language]) for language in data.languages]))
    model = Residual(data.d_image, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(3e-3), wrt=nnx.Param)
    test = text[:, TRAINED:], image[TRAINED:]
    print(f"before: test R@1 {recall(model, *test):.3f}")
    for key in jax.random.split(jax.random.key(0), STEPS):
        chosen = jax.random.choice(key, TRAINED, (BATCH,), replace=False)
        loss = step(model, optimizer, text[:, chosen], image[chosen])
    print(f"after {STEPS} steps: loss {loss:.3f}, test R@1 {recall(model, *test):.3f}")


if __name__ == "__main__":
    main()

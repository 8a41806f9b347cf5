"""Which of several maps to keep: all are scored on the selection part, by one program for all aligners."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ccalign_jax.aligners import Aligner, Params
from ccalign_jax.numerics import AnyArray
from ccalign_jax.training.batches import Embeddings
from ccalign_jax.training.objective import Recipe
from ccalign_jax.training.parts import Part, map_part, score_part

__all__ = ["FitResult", "Run", "choose_epoch", "keep_epoch", "score_epochs", "take_best"]


class FitResult(NamedTuple):
    """What is kept of a run.

    Attributes:
        params: parameters of the best epoch.
        epoch: the best epoch; 0 is the start.
        scores: `[epochs + 1, 3]` t2i R@1, i2t R@1 and MRR on the selection part after each epoch, the mean where
            there are several; zeros where nothing was scored.
        losses: `[epochs]` mean objective of the steps of each epoch.
    """

    params: Params
    epoch: Int[Array, ""]
    scores: Float[Array, "epochs 3"]
    losses: Float[Array, " epochs"]


class Run(Protocol):
    """Maps to choose from: those of a `Trajectory`, or of the path of a closed form."""

    @property
    def losses(self) -> Float[AnyArray, " epochs"]:
        """One less than there are maps."""
        ...

    def at(self, epoch: Any) -> Params:
        """The parameters of one map; 0 is the start."""
        ...


def keep_epoch(run: Run, epoch: int) -> FitResult:
    """An epoch that was settled before; its scores are zeros."""
    return FitResult(run.at(epoch), jnp.int32(epoch), jnp.zeros((len(run.losses) + 1, 3)), jnp.asarray(run.losses))


def choose_epoch(aligner: Aligner, run: Run, embeddings: Embeddings, select: Part, *, recipe: Recipe) -> FitResult:
    """The epoch with the best criterion on the selection part; of equal ones the earliest.

    Args:
        aligner: whose parameters `run` holds.
        run: from `fit`, or the path of a closed form.
        embeddings: the data.
        select: the part.
        recipe: its `criterion`, and whether the start counts.
    """
    return take_best(run, score_epochs(aligner, run, embeddings, select), recipe=recipe)


def score_epochs(aligner: Aligner, run: Run, embeddings: Embeddings, select: Part) -> Float[Array, "epochs_and_one 3"]:
    """t2i R@1, i2t R@1 and MRR on a part at the start and after each epoch."""
    epochs = range(len(run.losses) + 1)
    return jnp.stack([score_part(map_part(aligner, run.at(epoch), embeddings, select)) for epoch in epochs])


def take_best(run: Run, scores: Float[Array, "epochs_and_one 3"], *, recipe: Recipe) -> FitResult:
    """The epoch whose scores are best by the recipe's criterion; of equal ones the earliest."""
    values = scores[:, 0] if recipe.criterion == "t2i" else scores.mean(axis=1)
    best = jnp.argmax(values if recipe.start_counts else values.at[0].set(-jnp.inf))
    return FitResult(run.at(best), best, scores, jnp.asarray(run.losses))

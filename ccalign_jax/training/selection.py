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

__all__ = ["FitResult", "Run", "choose_epoch", "first_step", "keep_epoch", "score_epochs", "take_best"]


class FitResult(NamedTuple):
    """What is kept of a run.

    Attributes:
        params: parameters of the best epoch.
        epoch: the best epoch; 0 is the start.
        scores: `[epochs + 1, 3]` t2i R@1, i2t R@1 and MRR on the selection part after each epoch, the mean where
            there are several; zeros where nothing was scored.
        losses: `[epochs]` mean objective of the steps of each epoch.
        diverged: the first step, from 1, after which a parameter of one of the runs behind it was NaN or infinite; 0
            if all stayed finite.
    """

    params: Params
    epoch: Int[Array, ""]
    scores: Float[Array, "epochs 3"]
    losses: Float[Array, " epochs"]
    diverged: Int[Array, ""]


class Run(Protocol):
    """Maps to choose from: those of a `Trajectory`, or of the path of a closed form."""

    @property
    def losses(self) -> Float[AnyArray, " epochs"]:
        """One less than there are maps."""
        ...

    @property
    def diverged(self) -> Int[AnyArray, " epochs_and_one"]:
        """For each map the first step after which a parameter was NaN or infinite, 0 where all are finite."""
        ...

    def at(self, epoch: Any) -> Params:
        """The parameters of one map; 0 is the start."""
        ...


def first_step(diverged: Int[AnyArray, ...]) -> Int[Array, ""]:
    """The earliest of several first steps that diverged; 0 if none did.

    Example:
        >>> int(first_step(jnp.array([0, 7, 3])))
        3
    """
    last = jnp.iinfo(jnp.int32).max
    earliest = jnp.min(jnp.where(diverged > 0, diverged, last))
    return jnp.where(earliest < last, earliest, 0)


def keep_epoch(run: Run, epoch: int) -> FitResult:
    """An epoch that was settled before, or the last before it whose parameters are finite; its scores are zeros."""
    epochs = jnp.arange(len(run.diverged))
    kept = jnp.max(jnp.where((run.diverged == 0) & (epochs <= epoch), epochs, 0))
    return _kept(run, kept, jnp.zeros((len(run.diverged), 3)))


def choose_epoch(aligner: Aligner, run: Run, embeddings: Embeddings, select: Part, *, recipe: Recipe) -> FitResult:
    """The epoch with finite parameters and the best criterion on the selection part; ties go to the earliest.

    Args:
        aligner: whose parameters `run` holds.
        run: from `fit`, or the path of a closed form.
        embeddings: the data.
        select: the part.
        recipe: its `criterion`, and whether the start counts.
    """
    return take_best(run, score_epochs(aligner, run, embeddings, select), recipe=recipe)


def score_epochs(aligner: Aligner, run: Run, embeddings: Embeddings, select: Part) -> Float[Array, "epochs_and_one 3"]:
    """t2i R@1, i2t R@1 and MRR on a part at the start and after each epoch; zeros where parameters are not finite."""
    epochs = range(len(run.losses) + 1)
    scores = jnp.stack([score_part(map_part(aligner, run.at(epoch), embeddings, select)) for epoch in epochs])
    return jnp.where((run.diverged == 0)[:, None], scores, 0.0)


def take_best(run: Run, scores: Float[Array, "epochs_and_one 3"], *, recipe: Recipe) -> FitResult:
    """The epoch whose scores are best by the recipe's criterion, of those with finite parameters.

    Ties go to the earliest. If no other epoch is finite the start is taken, even if the recipe does not count it.
    """
    values = scores[:, 0] if recipe.criterion == "t2i" else scores.mean(axis=1)
    values = values if recipe.start_counts else values.at[0].set(-jnp.inf)
    return _kept(run, jnp.argmax(jnp.where(run.diverged == 0, values, -jnp.inf)), scores)


def _kept(run: Run, epoch: Int[Array, ""], scores: Float[Array, "epochs_and_one 3"]) -> FitResult:
    return FitResult(run.at(epoch), epoch, scores, jnp.asarray(run.losses), first_step(run.diverged))

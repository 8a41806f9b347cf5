"""Selection of the best epoch: all maps are scored on a validation part, by one program for all aligners."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ccalign_jax.aligners import Aligner, Params
from ccalign_jax.numerics import AnyArray
from ccalign_jax.precision import Precision
from ccalign_jax.training.batches import Embeddings, take
from ccalign_jax.training.objective import Recipe
from ccalign_jax.training.parts import Part, PartScores, score_map

__all__ = ["FitResult", "Run", "best_point", "choose_epoch", "first_step", "keep_epoch", "score_epochs", "take_best"]


class FitResult(NamedTuple):
    """The selected epoch of a run.

    Attributes:
        params: parameters of the best epoch.
        epoch: the best epoch; 0 is the start.
        point: its place among the epochs that are scored.
        scores: `[points, 3]` t2i R@1, i2t R@1 and MRR on the selection part after each epoch that is scored, the mean
            where there are several parts; zeros where nothing was scored.
        losses: `[epochs]` mean objective of the steps of each epoch.
        diverged: the first step, from 1, after which a parameter of one of the runs behind it was NaN or infinite; 0
            if all stayed finite.
    """

    params: Params
    epoch: Int[Array, ""]
    point: Int[Array, ""]
    scores: Float[Array, "points 3"]
    losses: Float[Array, " epochs"]
    diverged: Int[Array, ""]


class Run(Protocol):
    """Maps to choose from: those of a `Trajectory`, or of the path of a closed form."""

    @property
    def losses(self) -> Float[AnyArray, " epochs"]:
        """Of each epoch, or of each point of a path but the first."""
        ...

    @property
    def epochs(self) -> Int[AnyArray, " points"]:
        """The epoch of each map, ascending from 0; of a path the place of the point."""
        ...

    @property
    def diverged(self) -> Int[AnyArray, " points"]:
        """For each map the first step after which a parameter was NaN or infinite, 0 where all are finite."""
        ...

    def at(self, point: Any) -> Params:
        """The parameters of one map; 0 is the start."""
        ...


@jax.jit
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
    """An epoch that was settled before, or the last before it that was kept and is finite; its scores are zeros."""
    return _kept(run, _last_finite(run.diverged, run.epochs, epoch), jnp.zeros((len(run.diverged), 3)))


@jax.jit
def _last_finite(diverged: Int[AnyArray, " points"], epochs: Int[AnyArray, " points"], epoch: int) -> Int[Array, ""]:
    return jnp.max(jnp.where((diverged == 0) & (epochs <= epoch), jnp.arange(len(diverged)), 0))


def choose_epoch(aligner: Aligner, run: Run, embeddings: Embeddings, validation: Part, *, recipe: Recipe) -> FitResult:
    """The epoch with finite parameters and the best criterion on the selection part; ties go to the earliest.

    Args:
        aligner: whose parameters `run` holds.
        run: from `fit`, or the path of a closed form.
        embeddings: the data.
        validation: the part.
        recipe: its `criterion`, and whether the start counts.
    """
    scores = score_epochs(aligner, run, embeddings, validation, precision=recipe.precision)
    return take_best(run, scores.mean, recipe=recipe)


def score_epochs(
    aligner: Aligner, run: Run, embeddings: Embeddings, validation: Part, *, precision: Precision = "float32"
) -> PartScores:
    """The scores of every map of a run on a part, `[points, …]`; zeros where parameters are not finite.

    Args:
        aligner: whose parameters `run` holds.
        run: from `fit`, or the path of a closed form.
        embeddings: the data.
        validation: the part.
        precision: of the products of matrices.
    """
    found = [score_map(aligner, run.at(point), embeddings, validation, precision) for point in range(len(run.epochs))]
    return _stack_finite(found, run.diverged)


@jax.jit
def _stack_finite(found: list[PartScores], diverged: Int[AnyArray, " points"]) -> PartScores:
    finite = jnp.asarray(diverged) == 0
    mean, images = (jnp.stack(leaves) for leaves in zip(*found, strict=True))
    return PartScores(jnp.where(finite[:, None], mean, 0.0), jnp.where(finite[:, None, None], images, 0.0))


def take_best(run: Run, scores: Float[AnyArray, "points 3"], *, recipe: Recipe) -> FitResult:
    """The epoch whose scores are best by the recipe's criterion, of those with finite parameters.

    Ties go to the earliest. If no other epoch is finite the start is taken, even if the recipe does not count it.
    """
    return _kept(run, best_point(scores, run.diverged, recipe=recipe), scores)


def best_point(
    scores: Float[AnyArray, "points 3"], diverged: Int[AnyArray, " points"], *, recipe: Recipe
) -> Int[Array, ""]:
    """The place of the best epoch by the recipe's criterion, of those with finite parameters; see `take_best`.

    Example:
        >>> scores = jnp.array([[0.2, 0.2, 0.2], [0.4, 0.4, 0.4], [0.4, 0.4, 0.4]])
        >>> int(best_point(scores, jnp.zeros(3, int), recipe=Recipe()))
        1
    """
    return _best_point(scores, diverged, recipe.criterion, recipe.start_counts)


@partial(jax.jit, static_argnums=(2, 3))
def _best_point(scores: Array, diverged: Array, criterion: str, start_counts: bool) -> Int[Array, ""]:
    values = scores[:, 0] if criterion == "t2i" else jnp.mean(scores, axis=1)
    values = values if start_counts else values.at[0].set(-jnp.inf)
    return jnp.argmax(jnp.where(diverged == 0, values, -jnp.inf))


def _kept(run: Run, point: Int[Array, ""], scores: Float[AnyArray, "points 3"]) -> FitResult:
    epoch, scores, losses = take(run.epochs, point), jnp.asarray(scores), jnp.asarray(run.losses)
    return FitResult(run.at(point), epoch, point, scores, losses, first_step(run.diverged))

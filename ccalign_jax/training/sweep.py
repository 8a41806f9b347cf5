"""Many runs as one program: trials grouped by what is static, mapped over hyper-parameters and folds."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ccalign_jax.aligners import Aligner, Sizes, make_aligner
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import make_pivot
from ccalign_jax.training.batches import Embeddings
from ccalign_jax.training.fit import Trajectory, fit
from ccalign_jax.training.objective import OPTIONAL, Hyper, Recipe, fitting_recipe
from ccalign_jax.training.parts import LanguageRanks, Part, map_part, rank_part, score_part
from ccalign_jax.training.selection import FitResult, choose_epoch, take

__all__ = [
    "SIZES",
    "FoldArrays",
    "Group",
    "Program",
    "RunResult",
    "Space",
    "Trial",
    "evaluate_folds",
    "group_trials",
    "holdout_ranks",
    "make_program",
    "plan_slices",
    "slice_inputs",
    "slice_runs",
]

SIZES = Sizes._fields[1:]  # of a recipe, that shape an aligner
ACCELERATOR_BYTES = 2**32  # what the runs of one slice may take on an accelerator


class FoldArrays(NamedTuple):
    """All folds of a plan, stacked along the first axis and padded with -1.

    `consensus` has the rows of each kind that a pivot asks for, `[folds, n, d_image]`, made of training images alone.
    """

    train: Int[Array, "folds t"]
    train_count: Int[Array, " folds"]
    select: Part
    report: Part
    sample: Part
    consensus: dict[str, Float[Array, "folds n d_image"]] | None = None


@dataclasses.dataclass(frozen=True)
class Trial:
    """One row of a sweep: what is trained, towards what, with which numbers.

    Attributes:
        index: its number in the sweep, folded into the run's key: a trial's randomness.
        name: unique in the sweep.
        pivot, aligner, loss: names.
        hyper: plain floats.
        recipe: what is static.
        reads: the hyper-parameters that change what comes out.
    """

    index: int
    name: str
    pivot: str
    aligner: str
    loss: str
    hyper: Hyper
    recipe: Recipe
    reads: frozenset[str] = frozenset(Hyper._fields)


@dataclasses.dataclass(frozen=True)
class Group:
    """Trials that one compiled program serves."""

    pivot: str
    aligner: str
    loss: str
    recipe: Recipe
    trials: tuple[Trial, ...]


class RunResult(NamedTuple):
    """A trial on a fold: the fit, and the ranks of the report part and of the training sample."""

    fit: FitResult
    report: LanguageRanks
    sample: LanguageRanks


@dataclasses.dataclass(frozen=True)
class Space:
    """The widths and languages of the data: what an aligner is built from."""

    d_text: int
    d_image: int
    languages: tuple[str, ...]

    def aligner(self, name: str, recipe: Recipe) -> Aligner:
        """The aligner of this name; one object for one answer, so that what is compiled for it serves again."""
        return _aligner(self, name, *(getattr(recipe, size) for size in SIZES))


@functools.cache
def _aligner(space: Space, name: str, *sizes: int) -> Aligner:
    known = dict(zip(SIZES, sizes, strict=True))
    return make_aligner(name, space.d_text, space.d_image, languages=len(space.languages), **known)


def group_trials(trials: Sequence[Trial]) -> list[Group]:
    """Trials that differ in numbers alone come together; a term that is zero in all of them is absent."""
    found: dict[tuple, list[Trial]] = {}
    for trial in trials:
        found.setdefault((trial.pivot, trial.aligner, trial.loss, trial.recipe), []).append(trial)
    groups = []
    for (pivot, aligner, loss, recipe), members in found.items():
        terms = frozenset(term for term in OPTIONAL if any(getattr(trial.hyper, term) != 0 for trial in members))
        groups.append(Group(pivot, aligner, loss, dataclasses.replace(recipe, terms=terms), tuple(members)))
    return groups


def plan_slices(group: Group, folds: int, *, params_bytes: int, accelerator: bool) -> tuple[int, int]:
    """How many runs a slice holds, and how many slices the group takes; the last is padded.

    On a CPU a slice is one trial on all folds, so that nothing is padded; on an accelerator it is as
    wide as memory allows.
    """
    runs = len(group.trials) * folds
    if not accelerator:
        return folds, len(group.trials)
    # parameters, gradient, two Adam moments, room for activations, and the map of every epoch
    widest = max(1, min(runs, ACCELERATOR_BYTES // max((8 + group.recipe.epochs) * params_bytes, 2**26)))
    slices = -(-runs // widest)
    return -(-runs // slices), slices


@dataclasses.dataclass(frozen=True)
class Program:
    """What runs the trials of a group: `program(embeddings, folds, hyper, keys, fold_numbers)`.

    The last three have a leading axis of runs, and so has the result. Training is compiled for the group; ranking,
    which is most of the code, once for all groups.

    Attributes:
        aligner: of the group.
        recipe: of the group.
        fit: `fit(embeddings, folds, hyper, keys, fold_numbers) -> Trajectory`, jit-compiled.
    """

    aligner: Aligner
    recipe: Recipe
    fit: Any

    def compile(self, *inputs: Any) -> Program:
        """The same for inputs of these shapes, compiled now."""
        return dataclasses.replace(self, fit=self.fit.lower(*inputs).compile())

    def __call__(
        self, embeddings: Embeddings, folds: FoldArrays, hyper: Hyper, keys: Array, numbers: Array
    ) -> RunResult:
        trajectories = self.fit(embeddings, folds, hyper, keys, numbers)
        runs = []
        for run in range(numbers.shape[0]):
            trajectory, number = take((trajectories, numbers), run)
            done = choose_epoch(self.aligner, trajectory, embeddings, take(folds.select, number), recipe=self.recipe)
            runs.append(RunResult(done, *holdout_ranks(self.aligner, done.params, embeddings, folds, number)))
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *runs)


def holdout_ranks(
    aligner: Aligner, params: Any, embeddings: Embeddings, folds: FoldArrays, number: Array | int
) -> tuple[LanguageRanks, LanguageRanks]:
    """The ranks of a fold's report part and of its training sample under a map."""
    parts = take((folds.report, folds.sample), number)
    report, sample = (rank_part(map_part(aligner, params, embeddings, part)) for part in parts)
    return report, sample


def make_program(group: Group, space: Space, *, least: int, accelerator: bool) -> Program:
    """The program of a group; `least` is the size of the smallest training part."""
    aligner = space.aligner(group.aligner, group.recipe)
    pivot, loss = make_pivot(group.pivot, space.languages), LOSSES[group.loss]
    recipe = fitting_recipe(group.recipe, least)

    @jax.jit
    def fit_runs(embeddings: Embeddings, folds: FoldArrays, hyper: Hyper, keys: Array, numbers: Array) -> Trajectory:
        def one_run(inputs):
            run_hyper, key, number = inputs
            train, count, consensus = jax.tree.map(
                lambda leaf: leaf[number], (folds.train, folds.train_count, folds.consensus)
            )
            rows = embeddings
            if pivot.consensus is not None and consensus is not None:
                rows = embeddings._replace(consensus=consensus[pivot.consensus])
            return fit(
                aligner,
                pivot,
                loss,
                run_hyper,
                key,
                rows,
                train,
                count,
                recipe=recipe,
                least=least,
            )

        inputs = (hyper, keys, numbers)
        return jax.vmap(one_run)(inputs) if accelerator else jax.lax.map(one_run, inputs)

    return Program(aligner, recipe, fit_runs)


def slice_inputs(group: Group, folds: int, *, key: Array, width: int, number: int) -> tuple[Hyper, Array, Array]:
    """Hyper-parameters, keys and fold numbers of a slice; the last run is repeated where the slice is not full."""
    runs = slice_runs(group, folds, width=width, number=number)
    runs += [runs[-1]] * (width - len(runs))
    hyper = Hyper(*(jnp.asarray(leaf, jnp.float32) for leaf in zip(*(trial.hyper for trial, _ in runs), strict=True)))
    keys = jnp.stack([jax.random.fold_in(jax.random.fold_in(key, trial.index), fold) for trial, fold in runs])
    return hyper, keys, jnp.asarray([fold for _, fold in runs], jnp.int32)


def slice_runs(group: Group, folds: int, *, width: int, number: int) -> list[tuple[Trial, int]]:
    """The (trial, fold) of each run of a slice, trial by trial."""
    runs = [(trial, fold) for trial in group.trials for fold in range(folds)]
    return runs[number * width : (number + 1) * width]


def evaluate_folds(aligner: Aligner, params: Any, embeddings: Embeddings, folds: FoldArrays) -> Iterator[tuple]:
    """Selection scores, report ranks and training-sample ranks of one map on every fold, as NumPy arrays."""
    for number in range(len(folds.train_count)):
        scores = score_part(map_part(aligner, params, embeddings, take(folds.select, number)))
        found = scores, *holdout_ranks(aligner, params, embeddings, folds, number)
        yield jax.tree.map(np.asarray, found)

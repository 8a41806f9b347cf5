"""Many runs as one program: trials grouped by what is static, mapped over hyper-parameters and folds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ccalign_jax.aligners import Aligner, Sizes, make_aligner
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import make_pivot
from ccalign_jax.training.batches import Embeddings
from ccalign_jax.training.fit import FitResult, fit
from ccalign_jax.training.objective import OPTIONAL, Hyper, Recipe, fitting_recipe
from ccalign_jax.training.parts import LanguageRanks, Part, mean_scores, ranks_of_parts, take_part

__all__ = [
    "SIZES",
    "FoldArrays",
    "Group",
    "RunResult",
    "Space",
    "Trial",
    "evaluate_folds",
    "group_trials",
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
        sizes = {size: getattr(recipe, size) for size in SIZES}
        return make_aligner(name, self.d_text, self.d_image, languages=len(self.languages), **sizes)


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
    # parameters, gradient, two Adam moments, the best so far, and room for activations
    widest = max(1, min(runs, ACCELERATOR_BYTES // max(8 * params_bytes, 2**26)))
    slices = -(-runs // widest)
    return -(-runs // slices), slices


def make_program(group: Group, space: Space, *, least: int, accelerator: bool) -> Callable[..., RunResult]:
    """The jit-compiled program of a group: `program(embeddings, folds, hyper, keys, fold_numbers)`.

    The last three have a leading axis of runs, and so has the result.
    """
    aligner = space.aligner(group.aligner, group.recipe)
    pivot, loss = make_pivot(group.pivot, space.languages), LOSSES[group.loss]
    recipe = fitting_recipe(group.recipe, least)

    @jax.jit
    def program(embeddings: Embeddings, folds: FoldArrays, hyper: Hyper, keys: Array, numbers: Array) -> RunResult:
        def one_run(inputs):
            run_hyper, key, number = inputs
            fold: FoldArrays = jax.tree.map(lambda leaf: leaf[number], folds)
            rows = embeddings
            if pivot.consensus is not None and fold.consensus is not None:
                rows = embeddings._replace(consensus=fold.consensus[pivot.consensus])
            done = fit(
                aligner,
                pivot,
                loss,
                run_hyper,
                key,
                rows,
                fold.train,
                fold.train_count,
                take_part(embeddings, fold.select),
                recipe=recipe,
                least=least,
            )
            report, sample = ranks_of_parts(aligner, done.params, embeddings, [fold.report, fold.sample])
            return RunResult(done, report, sample)

        inputs = (hyper, keys, numbers)
        return jax.vmap(one_run)(inputs) if accelerator else jax.lax.map(one_run, inputs)

    return program


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


@partial(jax.jit, static_argnums=0)
def _evaluate(aligner: Aligner, params: Any, embeddings: Embeddings, folds: FoldArrays) -> tuple:
    def one_fold(fold: FoldArrays):
        parts = [fold.select, fold.report, fold.sample]
        select, report, sample = ranks_of_parts(aligner, params, embeddings, parts)
        return mean_scores(select), report, sample

    return jax.lax.map(one_fold, folds)


def evaluate_folds(aligner: Aligner, params: Any, embeddings: Embeddings, folds: FoldArrays) -> Iterator[tuple]:
    """Selection scores, report ranks and training-sample ranks of one map on every fold, as NumPy arrays."""
    done = jax.tree.map(np.asarray, _evaluate(aligner, params, embeddings, folds))
    for number in range(len(folds.train_count)):
        yield jax.tree.map(lambda leaf, at=number: leaf[at], done)

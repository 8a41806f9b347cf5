"""Many runs as one program: trials grouped by what is static, mapped over hyper-parameters and folds."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array

from ccalign_jax.aligners import Aligner, Sizes, make_aligner
from ccalign_jax.losses import LOSSES, LossEntry
from ccalign_jax.pivots import Pivot, make_pivot
from ccalign_jax.training.batches import Embeddings
from ccalign_jax.training.cross_validation import FoldArrays
from ccalign_jax.training.fit import Trajectory, fit
from ccalign_jax.training.objective import COSTLY, OPTIONAL, Hyper, Recipe, fitting_recipe, scored_epochs
from ccalign_jax.training.sharding import spread_runs

__all__ = [
    "ALIGNER_SIZES",
    "Group",
    "Program",
    "Space",
    "Trial",
    "group_trials",
    "make_program",
    "slice_inputs",
    "slice_width",
]

ALIGNER_SIZES = Sizes._fields[1:]  # of a recipe, that shape an aligner
SLICE_BYTES = 2**32  # what the runs of one slice may take
KEPT = 64  # compiled programs


@dataclasses.dataclass(frozen=True)
class Trial:
    """One configuration of a sweep: pivot, aligner, loss and hyper-parameters.

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


@dataclasses.dataclass(frozen=True)
class Space:
    """The widths and languages of the data, of which an aligner is built, and those of teacher rows."""

    d_text: int
    d_image: int
    languages: tuple[str, ...]
    d_teacher: int = 0
    teachers: tuple[str, ...] = ()

    def aligner(self, name: str, recipe: Recipe) -> Aligner:
        """The aligner of this name; the same object each time, so that compiled programs are reused."""
        return _aligner(self, name, *(getattr(recipe, size) for size in ALIGNER_SIZES))


@functools.cache
def _aligner(space: Space, name: str, *sizes: int) -> Aligner:
    known = dict(zip(ALIGNER_SIZES, sizes, strict=True))
    return make_aligner(name, space.d_text, space.d_image, languages=len(space.languages), **known)


def group_trials(trials: Sequence[Trial]) -> list[Group]:
    """Groups of trials that differ in numbers alone; a term that is zero in all trials of a group is absent.

    Where a costly term is zero in some, they are a group of their own, and do not pay for it.
    """
    found: dict[tuple, list[Trial]] = {}
    for trial in trials:
        costly = tuple(getattr(trial.hyper, term) != 0 for term in COSTLY)
        found.setdefault((trial.pivot, trial.aligner, trial.loss, trial.recipe, costly), []).append(trial)
    groups = []
    for (pivot, aligner, loss, recipe, _), members in found.items():
        terms = frozenset(term for term in OPTIONAL if any(getattr(trial.hyper, term) != 0 for trial in members))
        groups.append(Group(pivot, aligner, loss, dataclasses.replace(recipe, terms=terms), tuple(members)))
    return groups


def slice_width(recipe: Recipe, runs: int, *, params_bytes: int, accelerator: bool, devices: int = 1) -> int:
    """Number of runs that one call computes, a multiple of the number of devices.

    On a CPU one on each device: a wider call is no faster there. On an accelerator as many as memory allows, in calls
    of one size.

    Args:
        recipe: of the runs.
        runs: in all.
        params_bytes: of the parameters of one.
        accelerator: whether the devices are one.
        devices: that the runs are spread over.
    """
    if not accelerator:
        return devices
    # parameters, gradient, two Adam moments, activations, and the maps of the epochs that are scored
    widest = max(1, SLICE_BYTES // max((8 + len(scored_epochs(recipe))) * params_bytes, 2**20))
    calls = -(-runs // min(runs, widest * devices))
    return devices * -(-runs // (calls * devices))


@dataclasses.dataclass(frozen=True)
class Program:
    """Compiled fits of a group of runs: `program(embeddings, folds, hyper, keys, fit_numbers) -> Trajectory`.

    The last three have a leading axis of runs, and so has the result. It is compiled for the group; scores and ranks,
    which are most of the code, are compiled once for all groups.

    Attributes:
        aligner: of the group.
        recipe: of the group.
        fit: the compiled function.
    """

    aligner: Aligner
    recipe: Recipe
    fit: Any

    def compile(self, *inputs: Any) -> Program:
        """The same for inputs of these shapes, compiled now, or before."""
        leaves, structure = jax.tree.flatten(jax.eval_shape(lambda *given: given, *inputs))
        return dataclasses.replace(self, fit=_executable(self.fit, structure, tuple(leaves)))

    def __call__(self, *inputs: Any) -> Trajectory:
        return self.fit(*inputs)


def make_program(
    group: Group, space: Space, *, min_train_size: int, accelerator: bool, mesh: Mesh | None = None
) -> Program:
    """The program of a group; `min_train_size` is the size of the smallest training part.

    With a mesh, slices are spread over its devices, and embeddings and folds must be `everywhere` on it.
    """
    aligner = space.aligner(group.aligner, group.recipe)
    pivot, recipe = make_pivot(group.pivot, space.languages), fitting_recipe(group.recipe, min_train_size)
    return Program(
        aligner, recipe, _fit_runs(aligner, pivot, LOSSES[group.loss], recipe, min_train_size, accelerator, mesh)
    )


@functools.lru_cache(maxsize=KEPT)
def _fit_runs(
    aligner: Aligner,
    pivot: Pivot,
    loss: LossEntry,
    recipe: Recipe,
    min_train_size: int,
    accelerator: bool,
    mesh: Mesh | None,
) -> Any:
    """One function for one answer, so that a second sweep of the same kind compiles nothing."""

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
                aligner, pivot, loss, run_hyper, key, rows, train, count, recipe=recipe, min_train_size=min_train_size
            )

        inputs = (hyper, keys, numbers)
        return jax.vmap(one_run)(inputs) if accelerator else jax.lax.map(one_run, inputs)

    return jax.jit(fit_runs) if mesh is None else spread_runs(fit_runs, mesh, copied=2)


@functools.lru_cache(maxsize=KEPT)
def _executable(function: Any, structure: Any, shapes: tuple[jax.ShapeDtypeStruct, ...]) -> Any:
    return function.lower(*jax.tree.unflatten(structure, shapes)).compile()


def slice_inputs(runs: Sequence[tuple[Trial, int]], *, key: Array, width: int) -> tuple[Hyper, Array, Array]:
    """Hyper-parameters, keys and fit numbers of up to `width` runs; the last is repeated where there are fewer."""
    runs = [*runs, *[runs[-1]] * (width - len(runs))]
    hyper = Hyper(*(jnp.asarray(leaf, jnp.float32) for leaf in zip(*(trial.hyper for trial, _ in runs), strict=True)))
    keys = jnp.stack([jax.random.fold_in(jax.random.fold_in(key, trial.index), fit) for trial, fit in runs])
    return hyper, keys, jnp.asarray([fit for _, fit in runs], jnp.int32)

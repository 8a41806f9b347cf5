"""Fits to more rows than memory holds: closed forms from moments of one pass, and training that can be resumed."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, PyTree

from ccalign_jax.aligners import Aligner, Params
from ccalign_jax.data import BatchStream, PairRows, Shards
from ccalign_jax.data.npz import read_npz
from ccalign_jax.errors import InputError
from ccalign_jax.losses import LOSSES
from ccalign_jax.numerics import unit_float32
from ccalign_jax.pivots import Batch, Pivot
from ccalign_jax.solvers import Moments, add_rows, empty_moments, merge
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS, Gathered
from ccalign_jax.solvers.closed_forms import Path as PenaltyPath
from ccalign_jax.study.closed import Aim, aims_of
from ccalign_jax.study.files import tree_arrays, tree_from, whole_file
from ccalign_jax.training import Space, StreamPoint, TrainState, Trajectory, Trial, fit_stream, start_stream

__all__ = ["PASS_ROWS", "StreamRun", "gather_moments", "solve_stream", "train_stream"]

PASS_ROWS = 16384  # read at once for moments
POINTS = 200  # steps between two reports of progress, at which a run may be saved
SAVE_SECONDS = 30.0


@dataclasses.dataclass
class _Sums:
    """Moments so far of the captions of a language with one of their targets."""

    moments: Moments
    share: float = 1.0

    def add(self, text: Float[np.ndarray, "n d_text"], aim: Aim, there: Bool[np.ndarray, " n"]) -> None:
        self.share, counted = aim.share, aim.exists & there
        self.moments = add_rows(self.moments, text, aim.rows, weights=None if counted.all() else counted)


def gather_moments(pivot: Pivot, space: Space, parts: Iterable[PairRows], *, image_weight: float = 1.0) -> Gathered:
    """Second moments of all rows, as from `gather_pairs`, without holding more than a part of them.

    Args:
        pivot: any but those of a consensus, which need all rows at once.
        space: widths and languages of the rows.
        parts: all rows, in any order and in parts of any size; rows of any length.
        image_weight: λ of the auxiliary pivot.

    Raises:
        InputError: the pivot is a consensus, or no caption has a target.

    Example:
        >>> from ccalign_jax.pivots import make_pivot
        >>> rows, there, space = np.eye(4, dtype=np.float16), np.ones((1, 4), bool), Space(4, 4, ("en",))
        >>> part = PairRows(rows, 2 * rows[None], there, np.arange(4))
        >>> found = gather_moments(make_pivot("image", ("en",)), space, [part, part])
        >>> found.images, found.moments[0].text_target.diagonal().tolist()
        ((8,), [0.25, 0.25, 0.25, 0.25])
    """
    if pivot.consensus is not None:
        raise InputError(
            f"pivot {pivot.name} needs all rows at once and cannot be streamed; use image or symmetric, or fewer rows"
        )
    d_target = space.d_text if pivot.within_text else space.d_image
    sums: list[list[_Sums]] = [[] for _ in space.languages]
    for rows in parts:
        image = unit_float32(rows.image)
        text = [_unit_captions(each, there) for each, there in zip(rows.text, rows.mask, strict=True)]
        views = np.stack(text) if pivot.within_text else np.zeros((0, *image.shape), np.float32)
        aims = aims_of(pivot, space.languages, image, views, rows.mask, image_weight)
        for known, own, captions, there in zip(sums, aims, text, rows.mask, strict=True):
            known.extend(_Sums(empty_moments(space.d_text, d_target)) for _ in own[len(known) :])
            for one, aim in zip(known, own, strict=True):
                one.add(captions, aim, there)
    if not any(one.moments.weight for known in sums for one in known):
        raise InputError(f"pivot {pivot.name}: no caption to train on has a target; use another pivot")
    # The weights of a language sum to one, shared by its targets.
    whole = tuple(
        merge(*(_scaled(one.moments, one.share / max(one.moments.weight, 1)) for one in known)) for known in sums
    )
    return Gathered(whole, tuple(int(max(one.moments.weight for one in known)) for known in sums))


def solve_stream(
    trial: Trial,
    pivot: Pivot,
    space: Space,
    shards: Shards,
    chunks: Int[np.ndarray, "k 2"],
    *,
    progress: Callable[[str, int, int], None],
) -> PenaltyPath:
    """The path of a closed form, from one pass over the rows.

    Args:
        trial, pivot, space: what is solved, for rows of these widths and languages.
        shards, chunks: the data, and the ranges of rows to fit.
        progress: called with the trial, pairs read, and pairs in all.
    """

    def parts() -> Iterator[PairRows]:
        done, ends = 0, np.cumsum(np.diff(chunks, axis=1))
        borders = np.flatnonzero(np.diff((ends - 1) // PASS_ROWS)) + 1
        for some in np.split(chunks, borders):
            rows = shards.read_ranges(some)
            yield rows
            done += len(rows.image)
            progress(trial.name, done, int(ends[-1]))

    gathered = gather_moments(pivot, space, parts(), image_weight=float(trial.hyper.image_weight))
    return CLOSED_FORMS[trial.aligner].path(gathered, penalty=float(trial.hyper.penalty))


def _unit_captions(rows: Float[np.ndarray, "n d"], there: Bool[np.ndarray, " n"]) -> Float[np.ndarray, "n d"]:
    """Unit rows, zero where there is no caption."""
    found = np.zeros(rows.shape, np.float32)
    found[there] = unit_float32(rows[there])
    return found


def _scaled(moments: Moments, factor: float) -> Moments:
    return jax.tree.map(partial(np.multiply, factor), moments)


class StreamRun(NamedTuple):
    """A training run up to some step.

    Attributes:
        state: of the optimiser.
        maps: parameters at the start and after each epoch that is complete.
        losses: mean objective of the steps of each of these epochs.
        since: of the epoch that is not complete, the sum of the objective over its steps, and how many they are.
    """

    state: TrainState
    maps: list[Params]
    losses: list[float]
    since: tuple[float, int] = (0.0, 0)

    def advance(self, point: StreamPoint, *, steps_per_epoch: int) -> StreamRun:
        """The same at the next point, which is at the end of an epoch or before it."""
        steps = int(point.state.steps) - int(self.state.steps)
        total, count = self.since[0] + point.loss * steps, self.since[1] + steps
        if int(point.state.steps) % steps_per_epoch:
            return StreamRun(point.state, self.maps, self.losses, (total, count))
        return StreamRun(point.state, [*self.maps, point.state.params.map], [*self.losses, total / count])

    def save(self, path: Path, place: Mapping[str, Any]) -> None:
        """Write the run, whole or not at all, with the place of its batches at the same time."""
        about = {"place": place, "losses": self.losses, "since": self.since, "epochs": len(self.maps) - 1}
        arrays = tree_arrays(self.state, "state/")
        for number, params in enumerate(self.maps):
            arrays |= tree_arrays(params, f"map_{number}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, resumable=True) as file:
            np.savez(file, notes=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())

    def load(self, path: Path) -> tuple[StreamRun, dict[str, Any]] | None:
        """The run that an earlier attempt wrote, and the place of its batches; None if there is none.

        Called on the same run at its start, whose trees have the same structure.

        Raises:
            InputError: the file is damaged.
        """
        if not path.is_file():
            return None
        try:
            stored = read_npz(path)
            about = json.loads(str(stored["notes" if "notes" in stored else "said"]))  # the latter in older files
            state, first = _stored_tree(stored, self.state, "state/"), self.maps[0]
            maps = [_stored_tree(stored, first, f"map_{number}/") for number in range(about["epochs"] + 1)]
        except (ValueError, KeyError, TypeError):  # an InputError is a ValueError
            raise InputError(f"{path}: damaged; remove it to begin anew with --resume, or --overwrite") from None
        return StreamRun(state, maps, about["losses"], tuple(about["since"])), about["place"]


def _stored_tree(arrays: Mapping[str, np.ndarray], like: PyTree, prefix: str) -> PyTree:
    tree = tree_from(arrays, like, prefix)
    if jax.tree.map(np.shape, tree) != jax.tree.map(np.shape, like):
        raise ValueError("a leaf has another shape")
    return tree


def train_stream(
    trial: Trial,
    aligner: Aligner,
    pivot: Pivot,
    stream: BatchStream,
    *,
    seed: int,
    sample: Batch | None,
    path: Path | None,
    progress: Callable[[str, int, int], None],
) -> Trajectory:
    """The maps of a training run at its start and after each epoch.

    Args:
        trial: what is trained.
        aligner, pivot: of the trial.
        stream: the batches of all epochs.
        seed: of training.
        sample: rows for an aligner that adapts to them before training.
        path: of the file that keeps the run, and from which it is resumed; None keeps nothing.
        progress: called with what goes on, pairs seen, and pairs in all.
    """
    key, total, epoch = jax.random.key(seed), len(stream), stream.steps_per_epoch
    loss, recipe = LOSSES[trial.loss], trial.recipe
    hyper = jax.tree.map(lambda number: jnp.asarray(number, jnp.float32), trial.hyper)
    state = jax.tree.map(np.array, start_stream(aligner, hyper, recipe, key, sample))
    run = StreamRun(state, [state.params.map], [])
    batches = iter(stream)
    if path is not None and (kept := run.load(path)) is not None:
        run, place = kept
        batches.set_state(place)
    # Counted from the beginning, so that a run that is resumed has the points, and the bits, of one that never stopped.
    points = [step for step in range(1, total + 1) if step % POINTS == 0 or step % epoch == 0]
    found = fit_stream(
        aligner, pivot, loss, hyper, key, batches, recipe=recipe, total=total, points=points, state=run.state
    )
    saved, ends = time.monotonic(), []
    for point in found:
        if point.state.diverged:  # later steps would be NaN too
            ends = [point]
            break
        steps = int(point.state.steps)
        run = run.advance(point, steps_per_epoch=epoch)
        progress(f"objective {point.loss:.4f}", steps * stream.batch, total * stream.batch)
        if path is not None and (time.monotonic() - saved > SAVE_SECONDS or steps % epoch == 0):
            run.save(path, batches.get_state())
            saved = time.monotonic()
    maps = [*run.maps, *(point.state.params.map for point in ends)]
    losses = [*run.losses, *(point.loss for point in ends)]
    diverged = [*(0 for _ in run.maps), *(int(point.state.diverged) for point in ends)]
    stacked, epochs = jax.tree.map(lambda *leaves: np.stack(leaves), *maps), jnp.arange(len(maps), dtype=jnp.int32)
    return Trajectory(stacked, jnp.asarray(losses, jnp.float32), jnp.asarray(diverged), epochs)

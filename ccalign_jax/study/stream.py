"""Fits to more rows than memory holds: closed forms from moments of one pass, and training that can be resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PyTree

from ccalign_jax.aligners import Aligner, Params
from ccalign_jax.data import BatchStream, PairRows, Shards
from ccalign_jax.data.npz import read_npz
from ccalign_jax.errors import InputError
from ccalign_jax.files import whole_file
from ccalign_jax.losses import LOSSES
from ccalign_jax.numerics import unit_float32
from ccalign_jax.pivots import Batch, Pivot
from ccalign_jax.runs.output import tree_arrays, tree_from
from ccalign_jax.solvers import Moments, add_rows, empty_moments, merge
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.solvers.paths import Gathered
from ccalign_jax.solvers.paths import Path as PenaltyPath
from ccalign_jax.study.board import StreamBoard
from ccalign_jax.study.closed import aims_of
from ccalign_jax.training import Space, StreamPoint, TrainState, Trajectory, Trial, fit_stream, start_stream

__all__ = ["PASS_ROWS", "Progress", "StreamRun", "gather_moments", "solve_stream", "train_stream"]

PASS_ROWS = 16384  # read at once for moments
POINTS = 200  # steps between two reports of progress, at which a run may be saved
SAVE_SECONDS = 30.0

Progress = Callable[[str, int, int], None]


def gather_moments(pivot: Pivot, space: Space, parts: Iterable[PairRows], *, image_weight: float = 1.0) -> Gathered:
    """Second moments of all rows, as from `gather_pairs`, without holding more than a part of them.

    Args:
        pivot: any but those of a consensus, which need all rows at once.
        space: widths and languages of the rows.
        parts: all rows, in any order and in parts of any size; rows of any length.
        image_weight: λ of the auxiliary pivot.

    Raises:
        InputError: no caption has a target.

    Example:
        >>> from ccalign_jax.pivots import make_pivot
        >>> rows, there, space = np.eye(4, dtype=np.float16), np.ones((1, 4), bool), Space(4, 4, ("en",))
        >>> part = PairRows(rows, 2 * rows[None], there, np.arange(4))
        >>> found = gather_moments(make_pivot("image", ("en",)), space, [part, part])
        >>> found.images, found.moments[0].text_target.diagonal().tolist()
        ((8,), [0.25, 0.25, 0.25, 0.25])
    """
    empty = empty_moments(space.d_text, space.d_text if pivot.within_text else space.d_image)
    found: list[dict[int, Moments]] = [{} for _ in space.languages]  # of each language with each of its targets
    shares: dict[int, float] = {}
    for rows in parts:
        image, text = unit_float32(rows.image), np.zeros(rows.text.shape, np.float32)
        for unit, own, there in zip(text, rows.text, rows.mask, strict=True):
            unit[there] = unit_float32(own[there])
        aims = aims_of(pivot, space.languages, image, text if pivot.within_text else text[:0], rows.mask, image_weight)
        for known, own, captions, there in zip(found, aims, text, rows.mask, strict=True):
            for number, aim in enumerate(own):
                counted = aim.exists & there
                weights = None if counted.all() else counted
                known[number] = add_rows(known.get(number, empty), captions, aim.rows, weights=weights)
                shares[number] = aim.share
    if not any(moments.weight for known in found for moments in known.values()):
        raise InputError(f"pivot {pivot.name}: no caption to train on has a target; use another pivot")

    def scaled(number: int, moments: Moments) -> Moments:  # the weights of a language sum to one, shared by its targets
        return jax.tree.map(partial(np.multiply, shares[number] / max(moments.weight, 1)), moments)

    whole = tuple(merge(*(scaled(*each) for each in known.items())) for known in found)
    return Gathered(whole, tuple(int(max(moments.weight for moments in known.values())) for known in found))


def solve_stream(
    trial: Trial, pivot: Pivot, space: Space, shards: Shards, chunks: Int[np.ndarray, "k 2"], *, progress: Progress
) -> PenaltyPath:
    """The path of a closed form, from one pass over these ranges of rows."""

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

    def load(self, path: Path) -> tuple[StreamRun, dict[str, Any]]:
        """The run that an earlier attempt wrote, and the place of its batches.

        Called on the same run at its start, whose trees have the same structure.

        Raises:
            InputError: the file is damaged.
        """
        try:
            stored = read_npz(path)
            about = json.loads(str(stored["notes" if "notes" in stored else "said"]))  # the latter in older files
            state = _stored_tree(stored, self.state, "state/")
            maps = [_stored_tree(stored, self.maps[0], f"map_{number}/") for number in range(about["epochs"] + 1)]
            return StreamRun(state, maps, about["losses"], tuple(about["since"])), about["place"]
        except (ValueError, KeyError, TypeError):  # an InputError is a ValueError
            raise InputError(f"{path}: damaged; remove it to begin anew with --resume, or --overwrite") from None


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
    progress: Progress,
    board: StreamBoard | None = None,
) -> Trajectory:
    """The maps of a training run at its start and after each epoch.

    Args:
        trial, aligner, pivot: what is trained.
        stream: the batches of all epochs.
        seed: of training.
        sample: rows for an aligner that adapts to them before training.
        path: of the file that keeps the run, and from which it is resumed; None keeps nothing.
        progress: called with what goes on, pairs seen, and pairs in all.
        board: shows the steps in TensorBoard.
    """
    key, total, epoch = jax.random.key(seed), len(stream), stream.steps_per_epoch
    hyper = jax.tree.map(lambda number: jnp.asarray(number, jnp.float32), trial.hyper)
    state = jax.tree.map(np.array, start_stream(aligner, hyper, trial.recipe, key, sample))
    run, batches = StreamRun(state, [state.params.map], []), iter(stream)
    if path is not None and path.is_file():
        run, place = run.load(path)
        batches.set_state(place)
    # Counted from the beginning, so that a run that is resumed has the points, and the bits, of one that never stopped.
    points = [step for step in range(1, total + 1) if step % POINTS == 0 or step % epoch == 0]
    found = fit_stream(
        *(aligner, pivot, LOSSES[trial.loss], hyper, key, batches),
        recipe=trial.recipe,
        total=total,
        points=points,
        state=run.state,
    )
    saved, last = time.monotonic(), []
    for point in found:
        if board is not None:
            board.add_steps(point, run.maps[0])
        if point.state.diverged:  # later steps would be NaN too
            last = [point]
            break
        steps = int(point.state.steps)
        run = run.advance(point, steps_per_epoch=epoch)
        progress(f"objective {point.loss:.4f}", steps * stream.batch, total * stream.batch)
        if path is not None and (time.monotonic() - saved > SAVE_SECONDS or steps % epoch == 0):
            run.save(path, batches.get_state())
            saved = time.monotonic()
    maps = [*run.maps, *(point.state.params.map for point in last)]
    losses = [*run.losses, *(point.loss for point in last)]
    diverged = [*(0 for _ in run.maps), *(int(point.state.diverged) for point in last)]
    stacked, epochs = jax.tree.map(lambda *leaves: np.stack(leaves), *maps), jnp.arange(len(maps), dtype=jnp.int32)
    return Trajectory(stacked, jnp.asarray(losses, jnp.float32), jnp.asarray(diverged), epochs)

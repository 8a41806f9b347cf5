"""One aligner from shards that memory cannot hold: trained step by step, or solved in one pass."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Int

from ccalign_jax.data import BatchStream, EmbeddingSet, Shards, open_shards, split_chunks
from ccalign_jax.data.duplicates import first_copies
from ccalign_jax.data.fingerprints import Fingerprints, fingerprint_rows
from ccalign_jax.data.pair_rows import joined_ranges
from ccalign_jax.data.shard_sets import pair_splits
from ccalign_jax.errors import InputError
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.options import AlignConfig
from ccalign_jax.pivots import Batch, make_pivot
from ccalign_jax.runs.kinds import MAP_FOLDER
from ccalign_jax.runs.store import Store
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.arrays import device_embeddings, make_part
from ccalign_jax.study.board import StreamBoard
from ccalign_jax.study.families import Families
from ccalign_jax.study.grids import parse_settings
from ccalign_jax.study.refit import check_trained, describe_map, describe_scores
from ccalign_jax.study.result_notes import held_out_pairing_notes
from ccalign_jax.study.stream import PASS_ROWS, Progress, solve_stream, train_stream
from ccalign_jax.study.trials import check_steps, make_trials
from ccalign_jax.training import Run, Space, Trial, choose_epoch, group_trials, keep_epoch
from ccalign_jax.training.fit import ADAPT_IMAGES

__all__ = ["AlignPlan", "align", "plan_align"]

HELD_SHARE = 5  # at most one in five pairs is held out


class AlignPlan(NamedTuple):
    """A run that has been checked and not begun.

    Attributes:
        config: every choice.
        shards: the data.
        trial: what is trained or solved.
        chunks: `[k, 2]`, ranges of rows to train on.
        apart: `[h, 2]`, ranges of held-out rows.
        stream: the batches of all epochs; None of a closed form.
        held: pairs that choose among epochs or penalties, copies of an image as one; None if none are.
    """

    config: AlignConfig
    shards: Shards
    trial: Trial
    chunks: Int[np.ndarray, "k 2"]
    apart: Int[np.ndarray, "h 2"]
    stream: BatchStream | None
    held: EmbeddingSet | None

    @property
    def train_rows(self) -> int:
        return int(np.diff(self.chunks, axis=1).sum())

    @property
    def held_rows(self) -> int:
        return int(np.diff(self.apart, axis=1).sum())

    @property
    def notes(self) -> list[str]:
        """One sentence on each kind of row that is left out."""
        notes = [*self.shards.notes, *([] if self.held is None else self.held.notes)]
        if rest := len(self.shards) - self.train_rows - self.held_rows:
            notes.append(f"left out {rest} of {len(self.shards)} pairs: their image, or its group, is in split test")
        if self.stream is not None and (rest := self.stream.left_out):
            notes.append(f"{rest} of {self.train_rows} pairs, others each epoch, are left out: they fill no batch")
        return notes


def plan_align(config: AlignConfig, *, progress: Progress = lambda what, done, total: None) -> AlignPlan:
    """Open the data and choose the trial; everything that can be wrong is found here.

    The shards are read once, for their checksums.

    Raises:
        InputError: a mistake in the choices or the data.
    """
    shards = open_shards(config.data, languages=config.languages)
    settings = parse_settings(config.hyper)
    for name, flag in (("batch_images", "batch"), ("epochs", "epochs"), ("steps_per_epoch", "epochs")):
        if name in settings:
            raise InputError(f"--hyper={name}: an epoch is one pass over the shards; give --{flag}")
    settings |= {"batch_images": [config.batch], "epochs": [config.epochs]}
    families = Families(
        Space(shards.d_text, shards.d_image, shards.languages), (config.pivot,), (config.aligner,), (config.loss,)
    )
    made = make_trials(families, blocks=[{}], settings=settings)
    if len(made.trials) > 1:
        names = ", ".join(trial.name for trial in made.trials)
        raise InputError(f"one map is trained at a time, this asks for {len(made.trials)}: {names}; choose one")
    trial = made.trials[0]
    pivot = make_pivot(trial.pivot, shards.languages)
    if pivot.consensus is not None:
        raise InputError(
            f"pivot {pivot.name} needs all rows at once and cannot be streamed; use image or "
            "symmetric, or ccalign sweep on fewer rows"
        )
    if pivot.teacher is not None:
        raise InputError(
            f"pivot {pivot.name}: shards have no teacher rows; write them as image of the shards, or ccalign sweep"
        )
    trial = dataclasses.replace(trial, recipe=group_trials([trial])[0].recipe)
    keep = _outside_test(shards) if config.split == "official" else None
    held = min(config.held, (len(shards) if keep is None else int(keep.sum())) // HELD_SHARE)
    groups = shards.groups() if held else None
    chunks, apart = split_chunks(len(shards), held=held, groups=groups, keep=keep, seed=config.seed)
    stream = None
    if trial.aligner not in CLOSED_FORMS:
        sizes = {"batch": config.batch, "epochs": config.epochs, "memory": config.memory}
        stream = BatchStream(shards, seed=config.seed, chunks=chunks, **sizes)
        check_steps(trial.name, stream.epochs * stream.steps_per_epoch)
    shards.verify(progress)
    return AlignPlan(config, shards, trial, chunks, apart, stream, _held_set(shards, apart) if held else None)


def align(
    plan: AlignPlan,
    store: Store | None = None,
    *,
    tensorboard: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> LearnedMap:
    """Train or solve; of the maps after each epoch, or along the path of a closed form, the held-out pairs choose.

    Without these the last is kept.

    Args:
        plan: from `plan_align`.
        store: that keeps where the run is, and from which it is resumed; None keeps nothing.
        tensorboard: also write what TensorBoard shows, into the store.
        progress: called with what goes on, pairs seen, and pairs in all.

    Returns:
        The map; `about["scores"]` holds t2i R@1, i2t R@1 and MRR on the held-out pairs before and after, and
        `about["notes"]` a sentence if these pairs seem not to belong together.

    Raises:
        InputError: a NaN, infinite or zero row, a file that has become shorter, or training that diverged before any
            map was better than the start; or TensorBoard is not installed.

    Example:
        >>> import tempfile
        >>> from ccalign_jax.data import write_shards
        >>> rows = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float16)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = write_shards(folder, [{"image": rows[:, ::-1], "text_en": rows}])
        ...     found = align(plan_align(AlignConfig(data=folder, aligner="procrustes")))
        >>> found.params["delta"].shape, round(found.about["scores"]["after"]["t2i_R@1"], 6)
        ((8, 8), 1.0)
    """
    trial, shards, seed = plan.trial, plan.shards, plan.config.seed
    space = Space(shards.d_text, shards.d_image, shards.languages)
    aligner, pivot = space.aligner(trial.aligner, trial.recipe), make_pivot(trial.pivot, space.languages)
    board = None
    if tensorboard:
        if store is None or store.path is None:
            raise InputError("tensorboard writes into the folder of the run; give a store, too")
        board = StreamBoard(store.board, trial, aligner, 0 if plan.stream is None else len(plan.stream))
    run: Run
    if plan.stream is None:
        run = solve_stream(trial, pivot, space, shards, plan.chunks, progress=progress)
        if board is not None:
            board.add_path(run)
    else:
        sample = _sample(plan) if aligner.adapt is not None else None
        path = None if store is None or store.path is None else store.draft / MAP_FOLDER.progress[0]
        run = train_stream(
            trial, aligner, pivot, plan.stream, seed=seed, sample=sample, path=path, progress=progress, board=board
        )
    if plan.held is None:
        found = keep_epoch(run, len(run.losses))
    else:
        part, embeddings = make_part(plan.held, np.arange(len(plan.held))), device_embeddings(plan.held)
        found = choose_epoch(aligner, run, embeddings, part, recipe=trial.recipe)
        if board is not None:
            board.add_scores(run, np.asarray(found.scores), 1 if plan.stream is None else plan.stream.steps_per_epoch)
    check_trained(trial.name, found)
    about = describe_map(trial, int(found.epoch), space=space, data=shards.name, protocol="stream", seed=seed)
    about |= {"train_pairs": plan.train_rows, "diverged": int(found.diverged)}
    if plan.held is not None:
        about["scores"] = describe_scores(found)
        if notes := [*held_out_pairing_notes(space, aligner, found.params, embeddings, part, seed=seed)]:
            about["notes"] = notes
    params = jax.tree.map(np.asarray, found.params)
    return LearnedMap(aligner, params, about, _fingerprint_images(plan))


def _outside_test(shards: Shards) -> Bool[np.ndarray, " n"]:
    """Which pairs have an image that is not in the test split, nor in a group with one that is."""
    splits = pair_splits(shards)
    if splits is None:
        raise InputError(f"{shards.name}: --split=official, but no image has a split; leave --split out")
    test, groups = splits == "test", shards.groups()
    if not test.any():
        names = ", ".join(sorted(set(splits.tolist())))
        raise InputError(f"{shards.name}: no image is in split 'test' (there are {names}); leave --split out")
    keep = ~test if groups is None else ~np.isin(groups, groups[test])
    if not keep.any():
        raise InputError(f"{shards.name}: every image is in split 'test', or in a group with one; leave --split out")
    return keep


def _fingerprint_images(plan: AlignPlan) -> Fingerprints:
    """Fingerprints of the images used, held-out ones too, since they choose; read once more, without captions."""
    images, parts = dataclasses.replace(plan.shards, languages=()), []
    used = np.concatenate([plan.chunks, plan.apart])
    for first, last in joined_ranges(used[np.argsort(used[:, 0])]):
        parts += [images.read(start, min(start + PASS_ROWS, last)).image for start in range(first, last, PASS_ROWS)]
    return Fingerprints(np.concatenate([fingerprint_rows(part) for part in parts]), np.zeros(0, np.uint64))


def _sample(plan: AlignPlan) -> Batch:
    """Random training rows, for an aligner that adapts to them before training."""
    count = min(ADAPT_IMAGES, plan.train_rows)
    memory = 4 * count * plan.shards.row_bytes  # the least that holds it
    return BatchStream(plan.shards, batch=count, seed=plan.config.seed, chunks=plan.chunks, memory=memory)[0]


def _held_set(shards: Shards, ranges: Int[np.ndarray, "h 2"]) -> EmbeddingSet:
    """The held-out pairs as a set, with captions of every language; copies of an image are one image."""
    rows = shards.read_ranges(ranges)
    image = rows.image.astype(np.float32)
    first = first_copies(image)
    kept = np.unique(first)
    numbers = np.concatenate([np.arange(start, stop) for start, stop in ranges])
    keys = np.char.zfill(numbers.astype(str), len(str(len(shards))))
    there = dict(zip(shards.languages, rows.mask, strict=True))
    text = {lang: each.astype(np.float32)[there[lang]] for lang, each in zip(shards.languages, rows.text, strict=True)}
    if empty := [language for language, each in text.items() if not len(each)]:
        raise InputError(f"{shards.name}: no held-out pair has a caption in {empty[0]}; hold out more, or none")
    return EmbeddingSet.build(
        shards.name,
        image[kept],
        text,
        image_keys=keys[kept],
        text_keys={language: keys[first][mask] for language, mask in there.items()},
        groups=rows.groups[kept],
    )

"""Pairs that a map was not trained on, by which its scores are calibrated."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from ccalign_jax._names import IDENTITY
from ccalign_jax.calibration.softmax import LEAST_IMAGES
from ccalign_jax.checkpoints import ABOUT, load_tree
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.fingerprints import recognise
from ccalign_jax.data.json_files import read_json
from ccalign_jax.errors import InputError
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.runs.load import FinishedRun, read_run

__all__ = ["HeldOut", "find_held_out"]


class HeldOut(NamedTuple):
    """A map, and images with captions that it was not trained on.

    Attributes:
        learned: the map, or one that was trained like it on other images.
        data: the images, which are the gallery of their captions.
    """

    learned: LearnedMap
    data: EmbeddingSet


def find_held_out(
    learned: LearnedMap,
    data: EmbeddingSet,
    checkpoint: str | os.PathLike[str] | None,
    other: EmbeddingSet | None = None,
) -> tuple[list[HeldOut], str]:
    """Held-out images of a map, and where they come from, in words; an empty list, and why there are none.

    The first of which there are enough: images of `other`; those of the data that the map was not trained on; the test
    images of each fold of the sweep that made it, with the map of that fold.

    Args:
        learned: the map.
        data: what is searched.
        checkpoint: where the map was read; None for one in memory.
        other: a set that the map was not trained on.
    """
    if other is not None:
        unseen = _unseen(learned, other)
        if len(unseen) < LEAST_IMAGES:
            return (
                [],
                f"{other.name} has {len(unseen)} images that the map was not trained on; {LEAST_IMAGES} are needed",
            )
        return [HeldOut(learned, other.take(unseen))], f"{len(unseen)} images of {other.name}"
    if learned.about["aligner"] == IDENTITY and len(data) >= LEAST_IMAGES:
        return [HeldOut(learned, data)], "all images, since nothing was trained"
    if learned.training_images is None:
        return [], "the map does not tell its training images"
    unseen = _unseen(learned, data)
    if len(unseen) >= LEAST_IMAGES:
        return [HeldOut(learned, data.take(unseen))], f"{len(unseen)} images that the map was not trained on"
    folds = [] if checkpoint is None else list(_folds(learned, data, Path(checkpoint)))
    count = sum(len(fold.data) for fold in folds)
    if count >= LEAST_IMAGES:
        words = f"{count} test images of the sweep's {len(folds)} folds, by the map of each fold"
        return folds, f"{words}, while this map was trained on all images, whose probabilities are rougher"
    return [], (
        f"the map was not trained on {len(unseen)} of the images, {LEAST_IMAGES} are needed, and no folds of its sweep "
        "are beside it"
    )


def _unseen(learned: LearnedMap, data: EmbeddingSet) -> Int[np.ndarray, " u"]:
    if learned.training_images is None:  # the user says that they are others
        return np.arange(len(data))
    return np.flatnonzero(~recognise(data, learned.training_images).images)


def _folds(learned: LearnedMap, data: EmbeddingSet, checkpoint: Path) -> Iterator[HeldOut]:
    """The map of each fold of the sweep beside `best`, and its test images among the data."""
    try:
        run = read_run(checkpoint.absolute().parent)
    except InputError:
        return
    trees = _fold_maps(run, learned)
    keys = run.plan["keys"].astype(str)
    if trees is None or (data.numbered and len(keys) != len(data)):
        return
    place = {key: row for row, key in enumerate(data.keys.tolist())}
    known = np.array([place.get(key, -1) for key in keys.tolist()])
    for params, test in zip(trees, run.rows("test"), strict=True):
        rows = np.sort(known[test])
        if (rows >= 0).any():
            yield HeldOut(learned._replace(params=params), data.take(rows[rows >= 0]))


def _fold_maps(run: FinishedRun, learned: LearnedMap) -> Sequence[object] | None:
    """The parameters of the map's trial on each fold; None where the run does not have them."""
    for file in sorted((run.path / "checkpoints").glob(f"*/{ABOUT}")):
        try:
            names = [trial["trial"] for trial in read_json(file)["trials"]]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if learned.about["trial"] in names:
            tree, _ = load_tree(file.parent)
            trial = jax.tree.map(itemgetter(names.index(learned.about["trial"])), tree)
            return [jax.tree.map(itemgetter(fold), trial) for fold in range(run.summary["folds"])]
    return None

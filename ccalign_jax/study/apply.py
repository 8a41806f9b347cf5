"""A learned map at work: on any data set, and scored on it."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from ccalign_jax.aligners import Params
from ccalign_jax.checkpoints import Checkpoint
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.errors import InputError
from ccalign_jax.metrics import Ranks
from ccalign_jax.numerics import unit_rows
from ccalign_jax.study.arrays import lay_out, make_part, unit_float32
from ccalign_jax.study.summary import Outcome, chance_metrics, describe_data, fold_metrics, scored_summary
from ccalign_jax.training import Recipe, Space, part_ranks, take_part

__all__ = ["apply", "evaluate", "take_split"]

ROWS = 65536  # rows mapped at once


def apply(checkpoint: Checkpoint, data: EmbeddingSet) -> EmbeddingSet:
    """The data with captions and images mapped: float32 unit rows; keys, groups and split as they were.

    Raises:
        InputError: widths that are not those of the map, or a language that it has no part for.
    """
    about, aligner = checkpoint.about, checkpoint.aligner
    for side, width in (("d_text", data.d_text), ("d_image", data.d_image)):
        if about[side] != width:
            raise InputError(
                f"{data.name}: {side} is {width}, but the map was trained for {about[side]}; use its encoder"
            )
    numbers = {language: checkpoint.language_number(language) for language in data.languages}
    map_text = jax.jit(lambda params, rows, number: unit_rows(aligner.text(params, rows, number)))
    map_image = jax.jit(lambda params, rows: unit_rows(aligner.image(params, rows)))
    return dataclasses.replace(
        data,
        image=_mapped(map_image, checkpoint.params, data.image),
        text={lang: _mapped(map_text, checkpoint.params, rows, numbers[lang]) for lang, rows in data.text.items()},
    )


def take_split(data: EmbeddingSet, split: str) -> EmbeddingSet:
    """The images of one official split; `all` is everything.

    Raises:
        InputError: the data have no such split.
    """
    if split == "all":
        return data
    names = [] if data.split is None else sorted(set(data.split.tolist()))
    if split not in names:
        there = f"there are {', '.join(names)} and all" if names else "the file has no array 'split'; use --split=all"
        raise InputError(f"{data.name}: no image is in split {split!r}; {there}")
    assert data.split is not None
    return data.take(np.flatnonzero(data.split == split))


def evaluate(data: EmbeddingSet, checkpoint: Checkpoint | None = None) -> dict[str, Any]:
    """Retrieval of all captions among all images, and back: identity, chance, and the map.

    Returns:
        `data`, `baselines`, and with a checkpoint `name`, `metrics` and `delta`, as in a sweep's summary.

    Raises:
        InputError: as `apply`.
    """
    mapped = None if checkpoint is None else apply(checkpoint, data)
    identity = _outcome("identity", data)
    chance = chance_metrics([make_part(data, np.arange(len(data)))], data.languages)
    scored = None
    if checkpoint is not None and mapped is not None:
        scored = _outcome(checkpoint.about["trial"], mapped)
    return scored_summary(describe_data(data), identity, chance, scored)


def _outcome(name: str, data: EmbeddingSet) -> Outcome:
    aligner = Space(data.d_text, data.d_image, data.languages).aligner("identity", Recipe())
    embeddings, part = lay_out(data), make_part(data, np.arange(len(data)))
    ranks = jax.jit(lambda rows, where: part_ranks(aligner, {}, take_part(rows, where)))(embeddings, part)
    ranks = tuple((Ranks(*map(np.asarray, t2i)), Ranks(*map(np.asarray, i2t))) for t2i, i2t in ranks)
    return Outcome(name, report=[fold_metrics(ranks, data.languages)], ranks=[ranks])


def _mapped(function: Any, params: Params, rows: np.ndarray, *rest: int) -> np.ndarray:
    blocks = [unit_float32(rows[start : start + ROWS]) for start in range(0, len(rows), ROWS)]
    return np.concatenate([np.asarray(function(params, block, *rest)) for block in blocks])

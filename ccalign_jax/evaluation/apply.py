"""Read a learned map, and apply it to a data set or to one split of it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Array

from ccalign_jax.aligners import map_captions, map_images
from ccalign_jax.data import EmbeddingSet, seed_folds
from ccalign_jax.errors import InputError
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.seed_maps import read_map
from ccalign_jax.study.inputs import read_data

if TYPE_CHECKING:
    from ccalign_jax.data.objects import Source

__all__ = ["apply", "map_rows", "read_map", "take_split"]


def apply(checkpoint: LearnedMap | str | os.PathLike[str], data: Source | EmbeddingSet) -> EmbeddingSet:
    """The data with captions and images mapped: float32 unit rows; keys, groups and split as they were.

    Args:
        checkpoint: the map, or the folder of one such as `RUN/best`.
        data: a set, or what `load` takes.

    Raises:
        InputError: a map or data that cannot be read, widths that are not those of the map, a language that it has no
            part for, or a row that it maps to NaN, infinity or zero.
    """
    data, checkpoint = read_data(data), read_map(checkpoint)
    checkpoint.check_widths(data.name, d_text=data.d_text, d_image=data.d_image)
    numbers = {language: checkpoint.language_number(language) for language in data.languages}
    notes = ("the teacher rows are left out: captions are mapped, and images stand for what they are compared with",)
    return dataclasses.replace(
        data,
        teachers={},
        notes=data.notes + notes * bool(data.teachers),
        image=checkpoint.map_images(data.image, name=f"{data.name}: image"),
        text={
            lang: checkpoint.map_captions(rows, numbers[lang], name=f"{data.name}: text_{lang}")
            for lang, rows in data.text.items()
        },
    )


def map_rows(
    checkpoint: LearnedMap, language: str | None, *, d_text: int, d_image: int
) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """Functions that map caption rows of a language, and image rows, of any length to unit rows of one space.

    Args:
        checkpoint: the map.
        language: of the captions; None is one that was not in training, and takes what all share.
        d_text, d_image: the widths of the rows to come.

    Raises:
        InputError: widths that are not those of the map, or a language that it has no part for.
    """
    aligner, params = checkpoint.aligner, checkpoint.params
    checkpoint.check_widths("the rows", d_text=d_text, d_image=d_image)
    number = checkpoint.language_number(language)
    return (
        lambda rows: map_captions(aligner, params, rows, number),
        lambda rows: map_images(aligner, params, rows),
    )


def take_split(data: EmbeddingSet, split: str) -> tuple[EmbeddingSet, EmbeddingSet | None]:
    """The images of one split, and those of all others, None where there are none.

    Args:
        data: with official splits, or not.
        split: one of them; `all`; or `seed:0` for the holdout of a fold of the seed study's protocol.

    Raises:
        InputError: the data have no such split.
    """
    if split == "all":
        return data, None
    kind, colon, number = split.partition(":")
    if kind == "seed" and colon:
        data = data.first_captions().complete()
        folds = seed_folds(data)
        if number not in {str(place) for place in range(len(folds))}:
            raise InputError(f"--split={split}: the seed study's folds are seed:0 to seed:{len(folds) - 1}")
        chosen = np.zeros(len(data), bool)
        chosen[folds[int(number)].test] = True
    else:
        names = [] if data.split is None else sorted(set(data.split.tolist()))
        if split not in names:
            there = (
                f"there are {', '.join(names)} and all" if names else "the file has no array 'split'; use --split=all"
            )
            raise InputError(f"{data.name}: no image is in split {split!r}; {there}")
        chosen = np.asarray(data.split == split)
    rest = None if chosen.all() else data.take(np.flatnonzero(~chosen))
    return data.take(np.flatnonzero(chosen)), rest

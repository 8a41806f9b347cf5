"""Captions joined to images by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from ccalign_jax.data.checks import check_rows, float_matrix, strings
from ccalign_jax.errors import InputError

__all__ = ["join_captions", "take_rows"]


def join_captions(
    name: str,
    text: Mapping[str, np.ndarray],
    text_keys: Mapping[str, Sequence[str] | np.ndarray] | None,
    keys: np.ndarray,
    unique: np.ndarray,
    notes: list[str],
    *,
    side: Literal["text", "teacher"] = "text",
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Captions in the order of their images, the image that each describes, and its row of the input, by language.

    Args:
        name: that messages begin with.
        text: language to rows `[m, d_text]`.
        text_keys: language to the image key of each row; without, rows are those of `keys` one by one.
        keys: of the images as given.
        unique: the same, sorted and without repeats; rows of images are numbered as these.
        notes: gains what is left out.
        side: how the names of the arrays begin.

    Raises:
        InputError: wrong ranks or lengths, mixed dimensions, a NaN or zero row.
    """
    what = {"text": "captions", "teacher": "teacher rows"}[side]
    rows: dict[str, np.ndarray] = {}
    owners: dict[str, np.ndarray] = {}
    places: dict[str, np.ndarray] = {}
    width = None
    for language in sorted(text):
        values = float_matrix(name, f"{side}_{language}", text[language])
        width = width or (language, values.shape[1])
        if values.shape[1] != width[1]:
            raise InputError(
                f"{name}: {side}_{language} has {values.shape[1]} columns, {side}_{width[0]} has {width[1]}; "
                f"one encoder, one width: leave one out{' with --languages' * (side == 'text')}"
            )
        if text_keys is None or language not in text_keys:
            if len(values) != len(keys):
                raise InputError(
                    f"{name}: {side}_{language} has {len(values)} rows for {len(keys)} images, but no keys; "
                    f"add {side}_{language}_keys, the image key of each row"
                )
            caption_keys = keys
        else:
            caption_keys = strings(name, f"{side}_{language}_keys", text_keys[language])
        if len(caption_keys) != len(values):
            counts = f"{len(caption_keys)} entries for {len(values)} rows"
            raise InputError(f"{name}: {side}_{language}_keys has {counts}; give a key a row")
        check_rows(name, f"{side}_{language}", values, caption_keys)
        place = np.minimum(np.searchsorted(unique, caption_keys), len(unique) - 1)
        known = unique[place] == caption_keys
        if not known.all():
            strays = int((~known).sum())
            notes.append(f"left out {strays} of {len(known)} {what} of {language}: no image has their key")
        place, kept = place[known], np.flatnonzero(known)
        arrange = np.argsort(place, kind="stable")
        if len(arrange):
            places[language] = kept[arrange]
            rows[language] = take_rows(values, places[language])
            owners[language] = place[arrange].astype(np.int32)
        else:
            emptied = f"language {language}: no caption" if side == "text" else f"teacher {language}: no row of it"
            notes.append(f"left out {emptied} is left")
    return rows, owners, places


def take_rows(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`values[rows]` without a copy where `rows` is everything in order: memory-mapped arrays stay on disk."""
    return values if np.array_equal(rows, np.arange(len(values))) else values[rows]

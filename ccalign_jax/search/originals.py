"""Texts and image files for embeddings that came without, and the encoder that an extraction recorded."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.extracted import DESCRIPTION, read_description
from ccalign_jax.data.originals import Originals
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.columns import parse_row
from ccalign_jax.extraction.tables import TABLES, read_table

__all__ = ["find_record", "with_originals"]


def find_record(data: str | os.PathLike[str]) -> Mapping[str, Any] | None:
    """What the extraction that wrote a folder recorded, or the first of its parts; None for other data."""
    folder = Path(data)
    if not folder.is_dir():
        return None
    folders = [folder, *(path.parent for path in sorted(folder.glob(f"*/{DESCRIPTION}")))]
    return next((found for each in folders if (found := read_description(each)) is not None), None)


def with_originals(data: EmbeddingSet, *, captions: str | None = None, images: str | None = None) -> EmbeddingSet:
    """The data with the texts of a table of captions, and a folder of images; those that it has stay otherwise.

    Args:
        data: whose keys are looked up, with or without the suffix of a file.
        captions: `.jsonl`, `.csv` or `.tsv`. Texts count where an image and language has as many as rows.
        images: the folder.

    Raises:
        InputError: a table that cannot be read or names none of the images, or no such folder.
    """
    texts, folder, source = data.originals
    if captions is not None:
        texts = _texts(data, captions)
    if images is not None:
        folder = Path(images)
        if not folder.is_dir():
            raise InputError(f"--images={images}: no such folder")
    return dataclasses.replace(data, originals=Originals(texts, folder, source))


def _texts(data: EmbeddingSet, captions: str) -> Mapping[str, np.ndarray]:
    if not captions.lower().endswith(TABLES):
        raise InputError(f"--captions={captions}: give {' or '.join(TABLES)}")
    known: dict[str, dict[str, list[str]]] = {}
    for row in read_table(Path(captions)):
        parsed = parse_row(row, data.languages if len(data.languages) == 1 else None)
        mine = known.setdefault(parsed.key, {})
        for language, several in parsed.captions.items():
            mine.setdefault(language, []).extend(several)
    stems = {_stem(key): key for key in known}
    named = [known.get(key) or known.get(stems.get(_stem(key), ""), {}) for key in data.keys.tolist()]
    if not any(named):
        raise InputError(f"--captions={captions}: names none of the images of {data.name}, such as {data.keys[0]}")
    found = {}
    for language in data.languages:
        counts = np.bincount(data.image_of[language], minlength=len(data))
        ordered: list[str] = []
        for each, count in zip(named, counts.tolist(), strict=True):
            texts_here: Sequence[str] = each.get(language, ())
            ordered += texts_here if len(texts_here) == count else [""] * count
        texts = np.array(ordered)
        found[language] = np.full(int(data.text_row[language].max(initial=-1)) + 1, "", texts.dtype)
        found[language][data.text_row[language]] = texts
    return found


def _stem(key: str) -> str:
    return key.removesuffix(PurePath(key).suffix)

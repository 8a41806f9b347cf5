"""Folders that clip-retrieval writes: rows of images, rows of their captions and metadata, in numbered files."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.data.arrow_columns import column_strings, holds_strings
from ccalign_jax.data.checks import known_languages, unnamed_language
from ccalign_jax.data.shard_files import check_shard, join_files
from ccalign_jax.data.shard_sets import bytes_of_strings, read_shard_set
from ccalign_jax.data.shards import Shards
from ccalign_jax.data.stored_array import HeldArray, StoredArray
from ccalign_jax.data.stored_arrays import npy_array
from ccalign_jax.data.tables import Table, parquet_table
from ccalign_jax.errors import InputError

__all__ = ["is_clip_retrieval", "open_clip_retrieval", "read_clip_retrieval"]

_KEY = "image_path"
_LANGUAGES = ("language", "LANGUAGE", "lang")  # columns of metadata


class _Part(NamedTuple):
    """Files of one number, row i of which belongs together.

    Attributes:
        image, text: arrays `[n, d]`.
        metadata: table of `n` rows, if there is one.
    """

    image: StoredArray
    text: StoredArray
    metadata: Table | None


def is_clip_retrieval(path: Path) -> bool:
    """Whether a folder has rows of images as clip-retrieval writes them."""
    return Path(path, "img_emb").is_dir()


def open_clip_retrieval(path: Path, languages: Sequence[str] | None = None) -> Shards:
    """Shards of `img_emb/img_emb_N.npy`, `text_emb/text_emb_N.npy` and `metadata/metadata_N.parquet`.

    Row i of the files of one number is one image with its caption; numbers, not the order of names, pair files. Only
    headers are read, and of the metadata a column of languages if they have one. Else captions are of the only language
    asked for, or of `und`.

    Raises:
        InputError: a file is missing, damaged, or of another number of rows.
    """
    return _open_parts(path, _parts_of(path), languages)


def read_clip_retrieval(path: Path, languages: Sequence[str] | None = None) -> dict[str, Any]:
    """Arguments of `EmbeddingSet.build` from the same files; `image_path` of the metadata are the keys.

    Where several rows have one path, every row is an image of its own, and those of one path are a group.

    Raises:
        InputError: as `open_clip_retrieval`.
    """
    parts = _parts_of(path)
    shards = _open_parts(path, parts, languages)
    tables = [part.metadata for part in parts if part.metadata is not None and _KEY in part.metadata.types]
    if len(tables) < len(parts):
        return read_shard_set(shards)
    keys = [column_strings(table.path, _KEY, table.read([_KEY])[_KEY]) for table in tables]
    every = np.concatenate(keys)
    repeated = len(every) - len(np.unique(every))
    if repeated:
        note = f"{repeated} of {len(every)} rows repeat an {_KEY}: each is an image, and rows of one path are a group"
        found = read_shard_set(shards)
        return {**found, "groups": every, "notes": [*found["notes"], note]}
    files = [
        {**file, "image_keys": HeldArray(table.path, _KEY, bytes_of_strings(names.tolist()))}
        for file, table, names in zip(shards.files, tables, keys, strict=True)
    ]
    return read_shard_set(dataclasses.replace(shards, files=tuple(files)))


def _open_parts(path: Path, parts: Sequence[_Part], languages: Sequence[str] | None) -> Shards:
    spoken = [None if part.metadata is None else _spoken(part.metadata) for part in parts]
    for part, names in zip(parts, spoken, strict=True):
        if (names is None) is not (spoken[0] is None):
            place = part.metadata.path if part.metadata else path
            raise InputError(f"{place}: {'no' if names is None else 'a'} column of languages, unlike other metadata")
        if names is not None and len(names) != part.image.shape[0]:
            raise InputError(_uneven(part.metadata.path if part.metadata else path, len(names), part.image))
    if spoken[0] is None:
        language, note = unnamed_language(languages)
        known, notes = [language], [note]
    else:
        every = np.concatenate([names for names in spoken if names is not None])
        known, missing = np.unique(every[every != ""]).tolist(), int((every == "").sum())
        notes = [f"left out {missing} of {len(every)} captions: their metadata name no language"] if missing else []
    chosen = known if languages is None else known_languages(str(path), languages, known)
    files = []
    for part, names in zip(parts, spoken, strict=True):
        arrays: dict[str, StoredArray | HeldArray] = {"image": part.image}
        for language in chosen:
            arrays[f"text_{language}"] = part.text._replace(key=f"text_{language}")
            if names is not None:
                arrays[f"mask_{language}"] = HeldArray(part.text.path, f"mask_{language}", names == language)
        check_shard(part.image.path, arrays)
        files.append(arrays)
    return join_files(path, files, notes=tuple(notes))


def _spoken(metadata: Table) -> np.ndarray | None:
    """The language of each row, "" where it has none; None without a column of languages."""
    name = next((name for name in _LANGUAGES if name in metadata.types and holds_strings(metadata.types[name])), None)
    return None if name is None else column_strings(metadata.path, name, metadata.read([name])[name], missing="")


def _parts_of(path: Path) -> list[_Part]:
    """The files of each number, in the order of numbers.

    Raises:
        InputError: a number is missing or there twice, an array is no matrix, or the files of a number have different
            numbers of rows.
    """
    images, texts = (_numbered(path / folder, folder, ".npy") for folder in ("img_emb", "text_emb"))
    tables = _numbered(path / "metadata", "metadata", ".parquet")
    if not images or not texts:
        empty = path / ("text_emb" if images else "img_emb")
        raise InputError(f"{empty}: no files {empty.name}_N.npy; embed images and captions both (--enable_text)")
    for kind, files in (("text_emb", texts), ("metadata", tables or images)):
        if alone := sorted(images.keys() ^ files.keys()):
            has, lacks = ("img_emb", kind) if alone[0] in images else (kind, "img_emb")
            raise InputError(f"{path / lacks}: no file of number {alone[0]}, which {has} has; copy it, or embed again")
    parts = []
    for number in sorted(images):
        image, text = npy_array(images[number], "image"), npy_array(texts[number], "text")
        for array in (image, text):
            if len(array.shape) != 2:
                raise InputError(f"{array.path}: is {array.dtype}{list(array.shape)}; it must be [rows, dimensions]")
        if image.shape[0] != text.shape[0]:
            raise InputError(_uneven(text.path, text.shape[0], image))
        parts.append(_Part(image, text, parquet_table(tables[number]) if tables else None))
    return parts


def _numbered(folder: Path, name: str, suffix: str) -> dict[int, Path]:
    """The files `name_N` of a folder, by number."""
    found: dict[int, Path] = {}
    for path in sorted(folder.glob(f"{name}_*{suffix}")):
        match = re.fullmatch(rf"{name}_(\d+)", path.stem)
        if match and found.setdefault(int(match[1]), path) != path:
            raise InputError(f"{path}: has the number of {found[int(match[1])].name}; remove one of them")
    return found


def _uneven(path: Path, count: int, image: StoredArray) -> str:
    return f"{path}: {count} rows, but {image.path.name} has {image.shape[0]}; row i of each must be one image"

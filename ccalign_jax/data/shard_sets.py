"""Shards as one data set in memory, and a data set as shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax.data.caption_counts import COUNT, image_pairs, read_counts
from ccalign_jax.data.embedding_set import EmbeddingSet
from ccalign_jax.data.extracted import image_places
from ccalign_jax.data.originals import CAPTIONS
from ccalign_jax.data.shards import Shards
from ccalign_jax.data.stored_array import HeldArray
from ccalign_jax.errors import InputError

__all__ = ["bytes_of_strings", "pair_splits", "read_shard_set", "shards_of", "strings_of_bytes"]


def bytes_of_strings(strings: list[str]) -> np.ndarray:
    """`[n, longest]` uint8: the UTF-8 of each string, filled up with zeros.

    Example:
        >>> bytes_of_strings(["a", "bc"]).tolist()
        [[97, 0], [98, 99]]
    """
    encoded = np.array([string.encode() for string in strings] or [b""])
    return encoded.view(np.uint8).reshape(len(encoded), -1)[: len(strings)]


def strings_of_bytes(path: Path, key: str, rows: np.ndarray) -> np.ndarray:
    """`[n]` str from what `bytes_of_strings` makes.

    Args:
        path, key: of the array, in messages.
        rows: `[n, longest]` uint8.

    Raises:
        InputError: not UTF-8.
    """
    if not rows.size:
        return np.full(len(rows), "")
    try:
        return np.char.decode(np.ascontiguousarray(rows).view(f"S{rows.shape[1]}")[:, 0], "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: {key} is not UTF-8 ({error.object!r}); write it again") from error


def read_shard_set(shards: Shards) -> dict[str, Any]:
    """Arguments of `EmbeddingSet.build`: all rows of all shards.

    Raises:
        InputError: a damaged or cut-off file.
    """
    shards.verify()
    image = np.concatenate([file["image"].read() for file in shards.files])
    keys: np.ndarray | None = _strings(shards, "image_keys")
    width = len(str(len(image) - 1))
    names = np.char.zfill(np.arange(len(image)).astype(str), width) if keys is None else keys
    text, text_keys = {}, {}
    for language in shards.languages:
        rows, owners = [], []
        for file, start in zip(shards.files, shards.image_starts, strict=False):
            if f"text_{language}" not in file:
                continue
            values, owner = file[f"text_{language}"].read(), np.arange(file["image"].shape[0])
            if shards.ragged:
                owner = np.repeat(owner, read_counts(file[f"{COUNT}{language}"]))
            elif f"mask_{language}" in file:
                there = file[f"mask_{language}"].read()
                values, owner = values[there], owner[there]
            rows.append(values)
            owners.append(owner + start)
        if sum(map(len, rows)):
            text[language], text_keys[language] = np.concatenate(rows), names[np.concatenate(owners)]
    grouped = "image_groups" in shards.files[0]
    copies = shards.copies
    return {
        "image": image,
        "text": text,
        "image_keys": keys,
        "text_keys": text_keys,
        "groups": shards.image_groups if grouped or copies is not None else None,
        "split": _strings(shards, "split"),
        "captions": dict(_texts(shards, text)),
        **image_places(shards.files[0]["image"].path.parent),
        "notes": [*shards.notes, *(() if copies is None else copies.notes())],
    }


def _texts(shards: Shards, languages: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
    """The texts of each language, where every shard that has rows of it has them."""
    for language in languages:
        files = [file for file in shards.files if f"text_{language}" in file]
        key = f"{CAPTIONS}{language}"
        if all(key in file for file in files):
            yield language, np.concatenate([strings_of_bytes(file[key].path, key, file[key].read()) for file in files])


def pair_splits(shards: Shards) -> np.ndarray | None:
    """`[n]` str: the official split of the image of each pair; None where the shards name none.

    Raises:
        InputError: names that are not UTF-8, or a file that has become shorter.
    """
    names = _strings(shards, "split")
    if names is None or not shards.ragged:
        return names
    parts = np.split(names, shards.image_starts[1:-1])
    return np.concatenate([part[image_pairs(file).image] for part, file in zip(parts, shards.files, strict=True)])


def shards_of(path: Path, data: EmbeddingSet) -> Shards:
    """The pairs of a data set, to be streamed; float64 becomes float32."""

    def held(key: str, values: np.ndarray) -> HeldArray:
        kept = values.astype(np.float32) if values.dtype == np.float64 else values
        return HeldArray(path, key, kept)

    dtype = np.result_type(*(rows.dtype for rows in data.text.values()))
    arrays = {"image": held("image", data.image), "image_groups": held("image_groups", data.groups)}
    if data.split is not None:
        arrays["split"] = held("split", bytes_of_strings(data.split.tolist()))
    for language, counts in zip(data.languages, data.caption_counts(), strict=True):
        arrays[f"text_{language}"] = held(f"text_{language}", data.text[language].astype(dtype, copy=False))
        arrays[f"{COUNT}{language}"] = held(f"{COUNT}{language}", counts.astype(np.int32))
    text = arrays[f"text_{data.languages[0]}"]
    return Shards(
        name=data.name,
        languages=data.languages,
        d_text=data.d_text,
        d_image=data.d_image,
        image_dtype=arrays["image"].dtype,
        text_dtype=text.dtype,
        starts=np.array([0, len(image_pairs(arrays).image)]),
        files=(arrays,),
        notes=data.notes,
    )


def _strings(shards: Shards, key: str) -> np.ndarray | None:
    """The strings of all images, where every shard has them."""
    if not all(key in file for file in shards.files):
        return None
    found = [strings_of_bytes(file[key].path, key, file[key].read()) for file in shards.files]
    names = np.concatenate(found)
    return names if (names != "").any() else None

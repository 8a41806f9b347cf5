"""Data sets as named arrays, in which keys join captions to images: .npz and .safetensors files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax.data.damage import reading
from ccalign_jax.data.npz import open_npz
from ccalign_jax.data.originals import CAPTIONS
from ccalign_jax.data.safetensors_files import read_safetensors_header
from ccalign_jax.data.shard_sets import strings_of_bytes
from ccalign_jax.data.stored_arrays import stored_arrays
from ccalign_jax.errors import InputError

__all__ = ["has_keys", "known_arrays", "read_keyed_set", "read_keyed_sets", "set_of_arrays"]

_MAP_FROM_BYTES = 1 << 28
_TEXT = re.compile(r"text_(.+?)(_keys)?")
_TEACHER = re.compile(r"teacher_(.+?)(_keys)?")
_TEXTS = re.compile(rf"{CAPTIONS}(.+)")
_OF_IMAGES = ("image_keys", "image_groups", "split")


def has_keys(path: Path) -> bool:
    """Whether the captions of an .npz or .safetensors file are joined to images by keys, not by their order."""
    names: Iterable[str] = ()
    if path.is_file() and path.suffix.lower() == ".npz":
        with open_npz(path) as file:
            names = tuple(file.members)
    elif path.is_file() and path.suffix.lower() == ".safetensors":
        names = (*stored_arrays(path), *_lists(path))
    return any(re.fullmatch(r"text_.+_keys", name) for name in names)


def known_arrays(path: Path, names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Names of arrays that make a data set, and the other names.

    Raises:
        InputError: there is no array of images, and none of teacher rows in their place.
    """
    names = sorted(names)
    if "image" not in names and not any(map(_TEACHER.fullmatch, names)):
        raise InputError(f"{path}: no array image (only {', '.join(names)}); add the image rows")
    kinds = (_TEXT, _TEACHER, _TEXTS)
    known = [name for name in names if name in ("image", *_OF_IMAGES) or any(kind.fullmatch(name) for kind in kinds)]
    return known, [name for name in names if name not in known]


def set_of_arrays(path: Path, arrays: Mapping[str, Any], unknown: Sequence[str] = ()) -> dict[str, Any]:
    """Arguments of `EmbeddingSet.build` from arrays by name.

    Args:
        path: that messages name.
        arrays: `image` `[n, d_image]`, `text_<language>` `[m, d_text]`, perhaps `image_keys`, `image_groups`, `split`
            `[n]`, `text_<language>_keys` and `captions_<language>` `[m]`; beside or in place of `image`
            `teacher_<language>` and `teacher_<language>_keys`.
        unknown: names of arrays that were left out.

    Raises:
        InputError: keys without rows, or rows of which only some have keys.
    """
    (text, text_keys), (teachers, teacher_keys) = (_of_languages(path, arrays, kind) for kind in (_TEXT, _TEACHER))
    sides = ["image"] * ("image" in arrays)
    sides += [*(f"text_{language}" for language in sorted(text)), *(f"teacher_{one}" for one in sorted(teachers))]
    bare = [f"{side}_keys" for side in sides if f"{side}_keys" not in arrays]
    if 0 < len(bare) < len(sides):
        raise InputError(f"{path}: no {', '.join(bare)}, but other rows have keys; give all rows keys, or none")
    return {
        "image": arrays.get("image"),
        "text": text,
        "image_keys": arrays.get("image_keys"),
        "text_keys": text_keys or None,
        "groups": arrays.get("image_groups"),
        "split": arrays.get("split"),
        "captions": {match[1]: arrays[name] for name in arrays if (match := _TEXTS.fullmatch(name))},
        "teachers": teachers,
        "teacher_keys": teacher_keys or None,
        "notes": [f"left out {len(unknown)} arrays of unknown names: {', '.join(unknown)}"] if unknown else [],
    }


def _of_languages(path: Path, arrays: Mapping[str, Any], kind: re.Pattern[str]) -> tuple[dict, dict]:
    """The rows of each language, and their keys.

    Raises:
        InputError: keys without rows.
    """
    found = {name: match for name in arrays if (match := kind.fullmatch(name))}
    rows, keys = ({match[1]: arrays[name] for name, match in found.items() if bool(match[2]) == of} for of in (0, 1))
    side = kind.pattern.partition("_")[0]
    for language in sorted(set(keys) - set(rows)):
        raise InputError(f"{path}: {side}_{language}_keys has no {side}_{language}; add the rows or remove the keys")
    return rows, keys


def read_keyed_sets(paths: Sequence[Path]) -> dict[str, Any]:
    """Arguments of `EmbeddingSet.build` from several files with keys, one below the other.

    Raises:
        InputError: a damaged file, or one that lacks an array.
    """
    parts = [read_keyed_set(path) for path in paths]
    found: dict[str, Any] = {"notes": [note for part in parts for note in part["notes"]]}
    for name in ("image", "image_keys", "groups", "split"):
        there = [part[name] is not None for part in parts]
        if any(there) and not all(there):
            raise InputError(f"{paths[there.index(False)]}: lacks {name}, unlike other files of the folder; add it")
        found[name] = np.concatenate([part[name] for part in parts]) if all(there) else None
    for name in ("text", "text_keys", "captions", "teachers", "teacher_keys"):
        languages = sorted({language for part in parts for language in part[name] or ()})
        found[name] = {
            language: np.concatenate([part[name][language] for part in parts if language in (part[name] or ())])
            for language in languages
        }
    return found


def read_keyed_set(path: Path) -> dict[str, Any]:
    """Arguments of `EmbeddingSet.build` from an .npz file, or from a .safetensors file with keys.

    Raises:
        InputError: a damaged file, keys without rows, or rows of which only some have keys.
    """
    if path.suffix.lower() == ".safetensors":
        return _safetensors_set(path)
    with open_npz(path) as file:
        known, unknown = known_arrays(path, file.members)
        arrays = file.read(known, map_from=_MAP_FROM_BYTES)
    for array in arrays.values():
        array.setflags(write=False)
    return set_of_arrays(path, arrays, unknown)


def _safetensors_set(path: Path) -> dict[str, Any]:
    """Keys are whole numbers, UTF-8 in rows of bytes filled up with zeros, or lists in the metadata."""
    stored, arrays = stored_arrays(path), _lists(path)
    known, unknown = known_arrays(path, {*stored, *arrays})
    for name in stored.keys() & known:
        array = stored[name]
        if array.dtype == object:
            raise InputError(f"{path}: {name} is of a type that NumPy lacks; save float16, bfloat16 or float32")
        array.verify()
        arrays[name] = array.read()
        if name != "image" and arrays[name].ndim == 2 and arrays[name].dtype == np.uint8:
            arrays[name] = strings_of_bytes(path, name, arrays[name])
    return set_of_arrays(path, arrays, unknown)


def _lists(path: Path) -> dict[str, Any]:
    """Lists of keys, splits or groups in the metadata of a .safetensors file, as JSON.

    Raises:
        InputError: one of another kind.
    """
    with reading(f"{path}: not a whole .safetensors file"):
        _, metadata = read_safetensors_header(path)
    found = {}
    for name, text in metadata.items():
        if (
            name in _OF_IMAGES
            or _TEXTS.fullmatch(name)
            or any((match := kind.fullmatch(name)) and match[2] for kind in (_TEXT, _TEACHER))
        ):
            with reading(f"{path}: metadata {name} is not JSON"):
                found[name] = json.loads(text)
            if not isinstance(found[name], list) or not all(type(each) in (str, int) for each in found[name]):
                raise InputError(f"{path}: metadata {name} is not a list of strings or whole numbers; write it as JSON")
    return found

"""The files of a folder of shards, opened and checked against each other."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import ml_dtypes
import numpy as np

from ccalign_jax.data.caption_counts import COUNT, image_pairs, read_counts
from ccalign_jax.data.checks import check_languages, known_languages
from ccalign_jax.data.extracted import check_extracted
from ccalign_jax.data.image_hashes import DIGEST, HASH
from ccalign_jax.data.originals import CAPTIONS
from ccalign_jax.data.shards import Shards
from ccalign_jax.data.stored_array import HeldArray, StoredArray
from ccalign_jax.data.stored_arrays import FORMATS, is_shard, stored_arrays
from ccalign_jax.errors import InputError

__all__ = ["check_shard", "join_files", "open_files", "paths_in", "shard_paths"]

DTYPES = tuple(map(np.dtype, (np.float16, np.float32, ml_dtypes.bfloat16)))
_KNOWN = re.compile(rf"image|image_groups|{DIGEST}|{HASH}|(text|mask|count)_.+")
_HASHES = (DIGEST, HASH)
_STRINGS = (
    "image_keys",
    "split",
)  # of ragged shards: UTF-8 in rows of bytes, filled up with zeros; so are texts of captions


def shard_paths(place: Path) -> list[Path]:
    """The shards of a folder in the order of their names, or those of its subfolders where it has none itself."""
    return paths_in(place, is_shard)


def paths_in(place: Path, is_one: Callable[[Path], bool]) -> list[Path]:
    """Files of one kind in a folder, in the order of their names, or in its subfolders where it has none itself.

    Args:
        place: the folder; a file is itself.
        is_one: whether a path is of the kind.
    """
    if not place.is_dir():
        return [place]
    found = [path for path in place.iterdir() if is_one(path)]
    if not found:
        folders = [folder for folder in place.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
        found = [path for folder in folders for path in folder.iterdir() if is_one(path)]
    return sorted(found, key=lambda path: (path.name, path))


def open_files(place: Path, paths: Sequence[Path], languages: Sequence[str] | None = None) -> Shards:
    """Shards of these files; headers and numbers of captions are read, but no embeddings.

    Args:
        place: the folder, or the file, that messages name.
        paths: of the files, in the order of their rows.
        languages: a subset to use.

    Raises:
        InputError: one line that names the file and the array, what is wrong and how to fix it.
    """
    if not paths:
        raise InputError(f"{place}: no shards here; give a folder of {', '.join(FORMATS)} files")
    notes = check_extracted(place, paths) if place.is_dir() else ()
    files, unknown = [], set()
    for path in paths:
        arrays = stored_arrays(path)
        ragged = _is_ragged(arrays)
        there = [key for key in arrays if _KNOWN.fullmatch(key) or (ragged and _is_strings(key))]
        unknown |= arrays.keys() - there
        files.append({key: arrays[key] for key in there})
        check_shard(path, files[-1])
    if any(map(_is_ragged, files)):
        files = [file for file in files if file["image"].shape[0]]  # all else of such a shard was left out
        if not files:
            raise InputError(f"{place}: all images were left out; see left_out.csv there")
    notes += (f"left out arrays of unknown names: {', '.join(sorted(unknown))}",) if unknown else ()
    return join_files(place, files, languages, notes=notes)


def join_files(
    place: Path,
    files: Sequence[Mapping[str, StoredArray | HeldArray]],
    languages: Sequence[str] | None = None,
    *,
    notes: tuple[str, ...] = (),
) -> Shards:
    """Shards of the arrays of one or many files, each of which `check_shard` has let pass.

    Args:
        place: as `open_files` has it.
        files: the arrays of each shard.
        languages: a subset to use.
        notes: what was left out so far.

    Raises:
        InputError: files differ, there are no captions, or a language is asked for that they lack.
    """
    for file in files:
        _check_alike(file, files)
    texts = {key.removeprefix("text_"): array for file in files for key, array in file.items() if key[:5] == "text_"}
    if not texts:
        raise InputError(f"{files[0]['image'].path}: no captions; give one array text_<language> a language")
    chosen = tuple(sorted(texts) if languages is None else known_languages(str(place), languages, texts))
    check_languages(str(place), chosen)
    kept = {f"{kind}_{language}" for kind in ("text", "mask", "count", "captions") for language in chosen}
    kept |= {"image", "image_groups", *_HASHES, *_STRINGS}
    files = [{key: array for key, array in file.items() if key in kept} for file in files]
    if ragged := any(key.startswith(COUNT) for file in files for key in file):
        files = [file for file in files if any(key.startswith(COUNT) for key in file)]  # else in other languages
    image, text = files[0]["image"], texts[chosen[0]]
    return Shards(
        name=Path(os.path.abspath(place)).name,
        languages=chosen,
        d_text=text.shape[1],
        d_image=image.shape[1],
        image_dtype=image.dtype,
        text_dtype=text.dtype,
        starts=np.cumsum([0, *(len(image_pairs(file).image) if ragged else file["image"].shape[0] for file in files)]),
        files=tuple(files),
        notes=notes,
    )


def check_shard(file: Path, arrays: Mapping[str, StoredArray | HeldArray]) -> None:
    """Refuse a shard that is wrong in itself."""
    if "image" not in arrays:
        raise InputError(f"{file}: no array image (only {', '.join(sorted(arrays)) or 'none'}); add the image rows")
    rows = arrays["image"].shape[0] if arrays["image"].shape else 0
    ragged = _is_ragged(arrays)
    for key, array in sorted(arrays.items(), key=lambda item: not item[0].startswith(COUNT)):
        described, wanted = f"{file}: {key} is {array.dtype}{list(array.shape)}", rows
        language = key.partition("_")[2]
        if key == "image" or key.startswith("text_"):
            if len(array.shape) != 2 or (0 in array.shape and not ragged) or array.dtype not in DTYPES:
                raise InputError(f"{described}; it must be float16, bfloat16 or float32 [rows, dimensions]")
            if ragged and key != "image":
                wanted = _captions(file, arrays, language)
        elif _is_strings(key):
            if len(array.shape) != 2 or array.dtype != np.uint8:
                raise InputError(f"{described}; it must be uint8, UTF-8 in rows filled up with zeros")
            if key.startswith(CAPTIONS):
                wanted = _captions(file, arrays, language)
        elif key in _HASHES:
            if array.dtype != np.uint64 or len(array.shape) != 1:
                raise InputError(f"{described}; it must be uint64, a hash a row")
        elif len(array.shape) != 1 or (key == "image_groups" and array.dtype.kind not in "iu"):
            raise InputError(f"{described}; it must be one {'number' if key == 'image_groups' else 'bool'} a row")
        elif key.startswith(COUNT):
            if array.dtype.kind not in "iu" or f"text_{language}" not in arrays:
                raise InputError(f"{described}; it must be one number a row, beside text_{language}")
        elif key.startswith("mask_") and (ragged or array.dtype != bool or f"text_{language}" not in arrays):
            raise InputError(f"{described}; it must be one bool a row, beside text_{language}")
        if array.shape[0] != wanted and ragged and key.startswith(("text_", CAPTIONS)):
            raise InputError(f"{described}, but {COUNT}{language} says {wanted} rows; write the shard again")
        if array.shape[0] != wanted:
            raise InputError(f"{described}, but image has {rows} rows; row i of each is one pair")
    captions = [array for key, array in arrays.items() if key.startswith("text_")]
    for array in captions:
        if (array.shape[1:], array.dtype) != (captions[0].shape[1:], captions[0].dtype):
            raise InputError(
                f"{file}: {array.key} is {array.dtype}{list(array.shape)}, {captions[0].key} is "
                f"{captions[0].dtype}{list(captions[0].shape)}; one encoder, one width and dtype"
            )


def _is_strings(key: str) -> bool:
    return key in _STRINGS or key.startswith(CAPTIONS)


def _is_ragged(arrays: Mapping[str, StoredArray | HeldArray]) -> bool:
    """Whether images may have several captions; a shard of which all was left out has keys alone, for no image."""
    empty = "image_keys" in arrays and arrays["image_keys"].shape[:1] == (0,)
    return empty or any(key.startswith(COUNT) for key in arrays)


def _captions(file: Path, arrays: Mapping[str, StoredArray | HeldArray], language: str) -> int:
    """How many captions a ragged shard has in a language."""
    if f"{COUNT}{language}" not in arrays:
        raise InputError(f"{file}: text_{language} has no {COUNT}{language}; add the number of captions of each image")
    return int(read_counts(arrays[f"{COUNT}{language}"]).sum())


def _check_alike(
    arrays: Mapping[str, StoredArray | HeldArray], files: Sequence[Mapping[str, StoredArray | HeldArray]]
) -> None:
    """Refuse a shard that differs from those before it."""
    file = arrays["image"].path
    ragged = [any(key.startswith(COUNT) for key in each) for each in (arrays, files[0])]
    differing = _differing(arrays, files[0], optional=all(ragged))
    if differing:
        has = "has" if differing[0] in arrays else "lacks"
        raise InputError(
            f"{file}: {has} {differing[0]}, unlike {files[0]['image'].path.name}; give all shards the same"
        )
    for key, array in arrays.items():
        first = next(each[key] for each in files if key in each)
        if not _is_strings(key) and (array.shape[1:], array.dtype) != (first.shape[1:], first.dtype):
            raise InputError(
                f"{file}: {key} is {array.dtype}{list(array.shape)}, in {first.path.name} "
                f"{first.dtype}{list(first.shape)}; give all shards one width and dtype"
            )


def _differing(arrays: Iterable[str], others: Iterable[str], *, optional: bool) -> list[str]:
    """Arrays of one shard alone; ragged shards may lack languages."""
    found = sorted(set(arrays) ^ set(others))
    return [key for key in found if not (optional and key.startswith(("text_", COUNT, CAPTIONS)))]

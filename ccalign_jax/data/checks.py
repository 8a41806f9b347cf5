"""Checks of arrays that a user gave: each names the file, the array, the row, and the fix."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from ccalign_jax._names import PAIR
from ccalign_jax.errors import InputError, reason

__all__ = [
    "check_inside",
    "check_languages",
    "check_one_split",
    "check_rows",
    "float_matrix",
    "group_numbers",
    "host_array",
    "known_languages",
    "refuse_unsound",
    "row_numbers",
    "split_names",
    "strings",
    "unnamed_language",
    "unsound_rows",
    "vector",
]


UNNAMED = "und"  # ISO 639's code of what is undetermined
SPLITS = ("", "train", "dev", "val", "valid", "validation", "test")  # that are known by name
RESERVED = ("image", "macro", "mean")  # keys beside languages in results: the images, and means over languages


def host_array(name: str, key: str, values: Any) -> np.ndarray:
    """A NumPy array from NumPy, JAX, PyTorch or pandas data, or from lists; bfloat16 becomes float32."""
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu()
            values = (values.float() if str(values.dtype) == "torch.bfloat16" else values).numpy()
        array = np.asarray(values)
        return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name}: {key} cannot be read ({reason(error).rstrip('.')}); give a NumPy array") from error


def float_matrix(name: str, key: str, values: Any) -> np.ndarray:
    """The values as floats of at most 64 bits, `[rows, dimensions]`, in native byte order."""
    values = host_array(name, key, values)
    if values.ndim != 2 or 0 in values.shape or not np.issubdtype(values.dtype, np.floating):
        raise InputError(f"{name}: {key} is {values.dtype}{list(values.shape)}; it must be floats [rows, dimensions]")
    native = np.dtype(np.float64) if values.dtype.itemsize > 8 else values.dtype.newbyteorder("=")
    with np.errstate(over="ignore"):  # what becomes infinite is reported as such
        return values if values.dtype == native else values.astype(native)


def strings(name: str, key: str, values: Sequence[str] | np.ndarray) -> np.ndarray:
    """A one-dimensional array of str, each of which UTF-8 can encode; bytes are read as UTF-8."""
    array = vector(name, key, values)
    try:
        if array.dtype.kind == "S":
            return np.char.decode(array, "utf-8")
        array = array.astype(str)
        "".join(array.tolist()).encode()
    except UnicodeError as error:
        raise InputError(f"{name}: {key} is not UTF-8 ({_excerpt(error)!r}); encode it as UTF-8") from error
    return array


def _excerpt(error: UnicodeError) -> str | bytes:
    """What could not be read or written."""
    if isinstance(error, UnicodeEncodeError | UnicodeDecodeError):
        return error.object[max(error.start - 10, 0) : error.end + 10]
    return str(error)


def vector(name: str, key: str, values: Sequence | np.ndarray) -> np.ndarray:
    """A one-dimensional array."""
    array = host_array(name, key, values)
    if array.ndim != 1:
        raise InputError(f"{name}: {key} is {array.dtype}{list(array.shape)}; it must be one entry a row")
    return array


def row_numbers(size: int) -> np.ndarray:
    """Row numbers as keys that sort like numbers.

    Example:
        >>> row_numbers(11)[[1, 10]].tolist()
        ['01', '10']
    """
    return np.char.zfill(np.arange(size).astype(str), len(str(max(size - 1, 0))))


def check_inside(place: str, name: str) -> None:
    """Refuse the name of a file that leads out of its folder.

    Raises:
        InputError: it is absolute, or has `..` in it.

    Example:
        >>> check_inside("captions.csv line 2", "../dog.jpg")
        Traceback (most recent call last):
        ccalign_jax.errors.InputError: captions.csv line 2: ../dog.jpg leads out of the folder; give a name below it
    """
    path = PurePath(name)
    if path.anchor or ".." in path.parts:
        raise InputError(f"{place}: {name} leads out of the folder; give a name below it")


def check_rows(
    name: str,
    key: str,
    values: np.ndarray,
    keys: np.ndarray | None = None,
    *,
    first: int = 0,
    numbers: np.ndarray | None = None,
) -> None:
    """Refuse a NaN, infinite or zero row, by its number and its key if it has one.

    Rows are numbered from `first` on, unless `numbers` `[rows]` says otherwise.
    """
    called = range(first, first + len(values)) if numbers is None else numbers
    for start in range(0, len(values), 65536):
        block = values[start : start + 65536]
        block = block.astype(np.promote_types(block.dtype, np.float32))  # half precision is slow to look at
        for what, bad in (("NaN or infinite", ~np.isfinite(block).all(1)), ("all zero", ~block.any(1))):
            if bad.any():
                row = start + int(np.argmax(bad))
                known = "" if keys is None else f" (key {keys[row]})"
                raise InputError(
                    f"{name}: {key} row {called[row]}{known} is {what}; remove or re-encode it "
                    f"({int(bad.sum())} such in rows {called[start]} to {called[start + len(block) - 1]})"
                )


def check_languages(name: str, languages: Iterable[str]) -> None:
    """Refuse language names that are ambiguous in flags, result keys, tables or plots.

    Example:
        >>> check_languages("toy", ["en", "zh-Hant", "中文", "$x"])
        >>> check_languages("toy", ["en->de"])
        Traceback (most recent call last):
        ccalign_jax.errors.InputError: toy: language 'en->de': '->' separates two languages in results; rename it
    """
    for language in languages:
        if not isinstance(language, str):
            problem = "the name is not a string"
        elif PAIR in language:
            problem = f"{PAIR!r} separates two languages in results"
        elif "," in language:
            problem = "a comma separates languages in flags"
        elif language in RESERVED:
            problem = "the name is reserved in results"
        elif not language.isprintable() or language.strip() != language or not language:
            problem = "the name is empty, begins or ends with a space, or has an unprintable character"
        else:
            continue
        raise InputError(f"{name}: language {language!r}: {problem}; rename it")


def known_languages(name: str, asked: Sequence[str], known: Collection[str]) -> list[str]:
    """The languages asked for, sorted, each of which must be known."""
    chosen, has = sorted(set(asked)), ", ".join(sorted(known))
    if not chosen:
        raise InputError(f"{name}: no language is chosen; it has {has}")
    unknown = [language for language in chosen if language not in known]
    if unknown:
        raise InputError(f"{name}: no captions in {', '.join(unknown)}; it has {has}")
    return chosen


def unnamed_language(languages: Sequence[str] | None) -> tuple[str, str]:
    """The language of captions that state none, and a note that says so: the only one asked for, or `und`.

    Example:
        >>> unnamed_language(["de"])
        ('de', 'captions state no language: they are taken to be de, as asked for')
    """
    if languages is not None and len(set(languages)) == 1:
        return languages[0], f"captions state no language: they are taken to be {languages[0]}, as asked for"
    return UNNAMED, f"captions state no language: they are called {UNNAMED}; --languages=CODE names them"


def unsound_rows(values: np.ndarray) -> np.ndarray:
    """`[n]` bool, True for a row that is all zero or has a NaN or infinity: `check_rows` at ten times its speed.

    Without their sign, the bits of floats are in the order of their sizes, with infinity and NaN at the end.

    Args:
        values: C-contiguous `[n, d]`, float16, bfloat16 or float32.

    Example:
        >>> unsound_rows(np.float16([[1, -0.0], [0, -0.0], [np.nan, 1], [-np.inf, 0]])).tolist()
        [False, True, True, True]
    """
    bits = np.dtype(f"u{values.dtype.itemsize}")
    infinity = np.array(np.inf, values.dtype).view(bits)
    found = np.zeros(len(values), bool)
    for start in range(0, len(values), 1024):  # what the processor's cache holds
        sizes = values[start : start + 1024].view(bits) & np.array(np.iinfo(bits).max // 2, bits)
        largest = sizes.max(axis=1)
        found[start : start + 1024] = (largest == 0) | (largest >= infinity)
    return found


def refuse_unsound(name: str, key: str, values: np.ndarray, keys: np.ndarray | None = None, **numbered: Any) -> None:
    """`check_rows` of what `unsound_rows` takes, at its speed."""
    if unsound_rows(values).any():
        check_rows(name, key, values, keys, **numbered)


def group_numbers(
    name: str, groups: Sequence[int] | Sequence[str] | np.ndarray | None, order: np.ndarray, size: int
) -> np.ndarray:
    """One int32 a kept image; equal numbers for images that show the same thing."""
    if groups is None:
        return np.arange(len(order), dtype=np.int32)
    values = vector(name, "image_groups", groups)
    if len(values) != size:
        raise InputError(f"{name}: image_groups has {len(values)} entries for {size} rows of image; give one a row")
    # Numbers that fit are kept, so that a part of a set, written and read again, has the groups it had.
    if values.dtype.kind not in "iu" or not np.array_equal(values.astype(np.int32), values):
        values = np.unique(values, return_inverse=True)[1]
    return values[order].astype(np.int32)


def split_names(name: str, split: Sequence[str] | np.ndarray, size: int, notes: list[str]) -> np.ndarray:
    """One official split a row; `notes` gains the images of splits of other names, which are trained on."""
    names = strings(name, "split", split)
    if len(names) != size:
        raise InputError(f"{name}: split has {len(names)} entries for {size} rows of image; give one a row")
    if (odd := ~np.isin(names, SPLITS)).any():
        shown = ", ".join(sorted(map(repr, set(names[odd].tolist())))[:3])
        words = f"{odd.sum()} of {size} images are in split {shown}"
        notes.append(f"{words}: not train, dev or test; --split=official trains on them")
    return names


def check_one_split(name: str, keys: Sequence[str], splits: Sequence[str]) -> None:
    """Refuse an image that is in several splits.

    Args:
        name: that the message begins with.
        keys, splits: of each image row.
    """
    split_of: dict[str, str] = {}
    for key, split in zip(keys, splits, strict=True):
        if split_of.setdefault(key, split) != split:
            raise InputError(f"{name}: image {key} is in the splits {split_of[key]} and {split}; keep it in one")

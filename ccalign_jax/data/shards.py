"""Row-aligned pairs in shards on disk, read a few rows at a time."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from jaxtyping import Bool, Float, Int

from ccalign_jax.data.checks import check_languages, check_rows, known_languages, unsound_rows
from ccalign_jax.data.stored_array import StoredArray
from ccalign_jax.data.stored_arrays import FORMATS, is_shard, stored_arrays
from ccalign_jax.errors import InputError, check_path

__all__ = ["PairRows", "Shards", "open_shards"]

DTYPES = tuple(map(np.dtype, (np.float16, np.float32, ml_dtypes.bfloat16)))
CHECKED_ROWS = 16384  # read at once by `Shards.check`


class PairRows(NamedTuple):
    """Some rows of the shards, as stored.

    Attributes:
        image: `[n, d_image]`, finite, no zero row.
        text: `[languages, n, d_text]`, finite; zero where there is no caption.
        mask: `[languages, n]`, True where the caption exists.
        groups: `[n]` int64, equal numbers for images that show the same thing.
    """

    image: Float[np.ndarray, "n d_image"]
    text: Float[np.ndarray, "languages n d_text"]
    mask: Bool[np.ndarray, "languages n"]
    groups: Int[np.ndarray, " n"]


@dataclasses.dataclass(frozen=True, eq=False)
class Shards:
    """Row-aligned pairs in one or many files, as if they were one array; made by `open_shards`.

    Attributes:
        name: of the data in reports.
        languages: sorted; axis 0 of the texts.
        d_text, d_image: widths.
        image_dtype, text_dtype: float16, bfloat16 or float32.
        starts: `[shards + 1]`, the number of the first row of each shard, and of all rows.
        files: the arrays of each shard.
        notes: what was left out, counted.
    """

    name: str
    languages: tuple[str, ...]
    d_text: int
    d_image: int
    image_dtype: np.dtype
    text_dtype: np.dtype
    starts: Int[np.ndarray, " shards_and_one"]
    files: tuple[Mapping[str, StoredArray], ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def row_bytes(self) -> int:
        """Bytes of an image with its captions."""
        text = len(self.languages) * self.d_text * self.text_dtype.itemsize
        return self.d_image * self.image_dtype.itemsize + text

    def groups(self) -> Int[np.ndarray, " n"] | None:
        """The `image_groups` of all rows, read without any other array; None where there are none.

        Raises:
            InputError: a file that has become shorter.
        """
        if "image_groups" not in self.files[0]:
            return None
        found = np.empty(len(self), self.files[0]["image_groups"].dtype)
        for arrays, start, stop in zip(self.files, self.starts, self.starts[1:], strict=False):
            arrays["image_groups"].read_into(found[start:stop], 0)
        return found

    def read(self, start: int, stop: int) -> PairRows:
        """Rows `start` to `stop`, over the borders of shards, checked.

        Raises:
            InputError: a file that has become shorter, or a NaN, infinite or zero row, by its file, array and number.
        """
        return self.read_ranges([(start, stop)])

    def read_ranges(self, ranges: Sequence[tuple[int, int]] | Int[np.ndarray, "k 2"]) -> PairRows:
        """The rows of several ranges `[start, stop)` below each other; memory is taken once, for the result.

        Args:
            ranges: each within the data.

        Raises:
            InputError: as `read`.
        """
        return self._read(ranges, _check_rows)

    def _read(self, ranges: Sequence[tuple[int, int]] | Int[np.ndarray, "k 2"], check: Callable[..., Any]) -> PairRows:
        total, count = int(sum(stop - start for start, stop in ranges)), len(self.languages)
        found = PairRows(
            image=np.empty((total, self.d_image), self.image_dtype),
            text=np.empty((count, total, self.d_text), self.text_dtype),
            mask=np.ones((count, total), bool),
            groups=np.empty(total, np.int64),
        )
        place = 0
        for start, stop in _joined(ranges):
            if not 0 <= start <= stop <= len(self):
                raise ValueError(f"rows {start} to {stop} are not within the {len(self)} there are")
            while start < stop:
                shard = int(np.searchsorted(self.starts, start, side="right")) - 1
                end = min(stop, int(self.starts[shard + 1]))
                part = slice(place, place + int(end - start))
                rows = PairRows(found.image[part], found.text[:, part], found.mask[:, part], found.groups[part])
                self._read_shard(shard, int(start), rows, check)
                place, start = part.stop, end
        return found

    def _read_shard(self, shard: int, start: int, rows: PairRows, check: Callable[..., Any]) -> None:
        arrays, first = self.files[shard], start - int(self.starts[shard])
        name = str(arrays["image"].path)
        arrays["image"].read_into(rows.image, first)
        check(name, "image", rows.image, first=first)
        for text, mask, language in zip(rows.text, rows.mask, self.languages, strict=True):
            arrays[f"text_{language}"].read_into(text, first)
            if f"mask_{language}" in arrays:
                arrays[f"mask_{language}"].read_into(mask, first)
                text[~mask] = 1.0  # may hold anything, and is not to be checked
            check(name, f"text_{language}", text, first=first)
            text[~mask] = 0.0
        rows.groups[:] = np.arange(start, start + len(rows.groups))
        if "image_groups" in arrays:
            groups = np.empty(len(rows.groups), arrays["image_groups"].dtype)
            arrays["image_groups"].read_into(groups, first)
            rows.groups[:] = groups

    def check(self, progress: Callable[[str, int, int], None] = lambda what, done, total: None) -> None:
        """Read everything once, and refuse all bad rows together.

        Raises:
            InputError: the first bad row, and how many there are in all.
        """
        problems: list[str] = []
        bad = 0

        def count(name: str, key: str, values: np.ndarray, *, first: int) -> None:
            nonlocal bad
            try:
                _check_rows(name, key, values, first=first)
            except InputError as error:
                problems.append(str(error).partition(" (")[0])
                bad += int(unsound_rows(values).sum())

        for start in range(0, len(self), CHECKED_ROWS):
            stop = min(start + CHECKED_ROWS, len(self))
            self._read([(start, stop)], count)
            progress("checking", stop, len(self))
        if problems:
            raise InputError(f"{problems[0]}; {bad} such among {len(self)} rows, in {len(problems)} places")

    def verify(self, progress: Callable[[str, int, int], None] = lambda what, done, total: None) -> None:
        """Compare arrays with the checksums that the files state, reading each such array once.

        .npz and .pt files state one of each array, .safetensors files if `write_shards` wrote them.

        Args:
            progress: called with what goes on, pairs done, and pairs in all.

        Raises:
            InputError: an array differs from its checksum.
        """
        arrays = [array for file in self.files for array in file.values() if array.checksum is not None]
        with ThreadPoolExecutor() as pool:  # checksums are computed without the GIL
            for done, _ in enumerate(pool.map(StoredArray.verify, arrays), start=1):
                progress("comparing checksums", done * len(self) // len(arrays), len(self))

    def sha256(self) -> str:
        """Hexadecimal digest of names, sizes and layout, not of the rows."""
        layout = [[array.path.name, *array[1:4], str(array.dtype)] for file in self.files for array in file.values()]
        return hashlib.sha256(json.dumps([self.languages, layout]).encode()).hexdigest()

    def digests(self) -> dict[str, str]:
        """SHA-256 digests that a resumed run compares: `data_sha256` of the layout, `content_sha256` of all values.

        The latter is of checksums; only arrays for which the file states none are read.
        """
        arrays = [array for file in self.files for array in file.values()]
        with ThreadPoolExecutor() as pool:
            checksums = [
                (array.key, found) for array, found in zip(arrays, pool.map(StoredArray.crc32, arrays), strict=True)
            ]
        content = hashlib.sha256(json.dumps(checksums).encode()).hexdigest()
        return {"data_sha256": self.sha256(), "content_sha256": content}


def open_shards(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, languages: Sequence[str] | None = None
) -> Shards:
    """Shards of row-aligned pairs; only their headers are read. `Shards.verify` finds damaged rows.

    Each shard has `image` `[n, d_image]` and for each language `text_<language>` `[n, d_text]`, float16, bfloat16 or
    float32; row i of each belongs together. Optional: `mask_<language>` `[n]` bool, False where row i has no caption
    in that language (its row may then hold anything), and `image_groups` `[n]` whole numbers, equal for images that
    show the same thing, all over the shards. Other arrays are left out and counted in `notes`.

    Args:
        path: a folder of .npz (uncompressed), .safetensors or .pt files, taken in the order of their names; one such
            file; or a list of files.
        languages: a subset to use.

    Raises:
        InputError: one line that names the file and the array, what is wrong and how to fix it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for number in range(2):
        ...         np.savez(f"{folder}/{number}.npz", image=np.eye(2, dtype="f4"), text_en=np.eye(2, dtype="f4"))
        ...     shards = open_shards(folder)
        ...     rows = shards.read(1, 4)
        >>> len(shards), shards.languages, rows.image.tolist()
        (4, ('en',), [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    """
    if isinstance(path, str | os.PathLike):
        place = Path(path)
        paths = sorted(filter(is_shard, place.iterdir())) if place.is_dir() else [place]
    else:
        paths = [Path(file) for file in path]
        place = paths[0].parent if paths else Path()
    for file in paths:
        check_path("", file)
    if not paths:
        raise InputError(f"{place}: no shards here; give a folder of {', '.join(FORMATS)} files")
    files, unknown = [], set()
    for file in paths:
        arrays = stored_arrays(file)
        unknown |= {key for key in arrays if not re.fullmatch(r"image|image_groups|(text|mask)_.+", key)}
        files.append({key: array for key, array in arrays.items() if key not in unknown})
        _check_shard(file, files[-1], files[0])
    named = {key.removeprefix("text_"): key for key in files[0] if key.startswith("text_")}
    if not named:
        raise InputError(f"{paths[0]}: no captions; give one array text_<language> a language")
    chosen = tuple(sorted(named) if languages is None else known_languages(str(place), languages, named))
    check_languages(str(place), chosen)
    kept = {"image", "image_groups", *(f"{kind}_{language}" for kind in ("text", "mask") for language in chosen)}
    image, text = files[0]["image"], files[0][f"text_{chosen[0]}"]
    return Shards(
        name=Path(os.path.abspath(place)).name,
        languages=chosen,
        d_text=text.shape[1],
        d_image=image.shape[1],
        image_dtype=image.dtype,
        text_dtype=text.dtype,
        starts=np.cumsum([0, *(file["image"].shape[0] for file in files)]),
        files=tuple({key: array for key, array in file.items() if key in kept} for file in files),
        notes=(f"left out arrays of unknown names: {', '.join(sorted(unknown))}",) if unknown else (),
    )


def _joined(ranges: Sequence[tuple[int, int]] | Int[np.ndarray, "k 2"]) -> Iterator[tuple[int, int]]:
    """Ranges that follow each other as one: a long read is faster than many short ones."""
    begin = end = None
    for start, stop in ranges:
        if start != end:
            if begin is not None:
                yield begin, end
            begin = start
        end = stop
    if begin is not None:
        yield begin, end


def _check_rows(name: str, key: str, values: np.ndarray, *, first: int) -> None:
    """Refuse a NaN, infinite or zero row."""
    if unsound_rows(values).any():
        check_rows(name, key, values, first=first)


def _check_shard(file: Path, arrays: Mapping[str, StoredArray], first: Mapping[str, StoredArray]) -> None:
    """Refuse a shard that is wrong in itself, or differs from the first."""
    if "image" not in arrays:
        raise InputError(f"{file}: no array image (only {', '.join(sorted(arrays)) or 'none'}); add the image rows")
    for key, array in arrays.items():
        described = f"{file}: {key} is {array.dtype}{list(array.shape)}"
        if key == "image" or key.startswith("text_"):
            if len(array.shape) != 2 or 0 in array.shape or array.dtype not in DTYPES:
                raise InputError(f"{described}; it must be float16, bfloat16 or float32 [rows, dimensions]")
        elif len(array.shape) != 1 or (key == "image_groups" and array.dtype.kind not in "iu"):
            raise InputError(f"{described}; it must be one {'number' if key == 'image_groups' else 'bool'} a row")
        elif key.startswith("mask_") and (array.dtype != bool or f"text_{key[5:]}" not in arrays):
            raise InputError(f"{described}; it must be one bool a row, beside text_{key[5:]}")
        if array.shape[0] != arrays["image"].shape[0]:
            raise InputError(f"{described}, but image has {arrays['image'].shape[0]} rows; row i of each is one pair")
    captions = [array for key, array in arrays.items() if key.startswith("text_")]
    for array in captions:
        if (array.shape, array.dtype) != (captions[0].shape, captions[0].dtype):
            raise InputError(
                f"{file}: {array.key} is {array.dtype}{list(array.shape)}, {captions[0].key} is "
                f"{captions[0].dtype}{list(captions[0].shape)}; one encoder, one width and dtype"
            )
    if differing := sorted(set(arrays) ^ set(first)):
        has = "has" if differing[0] in arrays else "lacks"
        raise InputError(f"{file}: {has} {differing[0]}, unlike {first['image'].path.name}; give all shards the same")
    for key, array in arrays.items():
        if (array.shape[1:], array.dtype) != (first[key].shape[1:], first[key].dtype):
            raise InputError(
                f"{file}: {key} is {array.dtype}{list(array.shape)}, in {first[key].path.name} "
                f"{first[key].dtype}{list(first[key].shape)}; give all shards one width and dtype"
            )

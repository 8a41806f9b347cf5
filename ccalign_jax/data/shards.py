"""Pairs in shards on disk, read a few rows at a time."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import Int

from ccalign_jax.data.caption_counts import COUNT, image_pairs
from ccalign_jax.data.checks import refuse_unsound, unsound_rows
from ccalign_jax.data.image_hashes import DIGEST, HASH, Copies, find_copies
from ccalign_jax.data.pair_rows import PairRows, joined_ranges
from ccalign_jax.data.stored_array import HeldArray, StoredArray
from ccalign_jax.errors import InputError

__all__ = ["Shards"]

CHECKED_ROWS = 16384  # read at once by `Shards.check`


@dataclasses.dataclass(frozen=True, eq=False)
class Shards:
    """Pairs in one or many files, as if they were one array; made by `open_shards`.

    In row-aligned files row i of every array is pair i. In ragged files, which have arrays `count_<language>`, an image
    makes as many pairs as it has captions in one language; they are of one group.

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
    files: tuple[Mapping[str, StoredArray | HeldArray], ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def row_bytes(self) -> int:
        """Bytes of an image with its captions."""
        text = len(self.languages) * self.d_text * self.text_dtype.itemsize
        return self.d_image * self.image_dtype.itemsize + text

    @property
    def ragged(self) -> bool:
        """Whether images make several pairs."""
        return any(key.startswith(COUNT) for key in self.files[0])

    @functools.cached_property
    def image_starts(self) -> Int[np.ndarray, " shards_and_one"]:
        """`[shards + 1]`, the number of the first image of each shard, and of all images."""
        return np.cumsum([0, *(arrays["image"].shape[0] for arrays in self.files)])

    def groups(self) -> Int[np.ndarray, " n"] | None:
        """The group of each row, read without embeddings; None where every row is its own.

        Raises:
            InputError: a file that has become shorter.
        """
        if not self.ragged and "image_groups" not in self.files[0] and self.copies is None:
            return None
        parts = np.split(self.image_groups, self.image_starts[1:-1])
        if self.ragged:
            parts = [part[image_pairs(file).image] for part, file in zip(parts, self.files, strict=True)]
        return np.concatenate(parts)

    @functools.cached_property
    def image_groups(self) -> Int[np.ndarray, " images"]:
        """The group of each image: its own, or what files state, joined where images show the same."""
        if "image_groups" not in self.files[0]:
            return np.arange(self.image_starts[-1]) if self.copies is None else self.copies.groups
        groups = np.concatenate([arrays["image_groups"].read() for arrays in self.files])
        return groups if self.copies is None else self.copies.join(groups)

    @functools.cached_property
    def copies(self) -> Copies | None:
        """Images that show the same, over all shards, by the hashes of their pixels; None where files have none.

        Raises:
            InputError: a file that has become shorter.
        """
        if not all(DIGEST in arrays and HASH in arrays for arrays in self.files):
            return None
        digests, hashes = (np.concatenate([arrays[key].read() for arrays in self.files]) for key in (DIGEST, HASH))
        return find_copies(digests, hashes)

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
        return self._read(ranges, refuse_unsound)

    def _read(self, ranges: Sequence[tuple[int, int]] | Int[np.ndarray, "k 2"], check: Callable[..., Any]) -> PairRows:
        total, count = int(sum(stop - start for start, stop in ranges)), len(self.languages)
        found = PairRows(
            image=np.empty((total, self.d_image), self.image_dtype),
            text=np.empty((count, total, self.d_text), self.text_dtype),
            mask=np.ones((count, total), bool),
            groups=np.empty(total, np.int64),
        )
        place = 0
        for start, stop in joined_ranges(ranges):
            if not 0 <= start <= stop <= len(self):
                raise ValueError(f"rows {start} to {stop} are not within the {len(self)} there are")
            while start < stop:
                shard = int(np.searchsorted(self.starts, start, side="right")) - 1
                end = min(stop, int(self.starts[shard + 1]))
                part = slice(place, place + int(end - start))
                rows = PairRows(found.image[part], found.text[:, part], found.mask[:, part], found.groups[part])
                read = self._read_ragged if self.ragged else self._read_aligned
                read(shard, int(start - self.starts[shard]), rows, check)
                place, start = part.stop, end
        return found

    def _read_aligned(self, shard: int, first: int, rows: PairRows, check: Callable[..., Any]) -> None:
        arrays = self.files[shard]
        start = int(self.starts[shard]) + first
        arrays["image"].read_into(rows.image, first)
        check(str(arrays["image"].path), "image", rows.image, first=first)
        for text, mask, language in zip(rows.text, rows.mask, self.languages, strict=True):
            arrays[f"text_{language}"].read_into(text, first)
            if f"mask_{language}" in arrays:
                arrays[f"mask_{language}"].read_into(mask, first)
                text[~mask] = 1.0  # may hold anything, and is not to be checked
            check(str(arrays[f"text_{language}"].path), f"text_{language}", text, first=first)
            text[~mask] = 0.0
        rows.groups[:] = np.arange(start, start + len(rows.groups))
        if "image_groups" in arrays:
            groups = np.empty(len(rows.groups), arrays["image_groups"].dtype)
            arrays["image_groups"].read_into(groups, first)
            rows.groups[:] = groups

    def _read_ragged(self, shard: int, first: int, rows: PairRows, check: Callable[..., Any]) -> None:
        arrays, pairs = self.files[shard], image_pairs(self.files[shard])
        wanted = np.arange(first, first + len(rows.image))
        image_of = pairs.image[wanted]
        begin, end = (int(image_of[0]), int(image_of[-1]) + 1) if len(wanted) else (0, 0)
        rows.image[:] = _checked(arrays["image"], begin, end, check)[image_of - begin]
        rows.groups[:] = self.image_groups[self.image_starts[shard] + image_of]
        place = wanted - pairs.first[image_of]  # among the pairs of its image
        rows.text[:], rows.mask[:] = 0, False
        for text, mask, language in zip(rows.text, rows.mask, self.languages, strict=True):
            if language not in pairs.captions:  # no image of this shard has one
                continue
            edges = pairs.captions[language]
            values = _checked(arrays[f"text_{language}"], int(edges[begin]), int(edges[end]), check)
            mask[:] = place < np.diff(edges)[image_of]
            text[mask] = values[(edges[image_of] + place - edges[begin])[mask]]

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
                refuse_unsound(name, key, values, first=first)
            except InputError as error:
                problems.append(error.in_flags.partition(" (")[0])
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
            for done, _ in enumerate(pool.map(lambda array: array.verify(), arrays), start=1):
                progress("comparing checksums", done * len(self) // len(arrays), len(self))

    def sha256(self) -> str:
        """Hexadecimal digest of names, sizes and layout, not of the rows."""
        arrays = [array for file in self.files for array in file.values()]
        layout = [[array.path.name, *array.layout, str(array.dtype)] for array in arrays]
        return hashlib.sha256(json.dumps([self.languages, layout]).encode()).hexdigest()

    def digests(self) -> dict[str, str]:
        """SHA-256 digests that a resumed run compares: `data_sha256` of the layout, `content_sha256` of all values.

        The latter is of checksums; only arrays for which the file states none are read.
        """
        arrays = [array for file in self.files for array in file.values()]
        with ThreadPoolExecutor() as pool:
            checksums = [
                (array.key, found)
                for array, found in zip(arrays, pool.map(lambda array: array.crc32(), arrays), strict=True)
            ]
        content = hashlib.sha256(json.dumps(checksums).encode()).hexdigest()
        return {"data_sha256": self.sha256(), "content_sha256": content}


def _checked(array: StoredArray | HeldArray, start: int, stop: int, check: Callable[..., Any]) -> np.ndarray:
    """Some rows of an array of embeddings, after a check."""
    found = np.empty((stop - start, *array.shape[1:]), array.dtype)
    array.read_into(found, start)
    if len(found):
        check(str(array.path), array.key, found, first=start)
    return found

"""The folder of an extraction: shards that appear whole, its description, and what was left out."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import weakref
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.data.damage import reading
from ccalign_jax.data.extracted import (
    DESCRIPTION,
    SHARD,
    check_shard_name,
    differences,
    read_description,
    write_description,
)
from ccalign_jax.data.image_hashes import DIGEST, HASH, find_copies
from ccalign_jax.data.safetensors_files import read_safetensors_header, write_safetensors
from ccalign_jax.data.shard_sets import strings_of_bytes
from ccalign_jax.data.stored_arrays import is_shard, stored_arrays
from ccalign_jax.encoders.base import FINAL
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.items import LeftOut
from ccalign_jax.extraction.shard import Embedded
from ccalign_jax.files import lock_file, whole_file, whole_path

__all__ = ["DUPLICATES", "LEFT_OUT", "Folder", "Part"]

LEFT_OUT, DUPLICATES = "left_out.csv", "duplicates.csv"
FINISH = ".finish.lock"
MADE, LEFT = "made", "left_out"  # keys of the metadata of a shard


class Part(NamedTuple):
    """One of several machines' shares: every shard whose number is `place` modulo `total`."""

    place: int = 0
    total: int = 1

    @classmethod
    def parse(cls, given: str) -> Part:
        """The part `i/n`, counted from 1.

        Example:
            >>> Part.parse("2/4")
            Part(place=1, total=4)
        """
        index, slash, count = given.partition("/")
        if not (slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
            raise InputError(f"--part={given}: give 1/4, 2/4, ... for one of four")
        return cls(int(index) - 1, int(count))

    def has(self, number: int) -> bool:
        return number % self.total == self.place


class Folder:
    """Shards of one extraction, which several processes may fill; used in a `with` statement.

    Args:
        path: the folder, which need not exist.
        description: its encoders, options and source.
        part: the share of this process.
    """

    def __init__(self, path: Path, description: Mapping[str, Any], part: Part):
        self.path, self.part = path, part
        self.description: dict[str, Any] = dict(description)
        self.made = _fingerprint(description)
        self.notes: list[str] = []
        self._lock: weakref.finalize | None = None

    def begin(self, *, resume: bool, overwrite: bool) -> None:
        """Lock the share, and write the description, or compare with the one that is there.

        Raises:
            InputError: another process has the share, or the folder holds something else and may not be replaced.
        """
        if resume and overwrite:
            raise InputError("--resume continues the extraction that --overwrite deletes; give one of them")
        if read_description(self.path) is None and resume:
            raise InputError(f"{self.path}: holds no extraction to resume; leave --resume out")
        if overwrite and self.part.total > 1:
            raise InputError("--overwrite would delete what other parts write; remove the folder by hand")
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = lock_file(self._lock_path, self)
        self._check_alone()
        if overwrite:
            self._remove()
        stored = read_description(self.path)
        if stored is None:
            if other := next((path for path in self.path.iterdir() if is_shard(path)), None):
                raise InputError(f"{self.path}: holds {other.name} of something else; give another --out")
            write_description(self.path, {**self.description, "shards": None})
            return
        self._check_same(stored)
        mine = [number for number in self._numbers() if self.part.has(number)]
        if not resume and (mine or self.part.total == 1):
            raise InputError(f"{self.path}: holds an extraction; --resume goes on with it, --overwrite replaces it")
        self.description = stored

    def end(self) -> None:
        """Unlock the share."""
        if self._lock is not None:
            self._lock_path.unlink(missing_ok=True)
            self._lock()
            self._lock = None

    def has(self, number: int) -> bool:
        """Whether a shard is there already, whole.

        Raises:
            InputError: it is of another extraction.
        """
        path = self._shard(number)
        if not path.is_file():
            return False
        if check_shard_name(path).get(MADE) != self.made:
            raise InputError(f"{path}: of other encoders, options or captions than the rest; remove it")
        return True

    def write(self, number: int, embedded: Embedded) -> None:
        """Write a shard, its embeddings last: then it counts as done."""
        metadata = {MADE: self.made, LEFT: json.dumps(embedded.left_out, ensure_ascii=False)}
        metadata[SHARD] = self._shard(number).name
        for layer in sorted(embedded.arrays, reverse=True):
            path = self._shard(number, layer)
            path.parent.mkdir(exist_ok=True)
            with whole_path(path, resumable=True) as draft:
                write_safetensors(draft, embedded.arrays[layer], metadata)
            if layer != FINAL and not (path.parent / DESCRIPTION).is_file():
                write_description(path.parent, {**self.description, "layer": layer, "shards": None})

    def finish(self, total: int) -> dict[str, Any]:
        """Describe the shards that are there, and list what they leave out and which images show the same.

        Args:
            total: shards of all parts.

        Returns:
            The description.
        """
        unlock = lock_file(self.path / FINISH, self, wait=True)  # one part at a time, so that the last sees all shards
        try:
            return self._describe(total)
        finally:
            (self.path / FINISH).unlink(missing_ok=True)
            unlock()

    def _describe(self, total: int) -> dict[str, Any]:
        left_out: list[LeftOut] = []
        images, captions, widths = 0, Counter[str](), {}
        for number in self._numbers():
            entries, metadata = self._header(self._shard(number))
            left_out += [LeftOut(*each) for each in json.loads(metadata[LEFT])]
            images += entries["image"].shape[0]
            if entries["image"].shape[0]:
                widths["d_image"] = entries["image"].shape[1]
            for key, entry in entries.items():
                if key.startswith("text_"):
                    captions[key.removeprefix("text_")] += entry.shape[0]
                    widths["d_text"] = entry.shape[1]
        duplicates = self._list_duplicates()
        found = {
            **self.description,
            "shards": total,
            "images": images,
            "captions": dict(sorted(captions.items())),
            **widths,
            "left_out": dict(sorted(Counter(_counted(each) for each in left_out).items())),
            "duplicates": duplicates,
        }
        with whole_file(self.path / LEFT_OUT) as file:
            file.write(_csv(LeftOut._fields, left_out))
        for place in (*self.path.glob("layer*/"), self.path):
            layer = {} if place == self.path else {"layer": place.name}
            write_description(place, {**found, **layer})
        return found

    @property
    def _lock_path(self) -> Path:
        return self.path / f".part-{self.part.place + 1}-of-{self.part.total}.lock"

    def _check_alone(self) -> None:
        """Refuse processes that divide the shards otherwise, whose shares overlap with this one's."""
        for path in self.path.glob(".part-*-of-*.lock"):
            if not path.name.endswith(f"-of-{self.part.total}.lock"):
                lock = lock_file(path, self)
                path.unlink(missing_ok=True)  # of a process that was killed
                lock()

    def _list_duplicates(self) -> dict[str, int]:
        """List the images of all shards that show what an earlier one shows; how many there are of each kind."""
        shards = [stored_arrays(self._shard(number)) for number in self._numbers()]
        if not shards:
            return {}
        named = [arrays["image_keys"] for arrays in shards]
        keys = np.concatenate([strings_of_bytes(array.path, array.key, array.read()) for array in named])
        digests, hashes = (np.concatenate([arrays[key].read() for arrays in shards]) for key in (DIGEST, HASH))
        copies = find_copies(digests, hashes)
        rows = []
        for place in np.flatnonzero(copies.of >= 0):
            kind = "same pixels" if copies.exact[place] else "near copy"
            done = "kept in one group" if copies.joined[place] else f"not joined: a group of more than {copies.most}"
            rows.append((keys[place], keys[copies.of[place]], copies.distance[place], kind, done))
        with whole_file(self.path / DUPLICATES) as file:
            file.write(_csv(("image", "duplicate_of", "distance", "kind", "done"), rows))
        return copies.counts()

    def _shard(self, number: int, layer: str = FINAL) -> Path:
        return self.path / layer / f"shard-{number:05d}.safetensors"

    def _numbers(self) -> list[int]:
        names = (path.stem.removeprefix("shard-") for path in self.path.glob("shard-*.safetensors"))
        return sorted(int(name) for name in names if name.isdecimal())

    def _header(self, path: Path) -> tuple[dict[str, Any], dict[str, str]]:
        with reading(f"{path}: not a whole shard"):
            return read_safetensors_header(path)

    def _check_same(self, stored: Mapping[str, Any]) -> None:
        """Refuse other encoders, by name, and other options or captions."""
        for side in ("text", "image"):
            mine, theirs = self.description["encoders"][side], stored["encoders"][side]
            if changed := differences(mine, theirs):
                raise InputError(
                    f"{self.path}: made with the {side} encoder {theirs['name']}, not {mine['name']}: "
                    f"{'; '.join(changed)}; give another --out"
                )
            if mine["versions"] != theirs["versions"]:
                self.notes.append(f"the {side} encoder's libraries are of other versions than those of the first run")
        for name, value in self.description["rows"].items():
            if (theirs := stored["rows"].get(name)) != value:
                raise InputError(f"{self.path}: made with {name} {theirs}, not {value}; give another --out")
        if stored["source_sha256"] != self.description["source_sha256"]:
            raise InputError(f"{self.path}: made of other captions, keys or splits; give another --out")

    def _remove(self) -> None:
        for number in self._numbers():
            self._shard(number).unlink()
        for place in self.path.glob("layer*/"):
            if read_description(place) is not None:
                shutil.rmtree(place)
        for name in (DESCRIPTION, LEFT_OUT, DUPLICATES):
            (self.path / name).unlink(missing_ok=True)


def _fingerprint(description: Mapping[str, Any]) -> str:
    """SHA-256 of all that the bytes of a shard follow from, but for the versions of libraries."""
    encoders = [{**description["encoders"][side], "versions": None} for side in ("text", "image")]
    parts = [encoders, description["rows"], description["source_sha256"]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _counted(left: LeftOut) -> str:
    return f"{'caption' if left.language else 'image'}: {left.reason}"


def _csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")

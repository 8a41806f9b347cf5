"""Arrays of .npz files, every one checked against the checksum that the archive holds."""

from __future__ import annotations

import contextlib
import math
import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from ccalign_jax.data.damage import reading
from ccalign_jax.data.npy import NpyHeader, array_from_bytes, read_npy_header
from ccalign_jax.data.zip_files import zip_members
from ccalign_jax.errors import InputError

__all__ = ["NpzFile", "open_npz", "read_npz"]

_BLOCK = 1 << 20


class NpzFile:
    """An open .npz.

    Attributes:
        path: the file.
        members: of the archive, by the name of the array.
    """

    def __init__(self, path: Path, file: IO[bytes], archive: zipfile.ZipFile):
        self.path, self._file, self._archive = path, file, archive
        members = zip_members(file, archive)
        self.members = {name.removesuffix(".npy"): member for name, member in members.items()}
        if len(self.members) < len(members):
            raise ValueError("an array name occurs with and without .npy")

    def header(self, key: str) -> tuple[NpyHeader, int]:
        """Header of an uncompressed array, and the offset of its first number in the file."""
        member = self.members[key]
        with self._reading(key):
            self._file.seek(member.checksum.start)
            return read_npy_header(self._file, member.info.file_size), self._file.tell()

    def read(self, keys: Iterable[str], *, map_from: float = math.inf) -> dict[str, np.ndarray]:
        """Arrays by name, each checked against its checksum.

        Args:
            keys: names of the arrays.
            map_from: size in bytes from which an uncompressed array stays on disk, as a read-only memory map.

        Raises:
            InputError: a damaged array, Python objects, or more than memory can hold.
        """
        infos = {key: self.members[key].info for key in keys}
        mapped = {key for key, info in infos.items() if not info.compress_type and info.file_size >= map_from}
        needed, there = sum(info.file_size for key, info in infos.items() if key not in mapped), _memory()
        if needed > there:
            raise InputError(
                f"{self.path}: unpacks to {needed / 2**30:,.1f} GiB, this machine has {there / 2**30:,.1f} GiB of "
                "memory; save it with np.savez, so that large arrays stay on disk, or in several files"
            )
        return {key: self._map(key) if key in mapped else self._read(key) for key in infos}

    def _read(self, key: str) -> np.ndarray:
        info = self.members[key].info
        with self._reading(key), self._archive.open(info) as stream:
            header = read_npy_header(stream, info.file_size)
            self._refuse_objects(key, header)
            data = np.empty(header.nbytes, np.uint8)
            for start in range(0, len(data), _BLOCK):
                block = stream.read(min(_BLOCK, len(data) - start))
                data[start : start + len(block)] = np.frombuffer(block, np.uint8)
            stream.read(1)  # the archive compares the checksum at the end of a member, also of an empty array
            return array_from_bytes(data, header)

    def _map(self, key: str) -> np.ndarray:
        header, start = self.header(key)
        self._refuse_objects(key, header)
        with self._reading(key):
            self.members[key].checksum.verify(self.path)  # reads all of it, once
            data = np.memmap(self.path, np.uint8, "r", start, header.nbytes)
            return array_from_bytes(data, header)

    def _reading(self, key: str) -> contextlib.AbstractContextManager[None]:
        return reading(f"{self.path}: {key} is damaged")

    def _refuse_objects(self, key: str, header: NpyHeader) -> None:
        if header.dtype.hasobject:
            raise InputError(f"{self.path}: {key} holds Python objects, which need pickle; save numbers or text")


@contextlib.contextmanager
def open_npz(path: Path) -> Iterator[NpzFile]:
    """The arrays of an .npz file, to be read one by one.

    Raises:
        InputError: not an .npz file, or damaged.
    """
    with contextlib.ExitStack() as stack:
        with reading(f"{path}: not a whole .npz file"):
            file = stack.enter_context(open(path, "rb"))
            found = NpzFile(path, file, stack.enter_context(zipfile.ZipFile(file)))
        yield found


def read_npz(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """All arrays of an .npz file, in memory.

    Raises:
        InputError: not an .npz file, damaged, more than memory can hold, or Python objects.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/rows.npz", image=np.eye(2))
        ...     read_npz(f"{folder}/rows.npz")["image"].tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    with open_npz(Path(path)) as file:
        return file.read(file.members)


def _memory() -> float:
    """Bytes of memory of this machine; infinite where the platform does not report them."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return math.inf

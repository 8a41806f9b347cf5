"""An array at a place in a file, or in memory, and plain reads of a few of its rows.

Nothing is memory-mapped: the pages of a map count as memory of the process as long as they are in use, while those that
plain reads leave in the system's cache do not.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from io import FileIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ccalign_jax.data.damage import reading
from ccalign_jax.data.zip_files import Checksum, file_crc32
from ccalign_jax.errors import InputError

__all__ = ["HeldArray", "StoredArray"]


class StoredArray(NamedTuple):
    """An array in C order at a place in a file.

    Attributes:
        path: the file.
        key: what the array is called.
        offset: of its first byte.
        shape, dtype: of the whole, in native byte order; an array of another kind than numbers has the dtype object.
        swapped: it is stored in the other byte order.
        checksum: that the file states, of a range of bytes that includes the array; None if it states none.
    """

    path: Path
    key: str
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype
    swapped: bool = False
    checksum: Checksum | None = None

    @property
    def nbytes(self) -> int:
        return self.dtype.itemsize * math.prod(self.shape)

    @property
    def layout(self) -> tuple[str, int, tuple[int, ...]]:
        """Its name, place and shape."""
        return self.key, self.offset, self.shape

    def read_into(self, rows: np.ndarray, start: int) -> None:
        """Fill C-contiguous `rows` with those from `start` on."""
        row_bytes = self.dtype.itemsize * math.prod(self.shape[1:])
        try:
            with open(self.path, "rb", buffering=0) as file:
                file.seek(self.offset + start * row_bytes)
                _fill(file, rows.reshape(-1).view(np.uint8).data)
        except OSError as error:
            raise InputError(f"{self.path}: {self.key} cannot be read ({error.strerror}); copy it again") from error
        except EOFError:
            raise InputError(
                f"{self.path}: {self.key} ends before its {self.shape[0]} rows; copy or write it again"
            ) from None
        if self.swapped:
            rows.byteswap(inplace=True)

    def read(self) -> np.ndarray:
        """The whole array."""
        found = np.empty(self.shape, self.dtype)
        self.read_into(found, 0)
        return found

    def verify(self) -> None:
        """Compare all its bytes with the checksum, if the file has one.

        Raises:
            InputError: they differ.
        """
        if self.checksum is not None:
            with reading(f"{self.path}: {self.key} is damaged"):
                self.checksum.verify(self.path)

    def crc32(self) -> int:
        """CRC-32 of its bytes: as the file states it, else computed from the file."""
        if self.checksum is not None:
            return self.checksum.crc32
        return file_crc32(self.path, self.offset, self.offset + self.nbytes)


@dataclasses.dataclass(frozen=True, eq=False)
class HeldArray:
    """An array in memory, or in a memory map, that is read like a `StoredArray`.

    Attributes:
        path: the file that it comes from.
        key: what the array is called.
        values: C-contiguous, in native byte order.
    """

    path: Path
    key: str
    values: np.ndarray
    checksum: None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype

    @property
    def layout(self) -> tuple[str, int, tuple[int, ...]]:
        """Its name, place and shape."""
        return self.key, 0, self.shape

    def read_into(self, rows: np.ndarray, start: int) -> None:
        """Fill rows with those from `start` on."""
        rows[:] = self.values[start : start + len(rows)]

    def read(self) -> np.ndarray:
        """The whole array."""
        return self.values

    def verify(self) -> None:
        """Nothing: it was compared with its checksum when it was read."""

    def crc32(self) -> int:
        """CRC-32 of its bytes."""
        return zlib.crc32(np.ascontiguousarray(self.values).reshape(-1).view(np.uint8).data)


def _fill(file: FileIO, wanted: memoryview) -> None:
    """Read until the buffer is full; a single read stops at 2 GB, or earlier."""
    while len(wanted):
        count = file.readinto(wanted)
        if not count:
            raise EOFError
        wanted = wanted[count:]

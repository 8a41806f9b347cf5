"""NumPy's .npy format, alone or as a member of an .npz: a checked header, then the numbers."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from ccalign_jax.data.damage import reading
from ccalign_jax.errors import InputError

__all__ = ["NpyHeader", "array_from_bytes", "load_npy", "read_npy_header"]

_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,
}


class NpyHeader(NamedTuple):
    """The header of an .npy array.

    Attributes:
        shape, dtype: of the array.
        order: "C" or "F".
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    order: str

    @property
    def nbytes(self) -> int:
        return self.dtype.itemsize * math.prod(self.shape)


def read_npy_header(file: IO[bytes], size: int) -> NpyHeader:
    """Read the header of an .npy array, and leave the file at the first number.

    Args:
        file: at the start.
        size: bytes from here to the end of the array: header and numbers, no more and no less.

    Raises:
        ValueError: not a header, or one of an array of another size. A damaged header may raise anything else.
    """
    start = file.tell()
    version = np.lib.format.read_magic(file)
    if version not in _READERS:
        raise ValueError(f"version {version} of the .npy format is not known")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's of a damaged literal, NumPy's of one that Python 2 wrote
        shape, fortran, dtype = _READERS[version](file)
    header = NpyHeader(shape, dtype, "F" if fortran else "C")
    if min(shape, default=0) < 0:
        raise ValueError(f"its header says {list(shape)}")
    if not dtype.hasobject and header.nbytes != size - (file.tell() - start):
        there = size - (file.tell() - start)
        raise ValueError(f"{dtype}{list(shape)} takes {header.nbytes} bytes, there are {there}")
    return header


def array_from_bytes(data: np.ndarray, header: NpyHeader) -> np.ndarray:
    """The array whose bytes these are, without a copy."""
    return data.view(header.dtype).reshape(header.shape, order="F" if header.order == "F" else "C")


def load_npy(path: str | os.PathLike[str], *, mapped: bool = False) -> np.ndarray:
    """The array of an .npy file.

    Args:
        path: the file.
        mapped: leave the numbers on disk, as a read-only memory map.

    Raises:
        InputError: no such file, not an .npy file, damaged, cut off or followed by something else, or Python objects.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/rows.npy", np.eye(2))
        ...     load_npy(f"{folder}/rows.npy").tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give an .npy file")
    with reading(f"{path}: not an .npy file that can be read"), open(path, "rb") as file:
        header = read_npy_header(file, path.stat().st_size)
        if header.dtype.hasobject:
            raise InputError(f"{path}: holds Python objects, which need pickle; save numbers")
        if mapped and header.nbytes:
            data: np.ndarray = np.memmap(path, np.uint8, "r", file.tell(), header.nbytes)
        else:
            data = np.fromfile(file, np.uint8)
        return array_from_bytes(data, header)

"""Where the arrays of a file lie on disk, and plain reads of a few of their rows.

Nothing is memory-mapped: the pages of a map count as memory of the process as long as they are in use, while those that
plain reads leave in the system's cache do not. So the headers of all three formats are reduced to the same facts.
"""

from __future__ import annotations

import json
import math
import struct
import zipfile
import zlib
from io import FileIO
from pathlib import Path
from typing import NamedTuple

import ml_dtypes
import numpy as np

from ccalign_jax.errors import InputError

__all__ = ["FORMATS", "StoredArray", "stored_arrays"]

_DAMAGE = (OSError, EOFError, ValueError, KeyError, TypeError, struct.error, zipfile.BadZipFile, zlib.error)
_SAFETENSORS = {
    **{f"F{bits}": np.dtype(f"float{bits}") for bits in (16, 32, 64)},
    **{f"I{bits}": np.dtype(f"int{bits}") for bits in (8, 16, 32, 64)},
    **{f"U{bits}": np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64)},
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "BOOL": np.dtype(bool),
}


class StoredArray(NamedTuple):
    """An array in C order at a place in a file.

    Attributes:
        path: the file.
        key: what the array is called.
        offset: of its first byte.
        shape, dtype: of the whole; an array of another kind than numbers has the dtype object.
    """

    path: Path
    key: str
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype

    def read_into(self, rows: np.ndarray, start: int) -> None:
        """Fill C-contiguous `rows` with those from `start` on."""
        row_bytes = self.dtype.itemsize * math.prod(self.shape[1:])
        try:
            with open(self.path, "rb", buffering=0) as file:
                file.seek(self.offset + start * row_bytes)
                _fill(file, rows.view(np.uint8).reshape(-1).data)
        except OSError as error:
            raise InputError(f"{self.path}: {self.key} cannot be read ({error.strerror}); copy it again") from error
        except EOFError:
            raise InputError(
                f"{self.path}: {self.key} ends before its {self.shape[0]} rows; copy or write it again"
            ) from None


def _fill(file: FileIO, wanted: memoryview) -> None:
    """Read until the buffer is full; a single read stops at 2 GB, or earlier."""
    while len(wanted):
        count = file.readinto(wanted)
        if not count:
            raise EOFError
        wanted = wanted[count:]


def stored_arrays(path: Path) -> dict[str, StoredArray]:
    """The arrays of an .npz, .safetensors or .pt file, by name; only headers are read.

    Args:
        path: an uncompressed .npz, a .safetensors file, or what `torch.save` wrote of a dict of tensors.

    Raises:
        InputError: not such a file, damaged, cut off, or written in a way that cannot be read a few rows at a time.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/toy.npz", image=np.arange(6.0).reshape(3, 2))
        ...     array, rows = stored_arrays(Path(f"{folder}/toy.npz"))["image"], np.empty((1, 2))
        ...     array.read_into(rows, 2)
        >>> array.shape, rows.tolist()
        ((3, 2), [[4.0, 5.0]])
    """
    read = FORMATS.get(path.suffix.lower())
    if read is None or not path.is_file():
        problem = "cannot tell its format" if path.is_file() else "no such file"
        raise InputError(f"{path}: {problem}; give {', '.join(FORMATS)} files")
    try:
        found, size = read(path), path.stat().st_size
    except InputError:
        raise
    except _DAMAGE as error:
        reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: not a whole {path.suffix} file ({reason}); copy or write it again") from error
    for array in found.values():
        if array.offset + array.dtype.itemsize * math.prod(array.shape) > size:
            raise InputError(f"{path}: {array.key} is cut off after {size} bytes; copy or write it again")
    return found


def _npz_arrays(path: Path) -> dict[str, StoredArray]:
    found = {}
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        for member in archive.infolist():
            key = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED:
                raise InputError(
                    f"{path}: {key} is compressed, so that rows cannot be read alone; save with np.savez, "
                    "not np.savez_compressed"
                )
            file.seek(member.header_offset)
            name, extra = struct.unpack("<26xHH", file.read(30))
            file.seek(name + extra, 1)
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
            if fortran and len(shape) > 1:
                raise InputError(f"{path}: {key} is in Fortran order; save np.ascontiguousarray({key})")
            found[key] = StoredArray(path, key, file.tell(), shape, dtype)
    return found


def _safetensors_arrays(path: Path) -> dict[str, StoredArray]:
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > path.stat().st_size - 8:
            raise EOFError("the header is cut off")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return {
        key: StoredArray(
            path,
            key,
            8 + length + int(entry["data_offsets"][0]),
            tuple(map(int, entry["shape"])),
            _SAFETENSORS.get(entry["dtype"], np.dtype(object)),
        )
        for key, entry in header.items()
    }


def _pt_arrays(path: Path) -> dict[str, StoredArray]:
    try:
        import torch
        from torch._subclasses.fake_tensor import FakeTensorMode
    except ImportError as error:
        raise InputError(f"{path}: torch is not installed; pip install torch makes .pt readable") from error
    try:
        with FakeTensorMode():  # reads the description of the tensors, and where they lie, but none of their values
            tensors = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged pickle may raise anything
        raise InputError(f"{path}: damaged, or more than a dict of tensors; write it again") from error
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise InputError(f"{path}: not a dict of tensors; torch.save a dict of image and text_<language>")
    found = {}
    for key, tensor in tensors.items():
        place = getattr(tensor.untyped_storage(), "_checkpoint_offset", None)
        if place is None:
            raise InputError(f"{path}: its torch.save is too old to read rows alone; write it again with torch 2.6")
        if not tensor.is_contiguous():
            raise InputError(f"{path}: {key} is a view of other order; torch.save {key}.contiguous()")
        word = str(tensor.dtype).removeprefix("torch.")
        known = {"bfloat16": np.dtype(ml_dtypes.bfloat16), "bool": np.dtype(bool)}
        dtype = known.get(word) or (np.dtype(word) if word in np.sctypeDict else np.dtype(object))
        offset = place + tensor.storage_offset() * tensor.element_size()
        found[str(key)] = StoredArray(path, str(key), offset, tuple(tensor.shape), dtype)
    return found


FORMATS = {".npz": _npz_arrays, ".safetensors": _safetensors_arrays, ".pt": _pt_arrays}

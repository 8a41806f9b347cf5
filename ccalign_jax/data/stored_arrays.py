"""Locations of the arrays of a file on disk, from the headers of all formats."""

from __future__ import annotations

from pathlib import Path

from ccalign_jax.data.damage import reading
from ccalign_jax.data.npy import read_npy_header
from ccalign_jax.data.npz import open_npz
from ccalign_jax.data.safetensors_files import CHECKSUM, read_safetensors_header
from ccalign_jax.data.stored_array import StoredArray
from ccalign_jax.data.torch_files import torch_arrays
from ccalign_jax.data.zip_files import Checksum
from ccalign_jax.errors import InputError

__all__ = ["FORMATS", "is_shard", "npy_array", "stored_arrays"]


def stored_arrays(path: Path) -> dict[str, StoredArray]:
    """The arrays of an .npz, .safetensors or .pt file, by name; only headers are read.

    Args:
        path: an uncompressed .npz, a .safetensors file, or what `torch.save` wrote of a dict of tensors.

    Raises:
        InputError: not such a file, damaged, cut off, or written in a way that cannot be read a few rows at a time.

    Example:
        >>> import numpy as np, tempfile
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
    found, size = read(path), path.stat().st_size
    for array in found.values():
        if array.offset + array.nbytes > size:
            raise InputError(f"{path}: {array.key} is cut off after {size} bytes; copy or write it again")
    return found


def is_shard(path: Path) -> bool:
    """Whether a file of a folder is one of its shards: of a known format, and not hidden (`._0.npz`)."""
    return path.suffix.lower() in FORMATS and not path.name.startswith(".")


def npy_array(path: Path, key: str) -> StoredArray:
    """The array of an .npy file; only its header is read.

    Args:
        path: the file.
        key: what the array is called.

    Raises:
        InputError: not an .npy file, damaged, cut off, Python objects, or in Fortran order.
    """
    with reading(f"{path}: not an .npy file that can be read"), open(path, "rb") as file:
        header = read_npy_header(file, path.stat().st_size)
        offset = file.tell()
    if header.dtype.hasobject:
        raise InputError(f"{path}: holds Python objects, which need pickle; save numbers")
    if header.order == "F" and len(header.shape) > 1:
        raise InputError(f"{path}: is in Fortran order; save np.ascontiguousarray of it")
    return StoredArray(path, key, offset, header.shape, header.dtype.newbyteorder("="), not header.dtype.isnative)


def _npz_arrays(path: Path) -> dict[str, StoredArray]:
    found = {}
    with open_npz(path) as file:
        for key, member in file.members.items():
            if member.info.compress_type:
                raise InputError(
                    f"{path}: {key} is compressed, so that rows cannot be read alone; save with np.savez, "
                    "not np.savez_compressed"
                )
            header, offset = file.header(key)
            if header.order == "F" and len(header.shape) > 1:
                raise InputError(f"{path}: {key} is in Fortran order; save np.ascontiguousarray({key})")
            native, swapped = header.dtype.newbyteorder("="), not header.dtype.isnative
            found[key] = StoredArray(path, key, offset, header.shape, native, swapped, member.checksum)
    return found


def _safetensors_arrays(path: Path) -> dict[str, StoredArray]:
    with reading(f"{path}: not a whole .safetensors file"):
        entries, metadata = read_safetensors_header(path)
        stated = {name[len(CHECKSUM) :]: int(text, 16) for name, text in metadata.items() if name.startswith(CHECKSUM)}
        if stated and stated.keys() != entries.keys():
            raise ValueError(f"checksums are of {', '.join(sorted(stated))}, tensors {', '.join(sorted(entries))}")
    return {
        key: StoredArray(
            path,
            key,
            entry.start,
            entry.shape,
            entry.dtype,
            checksum=Checksum(entry.start, entry.stop, stated[key]) if stated else None,
        )
        for key, entry in entries.items()
    }


FORMATS = {".npz": _npz_arrays, ".safetensors": _safetensors_arrays, ".pt": torch_arrays}

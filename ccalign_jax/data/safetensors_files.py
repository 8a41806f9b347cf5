"""Files in the .safetensors format: headers checked against the specification, and whole files written."""

from __future__ import annotations

import hashlib
import json
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

__all__ = ["CHECKSUM", "TensorEntry", "read_safetensors_header", "write_safetensors"]

CHECKSUM = "crc32:"  # prefix of metadata keys, for the format itself has no checksums
HEADER = "ccalign_header_sha256"  # of all of the header but this entry

_MOST_BYTES = 100_000_000
_DTYPES = {
    **{f"F{bits}": np.dtype(f"float{bits}") for bits in (16, 32, 64)},
    **{f"I{bits}": np.dtype(f"int{bits}") for bits in (8, 16, 32, 64)},
    **{f"U{bits}": np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64)},
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "BOOL": np.dtype(bool),
}


class TensorEntry(NamedTuple):
    """Type and place of one tensor of a file.

    Attributes:
        shape, dtype: of the tensor; one of another kind than NumPy's numbers and bfloat16 has the dtype object.
        start, stop: of its bytes in the file.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    start: int
    stop: int


def read_safetensors_header(path: Path) -> tuple[dict[str, TensorEntry], dict[str, str]]:
    """Tensors by name, in the order of their bytes, and the metadata.

    The bytes of all tensors must follow each other without gap or overlap up to the end of the file.

    Raises:
        ValueError: against the specification, or not the header that `write_safetensors` wrote. A damaged header may
            raise anything else.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > min(size - 8, _MOST_BYTES):
            raise ValueError("the header is cut off")
        header = json.loads(file.read(length), object_pairs_hook=_distinct)
    stated = header.get("__metadata__", {}).pop(HEADER, None)
    if stated is not None and stated != _sha256(header):
        raise ValueError("the header is not as it was written")
    metadata = header.pop("__metadata__", {})
    if not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are not strings")
    data, end = 8 + length, 8 + length
    found = {}
    for key, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        shape, offsets, dtype = _numbers(entry["shape"]), _numbers(entry["data_offsets"]), _DTYPES.get(entry["dtype"])
        start, stop = (data + offset for offset in offsets)
        if start != end or stop < start:
            raise ValueError(f"{key} is not where the tensor before it ends")
        if dtype is not None and stop - start != dtype.itemsize * math.prod(shape):
            raise ValueError(f"{key} is {entry['dtype']}{list(shape)} in {stop - start} bytes")
        found[key], end = TensorEntry(shape, np.dtype(object) if dtype is None else dtype, start, stop), stop
    if end != size:
        raise ValueError(f"its tensors end at byte {end}, the file at {size}")
    return found, metadata


def _sha256(header: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(header, separators=(",", ":")).encode()).hexdigest()


def _distinct(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    """A JSON object without repeated names."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _numbers(values: Any) -> tuple[int, ...]:
    """Sizes or offsets: a list of whole numbers from 0 on."""
    if not isinstance(values, list) or not all(type(value) is int and value >= 0 for value in values):
        raise ValueError(f"{values} are not whole numbers from 0 on")
    return tuple(values)


def write_safetensors(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> None:
    """Write arrays with a checksum of each and one of the header; the same arrays and metadata make the same bytes.

    The safetensors library orders metadata at random.

    Args:
        path: of the file, which is replaced.
        arrays: C-contiguous, of the dtypes that the format knows.
        metadata: further strings.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "rows.safetensors"
        ...     write_safetensors(path, {"image": np.eye(2, dtype=np.float16)}, {"made": "here"})
        ...     entries, metadata = read_safetensors_header(path)
        >>> entries["image"].shape, metadata["made"]
        ((2, 2), 'here')
    """
    names = {dtype: name for name, dtype in _DTYPES.items()}
    ordered = sorted(arrays, key=lambda key: (-arrays[key].dtype.itemsize, key))  # so that all are aligned
    parts = {key: arrays[key].reshape(-1).view(np.uint8).data for key in ordered}
    sums = {f"{CHECKSUM}{key}": f"{zlib.crc32(parts[key]):08x}" for key in sorted(arrays)}
    header: dict[str, Any] = {"__metadata__": {**dict(sorted((metadata or {}).items())), **sums}}
    stop = 0
    for key, part in parts.items():
        start, stop = stop, stop + len(part)
        header[key] = {"dtype": names[arrays[key].dtype], "shape": arrays[key].shape, "data_offsets": [start, stop]}
    header["__metadata__"][HEADER] = _sha256(header)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for part in parts.values():
            file.write(part)

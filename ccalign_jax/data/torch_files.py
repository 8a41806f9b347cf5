"""Files of `torch.save`, read without running code in them, and compared with their checksums, as torch does not."""

from __future__ import annotations

import logging
import re
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.data.damage import reading
from ccalign_jax.data.stored_array import StoredArray
from ccalign_jax.data.zip_files import Checksum, zip_members
from ccalign_jax.errors import InputError

__all__ = ["load_torch", "save_torch", "torch_arrays"]

_STORAGE = re.compile(r".*/data/\d+")


def load_torch(path: Path) -> Any:
    """Tensors, lists and dicts of a .pt file, on the CPU.

    Raises:
        InputError: torch is not installed, or the file is damaged or holds something else.
    """
    torch = import_library(path, "torch", "torch")
    with reading(f"{path}: damaged, or more than tensors, lists and dicts"):
        for checksum in _checksums(path).values():
            checksum.verify(path)
        return torch.load(path, weights_only=True, map_location="cpu")


def save_torch(path: Path, content: Any) -> None:
    """Write a .pt file through Python, whose errors say what is wrong with the disk, as torch's do not."""
    torch = import_library(path, "torch", "torch")
    with open(path, "wb") as file:
        torch.save(content, file)


def torch_arrays(path: Path) -> dict[str, StoredArray]:
    """Locations of the tensors of a .pt file that holds a dict of them.

    Raises:
        InputError: torch is not installed, or the file is damaged, holds something else, or holds tensors that cannot
            be read a few rows at a time.
    """
    torch = import_library(path, "torch", "torch")
    from torch._subclasses.fake_tensor import FakeTensorMode

    logging.getLogger("torch._subclasses.fake_tensor").setLevel(logging.CRITICAL)  # logs long reports of what it raises
    with reading(f"{path}: damaged, or more than a dict of dense tensors"):
        checksums = _checksums(path)
        for name, checksum in checksums.items():
            if not _STORAGE.fullmatch(name):
                checksum.verify(path)
        with FakeTensorMode():  # reads the description of the tensors, and where they lie, but none of their values
            tensors = torch.load(path, weights_only=True, map_location="cpu")
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise InputError(f"{path}: not a dict of tensors; torch.save a dict of image and text_<language>")
    found = {}
    for key, tensor in tensors.items():
        if tensor.layout != torch.strided:
            raise InputError(f"{path}: {key} is sparse; torch.save {key}.to_dense()")
        place = getattr(tensor.untyped_storage(), "_checkpoint_offset", None)
        if place is None:
            raise InputError(f"{path}: its torch.save is too old to read rows alone; write it again with torch 2.6")
        if not tensor.is_contiguous():
            raise InputError(f"{path}: {key} is a view of other order; torch.save {key}.contiguous()")
        word = str(tensor.dtype).removeprefix("torch.")
        known = {"bfloat16": np.dtype(ml_dtypes.bfloat16), "bool": np.dtype(bool)}
        dtype = known.get(word) or (np.dtype(word) if word in np.sctypeDict else np.dtype(object))
        offset = place + tensor.storage_offset() * tensor.element_size()
        stated = next((each for each in checksums.values() if each.start == place), None)
        found[str(key)] = StoredArray(path, str(key), offset, tuple(tensor.shape), dtype, checksum=stated)
    return found


def _checksums(path: Path) -> dict[str, Checksum]:
    """Checksums of the members of a .pt archive; the format before PyTorch 1.6 has none."""
    with open(path, "rb") as file:
        if file.read(2) != b"PK":
            return {}
        with zipfile.ZipFile(file) as archive:
            return {name: member.checksum for name, member in zip_members(file, archive).items()}

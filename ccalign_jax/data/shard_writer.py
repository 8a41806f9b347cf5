"""Write shards for `open_shards` from arrays that are given piece by piece."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import ml_dtypes
import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.data.formats import open_shards
from ccalign_jax.data.safetensors_files import write_safetensors
from ccalign_jax.data.shards import Shards
from ccalign_jax.data.stored_arrays import is_shard
from ccalign_jax.data.torch_files import save_torch
from ccalign_jax.errors import InputError
from ccalign_jax.files import whole_path

__all__ = ["write_shards"]


def write_shards(
    folder: str | os.PathLike[str],
    shards: Iterable[Mapping[str, np.ndarray]],
    *,
    form: Literal["npz", "safetensors", "pt"] = "npz",
) -> Shards:
    """Write each mapping of arrays as one shard; every file appears whole or not at all.

    Args:
        folder: made if it is not there; must hold no shards yet.
        shards: one after the other, so that a generator needs memory for one alone; arrays as `open_shards` has them:
            `image` `[n, d_image]`, `text_<language>` `[n, d_text]`, and so on.
        form: of the files; .npz knows no bfloat16. All hold a checksum of each array.

    Returns:
        What was written, open.

    Raises:
        InputError: the folder holds shards, a library is missing, or what was written is not what `open_shards` takes.

    Example:
        >>> import tempfile
        >>> rows = np.eye(4, dtype=np.float16)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = write_shards(folder, ({"image": half, "text_en": half} for half in (rows[:3], rows[3:])))
        >>> len(written), written.starts.tolist()
        (4, [0, 3, 4])
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if any(map(is_shard, folder.iterdir())):
        raise InputError(f"{folder}: holds shards already; give another folder, or remove them")
    for number, arrays in enumerate(shards):
        path = folder / f"shard-{number:05d}.{form}"
        with whole_path(path) as draft:
            _write(draft, {key: np.ascontiguousarray(values) for key, values in arrays.items()}, form)
    return open_shards(folder)


def _write(path: Path, arrays: Mapping[str, Any], form: str) -> None:
    bfloat16 = {key for key, values in arrays.items() if values.dtype == ml_dtypes.bfloat16}
    if form == "npz":
        if bfloat16:
            raise InputError(f"{path.parent}: .npz knows no bfloat16; write safetensors or pt, or float16")
        with open(path, "wb") as file:
            np.savez(file, **arrays)
    elif form == "safetensors":
        write_safetensors(path, arrays)
    elif form == "pt":
        torch = import_library(path, "torch", "torch")
        tensors = {
            key: torch.from_numpy(values.view(np.int16) if key in bfloat16 else values)
            for key, values in arrays.items()
        }
        save_torch(path, {key: rows.view(torch.bfloat16) if key in bfloat16 else rows for key, rows in tensors.items()})
    else:
        raise InputError(f"unknown format {form!r}; there are npz, safetensors and pt")

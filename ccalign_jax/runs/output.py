"""Files of results: their names, and JSON, CSV and arrays written."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from ccalign_jax.errors import InputError, check_path
from ccalign_jax.files import whole_file

__all__ = [
    "default_path",
    "file_name",
    "output_path",
    "pack_tree",
    "plain_name",
]
__all__ += ["tree_arrays", "tree_from", "write_csv", "write_json"]

NAME_BYTES = 100  # of the 255 that file systems take
REMOTE = re.compile(r"[A-Za-z][\w+.-]+:/")  # two letters or more: C:/ is a local path


def file_name(name: str) -> str:
    """A file name of at most 109 bytes for a name, such as a trial's; different names have different ones.

    Everything but ASCII letters, digits, dots and dashes becomes `_`: the locale's encoding may lack other letters.
    Where that, or the length, loses something, the beginning of the name's SHA-256 follows.

    Example:
        >>> file_name("identity"), file_name("text:en/per_language(linear)/mse/temperature=0.1")
        ('identity', 'text_en_per_language_linear_mse_temperature_0.1-46a97d18')
    """
    cut = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("_")[:NAME_BYTES]
    return name if cut == name else f"{cut}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def plain_name(name: str) -> str:
    """The `file_name` of older versions, which two trials could share."""
    return re.sub(r"[^\w.-]+", "_", name).strip("_")


def output_path(given: str | os.PathLike[str]) -> Path:
    """The local path that `--out` names.

    Raises:
        InputError: it is remote, such as `gs://bucket/run`, or not UTF-8.
    """
    check_path("--out=", given)
    if REMOTE.match(os.fspath(given)):
        raise InputError(f"--out={given}: remote paths cannot be written; give a local path, and copy it afterwards")
    return Path(given)


def default_path(name: str) -> Path:
    """`runs/NAME-TIME`, the folder of results for which no `--out` is given."""
    return Path(f"runs/{file_name(name)}-{time.strftime('%Y%m%d-%H%M%S')}")


def write_json(path: Path, value: Mapping[str, Any], *, indent: int | None = 1) -> None:
    """JSON that is the same for the same value, written whole or not at all; without `indent` in one line."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    with whole_file(path) as file:
        file.write(text.encode())


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows under the keys of all of them, in the order they first come."""
    rows = list(rows)
    columns: dict[str, None] = {}
    for row in rows:
        columns.update(dict.fromkeys(row))
    with whole_file(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        text.detach()


def tree_arrays(tree: PyTree, prefix: str = "leaf_") -> dict[str, np.ndarray]:
    """The leaves of a tree as named arrays.

    Example:
        >>> tree_arrays({"a": 1, "b": 2}, "map/")
        {'map/0': array(1), 'map/1': array(2)}
    """
    return {f"{prefix}{number}": np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(tree))}


def tree_from(arrays: Mapping[str, np.ndarray], like: PyTree, prefix: str = "leaf_") -> PyTree:
    """The tree whose leaves `tree_arrays` named; `like` is one of the same structure.

    Raises:
        KeyError: a leaf is missing.
    """
    leaves, structure = jax.tree.flatten(like)
    return jax.tree.unflatten(structure, [arrays[f"{prefix}{number}"] for number in range(len(leaves))])


def pack_tree(tree: PyTree) -> bytes:
    """The leaves of a tree as an `.npz`."""
    packed = io.BytesIO()
    np.savez(packed, **tree_arrays(tree))  # type: ignore[arg-type]
    return packed.getvalue()

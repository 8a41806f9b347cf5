"""Data sets written to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax.data.embedding_set import EmbeddingSet
from ccalign_jax.data.join_captions import take_rows
from ccalign_jax.data.originals import CAPTIONS
from ccalign_jax.errors import InputError, reason
from ccalign_jax.files import whole_file

__all__ = ["save"]


def save(path: str | os.PathLike[str], data: EmbeddingSet) -> None:
    """Write an uncompressed .npz from which `load` returns the same rows, keys, groups, split and texts; no notes.

    Rows are written in the order of the input that the set was built from. The file appears whole or not at all, and
    replaces what was there.

    Raises:
        InputError: the path does not end in .npz, or cannot be written.

    Example:
        >>> import numpy as np, tempfile
        >>> from ccalign_jax.data import load
        >>> data = EmbeddingSet.build("toy", np.eye(2), {"en": np.eye(2)})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(f"{folder}/copy.npz", data)
        ...     load(f"{folder}/copy.npz").sha256() == data.sha256()
        True
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise InputError(f"{path}: the name must end in .npz to be read again; add it")
    order = np.argsort(data.image_row)
    arrays: dict[str, Any] = {
        "image": take_rows(data.image, order),
        "image_keys": data.keys[order],
        "image_groups": data.groups[order],
    }
    if data.split is not None:
        arrays["split"] = data.split[order]
    for language in data.languages:
        order = np.argsort(data.text_row[language])
        arrays[f"text_{language}"] = take_rows(data.text[language], order)
        arrays[f"text_{language}_keys"] = data.keys[data.image_of[language][order]]
        if language in data.originals.captions:
            arrays[f"{CAPTIONS}{language}"] = data.originals.captions[language][data.text_row[language][order]]
    for language, rows in data.teachers.items():
        there = rows.any(axis=1)
        arrays |= {f"teacher_{language}": rows[there], f"teacher_{language}_keys": data.keys[there]}
    try:
        with whole_file(path) as file:
            np.savez(file, **arrays)
    except OSError as error:
        raise InputError(f"{path}: not written ({reason(error)}); choose another folder or free disk space") from error

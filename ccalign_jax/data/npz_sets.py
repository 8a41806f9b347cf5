"""Data sets in .npz files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax.data.npz import open_npz
from ccalign_jax.errors import InputError

__all__ = ["has_keys", "read_npz_set", "read_npz_sets"]

_MAP_FROM_BYTES = 1 << 28


def has_keys(path: Path) -> bool:
    """Whether the captions of an .npz file are joined to images by keys, not by their order."""
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    with open_npz(path) as file:
        return any(re.fullmatch(r"text_.+_keys", key) for key in file.members)


def read_npz_sets(paths: Sequence[Path]) -> dict[str, Any]:
    """Arguments of `EmbeddingSet.build` from several .npz files with keys, one below the other.

    Raises:
        InputError: a damaged file, or one that lacks an array.
    """
    parts = [read_npz_set(path) for path in paths]
    found: dict[str, Any] = {"notes": [note for part in parts for note in part["notes"]]}
    for name in ("image", "image_keys", "groups", "split"):
        there = [part[name] is not None for part in parts]
        if any(there) and not all(there):
            raise InputError(f"{paths[there.index(False)]}: lacks {name}, unlike other files of the folder; add it")
        found[name] = np.concatenate([part[name] for part in parts]) if all(there) else None
    for name in ("text", "text_keys"):
        languages = sorted({language for part in parts for language in part[name] or ()})
        found[name] = {
            language: np.concatenate([part[name][language] for part in parts if language in (part[name] or ())])
            for language in languages
        }
    return found


def read_npz_set(path: Path) -> dict[str, Any]:
    """Arguments of `EmbeddingSet.build` from an .npz file.

    Raises:
        InputError: a damaged file, keys without rows, or rows of which only some have keys.
    """
    with open_npz(path) as file:
        members = file.members
        if "image" not in members:
            raise InputError(f"{path}: no array image (only {', '.join(sorted(members))}); add the image rows")
        matches = {key: re.fullmatch(r"text_(.+?)(_keys)?", key) for key in members}
        found = {key: match for key, match in matches.items() if match}
        unknown = sorted(set(members) - set(found) - {"image", "image_keys", "image_groups", "split"})
        arrays = file.read([key for key in members if key not in unknown], map_from=_MAP_FROM_BYTES)
    for array in arrays.values():
        array.setflags(write=False)
    text = {found[key][1]: arrays[key] for key in found if not found[key][2]}
    text_keys = {found[key][1]: arrays[key] for key in found if found[key][2]}
    for language in sorted(set(text_keys) - set(text)):
        raise InputError(f"{path}: text_{language}_keys has no text_{language}; add the rows or remove the keys")
    sides = ["image", *(f"text_{language}" for language in sorted(text))]
    bare = [f"{side}_keys" for side in sides if f"{side}_keys" not in arrays]
    if 0 < len(bare) < len(sides):
        raise InputError(f"{path}: no {', '.join(bare)}, but other rows have keys; give all rows keys, or none")
    return {
        "image": arrays["image"],
        "text": text,
        "image_keys": arrays.get("image_keys"),
        "text_keys": text_keys or None,
        "groups": arrays.get("image_groups"),
        "split": arrays.get("split"),
        "notes": [f"left out {len(unknown)} arrays of unknown names: {', '.join(unknown)}"] if unknown else [],
    }

"""Folders of the seed study's .pt shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.data.checks import check_one_split, host_array
from ccalign_jax.data.torch_files import load_torch
from ccalign_jax.errors import InputError

__all__ = ["read_seed_folder"]


def read_seed_folder(path: Path) -> dict[str, Any]:
    """Arguments of `EmbeddingSet.build` from `embeddings_image/<split>/*.pt` and `embeddings_text/<split>/*.pt`.

    Raises:
        InputError: a damaged file, one that lacks rows or keys, widths that differ, or an image in two splits.
    """
    image, image_keys, splits = _gather_shards(path / "embeddings_image", by_language=False)["image"]
    text = _gather_shards(path / "embeddings_text", by_language=True)
    check_one_split(str(path), image_keys, splits)
    return {
        "image": image,
        "text": {language: rows for language, (rows, _, _) in text.items()},
        "image_keys": image_keys,
        "text_keys": {language: keys for language, (_, keys, _) in text.items()},
        "split": splits if len(set(splits)) > 1 else None,
    }


def _gather_shards(folder: Path, *, by_language: bool) -> dict[str, tuple[np.ndarray, list[str], list[str]]]:
    """For each language, or for "image": the rows of all shards, the key of each, and the split folder of each."""
    torch = import_library(folder.parent, "torch", "torch")
    gathered: dict[str, tuple[list[np.ndarray], list[str], list[str]]] = {}
    for file in sorted(folder.glob("[!.]*/[!.]*.pt")):
        shard = load_torch(file)
        embeddings, keys = (shard.get(entry) if isinstance(shard, dict) else None for entry in ("embeddings", "keys"))
        if not by_language:
            embeddings, keys = {"image": embeddings}, {"image": keys}
        if not isinstance(embeddings, dict) or not isinstance(keys, dict):
            raise InputError(f"{file}: embeddings and keys of captions must be dicts of languages; write it again")
        for part in sorted({*embeddings, *keys}, key=str):
            values, names = embeddings.get(part), keys.get(part)
            if not (isinstance(values, torch.Tensor) and isinstance(names, list) and len(names) in values.shape[:1]):
                raise InputError(f"{file}: {part} lacks a tensor of embeddings or a list of keys, one a row; add it")
            if not isinstance(part, str):
                raise InputError(f"{file}: language {part!r} is not text; give its code")
            if not names:
                continue
            rows, all_names, splits = gathered.setdefault(part, ([], [], []))
            rows.append(host_array(str(file), part, values))
            shapes = f"{list(values.shape)}, in earlier shards {list(rows[0].shape)}"
            if rows[-1].ndim != 2 or rows[-1].shape[1] != rows[0].shape[1]:
                raise InputError(f"{file}: {part} embeddings are {shapes}; make all [rows, dimensions], equally wide")
            all_names += map(str, names)
            splits += [file.parent.name] * len(names)
    if not gathered:
        raise InputError(f"{folder}: no rows in <split>/*.pt; both embeddings_image and embeddings_text need shards")
    return {part: (np.concatenate(rows), names, splits) for part, (rows, names, splits) in gathered.items()}

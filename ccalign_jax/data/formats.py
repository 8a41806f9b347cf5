"""Read and write an `EmbeddingSet`: one reader for each file format."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.data.checks import host_array
from ccalign_jax.data.embedding_set import EmbeddingSet
from ccalign_jax.data.npz import open_npz
from ccalign_jax.data.torch_files import import_torch, load_torch
from ccalign_jax.errors import InputError, check_path

__all__ = ["load", "save"]

_MAP_FROM_BYTES = 1 << 28


def load(path: str | os.PathLike[str], *, languages: Sequence[str] | None = None) -> EmbeddingSet:
    """Read a data set: an .npz file, or a folder of the seed study's .pt shards.

    An .npz has `image` `[n, d_image]`, `text_<language>` `[m, d_text]`, and optionally `image_keys`, `split`,
    `image_groups` `[n]` and `text_<language>_keys` `[m]`; without any keys, rows are aligned. A folder has
    `embeddings_image/<split>/*.pt` and `embeddings_text/<split>/*.pt`; several split folders are the official
    split. Other arrays are left out and counted in `notes`. Languages that are not asked for are not checked.

    Raises:
        InputError: one line that names the file, the array, key or row, what is wrong and how to fix it.

    Example:
        >>> import numpy as np, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/toy.npz", image=np.eye(2), text_en=np.eye(2), text_de=np.eye(2))
        ...     data = load(f"{folder}/toy.npz", languages=["de"])
        >>> data.name, len(data), data.languages
        ('toy', 2, ('de',))
    """
    check_path("", path)
    path = Path(path)
    read = next((form.read for form in _FORMATS if form.fits(path)), None)
    if read is None:
        problem = "cannot tell its format" if path.exists() else "no such file or folder"
        raise InputError(f"{path}: {problem}; give {' or '.join(form.looks for form in _FORMATS)}")
    # The path is the name while checks run, so that every message names the file.
    data = EmbeddingSet.build(str(path), **read(path), languages=languages)
    place = Path(os.path.abspath(path))
    return dataclasses.replace(data, name=place.name if place.is_dir() else place.stem)


def save(path: str | os.PathLike[str], data: EmbeddingSet) -> None:
    """Write an uncompressed .npz from which `load` returns the same rows, keys, groups and split (not the notes).

    The file appears whole or not at all, and replaces what was there.

    Raises:
        InputError: the path does not end in .npz, or cannot be written.

    Example:
        >>> import numpy as np, tempfile
        >>> data = EmbeddingSet.build("toy", np.eye(2), {"en": np.eye(2)})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(f"{folder}/copy.npz", data)
        ...     load(f"{folder}/copy.npz").sha256() == data.sha256()
        True
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise InputError(f"{path}: the name must end in .npz to be read again; add it")
    arrays: dict[str, Any] = {"image": data.image, "image_keys": data.keys, "image_groups": data.groups}
    if data.split is not None:
        arrays["split"] = data.split
    for language in data.languages:
        arrays[f"text_{language}"] = data.text[language]
        arrays[f"text_{language}_keys"] = data.keys[data.image_of[language]]
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: not written ({_reason(error)}); choose another folder or free disk space") from error
    finally:
        temporary.unlink(missing_ok=True)


def _read_npz(path: Path) -> dict[str, Any]:
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


def _read_shards(path: Path) -> dict[str, Any]:
    image, image_keys, splits = _gather_shards(path / "embeddings_image", by_language=False)["image"]
    text = _gather_shards(path / "embeddings_text", by_language=True)
    split_of: dict[str, str] = {}
    for key, split in zip(image_keys, splits, strict=True):
        if split_of.setdefault(key, split) != split:
            raise InputError(f"{path}: image {key} is in the splits {split_of[key]} and {split}; keep it in one")
    return {
        "image": image,
        "text": {language: rows for language, (rows, _, _) in text.items()},
        "image_keys": image_keys,
        "text_keys": {language: keys for language, (_, keys, _) in text.items()},
        "split": splits if len(set(splits)) > 1 else None,
    }


def _gather_shards(folder: Path, *, by_language: bool) -> dict[str, tuple[np.ndarray, list[str], list[str]]]:
    """For each language, or for "image": the rows of all shards, the key of each, and the split folder of each."""
    torch = import_torch(folder.parent)
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


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]


class _Format(NamedTuple):
    """A file format: its description, whether a path has it, and a reader of the arguments of `EmbeddingSet.build`."""

    looks: str
    fits: Callable[[Path], bool]
    read: Callable[[Path], dict[str, Any]]


_FORMATS = (
    _Format("an .npz file", lambda path: path.suffix.lower() == ".npz" and path.is_file(), _read_npz),
    _Format(
        "a folder of embeddings_image/<split>/*.pt", lambda path: Path(path, "embeddings_image").is_dir(), _read_shards
    ),
)

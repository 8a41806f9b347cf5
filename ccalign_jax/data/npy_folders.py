"""Folders of .npy files with the ids of their rows beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ccalign_jax.data.checks import known_languages
from ccalign_jax.data.damage import reading
from ccalign_jax.data.keyed_sets import known_arrays, set_of_arrays
from ccalign_jax.data.npy import load_npy
from ccalign_jax.data.originals import CAPTIONS
from ccalign_jax.errors import InputError

__all__ = ["is_npy_folder", "read_lines", "read_npy_folder"]

_IDS = ("_keys.npy", ".ids.txt", ".txt")  # beside rows, the first that is there


def is_npy_folder(path: Path) -> bool:
    """Whether a folder has its image rows in `image.npy`, or teacher rows in their place."""
    return Path(path, "image.npy").is_file() or any(path.glob("teacher_*.npy"))


def read_npy_folder(path: Path, languages: Sequence[str] | None = None) -> dict[str, Any]:
    """Arguments of `EmbeddingSet.build` from `image.npy`, `text_<language>.npy` and `teacher_<language>.npy`, mapped.

    Beside each are the image ids of its rows: text with one a line, or an array. Optional are `split`,
    `image_groups` and `captions_<language>`, as either.

    Raises:
        InputError: a damaged file, rows without ids, or more or fewer ids than rows.
    """
    known, unknown = known_arrays(path, (file.name.removesuffix(".npy") for file in path.glob("[!.]*.npy")))
    texts = [name for name in known if name.startswith("text_") and not name.endswith("_keys")]
    if languages is not None:
        chosen = known_languages(str(path), languages, [name.removeprefix("text_") for name in texts])
        texts = [f"text_{language}" for language in chosen]
    arrays: dict[str, Any] = {}
    taught = [name for name in known if name.startswith("teacher_") and not name.endswith("_keys")]
    for side in (*["image"] * ("image" in known), *texts, *taught):
        rows = arrays[side] = load_npy(path / f"{side}.npy", mapped=True)
        beside = next((path / f"{side}{end}" for end in _IDS if Path(path, f"{side}{end}").is_file()), None)
        if beside is None:
            raise InputError(
                f"{path / side}.npy: no ids beside it; add {side}.ids.txt, the image id of each row, one a line, or "
                f"{side}_keys.npy"
            )
        arrays[f"{side}_keys"] = _entries(beside, side, len(rows) if rows.ndim else 0)
    optional = {"split": "image", "image_groups": "image"}
    optional |= {side.replace("text_", CAPTIONS, 1): side for side in texts}
    for name, side in optional.items():
        for file in (path / f"{name}.npy", path / f"{name}.txt"):
            if name not in arrays and file.is_file():
                arrays[name] = _entries(file, side, len(arrays[side]))
    return set_of_arrays(path, arrays, unknown)


def _entries(file: Path, side: str, rows: int) -> Any:
    """The entries of a file, as many as there are rows.

    Raises:
        InputError: not as many, or an empty one.
    """
    found: Any = load_npy(file) if file.suffix == ".npy" else read_lines(file)
    count = len(found) if file.suffix != ".npy" or found.ndim else 0
    if count != rows:
        raise InputError(f"{file}: {count} entries for the {rows} rows of {side}.npy; give one a row")
    return found


def read_lines(file: Path) -> list[str]:
    """The lines of a text, one entry each.

    Raises:
        InputError: not UTF-8, or an empty line.
    """
    with reading(f"{file}: not UTF-8 text"):
        text = file.read_text(encoding="utf-8-sig")
    lines = text.removesuffix("\n").split("\n") if text else []
    if "" in lines:
        raise InputError(f"{file}: line {lines.index('') + 1} is empty; give one entry a row")
    return lines

"""The manifest of some results: the SHA-256 of each file, compared when a file is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ccalign_jax.errors import InputError
from ccalign_jax.files import file_sha256, put, sync, whole_file

__all__ = ["MANIFEST", "add_files", "check_file", "read_manifest", "text_with_digest", "write_manifest"]

MANIFEST = "manifest.json"


def check_file(folder: Path, name: str) -> Path:
    """The path of a file of results, after its bytes are compared with the manifest of the folder, if there is one.

    Raises:
        InputError: they differ, or the manifest is damaged.
    """
    path, manifest = folder / name, folder / MANIFEST
    if path.is_file() and manifest.is_file():
        digest = read_manifest(manifest)[1].get(name)
        if digest is not None and file_sha256(path) != digest:
            raise InputError(f"{path}: damaged, its SHA-256 is not that of {MANIFEST}; copy it again, or run anew")
    return path


def write_manifest(
    folder: Path, kind: str, names: Iterable[str], known: Mapping[str, str | None] | None = None
) -> None:
    """List files of a folder with their digests, which are on the disk from then on.

    Args:
        folder: of the results.
        kind: of results.
        names: of files, relative to the folder.
        known: digests of further files.
    """
    digests = dict(known or {})
    for name in names:
        digests[name] = file_sha256(folder / name)
        sync(folder / name)
    files = {name: digests[name] for name in sorted(digests)}
    with whole_file(folder / MANIFEST) as file:
        file.write(text_with_digest({"schema": 2, "kind": kind, "files": files}).encode())


def add_files(folder: Path, names: Iterable[str], *, of: Path) -> None:
    """Move files of another folder into a folder of results, and list them in its manifest, if it has one.

    Until all are in place, the manifest says nothing of their contents: a process that is killed leaves no file that
    counts as damaged.

    Raises:
        InputError: the manifest is damaged.
    """
    names = list(names)
    kind, known = read_manifest(folder / MANIFEST) if (folder / MANIFEST).is_file() else (None, {})
    if kind is not None:
        write_manifest(folder, kind, (), {**known, **dict.fromkeys(names)})
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        put(of / name, folder / name)
    if kind is not None:
        write_manifest(folder, kind, names, known)


def text_with_digest(content: Mapping[str, Any]) -> str:
    """JSON of a mapping with the SHA-256 of the rest in it, under `sha256`."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return json.dumps({**content, "sha256": digest}, indent=1, ensure_ascii=False) + "\n"


def read_manifest(path: Path) -> tuple[str, dict[str, str | None]]:
    """The kind of results, and the digest of each of their files; None in manifests of older versions."""
    try:
        text = path.read_text(encoding="utf-8")
        stored = json.loads(text)
        kind, files = stored["kind"], stored["files"]
        if isinstance(files, list):
            files = dict.fromkeys(files)
        elif text != text_with_digest({key: value for key, value in stored.items() if key != "sha256"}):
            raise ValueError("not as it was written")
        places = [PurePosixPath(name) for name in files]
        if all(place.parts and not place.is_absolute() and ".." not in place.parts for place in places):
            return kind, {str(place): digest for place, digest in zip(places, files.values(), strict=True)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise InputError(f"{path}: damaged, or not a list of results; give another --out")

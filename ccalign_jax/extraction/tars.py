"""Images and captions in WebDataset shards: tar files whose members with one name, but for the suffix, are a sample."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ccalign_jax.data.checks import check_inside
from ccalign_jax.data.damage import reading
from ccalign_jax.encoders.images import ImageReference
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.columns import IMAGE, LANGUAGE, SPLIT
from ccalign_jax.extraction.gather import files_below
from ccalign_jax.extraction.items import Row

__all__ = ["read_tars"]

IMAGES = ("webp", "png", "jpg", "jpeg")  # the first that a sample has is its image
LONGEST_TEXT = 1 << 24  # bytes

Sample = dict[str, Any]  # suffix to the image's place in the file, to text, or to the fields of a JSON member


def read_tars(path: Path) -> Iterator[Row]:
    """The samples of a .tar file, or of all in a folder; a folder in it is a split, which then begins the keys.

    Captions are the lines of `KEY.txt`, of `KEY.txt.de` or `KEY.de.txt`, or in fields of `KEY.json`: `caption` with
    perhaps `language`, `captions`, `caption_de`. Nothing is unpacked; images are read when they are asked for.

    Raises:
        InputError: a file that is damaged or compressed, or has links, devices or names that lead out of it; shards
            that are missing by `nshards.txt`.
    """
    files = files_below(path, "*.tar") if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise InputError(f"{path}: no such file, or no .tar file in it")
    for folder in dict.fromkeys(file.parent for file in files):
        _check_count(folder, sum(file.parent == folder for file in files))
    for file in files:
        split = file.parent.relative_to(path).as_posix() if path.is_dir() and file.parent != path else None
        with reading(f"{file}: not a whole, uncompressed tar file"):
            samples = list(_samples(file))
        for name, sample in samples:
            key = name if split is None else f"{split}/{name}"
            yield Row(f"{file} sample {name}", {SPLIT: split, **_record(sample), IMAGE: key}, _image(file, sample))


def _check_count(folder: Path, count: int) -> None:
    listed = folder / "nshards.txt"
    total = listed.read_text("utf-8", "replace").strip() if listed.is_file() else ""
    if total.isascii() and total.isdecimal() and total.lstrip("0") != str(count):
        raise InputError(f"{listed}: says {total} shards, {count} are there; copy the rest, or correct it")


def _samples(file: Path) -> Iterator[tuple[str, Sample]]:
    """Samples by name; their members may stand anywhere in the file, and a member that recurs begins a sample anew."""
    found: dict[str, Sample] = {}
    with tarfile.open(file, "r:") as archive:
        for member in archive:
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                raise InputError(f"{file}: {member.name} is a link, a device or sparse; pack it as a plain file")
            if "/" in member.name:
                check_inside(str(file), member.name)
            folder, slash, base = member.name.removeprefix("./").rpartition("/")
            name, _, suffix = base.partition(".")
            if not name or name.startswith("__"):
                continue
            name, suffix = f"{folder}{slash}{name}", suffix.lower()
            if suffix in found.get(name, {}):
                yield name, found.pop(name)
            sample = found.setdefault(name, {})
            if suffix in IMAGES:
                sample[suffix] = (member.offset_data, member.size)
            elif suffix == "json" or "txt" in suffix.split("."):
                text = _text(file, archive, member)
                sample[suffix] = _fields(file, member, text) if suffix == "json" else text
            else:
                sample[suffix] = None
    yield from found.items()


def _text(file: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    if member.size > LONGEST_TEXT:
        raise InputError(f"{file}: {member.name} has {member.size} bytes of text; at most {LONGEST_TEXT} are read")
    opened = archive.fileobj
    assert opened is not None
    opened.seek(member.offset_data)  # as extractfile() does, in a third of the time
    return opened.read(member.size).decode("utf-8", "surrogateescape")  # such a caption is left out later, by its key


def _fields(file: Path, member: tarfile.TarInfo, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: {member.name} is not JSON ({error}); pack it again") from error
    return found if isinstance(found, dict) else {}


def _record(sample: Sample) -> dict[str, Any]:
    """Captions of a sample by column; the fields of its JSON that may hold none have no value."""
    record: dict[str, Any] = {}
    for name, value in sample.get("json", {}).items():
        is_text = isinstance(value, str | dict) or (
            isinstance(value, list) and all(isinstance(one, str) for one in value)
        )
        if name.lower() in (LANGUAGE, "lang"):
            record |= {LANGUAGE: value} if isinstance(value, str) else {}
        elif name not in (IMAGE, SPLIT) or (name == SPLIT and isinstance(value, str)):
            record[name] = value if is_text else None
    for suffix, value in sample.items():
        first, _, last = suffix.partition(".")
        if "txt" in (first, last):  # txt, txt.de, de.txt
            language = last if first == "txt" else first
            record[f"txt.{language}" if language else "txt"] = _lines(value)
        elif suffix not in IMAGES and suffix != "json":
            record[f".{suffix}"] = None
    return record


def _lines(text: str) -> list[str]:
    """Captions one a line, without an empty end."""
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def _image(file: Path, sample: Sample) -> ImageReference:
    place = next((sample[suffix] for suffix in IMAGES if suffix in sample), None)
    return _no_image if place is None else partial(_read, file, *place)


def _read(file: Path, offset: int, size: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(offset)
        return opened.read(size)


def _no_image() -> bytes:
    raise ValueError("no image in the sample")

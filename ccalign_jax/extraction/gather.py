"""From the rows of a source, in any order, to items by key."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Literal, NamedTuple

from ccalign_jax.data.checks import check_inside, check_languages
from ccalign_jax.encoders.images import ImageReference
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.columns import parse_row
from ccalign_jax.extraction.items import Item, Row, Source

__all__ = ["METADATA", "Selection", "files_below", "gather"]

METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")  # of an image folder, and no images
SHOWN = 12  # columns and splits that a message names


class Selection(NamedTuple):
    """What is used of a source.

    Attributes:
        languages: None for all.
        splits: None for all.
        captions: the first of an image and language, or all.
    """

    languages: Sequence[str] | None = None
    splits: Sequence[str] | None = None
    captions: Literal["first", "all"] = "all"


class _Gathered(NamedTuple):
    split: str | None
    image: ImageReference | None
    captions: dict[str, list[str]]
    group: int | None


def gather(
    name: str,
    rows: Iterable[Row],
    selection: Selection,
    *,
    images: Path | None,
    kind: str,
    facts: Sequence[str] = (),
) -> Source:
    """A source of items that add up the rows of each key.

    Items whose images are files come sorted by key; images that rows hold are taken in the order of the rows, in which
    they are read without searching. The captions of an image and language keep their order.

    Args:
        name: in messages.
        rows: in any order.
        selection: of languages, splits and captions.
        images: the folder of the files that rows name; None where rows hold their images.
        kind: of source, and `facts` that its figures depend on.

    Raises:
        InputError: a row that cannot be read, or names a file outside of the folder; an image in two splits; no
            caption.
    """
    if images is not None and not images.is_dir():
        raise InputError(f"--images={images}: no such folder")
    found: dict[str, _Gathered] = {}
    unknown: dict[str, None] = {}
    splits, counts = Counter[str | None](), Counter[str]()
    for row in rows:
        key, split, captions, others, group = parse_row(row, selection.languages)
        unknown.update(dict.fromkeys(others))
        splits[split] += 1
        if selection.splits is not None and split not in selection.splits:
            continue
        _check_image(row, key, images)
        known = found.setdefault(key, _Gathered(split, row.image, {}, group))
        if known.split != split:
            raise InputError(f"{row.place}: image {key} is in split {split}, before in {known.split}; keep it in one")
        if known.group != group:
            raise InputError(f"{row.place}: image {key} is of group {group}, before of {known.group}; keep it in one")
        counts["images"] += row.image is not None and bool(known.captions.keys() & captions.keys())
        for language, several in captions.items():
            mine = known.captions.setdefault(language, [])
            counts["captions"] += sum(text in mine for text in several)
            mine.extend(several)
    check_languages(name, sorted({language for each in found.values() for language in each.captions}))
    _check_any(name, found, splits, selection)
    if 0 < (missing := sum(each.group is None for each in found.values())) < len(found):
        raise InputError(f"{name}: {missing} of {len(found)} images have no number as group; give each one, or none")
    notes = [*facts]
    if counts["images"]:
        notes.append(f"{counts['images']} rows repeat an image: their captions add up, its first picture is used")
    if counts["captions"]:
        notes.append(f"{counts['captions']} captions are there twice for one image and language, and used twice")
    if selection.captions == "first":
        total, used = _keep_first(found)
        notes.append(f"the first caption of an image and language is used: {used} of {total}")
    if images is None:
        items = [Item(key, each.split, _own(each), each.captions, each.group) for key, each in found.items()]
    else:
        items = _with_files(name, images, found, notes)
    if unknown:
        more = ", ..." * (len(unknown) > SHOWN)
        notes.append(f"left out columns that are no language codes: {', '.join(list(unknown)[:SHOWN])}{more}")
    about = {
        "kind": kind,
        "captions": selection.captions,
        "splits": None if selection.splits is None else list(selection.splits),
        "facts": list(facts),
    }
    return Source(name, lambda: iter(items), _digest(items), len(items), tuple(notes), about)


def files_below(folder: Path, pattern: str) -> list[Path]:
    """Files of a folder and those in it by a pattern of their names, sorted; hidden ones are none of the data."""
    found = (path for path in folder.rglob(pattern) if path.is_file())
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts))


def _check_image(row: Row, key: str, images: Path | None) -> None:
    if row.image is None:
        check_inside(row.place, key)
        if images is None:
            raise InputError(f"{row.place}: image is the name {key}; give the folder of the files as --images")
    elif images is not None:
        raise InputError(f"--images={images}: {row.place} holds its image itself; leave --images out")


def _check_any(
    name: str, found: Mapping[str, _Gathered], splits: Mapping[str | None, int], selection: Selection
) -> None:
    if any(each.captions for each in found.values()):
        return
    if selection.splits is not None and not found:
        there = ", ".join(sorted(str(split) for split in splits)[:SHOWN])
        raise InputError(
            f"{name}: no split {' or '.join(selection.splits)}, but {there or 'no rows'}; compare --splits"
        )
    if selection.languages:
        raise InputError(f"{name}: no captions in {', '.join(selection.languages)}; compare --languages")
    raise InputError(f"{name}: no captions; give columns image and a language")


def _keep_first(found: Mapping[str, _Gathered]) -> tuple[int, int]:
    """Drop all captions but the first of each image and language; how many there were, and are."""
    several = [mine for each in found.values() for mine in each.captions.values()]
    total = sum(map(len, several))
    for mine in several:
        del mine[1:]
    return total, sum(map(len, several))


def _own(gathered: _Gathered) -> ImageReference:
    assert gathered.image is not None
    return gathered.image


def _with_files(name: str, folder: Path, found: Mapping[str, _Gathered], notes: list[str]) -> list[Item]:
    """Items by key, each with its file; `notes` gains the files that none has."""
    files = _files(folder)
    if not found.keys() & files.keys():
        key = min(found)
        below = [file for file in files.values() if file.endswith(f"/{key}")]
        place = f"give --images={folder / below[0].removesuffix(key)}" if below else "give the folder that holds them"
        raise InputError(f"--images={folder}: none of {len(found)} images is there, such as {key}; {place}")
    items = [
        Item(key, each.split, folder / files.get(key, key), each.captions, each.group)
        for key, each in sorted(found.items())
    ]
    used = {item.image for item in items}
    if spare := sum(folder / file not in used for file in set(files.values())):
        notes.append(f"{spare} files of {folder} are left out: {PurePath(name).name} does not name them")
    if twice := len(items) - len(used):
        notes.append(f"{twice} files are there under two names, with and without suffix, as two images")
    return items


def _files(folder: Path) -> dict[str, str]:
    """Files below a folder by their names, and by their names without suffix where these are unique."""
    names = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        named = sorted(file for file in files if file[0] != "." and file not in METADATA)
        names += [Path(place, file).relative_to(folder).as_posix() for file in named]
    bare: dict[str, str] = {}
    repeated = set()
    for name in names:
        stem = name.removesuffix(Path(name).suffix)
        repeated |= {stem} & bare.keys()
        bare[stem] = name
    return {**{stem: name for stem, name in bare.items() if stem not in repeated}, **{name: name for name in names}}


def _digest(items: Sequence[Item]) -> str:
    """SHA-256 of keys, splits, captions and groups."""
    digest = hashlib.sha256()
    for item in items:
        group = [] if item.group is None else [item.group]
        digest.update(json.dumps([item.key, item.split, dict(item.captions), *group], sort_keys=True).encode())
    return digest.hexdigest()

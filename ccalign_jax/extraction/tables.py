"""Captions in JSON lines or CSV, beside a folder of images."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ccalign_jax.data.checks import check_languages
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.items import Item, Source

__all__ = ["items_digest", "open_table"]

IMAGE, SPLIT, LANGUAGE, CAPTION, CAPTIONS = "image", "split", "language", "caption", "captions"
CODE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*")  # of a language: de, zh-Hant, pt_BR
LONGEST_CELL = 1 << 24

Record = Mapping[str, Any]


def open_table(images: str | None, captions: str | None, languages: Sequence[str] | None = None) -> Source:
    """A folder of images, and a table of their captions.

    Each record has `image`, the name of the file with or without its suffix, perhaps `split`, and either `language` and
    `caption`, or `captions`, a mapping of language to captions, or a column for each language. In JSON lines a caption
    may be a list of several; several records of an image add up. Items come sorted by key: their order in the table
    does not matter, but for that of the captions of an image and language.

    Raises:
        InputError: a missing file or folder, a record that cannot be read, by its line, or no caption.
    """
    assert images is not None and captions is not None
    folder, path = Path(images), Path(captions)
    if not folder.is_dir():
        raise InputError(f"--images={folder}: no such folder")
    if not path.is_file():
        raise InputError(f"--captions={path}: no such file")
    found: dict[str, tuple[str | None, dict[str, list[str]]]] = {}
    unknown: dict[str, None] = {}
    for line, record in _records(path):
        key, split, texts = _parse(path, line, record, languages, unknown)
        known = found.setdefault(key, (split, {}))
        if known[0] != split:
            raise InputError(
                f"{path} line {line}: image {key} is in split {split}, before in {known[0]}; keep it in one"
            )
        for language, several in texts.items():
            known[1].setdefault(language, []).extend(several)
    check_languages(str(path), sorted({language for _, texts in found.values() for language in texts}))
    if not any(texts for _, texts in found.values()):
        chosen = f" in {', '.join(languages)}" if languages else "; give columns image and a language"
        raise InputError(f"{path}: no captions{chosen}" + "; compare --languages" * bool(languages))
    files = _files(folder)
    items = [Item(key, split, folder / files.get(key, key), texts) for key, (split, texts) in sorted(found.items())]
    used = {item.image for item in items}
    spare = sum(folder / file not in used for file in set(files.values()))
    notes = [f"{spare} files of {folder} are left out: {path.name} does not name them"] if spare else []
    if unknown:
        notes.append(f"left out columns that are no language codes: {', '.join(unknown)}")
    return Source(str(path), lambda: iter(items), items_digest(items), len(items), tuple(notes))


def items_digest(items: Sequence[Item]) -> str:
    """SHA-256 of keys, splits and captions."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps([item.key, item.split, dict(item.captions)], sort_keys=True).encode())
    return digest.hexdigest()


def _files(folder: Path) -> dict[str, str]:
    """Files below a folder by their names, and by their names without suffix where these are unique."""
    names = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        names += [Path(place, file).relative_to(folder).as_posix() for file in sorted(files) if file[0] != "."]
    bare: dict[str, str] = {}
    repeated = set()
    for name in names:
        stem = name.removesuffix(Path(name).suffix)
        repeated |= {stem} & bare.keys()
        bare[stem] = name
    return {**{stem: name for stem, name in bare.items() if stem not in repeated}, **{name: name for name in names}}


def _records(path: Path) -> Iterator[tuple[int, Record]]:
    """Records of a table, and the line of each."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".jsonl":
                for line, text in enumerate(file, start=1):
                    if text.strip():
                        yield line, _json(path, line, text)
                return
            csv.field_size_limit(LONGEST_CELL)
            reader = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
            for row in reader:
                if None in row or None in row.values():
                    raise InputError(
                        f"{path} line {reader.line_num}: not as many cells as the header has; mend the line"
                    )
                yield reader.line_num, {key: value for key, value in row.items() if value != ""}
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}); write it as UTF-8 with quotes where needed") from error


def _json(path: Path, line: int, text: str) -> Record:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} line {line}: not JSON ({error}); write one object a line") from error
    if not isinstance(record, dict):
        raise InputError(f'{path} line {line}: {type(record).__name__}, not an object; write {{"image": ...}}')
    return record


def _parse(
    path: Path, line: int, record: Record, languages: Sequence[str] | None, unknown: dict[str, None]
) -> tuple[str, str | None, dict[str, list[str]]]:
    """Key, split and captions of a record; `unknown` gains the columns that are left out."""
    key, split = record.get(IMAGE), record.get(SPLIT)
    if not isinstance(key, str) or not key or not _encodable(key) or "\0" in key:
        raise InputError(f"{path} line {line}: image is {key!r}; give the name of its file")
    if split is not None and not isinstance(split, str):
        raise InputError(f"{path} line {line}: split is {split!r}; give its name")
    rest = {name: value for name, value in record.items() if name not in (IMAGE, SPLIT)}
    if LANGUAGE in record:
        given = {record[LANGUAGE]: rest.get(CAPTION, rest.get(CAPTIONS, ""))}
        rest = {name: None for name in rest if name not in (LANGUAGE, CAPTION, CAPTIONS)}
    elif isinstance(rest.get(CAPTIONS), dict):
        given = rest.pop(CAPTIONS)
    else:
        given = {name: value for name, value in rest.items() if CODE.fullmatch(name) or name in (languages or ())}
        rest = {name: None for name in rest if name not in given}
    unknown.update(dict.fromkeys(rest))
    texts = {}
    for language, value in given.items():
        if languages is not None and language not in languages:
            continue
        several = value if isinstance(value, list) else [] if value is None else [value]
        if not isinstance(language, str) or not all(isinstance(one, str) for one in several):
            raise InputError(f"{path} line {line}: {language} is {value!r}; give a caption, or a list of captions")
        texts[language] = several
    return key, split, texts


def _encodable(text: str) -> bool:
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False

"""Captions in JSON lines or CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ccalign_jax.errors import InputError
from ccalign_jax.extraction.items import Row

__all__ = ["TABLES", "read_table"]

TABLES = (".jsonl", ".csv", ".tsv")
LONGEST_CELL = 1 << 24

Record = Mapping[str, Any]


def read_table(path: Path) -> Iterator[Row]:
    """The records of a table, one an image, or one an image and language, or one a caption.

    Raises:
        InputError: a missing file, or a record that cannot be read, by its line.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    for line, record in _records(path):
        yield Row(f"{path} line {line}", record)


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
                        f"{path} line {reader.line_num}: not as many cells as the header has; fix the line"
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

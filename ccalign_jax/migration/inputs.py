"""Rows, ids and relevant documents of a migration, from files."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax.data.damage import reading
from ccalign_jax.data.npy import load_npy
from ccalign_jax.data.npy_folders import read_lines
from ccalign_jax.errors import InputError

__all__ = ["pair_by_id", "read_ids", "read_relevant", "read_rows"]


def read_rows(path: str) -> np.ndarray:
    """Rows `[n, d]` of an `.npy` file, memory-mapped.

    Raises:
        InputError: missing, damaged, or no matrix.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; give an .npy of rows [n, d]")
    rows = load_npy(path, mapped=True)
    if rows.ndim != 2:
        raise InputError(f"{path}: shape {rows.shape}; give rows [n, d]")
    return rows


def read_ids(path: str, rows: int, of: str) -> list[str]:
    """The ids of rows: text with one a line, or an `.npy` of strings or integers.

    Raises:
        InputError: missing, damaged, more or fewer than rows, or one that stands twice.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; give the ids of {of}, one a line")
    found = list(map(str, load_npy(path).tolist())) if path.endswith(".npy") else read_lines(Path(path))
    if len(found) != rows:
        raise InputError(f"{path}: {len(found)} ids for the {rows} rows of {of}; give one a row")
    if len(set(found)) < len(found):
        twice = next(one for number, one in enumerate(found) if one in found[:number])
        raise InputError(f"{path}: the id {twice} stands twice; give each row one of its own")
    return found


def pair_by_id(old: Sequence[str], new: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both that have the same id, in the order of the old ones.

    Example:
        >>> [rows.tolist() for rows in pair_by_id(["a", "b", "c"], ["c", "a"])]
        [[0, 2], [1, 0]]
    """
    place = {name: row for row, name in enumerate(new)}
    shared = [(row, place[name]) for row, name in enumerate(old) if name in place]
    pairs = np.array(shared, np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def read_relevant(
    path: str, queries: int, ids: Sequence[str] | None, documents: int, *, elsewhere: Collection[str] = ()
) -> np.ndarray:
    """Rows of the relevant documents of each query, `[q, k]`, -1 for none.

    Args:
        path: JSON lines `{"query": row of the query, "positive_ids": [ids of documents]}`, or an `.npy` of rows.
        queries: how many there are.
        ids: of the documents; None where ids are their rows.
        documents: how many there are.
        elsewhere: ids of documents that exist, but are not searched; they are left out.

    Raises:
        InputError: missing, damaged, a query or a document that does not exist.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; give JSON lines of query and positive_ids")
    if path.endswith(".npy"):
        return np.asarray(load_npy(path))
    place = {name: row for row, name in enumerate(map(str, range(documents)) if ids is None else ids)}
    found: list[list[int]] = [[] for _ in range(queries)]
    with reading(f"{path}: not UTF-8 text"):
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    for number, line in enumerate(lines, 1):
        if line.strip():
            query, names = _entry(path, number, line)
            if not 0 <= query < queries:
                raise InputError(f"{path}:{number}: query {query}; there are {queries}, counted from 0")
            if unknown := [name for name in names if name not in place and name not in elsewhere]:
                raise InputError(f"{path}:{number}: no document has the id {unknown[0]}; give ids of the index")
            found[query] += [place[name] for name in names if name in place]
    wide = max(map(len, found), default=0)
    return np.array([each + [-1] * (wide - len(each)) for each in found], np.int64).reshape(queries, max(wide, 0))


def _entry(path: str, number: int, line: str) -> tuple[int, list[str]]:
    try:
        value: Any = json.loads(line)
        names = value["positive_ids"]
        if type(value["query"]) is int and isinstance(names, list):
            return value["query"], list(map(str, names))
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise InputError(f'{path}:{number}: not of the form {{"query": 0, "positive_ids": ["a"]}}; correct the line')

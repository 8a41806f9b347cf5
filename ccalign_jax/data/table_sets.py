"""Data sets in tables whose columns hold lists of floats, joined by a column of image keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.data.arrow_columns import column_rows, column_strings, holds_rows, holds_strings
from ccalign_jax.data.checks import check_one_split, known_languages, refuse_unsound, unnamed_language
from ccalign_jax.data.tables import Table
from ccalign_jax.errors import InputError

__all__ = ["is_of_a_set", "read_table_set"]

# The first column of these names that a table has, and that is of the right type.
_KEYS = ("image_key", "image_id", "key", "image_path", "file_name", "id")
_IMAGES = ("image", "image_embedding", "image_embeddings")
_CAPTIONS = ("embedding", "embeddings", "text_embedding", "text_embeddings")
_LANGUAGES = ("language", "lang")


def is_of_a_set(name: str) -> bool:
    """Whether a column of this name may be read."""
    return name in (*_KEYS, *_IMAGES, *_CAPTIONS, *_LANGUAGES, "split", "image_groups") or name.startswith(
        ("text_", "teacher_")
    )


class _Columns(NamedTuple):
    """Names of the columns of a table, where it has them.

    Attributes:
        key: of the image that a row belongs to.
        image: rows of images.
        split, groups: of images.
        captions, language: rows of captions, one a row, and their language.
        texts, teachers: language to rows of captions, and to teacher rows, any number a row.
    """

    key: str
    image: str | None
    split: str | None
    groups: str | None
    captions: str | None
    language: str | None
    texts: Mapping[str, str]
    teachers: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """All of them."""
        single = (self.key, self.image, self.split, self.groups, self.captions, self.language)
        return [name for name in (*single, *self.texts.values(), *self.teachers.values()) if name is not None]


class _Rows:
    """Rows of one kind, of several files.

    Attributes:
        values: `[n, d]` of each file.
        keys: `[n]` of each file.
    """

    def __init__(self) -> None:
        self.values: list[np.ndarray] = []
        self.keys: list[np.ndarray] = []

    def add(self, path: Path, name: str, values: np.ndarray, keys: np.ndarray, numbers: np.ndarray) -> None:
        """Add the rows of a file, of which `numbers` are the rows of its table.

        Raises:
            InputError: a NaN, infinite or zero row, or another width than before.
        """
        if not len(values):
            return
        refuse_unsound(str(path), name, values, keys, numbers=numbers)
        if self.values and self.values[0].shape[1] != values.shape[1]:
            raise InputError(
                f"{path}: {name} has rows of {values.shape[1]} numbers, earlier files of {self.values[0].shape[1]}; "
                "one encoder, one width"
            )
        self.values.append(values)
        self.keys.append(keys)


class _Gathered:
    """What is read of one table after the other."""

    def __init__(self, languages: Sequence[str] | None) -> None:
        self.languages = languages
        self.image = _Rows()
        self.texts: dict[str, _Rows] = {}
        self.teachers: dict[str, _Rows] = {}
        self.known: set[str] = set()
        self.of_images: dict[str, list[tuple[Path, np.ndarray | None]]] = {"split": [], "image_groups": []}
        self.left_out: set[str] = set()
        self.notes: list[str] = []

    def add(self, table: Table) -> None:
        """Read a table.

        Raises:
            InputError: it has no keys or embeddings, is damaged, or has a row that is wrong.
        """
        columns = _columns_of(table)
        texts = {language: name for language, name in columns.texts.items() if self._is_wanted(language)}
        self.known |= columns.texts.keys()
        self.left_out |= table.types.keys() - set(columns.names)
        spared = set(columns.texts.values()) - set(texts.values())
        found = table.read([name for name in columns.names if name not in spared])
        keys = column_strings(table.path, columns.key, found[columns.key])
        if columns.image:
            self._add_images(table, columns, found, keys)
        for language, name in texts.items():
            values, rows = column_rows(table.path, name, found[name])
            self._add_texts(table, language, name, values, keys[rows], rows)
        for language, name in columns.teachers.items():
            values, rows = column_rows(table.path, name, found[name])
            self.teachers.setdefault(language, _Rows()).add(table.path, name, values, keys[rows], rows)
        if columns.captions:
            self._add_captions(table, columns, found, keys)

    def _is_wanted(self, language: str) -> bool:
        return self.languages is None or language in self.languages

    def _add_images(self, table: Table, columns: _Columns, found: Any, keys: np.ndarray) -> None:
        assert columns.image is not None
        values, rows = column_rows(table.path, columns.image, found[columns.image])
        self._count_missing(table, columns.image, len(keys) - len(rows), len(keys))
        self.image.add(table.path, columns.image, values, keys[rows], rows)
        for name, column in (("split", columns.split), ("image_groups", columns.groups)):
            read = None
            if column is not None:
                read = column_strings(table.path, column, found[column])[rows]
                read = read if holds_strings(found[column].type) else read.astype(np.int64)
            elif name == "split" and table.split is not None:
                read = np.full(len(rows), table.split)
            self.of_images[name].append((table.path, read))

    def _add_captions(self, table: Table, columns: _Columns, found: Any, keys: np.ndarray) -> None:
        assert columns.captions is not None
        values, rows = column_rows(table.path, columns.captions, found[columns.captions])
        self._count_missing(table, columns.captions, len(keys) - len(rows), len(keys))
        if columns.language is not None:
            spoken = column_strings(table.path, columns.language, found[columns.language], rows=rows)
        else:
            language, note = unnamed_language(self.languages)
            spoken = np.full(len(rows), language)
            self.notes += [] if note in self.notes else [note]
        for language in np.unique(spoken).tolist():
            self.known.add(language)
            if self._is_wanted(language):
                there = spoken == language
                name = f"{columns.captions} ({language})"
                self._add_texts(table, language, name, values[there], keys[rows[there]], rows[there])

    def _add_texts(
        self, table: Table, language: str, name: str, values: np.ndarray, keys: np.ndarray, rows: np.ndarray
    ) -> None:
        self.texts.setdefault(language, _Rows()).add(table.path, name, values, keys, rows)

    def _count_missing(self, table: Table, name: str, count: int, size: int) -> None:
        if count:
            self.notes.append(f"{count} of {size} rows of {table.path.name} have no {name}")

    def of_all_images(self, name: str) -> np.ndarray | None:
        """What all files of images, or none, say of each image.

        Raises:
            InputError: only some do.
        """
        there = [part for _, part in self.of_images[name] if part is not None]
        for path, part in self.of_images[name]:
            if part is None and there:
                raise InputError(f"{path}: lacks {name}, unlike other files of images; add it")
        return np.concatenate(there) if there else None


def read_table_set(path: Path, tables: Iterable[Table], languages: Sequence[str] | None = None) -> dict[str, Any]:
    """Arguments of `EmbeddingSet.build` from tables of images, of captions, or of both.

    Args:
        path: that messages name.
        tables: one below the other, whatever their order and that of their rows.
        languages: a subset to read.

    Raises:
        InputError: a table without keys or embeddings, a damaged file, or a row that is wrong, by file and number.
    """
    found = _Gathered(languages)
    for table in tables:
        found.add(table)
    teachers = {language: rows for language, rows in found.teachers.items() if rows.values}
    if not found.image.values and not teachers:
        raise InputError(f"{path}: no rows of images; give a column {_IMAGES[0]} of lists of floats")
    if languages is not None:
        known_languages(str(path), languages, found.known)
    image_keys, split = _stacked(found.image.keys), found.of_all_images("split")
    if split is not None and image_keys is not None:
        check_one_split(str(path), image_keys.tolist(), split.tolist())
    if found.left_out:
        names = ", ".join(sorted(found.left_out))
        found.notes.append(f"left out {len(found.left_out)} columns without embeddings: {names}")
    texts = {language: rows for language, rows in found.texts.items() if rows.values}
    if not texts:
        names = ", ".join(sorted(found.left_out)) or "no others"
        raise InputError(
            f"{path}: no captions beside images (other columns: {names}); name a column of lists of floats "
            f"text_<language>, such as text_en, or {_CAPTIONS[0]} beside {_LANGUAGES[0]}"
        )
    return {
        "image": _stacked(found.image.values),
        "text": {language: np.concatenate(rows.values) for language, rows in texts.items()},
        "image_keys": image_keys,
        "text_keys": {language: np.concatenate(rows.keys) for language, rows in texts.items()},
        "teachers": {language: np.concatenate(rows.values) for language, rows in teachers.items()},
        "teacher_keys": {language: np.concatenate(rows.keys) for language, rows in teachers.items()},
        "groups": found.of_all_images("image_groups"),
        "split": split,
        "notes": found.notes,
    }


def _stacked(parts: Sequence[np.ndarray]) -> np.ndarray | None:
    return np.concatenate(parts) if parts else None


def _columns_of(table: Table) -> _Columns:
    """What the columns of a table are, by name and type.

    Raises:
        InputError: it has no keys, or no embeddings.
    """
    types = table.types

    def first(names: Sequence[str], fits: Any) -> str | None:
        return next((name for name in names if name in types and fits(types[name])), None)

    rows = [name for name, kind in types.items() if name not in _CAPTIONS and holds_rows(kind, several=True)]
    texts, teachers = (
        {name.removeprefix(side): name for name in rows if name.startswith(side)} for side in ("text_", "teacher_")
    )
    key = first(_KEYS, lambda kind: holds_strings(kind, numbers=True))
    image, captions = first(_IMAGES, holds_rows), first(_CAPTIONS, holds_rows)
    described = ", ".join(f"{name} {kind}" for name, kind in types.items())
    if not (image or captions or texts or teachers):
        raise InputError(
            f"{table.path}: no embeddings ({described}); name a column of lists of floats {_IMAGES[0]}, "
            f"text_<language>, or {_CAPTIONS[0]} beside {_LANGUAGES[0]}"
        )
    if key is None:
        raise InputError(
            f"{table.path}: no image keys ({described}); name a column of text or whole numbers {' or '.join(_KEYS)}"
        )
    language = first(_LANGUAGES, holds_strings) if captions else None
    split = first(("split",), holds_strings) if image else None
    groups = first(("image_groups",), lambda kind: holds_strings(kind, numbers=True)) if image else None
    return _Columns(key, image, split, groups, captions, language, texts, teachers)

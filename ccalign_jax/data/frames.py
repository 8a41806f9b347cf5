"""Results and data sets as data frames of pandas or polars, and a data set in a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.data.arrow_columns import import_pyarrow
from ccalign_jax.errors import InputError

if TYPE_CHECKING:
    from ccalign_jax.data.embedding_set import EmbeddingSet

__all__ = ["Backend", "make_frame", "set_columns", "set_html", "set_words"]

Backend = Literal["pandas", "polars"]


def make_frame(columns: Mapping[str, Sequence[Any] | np.ndarray], backend: Backend = "pandas") -> Any:
    """A data frame of columns; NaN is an empty cell.

    Args:
        columns: by name, of equal lengths.
        backend: the library whose `DataFrame` it is.

    Raises:
        InputError: another backend, or one that is not installed.

    Example:
        >>> make_frame({"task": ["t2i", "i2t"], "mean": np.array([0.5, 0.25])})["mean"].tolist()
        [0.5, 0.25]
    """
    if backend not in ("pandas", "polars"):
        raise InputError(f"backend={backend!r}: it must be pandas or polars")
    library = import_library("a data frame", backend, "frames")
    if backend == "pandas":
        return library.DataFrame(dict(columns))
    return library.DataFrame({name: _polars_series(name, values) for name, values in columns.items()}, nan_to_null=True)


def _polars_series(name: str, values: Sequence[Any] | np.ndarray) -> Any:
    """A column of polars; arrays keep their type, and so do lists of them."""
    import polars

    cells = [cell for cell in values if cell is not None]
    nested = bool(cells) and isinstance(cells[0], list)
    rows = [row for cell in cells for row in cell] if nested else cells
    if not rows or not isinstance(rows[0], np.ndarray):
        return polars.Series(name, values, nan_to_null=True)
    arrow, stacked = import_pyarrow(Path(name)), np.stack(rows)
    column = arrow.FixedSizeListArray.from_arrays(arrow.array(stacked.ravel()), stacked.shape[1])
    if nested:
        ends = np.cumsum([0, *(0 if cell is None else len(cell) for cell in values)]).astype(np.int32)
        missing = arrow.array([cell is None for cell in values])
        column = arrow.ListArray.from_arrays(arrow.array(ends), column, mask=missing)
    return polars.Series(name, polars.from_arrow(column))


def set_columns(data: EmbeddingSet) -> dict[str, Any]:
    """The columns of a data set with a row an image, in the order of the input, as `load` reads them again."""
    order = np.argsort(data.image_row, kind="stable")
    columns: dict[str, Any] = {"image_id": data.keys[order].tolist(), "image": list(data.image[order])}
    for language in data.languages:
        counts = np.bincount(data.image_of[language], minlength=len(data))
        parts = np.split(data.text[language], np.cumsum(counts)[:-1])
        columns[f"text_{language}"] = [list(parts[image]) if len(parts[image]) else None for image in order]
    for language, rows in data.teachers.items():
        columns[f"teacher_{language}"] = [row if row.any() else None for row in rows[order]]
    if data.split is not None:
        columns["split"] = data.split[order].tolist()
    return {**columns, "image_groups": data.groups[order]}


def set_words(data: EmbeddingSet) -> tuple[str, ...]:
    """The size of a data set: images, captions by language, splits, and what was left out."""
    captions = ", ".join(f"{language} {len(data.text[language]):,}" for language in data.languages)
    words = [f"{len(data):,} images [{data.d_image}]", f"captions [{data.d_text}]: {captions}"]
    if data.teachers:
        there = (f"{language} {int(rows.any(axis=1).sum()):,}" for language, rows in data.teachers.items())
        words.append(f"teacher rows [{data.d_teacher}]: {', '.join(there)}")
    if data.split is not None:
        names, counts = np.unique(data.split, return_counts=True)
        words.append("split: " + ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=True)))
    return (*words, *data.notes)


def set_html(data: EmbeddingSet) -> str:
    """The same as a table without styles, so that it takes those of the notebook."""
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", "image", *data.languages))
    counts = {"rows": [len(data), *(len(data.text[language]) for language in data.languages)]}
    counts["dimensions"] = [data.d_image, *[data.d_text] * len(data.languages)]
    rows = (
        f"<tr><th>{name}</th>{''.join(f'<td>{count:,}</td>' for count in row)}</tr>" for name, row in counts.items()
    )
    notes = "".join(f"<p>{escape(words)}</p>" for words in set_words(data)[2:])
    caption = escape(f"EmbeddingSet {data.name}")
    return f"<table><caption>{caption}</caption><tr>{head}</tr>{''.join(rows)}</table>{notes}"

"""Data sets from what is in memory: data frames, Arrow tables, datasets of Hugging Face, and arrays by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccalign_jax.data.arrow_columns import import_pyarrow
from ccalign_jax.data.checks import host_array
from ccalign_jax.data.keyed_sets import known_arrays, set_of_arrays
from ccalign_jax.data.table_sets import is_of_a_set, read_table_set
from ccalign_jax.data.tables import Table
from ccalign_jax.errors import InputError, reason

if TYPE_CHECKING:  # what is not used need not be installed
    import datasets
    import pandas
    import polars
    import pyarrow

    Frame = pandas.DataFrame | polars.DataFrame | pyarrow.Table | datasets.Dataset | datasets.DatasetDict
    Source = str | os.PathLike[str] | Mapping[str, Any] | Frame | Sequence[Frame]

__all__ = ["read_object"]

ARRAYS = Path("arrays")


def read_object(source: Any, languages: Sequence[str] | None = None) -> tuple[str, dict[str, Any]]:
    """The name of a data set in memory, and the arguments of `EmbeddingSet.build` from it.

    Args:
        source: a pandas or polars data frame, a pyarrow table, a `Dataset` or `DatasetDict` of Hugging Face, a
            list of these, or a mapping of names to arrays.
        languages: a subset to read.

    Raises:
        InputError: an object of another kind, or one line that names the column or array, the row, and what is wrong.
    """
    kind = _kind_of(source)
    if kind is None and isinstance(source, Mapping):
        return str(ARRAYS), _named_arrays(source)
    if kind is not None:
        name, tables = _KINDS[kind]
        return name, read_table_set(Path(name), tables(Path(name), source), languages)
    several = list(source) if isinstance(source, list | tuple) else []
    if several and all(map(_kind_of, several)):
        return "tables", read_table_set(Path("tables"), _several_tables(several), languages)
    raise InputError(
        f"data is of type {type(source).__name__}; give a path, an EmbeddingSet, a data frame, an Arrow table, a "
        "Dataset, several of these in a list, or a mapping with image and text_<language>"
    )


def _kind_of(source: Any) -> str | None:
    """The key of `_KINDS` that an object belongs under, if any; nothing is imported to find out."""
    names = {f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}" for kind in type(source).__mro__}
    if "polars.LazyFrame" in names:
        raise InputError("data is a LazyFrame, which has no rows yet; give its collect()")
    return next((kind for kind in _KINDS if kind in names), None)


def _named_arrays(arrays: Mapping[Any, Any]) -> dict[str, Any]:
    for name in arrays:
        if not isinstance(name, str):
            raise InputError(f"{ARRAYS}: the name {name!r} is not text; name arrays image, text_<language> and so on")
    if "image" not in arrays and not any(name.startswith("teacher_") for name in arrays):
        raise InputError(
            f"{ARRAYS}: no array image (only {', '.join(arrays)}); give it beside text_<language>, or give a mapping "
            "of languages to rows, and images"
        )
    known, unknown = known_arrays(ARRAYS, arrays)
    return set_of_arrays(ARRAYS, {name: arrays[name] for name in known}, unknown)


def _pandas_tables(name: Path, frame: Any) -> Iterator[Table]:
    arrow = import_pyarrow(name)
    if any(level is not None for level in frame.index.names):
        frame = frame.reset_index()
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"{name}: the column {twice} is there twice; rename or drop one")
    columns = {}
    for column in frame.columns:
        values, column = frame[column], str(column)
        try:
            cells = [_plain(name, column, cell) for cell in values] if values.dtype == object else values
            columns[column] = arrow.array(cells, from_pandas=True)
        except (arrow.ArrowException, TypeError, ValueError) as error:
            if is_of_a_set(column):
                raise _unreadable(name, column, reason(error)) from error
            columns[column] = arrow.nulls(len(frame))  # left out, and named
    yield _held_table(name, arrow.table(columns))


def _unreadable(name: Path, column: str, why: str) -> InputError:
    return InputError(
        f"{name}: the column {column} cannot be read ({why}); give lists of floats, text or whole numbers"
    )


def _plain(name: Path, column: str, cell: Any) -> Any:
    """A cell as pyarrow takes it: arrays and tensors of several axes become lists of arrays of one."""
    if getattr(cell, "ndim", 0):
        array = host_array(str(name), column, cell)
        return array if array.ndim == 1 else [_plain(name, column, row) for row in array]
    if isinstance(cell, list | tuple) and len(cell) and getattr(cell[0], "ndim", 0):
        return [_plain(name, column, row) for row in cell]
    return cell


def _polars_tables(name: Path, frame: Any) -> Iterator[Table]:
    import_pyarrow(name)
    for column, kind in frame.schema.items():
        if str(kind).startswith("Object"):
            if is_of_a_set(column):
                raise _unreadable(name, column, "Python objects")
            frame = frame.with_columns(**{column: None})  # left out, and named
    yield _held_table(name, frame.to_arrow())


def _dataset_tables(name: Path, dataset: Any) -> Iterator[Table]:
    schema = dataset.features.arrow_schema
    types = dict(zip(schema.names, schema.types, strict=True))
    yield Table(name, types, lambda columns: dataset.select_columns(list(columns)).with_format("arrow")[:])


def _split_tables(name: Path, datasets: Mapping[str, Any]) -> Iterator[Table]:
    for split, dataset in datasets.items():
        for table in _dataset_tables(Path(f"{name} {split}"), dataset):
            yield table._replace(split=split)


def _several_tables(sources: Sequence[Any]) -> Iterator[Table]:
    for number, source in enumerate(sources):
        name, tables = _KINDS[_kind_of(source) or ""]
        yield from tables(Path(f"{name} {number}"), source)


def _held_table(name: Path, table: Any) -> Table:
    types = dict(zip(table.schema.names, table.schema.types, strict=True))
    return Table(name, types, lambda columns: table.select(list(columns)))


# By the type of an object, its name in messages and reports, and its tables.
_KINDS: dict[str, tuple[str, Callable[[Path, Any], Iterator[Table]]]] = {
    "pandas.DataFrame": ("data frame", _pandas_tables),
    "polars.DataFrame": ("data frame", _polars_tables),
    "pyarrow.Table": ("table", lambda name, table: iter([_held_table(name, table)])),
    "datasets.Dataset": ("dataset", _dataset_tables),
    "datasets.DatasetDict": ("dataset", _split_tables),
}

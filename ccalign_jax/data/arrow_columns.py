"""Columns of Arrow tables as arrays: lists of floats as rows, and strings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.data.damage import reading
from ccalign_jax.errors import InputError

__all__ = ["column_rows", "column_strings", "holds_rows", "holds_strings", "import_pyarrow"]


def import_pyarrow(path: Path) -> Any:
    """The module `pyarrow`, which is optional.

    Raises:
        InputError: it is not installed; `path` is what was to be read.
    """
    for name in ("pyarrow.compute", "pyarrow.parquet"):
        import_library(path, name, "frames")
    return import_library(path, "pyarrow", "frames")


def holds_rows(kind: Any, *, several: bool = False) -> bool:
    """Whether a column of this type has a list of floats in each row; with `several`, or a list of such lists."""
    import pyarrow as pa

    kind = _stored(kind)
    if not _is_list(kind):
        return False
    return pa.types.is_floating(kind.value_type) or (several and holds_rows(kind.value_type))


def holds_strings(kind: Any, *, numbers: bool = False) -> bool:
    """Whether a column of this type has text; with `numbers`, or whole numbers, which can be keys as well."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    tests = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")
    return (numbers and types.is_integer(kind)) or any(getattr(types, f"is_{test}")(kind) for test in tests)


def column_strings(
    path: Path, name: str, column: Any, *, rows: np.ndarray | None = None, missing: str | None = None
) -> np.ndarray:
    """`[n]` str: the text or whole numbers of a column.

    Args:
        path: of the file, in messages.
        name: of the column.
        column: a chunked array of text or whole numbers.
        rows: to read, by number; by default all.
        missing: what stands for a row without one, if such rows are allowed.

    Raises:
        InputError: a row without one, or bytes that are not UTF-8.
    """
    import pyarrow as pa

    column = column if rows is None else column.take(rows)
    if column.null_count and missing is None:
        row = int(np.argmax(column.is_null().to_numpy()))
        row = row if rows is None else int(rows[row])
        raise InputError(f"{path}: row {row} has no {name} ({column.null_count} such); give each row one")
    with reading(f"{path}: {name} is not UTF-8"):
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        column = column.cast(pa.string())
        return np.array((column if missing is None else column.fill_null(missing)).to_pylist(), dtype=str)


def column_rows(path: Path, name: str, column: Any) -> tuple[np.ndarray, np.ndarray]:
    """The lists of a column, `[n, d]`, and `[n]`, the row of the table where each is; rows may have none, or several.

    Args:
        path: of the file, in messages.
        name: of the column.
        column: a chunked array for which `holds_rows` is true.

    Raises:
        InputError: lists of different lengths, or empty ones.
    """
    import pyarrow.compute as pc

    column, of = _without_extension(column), None
    if _is_list(column.type.value_type):
        of = pc.list_parent_indices(column).to_numpy()
        column = pc.list_flatten(column)
    rows = np.flatnonzero(column.is_valid().to_numpy())
    rows = rows if of is None else of[rows]
    widths = pc.list_value_length(column).drop_null().to_numpy()
    width = int(widths[0]) if len(widths) else 0
    wrong = (widths != width) | (widths == 0)
    if wrong.any():
        place = int(np.argmax(wrong))
        raise InputError(
            f"{path}: {name} row {rows[place]} has {widths[place]} numbers, row {rows[0]} has {width}; "
            f"give all as many ({int(wrong.sum())} such)"
        )
    return pc.list_flatten(column).to_numpy().reshape(len(rows), width), rows


def _stored(kind: Any) -> Any:
    """What an extension type, such as a tensor, is stored as; any other type as it is."""
    import pyarrow as pa

    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _without_extension(column: Any) -> Any:
    kind = _stored(column.type)
    return column if kind is column.type else column.cast(kind)


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)

"""Tables in Parquet files, and in the folders that `datasets` saves, read by columns with pyarrow."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ccalign_jax.data.arrow_columns import import_pyarrow
from ccalign_jax.data.checks import check_inside
from ccalign_jax.data.damage import reading
from ccalign_jax.data.json_files import read_json

__all__ = ["Table", "dataset_tables", "is_dataset_folder", "is_parquet", "parquet_table"]

_SPLIT = re.compile(r"(.+?)-\d{5}-of-\d{5}.*")  # names of Parquet files on the Hugging Face hub


class Table(NamedTuple):
    """A table on disk.

    Attributes:
        path: of the file.
        types: name of each column to its Arrow type.
        read: some columns, as a `pyarrow.Table`.
        split: that the file is of, if its place says so.
    """

    path: Path
    types: Mapping[str, Any]
    read: Callable[[Sequence[str]], Any]
    split: str | None = None


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet by its name, and not hidden."""
    return path.suffix.lower() == ".parquet" and not path.name.startswith(".")


def parquet_table(path: Path) -> Table:
    """The table of a Parquet file; only its schema is read. `test-00000-of-00001.parquet` is of the split `test`.

    Raises:
        InputError: pyarrow is not installed, or the file is damaged.
    """
    parquet = import_pyarrow(path).parquet

    def read(columns: Sequence[str]) -> Any:
        with (
            reading(f"{path}: not a whole Parquet file"),
            parquet.ParquetFile(path, page_checksum_verification=True) as file,
        ):
            return _validated(file.read(columns=list(columns)))

    with reading(f"{path}: not a whole Parquet file"):
        types = _types(parquet.read_schema(path))
    named = _SPLIT.fullmatch(path.stem)
    return Table(path, types, read, named[1] if named else None)


def is_dataset_folder(path: Path) -> bool:
    """Whether `datasets` saved a `Dataset` or a `DatasetDict` here."""
    return Path(path, "dataset_dict.json").is_file() or all(
        Path(path, name).is_file() for name in ("state.json", "dataset_info.json")
    )


def dataset_tables(path: Path) -> list[Table]:
    """The tables of what `save_to_disk` of the library `datasets` wrote; only schemas are read.

    Raises:
        InputError: pyarrow is not installed, or a file is damaged.
    """
    whole = path / "dataset_dict.json"
    if not whole.is_file():
        return _saved_tables(path, None)
    with reading(f"{whole}: not of a dataset that was saved to disk"):
        splits = [str(split) for split in read_json(whole)["splits"]]
    for split in splits:
        check_inside(str(whole), split)
    return [table for split in splits for table in _saved_tables(path / split, split)]


def _saved_tables(folder: Path, split: str | None) -> list[Table]:
    state = folder / "state.json"
    with reading(f"{state}: not of a dataset that was saved to disk"):
        names = [str(entry["filename"]) for entry in read_json(state)["_data_files"]]
    for name in names:
        check_inside(str(state), name)
    return [_arrow_table(folder / name, split) for name in names]


def _arrow_table(path: Path, split: str | None) -> Table:
    """The table of a file in Arrow's format of streams."""
    arrow = import_pyarrow(path)

    def read(columns: Sequence[str]) -> Any:
        with reading(f"{path}: not a whole Arrow file"), arrow.memory_map(str(path)) as file:
            return _validated(arrow.ipc.open_stream(file).read_all().select(list(columns)))

    with reading(f"{path}: not a whole Arrow file"), arrow.memory_map(str(path)) as file:
        types = _types(arrow.ipc.open_stream(file).schema)
    return Table(path, types, read, split)


def _types(schema: Any) -> dict[str, Any]:
    """Name of each column to its type, after a check that both can be printed."""
    str(schema)
    return dict(zip(schema.names, schema.types, strict=True))


def _validated(table: Any) -> Any:
    """The table, after a check of its offsets and text, which damage may lead out of its memory."""
    table.validate(full=True)
    return table

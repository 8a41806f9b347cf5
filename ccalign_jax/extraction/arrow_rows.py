"""Rows of Parquet and Arrow files, with images as bytes or as names of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from ccalign_jax.data.arrow_columns import import_pyarrow
from ccalign_jax.data.damage import reading
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.arrow_images import ImageColumn, open_parquet
from ccalign_jax.extraction.columns import GROUP, IMAGE, SPLIT, is_code
from ccalign_jax.extraction.gather import files_below
from ccalign_jax.extraction.items import Row

__all__ = ["KEYS", "file_rows", "read_parquet"]

KEYS = ("image_id", "image_key", "key", "file_name", "filename", "id", "image_url", "url")  # that name an image
IMAGES = (IMAGE, "img", "picture", "jpg", "jpeg", "png", "webp")  # columns of bytes
BATCH = 4096  # rows that become Python objects at once


def read_parquet(path: Path) -> Iterator[Row]:
    """The rows of a .parquet file, or of all in a folder; a folder in it is a split.

    Raises:
        InputError: pyarrow is not installed, or a file is damaged.
    """
    files = files_below(path, "*.parquet") if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise InputError(f"{path}: no such file, or no .parquet file in it")
    return file_rows(path, [(file, _split(path, file)) for file in files])


def _split(folder: Path, file: Path) -> str | None:
    """The split that a file's place tells: `test/0.parquet`, or `test-00000-of-00001.parquet` as hubs have it."""
    if file == folder:
        return None
    parent = file.relative_to(folder).parts[:-1]
    name, dash, rest = file.stem.partition("-")
    if dash and "-of-" in rest:
        return name
    return parent[-1] if parent and parent[-1] != "data" else None


def file_rows(source: Path, files: Sequence[tuple[Path, str | None]], roots: Sequence[Path] = ()) -> Iterator[Row]:
    """The rows of files, in record batches; images are read when they are asked for.

    An image's key is in the first of the columns `KEYS` that there is; else it is the path that is stored beside the
    image, the first time that it occurs; else the place of the row.

    Args:
        source: that holds them, for messages.
        files: Parquet, or Arrow streams, each with its split.
        roots: folders of which images may be read that rows name by path and do not hold.
    """
    columns, seen = ImageColumn(roots), set[str]()
    for number, (file, split) in enumerate(files):
        with reading(f"{file}: cannot be read"):
            schema, batches = _open(file)
            image = _image_column(schema)
            names = [field.name for field in schema if _is_text(field.type) or field.name in (*KEYS, GROUP)]
            keys = _key_columns(names, schema)
            path = _path_column(schema, image)
            dropped = {field.name: None for field in schema if field.name not in (*names, image)}
            rows = count()
            for batch in batches([*names, *path]):
                for record in batch.to_pylist():
                    row = next(rows)
                    key = next((record.pop(name) for name in keys if record[name] not in (None, "")), None)
                    place = f"{file} row {row}"
                    record = {SPLIT: split, **dropped, **record}
                    if image is None:
                        yield Row(place, {**record, IMAGE: record.get(IMAGE) or key})
                        continue
                    stored = (record.pop(image, None) or {}).get("path") or record.pop(f"{image}.path", None)
                    if key is None:
                        key = stored if stored and stored not in seen else f"{split or number}/{row:08d}"
                        seen.add(key)
                    yield Row(place, {**record, IMAGE: str(key)}, partial(columns.read, file, image, row))


def _open(file: Path) -> tuple[Any, Any]:
    """The schema of a file, and a function of columns to record batches."""
    if file.suffix.lower() == ".parquet":
        opened = open_parquet(file)
        return opened.schema_arrow, lambda names: opened.iter_batches(batch_size=BATCH, columns=names)
    arrow = import_pyarrow(file)
    table = arrow.ipc.open_stream(arrow.memory_map(str(file))).read_all()

    def batches(names: Sequence[str]) -> Iterable[Any]:
        columns = {name: table.column(name) for name in names if name in table.column_names}
        for name in names:
            if name not in columns:  # of a structure
                outer, inner = name.rsplit(".", 1)
                columns[name] = arrow.compute.struct_field(table.column(outer), inner)
        return arrow.table(columns).to_batches(max_chunksize=BATCH)

    return table.schema, batches


def _image_column(schema: Any) -> str | None:
    """The column of images as bytes, or as structures of bytes and path; None where images are names."""
    from pyarrow import types

    for field in schema:
        if types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0:
            return field.name
    binary = [field.name for field in schema if types.is_binary(field.type) or types.is_large_binary(field.type)]
    return next((name for name in IMAGES if name in binary), None)


def _path_column(schema: Any, image: str | None) -> list[str]:
    """What to read of the image column while no image is read."""
    from pyarrow import types

    kind = schema.field(image).type if image is not None else None
    return [f"{image}.path"] if kind is not None and types.is_struct(kind) and kind.get_field_index("path") >= 0 else []


def _is_text(kind: Any) -> bool:
    """Whether a column may hold captions or names: text, lists of text, or structures with text in them."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return _is_text(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_text(kind.value_type)
    if types.is_struct(kind):
        return kind.get_field_index("bytes") < 0 and any(_is_text(field.type) for field in kind)
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _key_columns(names: Sequence[str], schema: Any) -> list[str]:
    """Columns that may name the image, the best first."""
    from pyarrow import types

    keys = [name for name in KEYS if name in names]
    if "id" in keys and not types.is_integer(schema.field("id").type) and any(map(is_code, {*names} - {"id"})):
        keys.remove("id")  # captions in Indonesian, among other languages
    return keys

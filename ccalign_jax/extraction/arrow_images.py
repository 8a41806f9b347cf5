"""Images that lie in columns of Parquet and Arrow files."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ccalign_jax.data.arrow_columns import import_pyarrow

__all__ = ["ImageColumn", "open_parquet"]

OPEN = 4  # files at once
BATCH, KEPT = 32, 16  # images of a Parquet file that are read together, and how often that is held


class ImageColumn:
    """Reads images by file and row, for several threads.

    A Parquet file is read forwards, a few images at a time, as rows are asked for nearly in their order; at most one
    group of its rows is in memory. An Arrow file is mapped into memory.

    Args:
        roots: folders of which files may be read that rows name and do not hold.
    """

    def __init__(self, roots: Sequence[Path] = ()):
        self._roots = [root.resolve() for root in roots]
        self._lock = threading.Lock()
        self._open: OrderedDict[Path, Callable[[int], Any]] = OrderedDict()

    def read(self, file: Path, column: str, row: int) -> bytes:
        """The bytes of an image.

        Raises:
            ValueError: the row holds none.
        """
        with self._lock:
            if file not in self._open:
                make = _ParquetColumn if file.suffix.lower() == ".parquet" else _ArrowColumn
                self._open[file] = make(file, column).at
                while len(self._open) > OPEN:
                    self._open.popitem(last=False)
            self._open.move_to_end(file)
            value = self._open[file](row)
        found = value.get("bytes") if isinstance(value, dict) else value
        if found is not None:
            return found
        path = value.get("path") if isinstance(value, dict) else None
        if path and any(Path(path).resolve().is_relative_to(root) for root in self._roots):
            return Path(path).read_bytes()
        raise ValueError("the row holds no image")


class _ArrowColumn:
    def __init__(self, file: Path, column: str):
        arrow = import_pyarrow(file)
        self._values = arrow.ipc.open_stream(arrow.memory_map(str(file))).read_all().column(column)

    def at(self, row: int) -> Any:
        return self._values[row].as_py()


class _ParquetColumn:
    def __init__(self, file: Path, column: str):
        self._file, self._column = open_parquet(file), column
        metadata = self._file.metadata
        self._starts = [0]
        for group in range(metadata.num_row_groups):
            self._starts.append(self._starts[-1] + metadata.row_group(group).num_rows)
        self._next = self._starts[-1] + 1  # the row that the iterator comes to; none is open
        self._batches: deque[tuple[int, Any]] = deque(maxlen=KEPT)

    def at(self, row: int) -> Any:
        if self._batches and row < self._batches[0][0]:
            self._batches.clear()
            self._next = self._starts[-1] + 1
        while not self._batches or row >= self._next:
            self._advance(row)
        start, values = next(each for each in reversed(self._batches) if each[0] <= row)
        return values[row - start].as_py()

    def _advance(self, row: int) -> None:
        """Read the next images, or those from the beginning of the group of rows that has the row."""
        group = next(group for group, end in enumerate(self._starts[1:]) if row < end)
        if not self._starts[group] < self._next <= row:
            if self._next != self._starts[group]:
                self._batches.clear()  # what is held has no gaps
            self._next = self._starts[group]
            # One group after the other: an iterator over several would hold all that it came by.
            self._iterator = self._file.iter_batches(BATCH, row_groups=[group], columns=[self._column])
        batch = next(self._iterator)
        self._batches.append((self._next, batch.column(0)))
        self._next += len(batch)


def open_parquet(file: Path) -> Any:
    """A Parquet file, mapped into memory.

    Raises:
        InputError: pyarrow is not installed.
    """
    return import_pyarrow(file).parquet.ParquetFile(file, memory_map=True)

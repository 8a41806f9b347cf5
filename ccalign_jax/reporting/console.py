"""Tables and progress for a terminal; plain when piped."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from ccalign_jax.reporting.tables import Table, to_rich

__all__ = ["print_table", "progress_bar"]

PIPED_WIDTH = 120
_ASCII = str.maketrans({"−": "-", "±": "~", "Δ": "D", "→": ">", "–": "-", "—": "-", "·": "/", "×": "x", "‖": "|"})


def print_table(table: Table, file: TextIO | None = None, *, width: int | None = None) -> None:
    """Print a table and its notes; columns that do not fit follow below, under the first column again.

    Args:
        table: what to print.
        file: by default stdout.
        width: columns of text; by default those of the terminal, or 120 when piped.
    """
    from rich.console import Console
    from rich.text import Text

    file = sys.stdout if file is None else file
    if width is None and not file.isatty():
        width = PIPED_WIDTH
    console = Console(file=file, width=width, highlight=False)
    table = _encodable(table, getattr(file, "encoding", None) or "utf-8")
    with console.capture() as captured:
        for number, columns in enumerate(_blocks(table, console.width)):
            block = table.take(columns)
            console.print(to_rich(block if number == 0 else dataclasses.replace(block, title="")))
        for note in table.notes:
            console.print(Text(textwrap.fill(note, console.width, initial_indent="- ", subsequent_indent="  ")))
    file.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


@contextlib.contextmanager
def progress_bar(unit: str = "runs") -> Iterator[Callable[[str, int, int], None]]:
    """Progress on stderr: a bar in a terminal, else a line at each tenth of the way.

    Args:
        unit: what is counted.

    Yields:
        `update(what, done, total)`: what goes on, units done, units in all.

    Example:
        >>> with progress_bar() as update:
        ...     update("identity", 0, 10)
    """
    if not sys.stderr.isatty():
        yield _Lines(sys.stderr, unit)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    # A long name gives way, so that bar and clocks stay whole in a narrow terminal.
    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    bar = Progress(
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False, table_column=rest),
        console=Console(stderr=True),
        expand=True,
        speed_estimate_period=3600,  # a slice of runs may take minutes; by default older steps are forgotten
    )
    with bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


class _Lines:
    """Progress as lines in a log."""

    def __init__(self, file: TextIO, unit: str = "runs"):
        self.file, self.unit, self.start, self.tenth = file, unit, time.monotonic(), 0

    def __call__(self, what: str, done: int, total: int) -> None:
        tenth = 10 * done // max(total, 1)
        if tenth <= self.tenth:
            return
        self.tenth = tenth
        passed = time.monotonic() - self.start
        left = f", about {_clock(passed * (total - done) / done)} left" if done < total else ""
        print(f"{done}/{total} {self.unit}, {_clock(passed)} elapsed{left}: {what}", file=self.file, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _blocks(table: Table, width: int) -> Iterator[list[int]]:
    """Columns that fit side by side, the first one in every block."""
    from rich.cells import cell_len

    wide = [
        max(cell_len(line) for row in (table.columns, *table.rows) for line in row[column].split("\n"))
        for column in range(len(table.columns))
    ]
    units: list[list[int]] = []
    for column in range(1, len(wide)):
        if units and table.columns[column].startswith("change"):  # means nothing without the column before it
            units[-1].append(column)
        else:
            units.append([column])
    block = [0]
    for unit in units:
        if len(block) > 1 and sum(wide[column] + 2 for column in block + unit) - 2 > width:
            yield block
            block = [0]
        block += unit
    yield block


def _encodable(table: Table, encoding: str) -> Table:
    """The table in signs that the file can hold."""

    def fit(text: str) -> str:
        try:
            text.encode(encoding)
            return text
        except UnicodeEncodeError:
            return text.translate(_ASCII).encode(encoding, "replace").decode(encoding)

    return dataclasses.replace(
        table,
        title=fit(table.title),
        columns=tuple(map(fit, table.columns)),
        rows=tuple(tuple(map(fit, row)) for row in table.rows),
        notes=tuple(map(fit, table.notes)),
    )

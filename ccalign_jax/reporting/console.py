"""Tables and progress for a terminal; plain when piped."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from ccalign_jax.reporting.tables import Table, column_blocks, column_widths, stacked, to_rich

__all__ = ["plain", "print_table", "progress_bar"]

PIPED_WIDTH = 120
LONGEST_NAME = 28  # signs of a row's name where space is short
_ASCII = str.maketrans(
    {"−": "-", "±": "~", "Δ": "D", "→": ">", "–": "-", "—": "-", "·": "/", "×": "x", "‖": "|"}
    | {"∞": "inf", "≥": ">=", "…": "..."}
)


def plain(text: str) -> str:
    """The text in ASCII; characters without an equivalent become `?`.

    Example:
        >>> plain("+.100 − .020 × 日")
        '+.100 - .020 x ?'
    """
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def print_table(table: Table, file: TextIO | None = None, *, width: int | None = None) -> None:
    """Print a table and its notes.

    Where its columns do not fit, intervals go below their figures; what still does not fit follows in blocks below,
    under the first column again.

    Args:
        table: what to print.
        file: by default stdout.
        width: columns of text; by default those of the terminal, or 120 when piped.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text

    file = sys.stdout if file is None else file
    if width is None and not file.isatty():
        width = PIPED_WIDTH
    console = Console(file=file, width=width, highlight=False)
    encoding = getattr(file, "encoding", None) or "utf-8"
    table = _encodable(table, encoding)
    if sum(wide + 2 for wide in column_widths(table, signs=cell_len)) - 2 > console.width:
        table = _stacked(table)
    with console.capture() as captured:
        for number, columns in enumerate(column_blocks(table, console.width, signs=cell_len)):
            block = _encodable(table.take(columns), encoding)  # which may have got dashes
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
        self.first: tuple[float, int] | None = None  # when something was done first, and how much: compiled before

    def __call__(self, what: str, done: int, total: int) -> None:
        if done and self.first is None:
            self.first = time.monotonic(), done
        tenth = 10 * done // max(total, 1)
        if tenth <= self.tenth:
            return
        self.tenth = tenth
        passed, left = time.monotonic() - self.start, ""
        if self.first is not None and self.first[1] < done < total:
            each = (time.monotonic() - self.first[0]) / (done - self.first[1])
            left = f", about {_clock(each * (total - done))} left"
        print(f"{done}/{total} {self.unit}, {_clock(passed)} elapsed{left}: {what}", file=self.file, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _stacked(table: Table) -> Table:
    """Long names in two lines, and intervals on a line of their own."""
    rows = [("\n".join(textwrap.wrap(row[0], LONGEST_NAME)), *map(stacked, row[1:])) for row in table.rows]
    return dataclasses.replace(table, rows=tuple(rows))


def _encodable(table: Table, encoding: str) -> Table:
    """The table in characters that the encoding has."""

    def held(sign: str) -> bool:
        try:
            return bool(sign.encode(encoding))
        except UnicodeEncodeError:
            return False

    def fit(text: str) -> str:
        return text if held(text) else "".join(sign if held(sign) else plain(sign) for sign in text)

    return dataclasses.replace(
        table,
        title=fit(table.title),
        columns=tuple(map(fit, table.columns)),
        rows=tuple(tuple(map(fit, row)) for row in table.rows),
        notes=tuple(map(fit, table.notes)),
    )

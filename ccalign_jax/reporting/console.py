"""Tables and progress for a terminal; plain when piped."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any, TextIO

from ccalign_jax.reporting.format import plain, signed
from ccalign_jax.reporting.names import key_words
from ccalign_jax.reporting.table import Table, column_blocks, column_widths, is_heading, stacked

if TYPE_CHECKING:
    import rich.table

PIPED_WIDTH = 120
PREVIEW_WIDTH = 44
LONGEST_NAME = 28  # signs of a row's name where space is short
_ASCII = str.maketrans(
    {"−": "-", "±": "~", "Δ": "D", "→": ">", "–": "-", "—": "-", "·": "/", "×": "x", "‖": "|"}
    | {"∞": "inf", "≥": ">=", "…": "..."}
)


def to_ascii(text: str) -> str:
    """The text in ASCII; characters without an equivalent become `?`.

    Example:
        >>> to_ascii("+.100 − .020 × 日")
        '+.100 - .020 x ?'
    """
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def print_table(table: Table, file: TextIO | None = None, *, width: int | None = None) -> None:
    """Print a table and its notes, by default to stdout and as wide as the terminal, or 120 columns when piped.

    Where its columns do not fit, intervals go below their estimates; the columns that still do not fit follow in blocks
    below, under the first column again.
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
        rows = [("\n".join(textwrap.wrap(row[0], LONGEST_NAME)), *map(stacked, row[1:])) for row in table.rows]
        table = dataclasses.replace(table, rows=tuple(rows))
    with console.capture() as captured:
        for number, columns in enumerate(column_blocks(table, console.width, signs=cell_len)):
            block = _encodable(table.take(columns), encoding)  # which may have got dashes
            console.print(to_rich(block if number == 0 else dataclasses.replace(block, title="")))
        for note in table.notes:
            console.print(Text(textwrap.fill(note, console.width, initial_indent="- ", subsequent_indent="  ")))
    file.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def to_rich(table: Table) -> rich.table.Table:
    """A table for `rich` to print; its notes are left to `print_table`."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    title = Text(table.title, style="bold")
    grid = RichTable(title=title, title_justify="left", box=box.HORIZONTALS, show_edge=False, pad_edge=False)
    grid.padding = (0, 1, 0, 0)
    high = max(name.count("\n") for name in table.columns)
    for name, side in zip(table.columns, table.alignment, strict=True):
        header = "\n" * (high - name.count("\n")) + name
        grid.add_column(Text(header), justify="left" if side == "l" else "right", overflow="fold")
    for number, row in enumerate(table.rows):
        if number and number in table.rules:
            grid.add_section()
        grid.add_row(*map(Text, row), style="italic" if is_heading(row) else None)
    return grid


@contextlib.contextmanager
def progress_bar(unit: str = "runs") -> Iterator[Callable[[str, int, int], None]]:
    """Progress on stderr: a bar in a terminal, else a line at each tenth of the work.

    Yields `update(what, done, total)`: what goes on, units done, units in all. A unit that begins with % is a share.

    Example:
        >>> with progress_bar() as update:
        ...     update("identity", 0, 10)
    """
    if not sys.stderr.isatty():
        yield _Lines(sys.stderr, unit)
        return
    from rich import progress
    from rich.console import Console
    from rich.table import Column

    # A long name is cut, so that bar and clocks stay whole in a narrow terminal.
    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    bar = progress.Progress(
        progress.BarColumn(bar_width=20),
        progress.TaskProgressColumn() if unit[0] == "%" else progress.MofNCompleteColumn(),
        progress.TextColumn(unit.removeprefix("% ")),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.description}", markup=False, table_column=rest),
        console=Console(stderr=True),
        expand=True,
        speed_estimate_period=3600,  # a group of runs may take minutes; by default older steps are forgotten
    )
    with bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


class Preview:
    """Prints the mean over folds of each result that it is called with; changes are against the first.

    Example:
        >>> preview = Preview()
        >>> preview("identity", [{task: {"R@1": 0.5} for task in ("t2i", "i2t", "both")}])
        R@1 t2i .500, i2t .500                       identity
        >>> preview("image/residual/infonce", [{task: {"R@1": 0.625} for task in ("t2i", "i2t", "both")}])
        R@1 t2i .625, i2t .625, mean of both +.125   residual W = I + ΔW, image pivot, InfoNCE
    """

    def __init__(self) -> None:
        self.base: float | None = None

    def __call__(self, name: str, folds: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
        """Print a line: the name is that of a baseline, or PIVOT/ALIGNER/LOSS."""
        t2i, i2t, both = (mean(fold[task]["R@1"] for fold in folds) for task in ("t2i", "i2t", "both"))
        line = f"R@1 t2i {plain(t2i)}, i2t {plain(i2t)}"
        if self.base is None:
            self.base = both
        else:
            line += f", mean of both {signed(both - self.base)}"
        print(f"{line:<{PREVIEW_WIDTH}} {key_words(name)}", flush=True)


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
        share = f"{100 * done // total} " if self.unit[0] == "%" else f"{done}/{total} "
        print(f"{share}{self.unit}, {_clock(passed)} elapsed{left}: {what}", file=self.file, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _encodable(table: Table, encoding: str) -> Table:
    """The table in characters that the encoding has."""

    def fit(text: str) -> str:
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            return "".join(map(fit, text)) if len(text) > 1 else to_ascii(text)
        return text

    return dataclasses.replace(
        table,
        title=fit(table.title),
        columns=tuple(map(fit, table.columns)),
        rows=tuple(tuple(map(fit, row)) for row in table.rows),
        notes=tuple(map(fit, table.notes)),
    )

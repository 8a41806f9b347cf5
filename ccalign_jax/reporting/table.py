"""Tables: their columns and rows, how they break where space is short, and how Markdown writes them."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ccalign_jax._names import BOTH, DIRECTIONS
from ccalign_jax.reporting.format import NOTHING, changed, find, level
from ccalign_jax.reporting.verdicts import verdict_cell

WIDEST_NAME = 45  # signs of a row's name; a wider one is broken
INTERVAL = re.compile(r"\[[+−-]?\d*\.\d+, [+−-]?\d*\.\d+\]")  # "-" where a file cannot hold "−"


@dataclasses.dataclass(frozen=True)
class Table:
    """A table, before it is written in one form or another; ValueError where its cells do not match its columns.

    Attributes:
        title: one line.
        columns: header cells, which may have several lines.
        rows: cells of each row, as many as columns. A row that is empty but for its first cell is a heading.
        alignment: `l` or `r` for each column.
        notes: sentences below the table.
        rules: rows above which a line is drawn.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    alignment: str
    notes: tuple[str, ...] = ()
    rules: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        wide = len(self.columns)
        if len(self.alignment) != wide or set(self.alignment) - set("lr"):
            raise ValueError(f"alignment {self.alignment!r}: it must be l or r for each of {wide} columns")
        for row in self.rows:
            if len(row) != wide:
                raise ValueError(f"row {row!r} has {len(row)} cells for {wide} columns")

    def take(self, columns: Sequence[int]) -> Table:
        """Only these columns, in this order; a row without a value in them has dashes, so that it is no heading."""

        def taken(row: Sequence[str]) -> tuple[str, ...]:
            cells = tuple(row[column] for column in columns)
            return (cells[0], *[NOTHING] * (len(cells) - 1)) if is_heading(cells) and not is_heading(row) else cells

        heads, sides = (tuple(each[column] for column in columns) for each in (self.columns, self.alignment))
        return dataclasses.replace(self, columns=heads, rows=tuple(map(taken, self.rows)), alignment="".join(sides))


class Column(NamedTuple):
    """A column: its heading, its cell of a row (given as name and values), and its side as in `Table.alignment`."""

    heading: str
    cell: Callable[[str, Mapping[str, Any]], str]
    side: str = "r"

    @classmethod
    def names(cls, heading: str, side: str = "l") -> Column:
        """The names of the rows."""
        return cls(heading, lambda name, values: name, side)

    @classmethod
    def verdict(cls) -> Column:
        """The verdict on both directions, and a sign for each."""
        return cls("verdict", lambda name, values: verdict_cell(values), "l")

    @classmethod
    def estimate(cls, heading: str, *path: str, places: int = 3) -> Column:
        """What stands at a path of the values, a change in `delta` and else a level; empty without the first key."""
        show = changed if path[0] == "delta" else level
        return cls(heading, lambda name, values: show(find(values, *path), places) if path[0] in values else "")

    @classmethod
    def both(cls, change: str) -> list[Column]:
        """The verdict, and the change of R@1 in the mean of both directions; `change` heads changes."""
        return [cls.verdict(), cls.estimate(f"mean of both\n{change}", "delta", BOTH, "R@1")]

    @classmethod
    def directions(cls, heading: str, change: str, *, key: str = "metrics", metric: str = "R@1") -> list[Column]:
        """The level of a metric in each direction, at `key`, and its change; the heading may have `{task}` in it."""
        columns = []
        for task in DIRECTIONS:
            columns.append(cls.estimate(heading.format(task=task), key, task, metric))
            columns.append(cls.estimate(change, "delta", task, metric))
        return columns


def fill_table(
    title: str,
    columns: Sequence[Column],
    blocks: Iterable[tuple[str, Iterable[tuple[str, Mapping[str, Any]]]]],
    *,
    notes: Iterable[str] = (),
) -> Table:
    """A table of columns; `blocks` are a heading, which may be empty, and the rows below it as name and values."""
    filled = [(heading, [[one.cell(*row) for one in columns] for row in rows]) for heading, rows in blocks]
    sides = "".join(one.side for one in columns)
    return make_table(title, [one.heading for one in columns], filled, alignment=sides, notes=notes)


def make_table(
    title: str,
    columns: Sequence[str],
    blocks: Iterable[tuple[str, Iterable[Sequence[str]]]],
    *,
    alignment: str = "l",
    notes: Iterable[str] = (),
) -> Table:
    """A table of blocks of cells, a rule above each but the first, without the columns that no row fills.

    `blocks` are a heading, which may be empty, and the rows below it. Columns beyond `alignment` are aligned right.

    Example:
        >>> make_table("Sizes", ("name", "n", "m"), [("big", [("a", "1", "")]), ("", [("b", "2", "")])]).rules
        (2,)
    """
    rows: list[tuple[str, ...]] = []
    rules = []
    for heading, members in blocks:
        rules.append(len(rows))
        rows += [(heading, *[""] * (len(columns) - 1))] if heading else []
        rows += map(tuple, members)
    alignment += "r" * (len(columns) - len(alignment))
    table = Table(title, tuple(columns), tuple(rows), alignment, tuple(notes), tuple(rule for rule in rules if rule))
    return table.take([0, *(n for n in range(1, len(columns)) if any(row[n] for row in rows))])


def is_heading(row: Sequence[str]) -> bool:
    """Whether a row heads those below it: only its first cell is filled."""
    return len(row) > 1 and bool(row[0]) and not any(row[1:])


def stacked(cell: str) -> str:
    """A cell with its interval on a line of its own below the rest.

    Example:
        >>> stacked("+.105 [+.091, +.119] p<.001").split("\\n"), stacked("[x]")
        (['+.105 p<.001', '[+.091, +.119]'], '[x]')
    """
    found = INTERVAL.search(cell)
    if found is None:
        return cell
    return f"{cell[: found.start()].rstrip()} {cell[found.end() :].strip()}".strip() + f"\n{found[0]}"


def column_widths(table: Table, *, signs: Callable[[str], int] = len) -> list[int]:
    """Signs that each column takes: those of its widest line."""
    lines = (table.columns, *table.rows)
    return [max(signs(line) for row in lines for line in row[n].split("\n")) for n in range(len(table.columns))]


def column_blocks(table: Table, width: int, *, signs: Callable[[str], int] = len) -> Iterator[list[int]]:
    """Columns that fit side by side, the first one in every block; no change is torn from its estimate.

    A line has `width` signs, two of them between columns; a text takes `signs(text)`.
    """
    wide = column_widths(table, signs=signs)
    starts = [n for n, heading in enumerate(table.columns) if n == 1 or (n and not heading.startswith("change"))]
    units = [[*range(*ends)] for ends in itertools.pairwise([*starts, len(wide)])]
    block = [0]
    for unit in units:
        if len(block) > 1 and sum(wide[column] + 2 for column in block + unit) - 2 > width:
            yield block
            block = [0]
        block += unit
    yield block


def to_markdown(table: Table) -> str:
    """GitHub's Markdown, padded so that it reads as plain text too."""
    cells = [[_markdown(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(table.columns))]
    sides = list(zip(table.alignment, widths, strict=True))
    form = " | ".join(f"{{:{'<' if side == 'l' else '>'}{width}}}" for side, width in sides)
    rule = [f":{'-' * (width - 1)}" if side == "l" else f"{'-' * (width - 1)}:" for side, width in sides]
    grid = [f"| {form.format(*row)} |" for row in (cells[0], rule, *cells[1:])]
    notes = ["", *(f"- {_markdown(note)}" for note in table.notes)] if table.notes else []
    return "\n".join([f"**{_markdown(table.title)}**", "", *grid, *notes]) + "\n"


def _markdown(text: str) -> str:
    """Escaped, but for the brackets of intervals, which are no link, and for the sign of a small p, which is no tag."""
    text = " ".join(text.split("\n"))
    parts = zip(INTERVAL.split(text), (*INTERVAL.findall(text), ""), strict=True)
    text = "".join(re.sub(r"([\\|`*\[\]])", r"\\\1", outside) + inside for outside, inside in parts)
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)  # within a word an underscore is plain
    text = text.replace("&", "&amp;")
    return re.sub(r"<(?!\.\d)", "&lt;", re.sub(r">(?!\.\d)", "&gt;", text))

"""A table as the page shows it: headings in groups, and the parts of a change in columns of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from ccalign_jax.reporting.names import TASK_WORDS
from ccalign_jax.reporting.table import INTERVAL, WIDEST_NAME, Table, is_heading, stacked

NUMBER = r"[+−]?(?:\d*\.\d+|\d+)(?:e[+−-]?\d+)?"
CHANGE = re.compile(rf"({NUMBER}) (\[[^\]]*\])(?: p([<>=≤≥]\S+))?")  # as `changed` writes it
WIDEST = 1340  # pixels, at those of a sign and of a cell's sides
SIGN, SIDES = 6.2, 14.4
DAGGER = "†"
DAGGER_NOTE = (
    f"{DAGGER} The interval, of this row by itself, leaves out 0, but p, adjusted for all rows, is not below .05: "
    "among so many rows one such interval is no evidence."
)


class Cell(NamedTuple):
    """A cell of a row: its text, its class, and what stands on a second line below."""

    text: str
    kind: str = ""
    below: str = ""


class Head(NamedTuple):
    """A heading: its text, how many columns and rows it spans, its class, and which column it names."""

    text: str
    columns: int = 1
    rows: int = 1
    kind: str = ""
    column: int | None = None


class Block(NamedTuple):
    """Rows below one heading, which may be empty: name, class of the name, and cells."""

    heading: str
    rows: tuple[tuple[str, str, tuple[Cell, ...]], ...]


class Grid(NamedTuple):
    """A table laid out.

    Attributes:
        heads: one or two rows of headings; the second is empty where nothing is grouped.
        blocks: rows, block by block, which are sorted apart.
        wide: how many columns there are.
        notes: those that its cells need.
    """

    heads: tuple[tuple[Head, ...], tuple[Head, ...]]
    blocks: tuple[Block, ...]
    wide: int
    notes: tuple[str, ...]


def lay_out(table: Table) -> Grid:
    """Changes become three columns (estimate, 95 % interval, p) where they fit side by side, else two lines.

    Example:
        >>> grid = lay_out(Table("T", ("map", "t2i\\nR@1"), (("a", "+.1 [+.0, +.2] p=.041"),), "lr"))
        >>> [head.text for head in grid.heads[1]], [cell.text for cell in grid.blocks[0].rows[0][2]]
        (['R@1', '95 %', 'p'], ['+.1', '[+.0, +.2]', '.041'])
    """
    bodies = [row for row in table.rows if not is_heading(row)]
    split = [n > 0 and any(CHANGE.fullmatch(row[n]) for row in bodies) for n in range(len(table.columns))]
    if _pixels(table, bodies, split) > WIDEST:
        split = [False] * len(split)

    def cells(row: Sequence[str]) -> Iterator[Cell]:
        for n, cell in enumerate(row[1:], 1):
            if split[n]:
                yield from _parts(cell, tested[n])
            else:
                yield _cell(cell, table.alignment[n])

    tested = [any((found := CHANGE.fullmatch(row[n])) and found[3] for row in bodies) for n in range(len(split))]
    side = " r" if table.alignment[0] == "r" else ""
    starts = [0, *table.rules, len(table.rows)]
    blocks = []
    for start, end in pairwise(starts):
        rows = table.rows[start:end]
        heading = rows[0][0] if rows and is_heading(rows[0]) else ""
        body = [(row[0], ("long" if len(row[0]) > WIDEST_NAME else "") + side, tuple(cells(row))) for row in rows]
        blocks.append(Block(heading, tuple(body[1:] if heading else body)))
    daggers = any(DAGGER in cell.text + cell.below for block in blocks for _, _, row in block.rows for cell in row)
    heads = _heads(table, split, tested)
    wide = 1 + sum(2 + tested[n] if split[n] else 1 for n in range(1, len(split)))
    return Grid(heads, tuple(blocks), wide, (DAGGER_NOTE,) if daggers else ())


def _heads(table: Table, split: Sequence[bool], tested: Sequence[bool]) -> tuple[tuple[Head, ...], tuple[Head, ...]]:
    """The first line of a heading is its group if other columns share it; a change is in the group to its left."""
    named: list[tuple[str, list[Head]]] = []
    for n, heading in enumerate(table.columns):
        side = "r" if table.alignment[n] == "r" else ""
        group, _, name = heading.partition("\n")
        if heading.startswith("change"):
            group, name = named[-1][0] if named else "", heading
        elif not name:
            group, name = "", heading
        name = re.sub(r"change, p\s*\[95 %\]", "change", name).replace("\n", " ")
        parts = [Head(name if split[n] or not tested[n] else f"{name}, p", kind=side)]
        parts += [Head("95 %", kind="c")] * split[n] + [Head("p", kind="r")] * (split[n] and tested[n])
        start = sum(len(found) for _, found in named)
        named.append((group, [part._replace(column=start + place) for place, part in enumerate(parts)]))
    above: list[Head] = []
    below: list[Head] = []
    for group, members in groupby(named, key=lambda one: one[0]):
        parts = [part for _, found in members for part in found]
        if group and len(parts) > 1:
            above.append(Head(_direction(group), columns=len(parts), kind="group"))
            below += parts
        else:
            above += [part._replace(text=f"{group} {part.text}".strip(), rows=2) for part in parts]
    if not below:
        above = [part._replace(rows=1) for part in above]
    return tuple(above), tuple(below)


def _direction(group: str) -> str:
    """The group in words, where it is a direction of retrieval."""
    return f"{TASK_WORDS[group]} ({group})" if group in TASK_WORDS else group


def _parts(cell: str, tested: bool) -> Iterator[Cell]:
    """Estimate, interval and p of a change; of another cell the first alone."""
    found = CHANGE.fullmatch(cell)
    estimate, interval, p = found.groups() if found else (cell, "", "")
    yield Cell(estimate, "r")
    yield Cell(interval, "interval")
    if tested:
        yield Cell((p or "").removeprefix("=") + _dagger(cell), "r p")


def _cell(cell: str, side: str) -> Cell:
    first, _, interval = stacked(cell).partition("\n")
    few = " " in cell and len(cell) <= 24  # words that stay on one line
    return Cell(first.replace(" p=", " p ") + _dagger(cell), "r" if side == "r" else "few" if few else "", interval)


def _dagger(cell: str) -> str:
    """A mark where the interval leaves out 0 and p, adjusted for other rows, is not below .05."""
    ends, p = INTERVAL.search(cell), re.search(r"p([<>=≤≥])(\d*\.\d+)", cell)
    if not ends or not p or p[1] in "<" or float(p[2]) < 0.05:
        return ""
    low, high = (float(end.replace("−", "-")) for end in ends[0].strip("[]").split(", "))
    return DAGGER if low > 0 or high < 0 else ""


def _pixels(table: Table, rows: Sequence[Sequence[str]], split: Sequence[bool]) -> float:
    """How wide the table is, about."""
    whole = 0.0
    for n, heading in enumerate(table.columns):
        cells = [min(len(row[n]), WIDEST_NAME) for row in rows]
        whole += SIGN * max([*map(len, heading.split("\n")), *cells]) + SIDES * (3 if split[n] else 1)
    return whole

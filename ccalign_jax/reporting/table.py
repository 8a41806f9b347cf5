"""Tables of strings as Markdown and LaTeX; see `page` for HTML and `console` for terminals."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

WIDEST_NAME = 45  # signs of a row's name; a wider one is broken
INTERVAL = re.compile(r"\[[+−-]?\d*\.\d+, [+−-]?\d*\.\d+\]")  # "-" where a file cannot hold "−"
WIDEST, WIDEST_SMALL = 80, 120  # signs of a line as it is, and in a smaller font
_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "*": "{*}"},
    "[": "{[}",  # at the start of a row, \\ would take it for its argument
    **{"±": r"$\pm$", "−": "$-$", "×": r"$\times$", "→": r"$\rightarrow$", "Δ": r"$\Delta$"},
    **{"‖": r"$\Vert$", "·": r"$\cdot$", "–": "--", "—": "---", "\n": " "},
}


@dataclasses.dataclass(frozen=True)
class Table:
    """A table, before it is written in one form or another.

    Attributes:
        title: one line.
        columns: header cells; a line break splits one where space is short.
        rows: cells of each row, as many as columns. A row that is empty but for its first cell is a heading.
        alignment: `l`, `r` or `c` for each column.
        notes: sentences below the table.
        rules: rows above which a line is drawn.

    Raises:
        ValueError: a row or the alignment has another number of cells than `columns`.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    alignment: str
    notes: tuple[str, ...] = ()
    rules: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        wide = len(self.columns)
        if len(self.alignment) != wide or set(self.alignment) - set("lrc"):
            raise ValueError(f"alignment {self.alignment!r}: it must be l, r or c for each of {wide} columns")
        for row in self.rows:
            if len(row) != wide:
                raise ValueError(f"row {row!r} has {len(row)} cells for {wide} columns")

    def take(self, columns: Sequence[int]) -> Table:
        """Only these columns, in this order; a row without a value in them has dashes, so that it is no heading."""
        return dataclasses.replace(
            self,
            columns=tuple(self.columns[column] for column in columns),
            rows=tuple(_taken(row, columns) for row in self.rows),
            alignment="".join(self.alignment[column] for column in columns),
        )


def make_table(
    title: str,
    columns: Sequence[str],
    blocks: Iterable[tuple[str, Iterable[Sequence[str]]]],
    *,
    alignment: str = "l",
    notes: Iterable[str] = (),
) -> Table:
    """A table of blocks, a rule above each but the first, without the columns that no row fills.

    Args:
        title, columns, notes: as in `Table`.
        blocks: a heading, which may be empty, and the rows below it.
        alignment: of the first columns; all others are aligned to the right.

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
    table = Table(
        title=title,
        columns=tuple(columns),
        rows=tuple(rows),
        alignment=alignment + "r" * (len(columns) - len(alignment)),
        notes=tuple(notes),
        rules=tuple(rule for rule in rules if rule),
    )
    return table.take([0, *(n for n in range(1, len(columns)) if any(row[n] for row in rows))])


def _taken(row: Sequence[str], columns: Sequence[int]) -> tuple[str, ...]:
    cells = tuple(row[column] for column in columns)
    return (cells[0], *["—"] * (len(cells) - 1)) if is_heading(cells) and not is_heading(row) else cells


def is_heading(row: Sequence[str]) -> bool:
    """Whether a row heads those below it.

    Example:
        >>> is_heading(("pivot image", "", "")), is_heading(("a", "1", ""))
        (True, False)
    """
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
    rest = f"{cell[: found.start()].rstrip()} {cell[found.end() :].strip()}".strip()
    return f"{rest}\n{found[0]}"


def column_widths(table: Table, *, signs: Callable[[str], int] = len) -> list[int]:
    """Signs that each column takes: those of its widest line."""
    lines = (table.columns, *table.rows)
    return [max(signs(line) for row in lines for line in row[n].split("\n")) for n in range(len(table.columns))]


def column_blocks(table: Table, width: int, *, signs: Callable[[str], int] = len) -> Iterator[list[int]]:
    """Columns that fit side by side, the first one in every block; no change is torn from its figure.

    Args:
        table: its headers and cells may have several lines.
        width: signs of a line, two of them between columns.
        signs: that a text takes.
    """
    wide = column_widths(table, signs=signs)
    units: list[list[int]] = []
    for column in range(1, len(wide)):
        if units and table.columns[column].startswith("change"):
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


def to_markdown(table: Table) -> str:
    """GitHub's Markdown, padded so that it reads as plain text too.

    Example:
        >>> print(to_markdown(Table("Sizes", ("name", "n"), (("a|b", "1"),), "lr", ("n: rows.",))))
        **Sizes**
        <BLANKLINE>
        | name |   n |
        | :--- | --: |
        | a\\|b |   1 |
        <BLANKLINE>
        - n: rows.
        <BLANKLINE>
    """
    lines = [[_markdown(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(3, *(len(row[column]) for row in lines)) for column in range(len(table.columns))]
    rule = [
        {"l": ":" + "-" * (width - 1), "r": "-" * (width - 1) + ":", "c": ":" + "-" * (width - 2) + ":"}[side]
        for width, side in zip(widths, table.alignment, strict=True)
    ]
    pad = {"l": str.ljust, "r": str.rjust, "c": str.center}
    padded = [
        [pad[side](cell, width) for cell, width, side in zip(row, widths, table.alignment, strict=True)]
        for row in lines
    ]
    grid = ["| " + " | ".join(row) + " |" for row in (padded[0], rule, *padded[1:])]
    notes = ["", *(f"- {_markdown(note)}" for note in table.notes)] if table.notes else []
    return "\n".join([f"**{_markdown(table.title)}**", "", *grid, *notes]) + "\n"


def _markdown(text: str) -> str:
    """Escaped, but for the brackets of intervals, which are no link, and for the sign of a small p, which is no tag."""
    text = " ".join(text.split("\n"))
    parts = zip((*INTERVAL.split(text),), (*INTERVAL.findall(text), ""), strict=True)
    text = "".join(re.sub(r"([\\|`*\[\]])", r"\\\1", outside) + inside for outside, inside in parts)
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)  # within a word an underscore is plain
    text = text.replace("&", "&amp;")
    return re.sub(r"<(?!\.\d)", "&lt;", re.sub(r">(?!\.\d)", "&gt;", text))


def to_latex(table: Table) -> str:
    r"""A LaTeX table of booktabs; where it is too wide, intervals go below their estimates, and columns into blocks."""
    caption = " ".join([table.title + ("." if table.notes else ""), *table.notes])
    small = sum(wide + 2 for wide in column_widths(_broken(table))) > WIDEST
    if small:
        table = dataclasses.replace(table, rows=tuple(tuple(map(stacked, row)) for row in table.rows))
    names = max((len(row[0]) for row in table.rows if not is_heading(row)), default=0)
    lines = [rf"\caption{{{_latex(caption)}}}"]
    for number, block in enumerate(column_blocks(_broken(table), WIDEST_SMALL)):
        lines += ([r"\par\medskip"] if number else []) + _tabular(table.take(block), long_names=names > WIDEST_NAME)
    font = [r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"] if small else []
    return "\n".join([r"\begin{table}", *("  " + line for line in (r"\centering", *font, *lines)), r"\end{table}", ""])


def _tabular(table: Table, *, long_names: bool) -> list[str]:
    """One block of columns; a row whose cells have several lines takes as many."""
    body = [" & ".join(map(_latex, line)) + r" \\" for line in _lines(table.columns, bottom=True)]
    body.append(r"\midrule")
    for number, row in enumerate(table.rows):
        if number and number in table.rules:
            body.append(r"\midrule")
        if is_heading(row):
            body.append(rf"\multicolumn{{{len(row)}}}{{l}}{{\emph{{{_latex(row[0])}}}}} \\")
        else:
            body += [" & ".join(map(_latex, line)) + r" \\" for line in _lines(row)]
    sides = rf"p{{.36\linewidth}}{table.alignment[1:]}" if long_names else table.alignment
    inside = ["  " + line for line in (r"\toprule", *body, r"\bottomrule")]
    return [rf"\begin{{tabular}}{{{sides}}}", *inside, r"\end{tabular}"]


def _lines(cells: Sequence[str], *, bottom: bool = False) -> Iterator[list[str]]:
    """Cells of several lines as rows of their own; short ones at the top, or at the bottom."""
    parts = [cell.split("\n") for cell in cells]
    high = max(map(len, parts))
    for line in range(high):
        shifts = [high - len(part) if bottom else 0 for part in parts]
        yield [
            part[line - shift] if 0 <= line - shift < len(part) else ""
            for part, shift in zip(parts, shifts, strict=True)
        ]


def _broken(table: Table) -> Table:
    """The table as wide as it is set: long names are broken, and headings span all columns."""
    rows = ((("" if is_heading(row) else row[0][:WIDEST_NAME]), *row[1:]) for row in table.rows)
    return dataclasses.replace(table, rows=tuple(rows))


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)

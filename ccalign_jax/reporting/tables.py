"""The one table writer: cells as strings in; Markdown, LaTeX, HTML or a console table out."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import rich.table

__all__ = ["Table", "to_html", "to_latex", "to_markdown", "to_rich"]

_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # at the start of a row, \\ would take it for its argument
    "*": "{*}",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "→": r"$\rightarrow$",
    "Δ": r"$\Delta$",
    "‖": r"$\Vert$",
    "·": r"$\cdot$",
    "–": "--",
    "—": "---",
    "\n": " ",
}

WIDEST_LATEX, WIDEST_NAME = 80, 45  # signs of a row, and of its name; what is wider is set smaller, or broken


@dataclasses.dataclass(frozen=True)
class Table:
    """What a table says, before it is written one way or another.

    Attributes:
        title: one line.
        columns: header cells; a line break splits one where space is short.
        rows: cells of each row, as many as columns. A row that is empty but for its first cell heads those below.
        alignment: `l`, `r` or `c` for each column.
        notes: sentences below the table.
        rules: rows above which a line is drawn.

    Raises:
        ValueError: a row or the alignment has another number of cells than `columns`.

    Example:
        >>> Table("Sizes", ("name", "n"), (("a", "1"),), "lr").rows
        (('a', '1'),)
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
        """Only these columns, in this order.

        Example:
            >>> Table("Sizes", ("name", "n"), (("a", "1"),), "lr").take([1]).columns
            ('n',)
        """
        return dataclasses.replace(
            self,
            columns=tuple(self.columns[column] for column in columns),
            rows=tuple(tuple(row[column] for column in columns) for row in self.rows),
            alignment="".join(self.alignment[column] for column in columns),
        )


def is_heading(row: Sequence[str]) -> bool:
    """Whether a row heads those below it.

    Example:
        >>> is_heading(("pivot image", "", "")), is_heading(("a", "1", ""))
        (True, False)
    """
    return len(row) > 1 and bool(row[0]) and not any(row[1:])


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


def to_latex(table: Table) -> str:
    r"""A LaTeX table; the document needs `\usepackage{booktabs}`.

    Example:
        >>> print(to_latex(Table("50 %", ("a_b", "n"), (("x", "1"),), "lr")))
        \begin{table}
          \centering
          \caption{50 \%}
          \begin{tabular}{lr}
            \toprule
            a\_b & n \\
            \midrule
            x & 1 \\
            \bottomrule
          \end{tabular}
        \end{table}
        <BLANKLINE>
    """
    wide = len(table.columns)
    body = []
    for line in _header_lines(table):
        body.append(" & ".join(map(_latex, line)) + r" \\")
    body.append(r"\midrule")
    for number, row in enumerate(table.rows):
        if number and number in table.rules:
            body.append(r"\midrule")
        if is_heading(row):
            body.append(rf"\multicolumn{{{wide}}}{{l}}{{\emph{{{_latex(row[0])}}}}} \\")
        else:
            body.append(" & ".join(map(_latex, row)) + r" \\")
    caption = " ".join([table.title + ("." if table.notes else ""), *table.notes])
    names = max((len(row[0]) for row in table.rows if not is_heading(row)), default=0)
    sides = rf"p{{.36\linewidth}}{table.alignment[1:]}" if names > WIDEST_NAME else table.alignment
    lines = [rf"\caption{{{_latex(caption)}}}", rf"\begin{{tabular}}{{{sides}}}"]
    lines += ["  " + line for line in (r"\toprule", *body, r"\bottomrule")]
    small = [r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"] if _width(table) > WIDEST_LATEX else []
    inside = [r"\centering", *small, *lines, r"\end{tabular}"]
    return "\n".join([r"\begin{table}", *("  " + line for line in inside), r"\end{table}", ""])


def to_html(table: Table) -> str:
    """A `<table>` and its notes, escaped.

    Example:
        >>> "<td>a &lt; b</td>" in to_html(Table("T", ("n", "x"), (("1", "a < b"),), "ll"))
        True
    """
    side = {"l": "", "r": ' class="r"', "c": ' class="c"'}
    sides = [side[letter] for letter in table.alignment]
    head = "".join(
        f'<th scope="col"{kind}>{escape(cell).replace(chr(10), "<br>")}</th>'
        for cell, kind in zip(table.columns, sides, strict=True)
    )
    lines = ['<div class="table"><table>', f"<caption>{escape(table.title)}</caption>"]
    lines += [f"<thead><tr>{head}</tr></thead>", "<tbody>"]
    for number, row in enumerate(table.rows):
        start = '<tr class="rule">' if number and number in table.rules else "<tr>"
        if is_heading(row):
            cells = f'<th scope="rowgroup" colspan="{len(row)}">{escape(row[0])}</th>'
        else:
            long = ' class="long"' if len(row[0]) > WIDEST_NAME else sides[0]
            cells = f'<th scope="row"{long}>{escape(row[0])}</th>'
            cells += "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row[1:], sides[1:], strict=True))
        lines.append(f"{start}{cells}</tr>")
    lines += ["</tbody>", "</table></div>"]
    if table.notes:
        lines += ['<ul class="notes">', *(f"<li>{escape(note)}</li>" for note in table.notes), "</ul>"]
    return "\n".join(lines) + "\n"


def to_rich(table: Table) -> rich.table.Table:
    """A table for `rich` to print; its notes are left to `print_table`."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(
        title=Text(table.title, style="bold"),
        title_justify="left",
        box=box.HORIZONTALS,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    justify: dict[str, Any] = {"l": "left", "r": "right", "c": "center"}
    for name, side in zip(table.columns, table.alignment, strict=True):
        grid.add_column(Text(name), justify=justify[side], vertical="bottom", overflow="fold")
    for number, row in enumerate(table.rows):
        if number and number in table.rules:
            grid.add_section()
        grid.add_row(*map(Text, row), style="italic" if is_heading(row) else None)
    return grid


def _header_lines(table: Table) -> Iterator[list[str]]:
    """The header as rows of its own, short cells at the bottom."""
    parts = [name.split("\n") for name in table.columns]
    high = max(map(len, parts))
    for line in range(high):
        yield [part[line - high + len(part)] if line >= high - len(part) else "" for part in parts]


def _width(table: Table) -> int:
    """Signs of a row, all columns as wide as their widest cell."""
    lines = [table.columns, *(row for row in table.rows if not is_heading(row))]
    return sum(
        2 + max(len(line) for cell in column for line in cell.split("\n")) for column in zip(*lines, strict=True)
    )


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)


def _markdown(text: str) -> str:
    text = re.sub(r"([\\|`*\[\]])", r"\\\1", " ".join(text.split("\n")))
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)  # within a word an underscore is plain
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

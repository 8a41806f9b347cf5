"""Tables for a paper: booktabs, intervals below their estimates where space is short, wide tables in blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from ccalign_jax.reporting.table import WIDEST_NAME, Table, column_blocks, column_widths, is_heading, stacked

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

WIDEST, WIDEST_SMALL = 80, 120  # signs of a line as it is, and in a smaller font


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

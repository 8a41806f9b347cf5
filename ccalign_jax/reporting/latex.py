r"""LaTeX of tables: booktabs, notes below, and never wider than the text of a one-column article.

A table that is too wide has the intervals of its cells below their estimates, then its columns in blocks, one below the
other; one that is too long goes on in further floats. `table*` spans both columns of a two-column article.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import textwrap
from collections.abc import Iterator, Sequence

from ccalign_jax.reporting.table import Table, column_blocks, is_heading, stacked

__all__ = ["PACKAGES", "to_latex"]

PACKAGES = ("booktabs", "threeparttable")
NOTES = r"\begin{tablenotes}[flushleft]"
TEXT_WIDTH = 345.0  # points: that of LaTeX's article at 10 pt, narrower than most
GAP = 5.0  # points between columns
UNIT = GAP / 2  # points that `column_blocks` counts as one sign: it has two between columns
FULL, SMALL = 10.0, 8.0  # points of \normalsize and \footnotesize
NAMES = (26, 22, 18)  # signs of a row's name that is not broken in a small table; fewer where all columns then fit
LINES = 52  # of one float
# Widths of signs in Computer Modern, as shares of the size of the font; Times is narrower.
_WIDTHS = {
    sign: width
    for width, signs in {
        **{0.28: ".,:;'|![]il", 0.34: " ", 0.4: "()jtfrsI/-", 0.45: "cez", 0.5: "0123456789agovxy"},
        **{0.75: "ABCDEFGHJKLNOPQRSTUVXYZ", 0.8: "+−±<>=×→≤≥mw@%ΔΣ", 1.03: "MW—"},
    }.items()
    for sign in signs
}
OTHER_WIDTH, SMALL_IS_WIDER = 0.56, 1.063
FIRST_OTHER = 0x180  # the first sign beyond the Latin ones of Europe
_SIGNS = str.maketrans(
    {sign: "\\" + sign for sign in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"$<$", ">": r"$>$", "|": r"\textbar{}", "*": "{*}", "≤": r"$\le$", "≥": r"$\ge$"}
    | {"±": r"$\pm$", "−": "$-$", "×": r"$\times$", "→": r"$\rightarrow$", "Δ": r"$\Delta$"}
    | {"‖": r"$\Vert$", "·": r"$\cdot$", "–": "--", "—": "---", "…": r"\ldots{}", "∞": r"$\infty$", "√": r"$\surd$"}
    | {"λ": r"$\lambda$", "σ": r"$\sigma$", "κ": r"$\kappa$", "°": r"$^\circ$", "²": "$^2$"}
    | {"\n": " ", "[": "{[}"}  # at the start of a row, \\ would take it for its argument
)


def to_latex(table: Table) -> str:
    r"""The table as floats of LaTeX that need `PACKAGES`; its notes are `tablenotes` below the last.

    Example:
        >>> written = to_latex(Table("A & B", ("map", "R@1"), (("W", ".5"),), "lr", ("n",)))
        >>> r"\caption{A \& B}" in written, r"\item n" in written
        (True, True)
    """
    size = FULL if _width(table, FULL) <= TEXT_WIDTH else SMALL
    if size == SMALL:
        narrower = [_stacked(table, longest) for longest in NAMES]
        table = next((one for one in narrower if _width(one, size) <= TEXT_WIDTH), narrower[0])
    floats: list[list[str]] = [[]]
    room = LINES
    for part, high in [*_parts(table, size), *_notes(table.notes)]:
        if floats[-1] and high > room:
            floats.append([])
            room = LINES
        floats[-1] += [r"\medskip"] * bool(floats[-1] and part[0] != NOTES) + part
        room -= high
    return "".join(_float(table.title, lines, number, len(floats), size) for number, lines in enumerate(floats, 1))


def _float(title: str, lines: Sequence[str], number: int, count: int, size: float) -> str:
    """One `table*`; of several, its caption says which it is."""
    caption = title + (f" ({number} of {count})" if count > 1 else "")
    inside = [
        *([r"\addtocounter{table}{-1}"] if number > 1 else []),
        *([r"\footnotesize"] if size == SMALL else []),
        rf"\setlength{{\tabcolsep}}{{{UNIT:g}pt}}",
        r"\begin{threeparttable}",
        *("  " + line for line in (rf"\caption{{{_escaped(caption)}}}", *lines)),
        r"\end{threeparttable}",
    ]
    return "\n".join([r"\begin{table*}", *("  " + line for line in (r"\centering", *inside)), r"\end{table*}", ""])


def _parts(table: Table, size: float) -> Iterator[tuple[list[str], int]]:
    """The table in blocks of columns that fit, and each in parts of rows that fit; with the lines that each takes."""
    unit = functools.partial(_units, size=size)
    blank = (row if not is_heading(row) else ("", *row[1:]) for row in table.rows)  # headings span all columns
    shape = dataclasses.replace(table, rows=tuple(blank))
    whole = [[*range(len(table.columns))]] if _width(table, size) <= TEXT_WIDTH else None
    for columns in whole or column_blocks(shape, int(TEXT_WIDTH / UNIT), signs=unit):
        block = table.take(columns)
        head = _high(block.columns) + 2
        rows: list[str] = []
        high, heading = head, ""
        for number, row in enumerate(block.rows):
            rule = [r"\midrule"] if number in block.rules and rows else []
            heading = _spanning(row) if is_heading(row) else "" if number in block.rules else heading
            lines = [heading] if is_heading(row) else [*_lines(row)]
            if rows and high + len(lines) + 2 * is_heading(row) > LINES:  # a heading stays with what it heads
                yield _tabular(block, rows), high
                rows, high, rule = [heading] * bool(heading and not is_heading(row)), head, []
            rows += [*rule, *lines]
            high += len(lines)
        yield _tabular(block, rows), high


def _notes(notes: Sequence[str]) -> Iterator[tuple[list[str], int]]:
    """The notes below a table."""
    if notes:
        lines = [NOTES, r"  \scriptsize", *(rf"  \item {_escaped(note)}" for note in notes), r"\end{tablenotes}"]
        yield lines, sum(math.ceil(_points(note, 7.0) / TEXT_WIDTH) for note in notes)


def _tabular(block: Table, rows: Sequence[str]) -> list[str]:
    """Rows below the headings of the columns, as wide as the text, so that blocks stand below each other."""
    inside = [r"\toprule", *_lines(block.columns, bottom=True), r"\midrule", *rows, r"\bottomrule"]
    start = rf"\begin{{tabular*}}{{\linewidth}}{{@{{\extracolsep{{\fill}}}}{block.alignment}@{{}}}}"
    return [start, *("  " + line for line in inside), r"\end{tabular*}"]


def _lines(cells: Sequence[str], *, bottom: bool = False) -> Iterator[str]:
    """Cells of several lines as rows of their own; short ones at the top, or at the bottom."""
    parts = [cell.split("\n") for cell in cells]
    high = _high(cells)
    empty = [[""] * (high - len(part)) for part in parts]
    filled = [[*above, *part] if bottom else [*part, *above] for part, above in zip(parts, empty, strict=True)]
    for line in zip(*filled, strict=True):
        yield " & ".join(map(_escaped, line)) + r" \\"


def _spanning(row: Sequence[str]) -> str:
    return rf"\multicolumn{{{len(row)}}}{{@{{}}l}}{{\emph{{{_escaped(row[0])}}}}} \\"


def _high(cells: Sequence[str]) -> int:
    return max(cell.count("\n") for cell in cells) + 1


def _stacked(table: Table, longest: int) -> Table:
    """The table with intervals below their estimates, and names broken."""

    def narrow(row: tuple[str, ...]) -> tuple[str, ...]:
        return row if is_heading(row) else ("\n".join(textwrap.wrap(row[0], longest)), *map(stacked, row[1:]))

    return dataclasses.replace(table, rows=tuple(map(narrow, table.rows)))


def _escaped(text: str) -> str:
    """Text that pdfLaTeX takes; a letter of another script, for which it has no font, is given by its code point."""
    written = text.translate(_SIGNS)
    return "".join(sign if ord(sign) < FIRST_OTHER else rf"\texttt{{U+{ord(sign):04X}}}" for sign in written)


def _width(table: Table, size: float) -> float:
    """Points of the whole table; headings span its columns."""
    rows = [table.columns, *(row for row in table.rows if not is_heading(row))]
    cells = ([line for cell in column for line in cell.split("\n")] for column in zip(*rows, strict=True))
    return sum(max(_points(line, size) for line in column) + GAP for column in cells) - GAP


def _units(text: str, size: float) -> int:
    return math.ceil(_points(text, size) / UNIT)


def _points(text: str, size: float) -> float:
    """About the width of a text."""
    return size * (1 if size == FULL else SMALL_IS_WIDER) * sum(_WIDTHS.get(sign, OTHER_WIDTH) for sign in text)

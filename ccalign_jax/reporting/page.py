"""HTML pages of panels, without network or script, readable in light, dark and print."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from ccalign_jax.reporting.format import NOTHING, Summary, count_words
from ccalign_jax.reporting.plots import to_svg
from ccalign_jax.reporting.table import WIDEST_NAME, Table, is_heading, stacked
from ccalign_jax.reporting.verdicts import bars_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ROWS = 40  # longer tables are folded away
FEW = 20  # signs of a cell of words that is not broken


class Panel(NamedTuple):
    """One subject of a page: its table, or its plot, or both.

    Attributes:
        name: of the files of table and plot.
        section: its heading on the page, shared with neighbours of the same section.
        table: of the summary; None where the summary lacks what it shows.
        plot: likewise.
        caption: below the plot; `{bars}` in it becomes what the bars of this summary are.
    """

    name: str
    section: str
    table: Callable[[Summary], Table | None] | None = None
    plot: Callable[[Summary], Figure | None] | None = None
    caption: str = ""


def make_tables(panels: Sequence[Panel], summary: Summary) -> dict[str, Table]:
    """Every table that the summary has the values for, by name."""
    found = {panel.name: panel.table(summary) for panel in panels if panel.table}
    return {name: table for name, table in found.items() if table is not None}


def make_plots(panels: Sequence[Panel], summary: Summary) -> dict[str, Figure]:
    """Every plot that the summary has the values for, by name."""
    found = {panel.name: panel.plot(summary) for panel in panels if panel.plot}
    return {name: plot for name, plot in found.items() if plot is not None}


def render_page(
    panels: Sequence[Panel],
    summary: Summary,
    tables: Mapping[str, Table],
    plots: Mapping[str, Figure],
    *,
    title: str,
    heading: str,
    headline: Sequence[str],
    appendix: Mapping[str, Mapping[str, Any]],
) -> str:
    """The page as HTML: headline, panels under their sections, notes, and an appendix.

    Args:
        panels: in their order.
        summary: of a sweep or an evaluation; its `notes` are listed.
        tables, plots: by the name of their panel, those that there are.
        title, heading: of the page.
        headline: sentences; text between backticks is to be typed.
        appendix: titles and nested mappings, listed at the end.
    """
    import jinja2

    sections = []
    for section, members in groupby(panels, key=lambda panel: panel.section):
        parts = [part for panel in members for part in _parts(panel, summary, tables, plots)]
        sections += [(section, parts)] if parts else []
    template = resources.files("ccalign_jax.reporting").joinpath("page.html").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(template).render(
        title=title,
        heading=heading,
        headline=[_typed(sentence) for sentence in headline],
        sections=sections,
        notes=summary.get("notes", []),
        appendix_heading=" and ".join(appendix).capitalize(),
        appendix=[to_html(_listing(name, tree)) for name, tree in appendix.items()],
    )


def _parts(panel: Panel, summary: Summary, tables: Mapping[str, Table], plots: Mapping[str, Figure]) -> Iterator[str]:
    """The table and the plot of a panel as HTML; a long table is folded behind a line to click on."""
    if panel.table and panel.name in tables:
        table = tables[panel.name]
        shown = f"{escape(table.title)}: show {count_words(len(table.rows), 'row')}"
        folded = f"<details>\n<summary>{shown}</summary>\n{to_html(table)}</details>\n"
        yield folded if len(table.rows) > MAX_ROWS else to_html(table)
    if panel.plot and panel.name in plots:
        words = panel.caption.replace("{bars}", bars_words(summary))
        caption = f"<figcaption>{escape(words)}</figcaption>\n" if words else ""
        yield f"<figure>\n{to_svg(plots[panel.name])}\n{caption}</figure>"


def to_html(table: Table) -> str:
    """A `<table>` and its notes, escaped.

    Example:
        >>> "<td>a&lt;b</td>" in to_html(Table("T", ("n", "x"), (("1", "a<b"),), "ll"))
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
            cells += "".join(map(_html_cell, row[1:], sides[1:]))
        lines.append(f"{start}{cells}</tr>")
    lines += ["</tbody>", "</table></div>"]
    if table.notes:
        lines += ['<ul class="notes">', *(f"<li>{escape(note)}</li>" for note in table.notes), "</ul>"]
    return "\n".join(lines) + "\n"


def _html_cell(cell: str, kind: str) -> str:
    """A `<td>`; its interval is below the rest, and a few words stay on one line."""
    first, _, interval = stacked(cell).partition("\n")
    below = f'<span class="interval">{interval}</span>' if interval else ""
    few = ' class="few"' if not kind and " " in cell and len(cell) <= FEW else kind
    return f"<td{few}>{escape(first)}{below}</td>"


def _typed(sentence: str) -> str:
    """A sentence, escaped; text between backticks is code, which breaks between words alone."""
    return re.sub(
        r"`([^`]+)`", lambda found: " ".join(f"<code>{word}</code>" for word in found[1].split(" ")), escape(sentence)
    )


def _listing(title: str, tree: Mapping[str, Any]) -> Table:
    return Table(title, ("what", "value"), tuple(_flat(tree)), "ll")


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """`("config.folds", "5")` for every leaf of nested mappings."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{key}", ", ".join(map(str, value)) or NOTHING
        else:
            yield f"{prefix}{key}", NOTHING if value is None else str(value)

"""HTML of tables and pages, from templates; everything that comes from data is escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from ccalign_jax.reporting.html_table import lay_out
from ccalign_jax.reporting.table import Table

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

OPEN_ROWS = 16  # a table with more is folded
PRINT_ROWS = 40  # one with more is not printed while it is folded


class Part(NamedTuple):
    """One thing that a section shows: a table, open or folded, a drawing with its caption, or a block of HTML.

    `open` None leaves it to the section: open where nothing else is there to see.
    """

    name: str
    table: Table | None = None
    open: bool | None = None
    svg: str = ""
    caption: str = ""
    block: str = ""


class Section(NamedTuple):
    """A heading of a page, one sentence that says what to see, and what is below it, folded unless `open`."""

    title: str
    lead: str
    parts: list[Part]
    open: bool = True

    @property
    def anchor(self) -> str:
        """What a link within the page leads to."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


def to_html(table: Table) -> str:
    """A `<table>` and its notes, escaped.

    Example:
        >>> "<td>a&lt;b</td>" in to_html(Table("T", ("n", "x"), (("1", "a<b"),), "ll"))
        True
    """
    return str(page_template("table.html").module.to_html(table))  # type: ignore[attr-defined]


def render_page(
    *,
    answer: str,
    sentences: Sequence[str],
    sections: Sequence[Section],
    reading: Sequence[str] = (),
    command: str = "",
    when: str = "",
    **parts: Any,
) -> str:
    """A page that needs no other file, and whose only script is its own; the same bytes for the same arguments.

    Args:
        answer: the result in one sentence; here and in `sentences` text between backticks is code.
        sentences: below the first plot.
        sections: in their order.
        reading: how tables and figures are read; what several tables have as a note joins it.
        command: that makes the results again.
        when: they were made, and how long it took.
        parts: whatever else the template needs.
    """
    said = Counter(note for section in sections for part in section.parts if part.table for note in part.table.notes)
    shared = [*reading, *(note for note, times in said.items() if times > 1 and note not in reading)]
    sections = [section._replace(parts=list(_laid_out(section, shared))) for section in sections]
    script = _file("page.js")
    digest = base64.b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode()
    return page_template("page.html").render(
        answer=_typed(answer),
        sentences=list(map(_typed, sentences)),
        sections=sections,
        reading=shared,
        command=_typed(f"`{command}`") if command else "",
        when=when,
        style=_file("page.css"),
        script=script,
        script_hash=f"sha256-{digest}",
        print_rows=PRINT_ROWS,
        **parts,
    )


def _laid_out(section: Section, shared: Sequence[str]) -> Iterator[Part]:
    """The parts without notes that stand elsewhere on the page; tables that say nothing else are open if short."""
    drawn = any(part.svg or part.block for part in section.parts)
    first = next((part for part in section.parts if part.table), None)
    for part in section.parts:
        if part.table:
            notes = tuple(note for note in part.table.notes if note not in shared)
            whole = part is first and not drawn if part.open is None else part.open
            opened = whole and len(part.table.rows) <= OPEN_ROWS
            part = part._replace(table=replace(part.table, notes=notes), open=opened)
        yield part


def _file(name: str) -> str:
    return (files("ccalign_jax.reporting") / name).read_text(encoding="utf-8").strip()


@cache
def page_template(name: str) -> jinja2.Template:
    """A template of this package; it escapes what it is given, and fails on a name that it is not."""
    import jinja2

    loader, strict = jinja2.PackageLoader("ccalign_jax.reporting", ""), jinja2.StrictUndefined
    environment = jinja2.Environment(
        loader=loader, undefined=strict, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["lay_out"] = lay_out
    return environment.get_template(name)


def _typed(sentence: str) -> Markup:
    """A sentence, escaped; text between backticks is code, which breaks between words first."""
    from markupsafe import Markup

    def code(found: re.Match[str]) -> str:
        words = " ".join(f"<span>{word}</span>" for word in found[1].split(" "))
        return f"<code>{words}</code>"

    whole = re.sub(r"\b(p [<=>≤]|95) (?=[.%\d])", lambda found: found[0].replace(" ", "\xa0"), sentence)
    return Markup(re.sub(r"`([^`]+)`", code, escape(whole)))

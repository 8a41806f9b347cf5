"""A result in a few lines, as a console or a notebook shows the value of an expression."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Iterable
from html import escape

from ccalign_jax.reporting.format import Summary
from ccalign_jax.reporting.html import to_html
from ccalign_jax.reporting.results import comparison_table, main_table
from ccalign_jax.reporting.retrieval import retrieval_table
from ccalign_jax.reporting.sentences import comparison_words, evaluation_headline, selected_words
from ccalign_jax.reporting.table import Table

__all__ = ["comparison_html", "comparison_text", "evaluation_html", "evaluation_text", "sweep_html", "sweep_text"]

WIDTH = 120  # characters of a line
COLUMNS = 7  # of a table: names, the verdict, and R@1 with its changes


def sweep_text(summary: Summary, folder: object = None) -> str:
    """The map that a sweep selected, its change, the best baseline, and the place of the report."""
    return _text(*_sweep_lines(summary, folder))


def sweep_html(summary: Summary, folder: object = None) -> str:
    """The same with the main table."""
    return _html(_sweep_lines(summary, folder), main_table(summary))


def evaluation_text(summary: Summary) -> str:
    """The metrics of the embeddings, and the change through the map."""
    return _text("Evaluation", *evaluation_headline(summary))


def evaluation_html(summary: Summary) -> str:
    """The same with the table of both retrieval directions."""
    return _html(evaluation_headline(summary), retrieval_table(summary))


def comparison_text(summary: Summary) -> str:
    """What b changes against a."""
    return _text("Comparison", *comparison_words(summary))


def comparison_html(summary: Summary) -> str:
    """The same with the table of both."""
    return _html(comparison_words(summary), comparison_table(summary))


def _sweep_lines(summary: Summary, folder: object) -> list[str]:
    name, images = summary["data"]["name"], summary["data"]["images"]
    report = [] if folder is None else [f"Report: {folder}/report.html"]
    return [f"Sweep of {name}, {images:,} images", *selected_words(summary), *report]


def _text(title: str, *sentences: str) -> str:
    """A title, and below it sentences, indented and broken into lines."""
    lines = textwrap.TextWrapper(WIDTH, "  ", "    ", break_long_words=False, break_on_hyphens=False)
    whole = (re.sub(r"\bp ([<=>]) ", "p\0\\1\0", each) for each in sentences)  # p < .001 stays on one line
    return "\n".join([title, *map(lines.fill, whole)]).replace("\0", " ")


def _html(sentences: Iterable[str], table: Table) -> str:
    """Lines above a table without notes, scripts or styles, so that both take the colours of the notebook."""
    first = list(range(min(COLUMNS, len(table.columns))))
    lines = "<br>".join(map(escape, sentences))
    return f"<p>{lines}</p>{to_html(dataclasses.replace(table.take(first), notes=()))}"

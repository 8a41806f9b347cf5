"""A result as a console or a notebook shows the value of an expression: lines, a table, a figure; and its figures."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.answer import answer
from ccalign_jax.reporting.drawings import to_svg
from ccalign_jax.reporting.format import Summary
from ccalign_jax.reporting.html import to_html
from ccalign_jax.reporting.pages import EVALUATION, SWEEP, Panel
from ccalign_jax.reporting.panels.comparison_plots import comparison_languages_plot, comparison_plot
from ccalign_jax.reporting.panels.results import comparison_table
from ccalign_jax.reporting.panels.retrieval import retrieval_table
from ccalign_jax.reporting.paper import compact_table
from ccalign_jax.reporting.sentences import comparison_words, evaluation_headline, selected_words
from ccalign_jax.reporting.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "COMPARISON",
    "comparison_html",
    "comparison_text",
    "evaluation_html",
    "evaluation_text",
    "figure_of",
    "sweep_html",
    "sweep_text",
]

WIDTH = 120  # characters of a line
COLUMNS = 7  # of a table: names, and R@1 with its changes
COMPARISON = [
    Panel("changes", "", comparison_table, comparison_plot),
    Panel("languages", "", None, comparison_languages_plot),
]


def sweep_text(summary: Summary, folder: object = None) -> str:
    """The map that a sweep selected, its change, the best baseline, and the place of the report."""
    return _text(*_sweep_lines(summary, folder, selected_words(summary)))


def sweep_html(summary: Summary, folder: object = None) -> str:
    """The answer of the page, a compact table, and the first figure of the page."""
    lines = _sweep_lines(summary, folder, [answer(summary)[1]])
    return _html(lines, compact_table(summary), _first(SWEEP, summary))


def evaluation_text(summary: Summary) -> str:
    """The metrics of the embeddings, and the change through the map."""
    return _text("Evaluation", *evaluation_headline(summary))


def evaluation_html(summary: Summary) -> str:
    """The same with the table of both retrieval directions, and the figure of languages."""
    return _html(evaluation_headline(summary), retrieval_table(summary), _first(EVALUATION, summary))


def comparison_text(summary: Summary) -> str:
    """What b changes against a."""
    return _text("Comparison", *comparison_words(summary))


def comparison_html(summary: Summary) -> str:
    """The same with the table of both, and the figure of changes."""
    return _html(comparison_words(summary), comparison_table(summary), _first(COMPARISON, summary))


def figure_of(
    panels: Sequence[Panel],
    name: str,
    summary: Summary,
    extras: Callable[[], Mapping[str, Any]] = dict,
) -> Figure:
    """The figure of that name as a Matplotlib figure.

    Args:
        panels: of the kind of result.
        name: of a panel with a figure.
        summary: of the result.
        extras: gives what panels may show beyond the summary; called only for figures that need it.

    Raises:
        ValueError: there is no such figure, or this result lacks what it shows.
    """
    plots = {panel.name: panel.plot for panel in panels if panel.plot}
    if name not in plots:
        raise ValueError(f"no figure {name!r}; there are {', '.join(plots)}")
    figure = plots[name](summary) or plots[name]({**summary, **extras()})
    if figure is None:
        raise ValueError(f"this result lacks what the figure {name!r} shows")
    return figure


def _first(panels: Sequence[Panel], summary: Summary) -> Figure | None:
    return next((figure for panel in panels if panel.plot and (figure := panel.plot(summary))), None)


def _sweep_lines(summary: Summary, folder: object, found: Iterable[str]) -> list[str]:
    name, images = summary["data"]["name"], summary["data"]["images"]
    report = [] if folder is None else [f"Report: {folder}/report.html"]
    return [f"Sweep of {name}, {images:,} images", *found, *report]


def _text(title: str, *sentences: str) -> str:
    """A title, and below it sentences, indented and broken into lines."""
    lines = textwrap.TextWrapper(WIDTH, "  ", "    ", break_long_words=False, break_on_hyphens=False)
    whole = (re.sub(r"\bp ([<=>]) ", "p\0\\1\0", each) for each in sentences)  # p < .001 stays on one line
    return "\n".join([title, *map(lines.fill, whole)]).replace("\0", " ")


def _html(sentences: Iterable[str], table: Table, figure: Figure | None) -> str:
    """Lines, a table without notes and a figure; without scripts or styles, so that all take the notebook's colours."""
    first = list(range(min(COLUMNS, len(table.columns))))
    lines = "<br>".join(map(escape, sentences))
    shown = to_html(dataclasses.replace(table.take(first), notes=()))
    return f"<p>{lines}</p>{shown}{'' if figure is None else to_svg(figure)}"

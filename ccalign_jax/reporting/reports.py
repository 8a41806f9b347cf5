"""The pages of results of every kind, and the tables and plots of their panels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ccalign_jax.options import ARRAYS
from ccalign_jax.reporting.answer import (
    answer,
    command_words,
    curves_answer,
    directions_words,
    evaluation_answer,
    next_words,
    when_words,
)
from ccalign_jax.reporting.drawings import size_for_paper
from ccalign_jax.reporting.format import NOTHING, Summary, bars_words, count_words, find
from ccalign_jax.reporting.html import Part, Section, render_page
from ccalign_jax.reporting.pages import ADAPTER, CURVES, EVALUATION, FIRST, LEADS, MIGRATION, OPEN, SWEEP, Panel
from ccalign_jax.reporting.panels.migration import migration_words
from ccalign_jax.reporting.panels.query_adapter import adapter_words
from ccalign_jax.reporting.report_files import draw
from ccalign_jax.reporting.scope import reading_notes
from ccalign_jax.reporting.sentences import evaluation_headline
from ccalign_jax.reporting.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def make_tables(panels: Sequence[Panel], summary: Summary) -> dict[str, Table]:
    """Every table that the summary has the values for, by name."""
    found = {panel.name: panel.table(summary) for panel in panels if panel.table}
    return {name: table for name, table in found.items() if table is not None}


def make_plots(panels: Sequence[Panel], summary: Summary) -> dict[str, Figure]:
    """Every plot that the summary has the values for, by name, in the size of a paper."""
    found = {panel.name: panel.plot(summary) for panel in panels if panel.plot}
    return {name: size_for_paper(plot) for name, plot in found.items() if plot is not None}


def render_report(
    summary: Summary,
    config: Mapping[str, Any],
    *,
    folder: str = "RUN",
    timing: Mapping[str, Any] = MappingProxyType({}),
    extras: Mapping[str, Any] = MappingProxyType({}),
    drawings: Mapping[str, str] | None = None,
) -> str:
    """The page of a sweep as HTML; the same bytes for the same arguments.

    Args:
        summary: of a sweep.
        config: the content of `config.json`, or any nested mapping of choices.
        folder: of the run, as a person would type it.
        timing: the content of `timing.json`.
        extras: what panels may show beyond the summary, as more of its keys: the content of `examples.json`.
        drawings: the plots of `SWEEP` as SVG, by name; None draws them.
    """
    shown, about, data = {**summary, **extras}, summary["data"], find(config, "config", "data")
    verdict, sentence = answer(summary)
    return _render(
        SWEEP,
        shown,
        make_tables(SWEEP, shown),
        draw(make_plots(SWEEP, shown)) if drawings is None else drawings,
        title="which map generalises",
        verdict=verdict,
        answer=sentence,
        facts=[
            count_words(about["images"], "image"),
            count_words(len(about["languages"]), "language"),
            count_words(len(summary["trials"]), "trial"),
            count_words(summary["folds"], "fold"),
        ],
        sentences=next_words(summary, folder=folder, data="DATA" if data in (None, ARRAYS) else data),
        when=when_words(timing),
        links=("summary.json", "results.csv", "records.csv", "tables/", "figures/"),
        command=command_words(config, folder),
        reading=reading_notes(summary),
        settings="Settings and versions",
        appendix={"Data": _data(summary), "Settings and versions": config},
    )


def render_evaluation(
    summary: Summary,
    tables: Mapping[str, Table],
    drawings: Mapping[str, str],
    *,
    extras: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """The page of an evaluation as HTML, of its tables and drawings by name; the same bytes for the same arguments."""
    verdict, sentence = evaluation_answer(summary)
    return _render(
        EVALUATION,
        {**summary, **extras},
        tables,
        drawings,
        title="evaluation",
        verdict=verdict,
        answer=sentence,
        facts=["before and after a map" if "metrics" in summary else "the embeddings as they are"],
        sentences=evaluation_headline(summary)[1:] if "delta" in summary else (),
        links=("summary.json", "retrieval.csv", "records.csv", "tables/", "figures/"),
        settings="Data",
        appendix={"Data": {**_data(summary), "split": summary.get("split", "all")}},
    )


def render_curves(curves: Summary, tables: Mapping[str, Table], drawings: Mapping[str, str]) -> str:
    """The page of `curves.json` as HTML, of its tables and drawings by name; the same bytes for the same arguments."""
    verdict, (sentence, *others) = curves_answer(curves)
    about = curves["data"]
    return _render(
        CURVES,
        curves,
        tables,
        drawings,
        title="where overfitting sets in",
        verdict=verdict,
        answer=sentence,
        facts=[
            count_words(about["images"], "image"),
            count_words(len(about["languages"]), "language"),
            count_words(curves["folds"], "fold"),
        ],
        sentences=others,
        links=("curves.json", "curves.csv", "tables/", "figures/"),
        settings="Settings",
        appendix={"Data": _data(curves), "Settings": curves["config"]},
    )


def render_migration(summary: Summary, tables: Mapping[str, Table], drawings: Mapping[str, str]) -> str:
    """The page of `migration.json` as HTML, as `render_curves`."""
    sentence, *others = migration_words(summary)
    about = summary["data"]
    chosen = {name: summary[name] for name in ("direction", "reference", "draws", "enough", "best", "statistics")}
    return _render(
        MIGRATION,
        summary,
        tables,
        drawings,
        title="a new encoder for a filled index",
        verdict=summary["verdict"],
        answer=sentence,
        facts=[f"{about[name]:,} {name}" for name in ("pairs", "documents", "queries")],
        sentences=others,
        links=("migration.json", "records.csv", "tables/", "figures/"),
        settings="Settings",
        appendix={"Data": about, "Settings": chosen},
    )


def render_adapter(summary: Summary, tables: Mapping[str, Table], drawings: Mapping[str, str]) -> str:
    """The page of `adapter.json` as HTML, as `render_curves`."""
    sentence, *others = adapter_words(summary)
    about = summary["data"]
    chosen = {name: summary[name] for name in ("folds", "hard_negatives", "best", "statistics")}
    return _render(
        ADAPTER,
        summary,
        tables,
        drawings,
        title="queries to the documents that answer them",
        verdict=summary["verdict"],
        answer=sentence,
        facts=[f"{about[name]:,} {name}" for name in ("queries", "documents")],
        sentences=others,
        links=("adapter.json", "records.csv", "tables/", "figures/"),
        settings="Settings",
        appendix={"Data": about, "Settings": chosen | {"chosen by folds": summary["selected"]["per_fold"]}},
    )


def _render(
    panels: Sequence[Panel],
    summary: Summary,
    tables: Mapping[str, Table],
    drawings: Mapping[str, str],
    *,
    appendix: Mapping[str, Mapping[str, Any]],
    **parts: Any,
) -> str:
    """A page: the answer and its plot, then panels under their sections, notes, and nested mappings as tables."""
    bars = bars_words(summary)
    words = {
        "{bars}": bars,
        "{Bars}": bars[:1].upper() + bars[1:],
        "{directions}": directions_words(summary) if panels is SWEEP else "",
    }

    def parts_of(panel: Panel) -> Iterator[Part]:
        if panel.plot and panel.name in drawings:
            caption = panel.caption
            for name, meaning in words.items():
                caption = caption.replace(name, meaning)
            yield Part(panel.name, svg=drawings[panel.name], caption=caption)
        if panel.html and (block := panel.html(summary)):
            yield Part(panel.name, block=block)
        if panel.table and panel.name in tables:
            yield Part(panel.name, table=tables[panel.name], open=panel.open)

    sections = {
        title: Section(title, LEADS.get(title, ""), [], title in OPEN)
        for title in dict.fromkeys(one.section for one in panels)
    }
    for panel in panels:
        sections[panel.section].parts.extend(parts_of(panel))
    return render_page(
        name=summary["data"]["name"],
        first=sections.pop(FIRST).parts if FIRST in sections else [],
        sections=[section for section in sections.values() if section.parts],
        notes=summary.get("notes", []),
        appendix=[Table(title, ("what", "value"), tuple(_flat(tree)), "ll") for title, tree in appendix.items()],
        **parts,
    )


def _data(summary: Summary) -> dict[str, Any]:
    captions = [f"{language} {count}" for language, count in summary["data"].get("captions", {}).items()]
    return {**summary["data"], "captions": captions}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """`("config.folds", "5")` for every leaf of nested mappings."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{key}", ", ".join(map(str, value)) or NOTHING
        else:
            yield f"{prefix}{key}", NOTHING if value is None else str(value)

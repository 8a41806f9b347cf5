"""Pages without network or script, readable in light, dark and print; and the one that shows a whole study."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from importlib import resources
from typing import Any

from ccalign_jax.reporting.evaluation_diagnostics import diagnostics_table
from ccalign_jax.reporting.evidence import verdict
from ccalign_jax.reporting.headline import best_words, headline
from ccalign_jax.reporting.ladder import ladder_table
from ccalign_jax.reporting.ladder_plot import ladder_plot
from ccalign_jax.reporting.metrics_table import metrics_table
from ccalign_jax.reporting.names import is_solved, shown_families
from ccalign_jax.reporting.panels import to_svg
from ccalign_jax.reporting.pivot_tables import TEXT_TASKS, pivots_by_language_table, pivots_table, text_to_text_table
from ccalign_jax.reporting.plots import changes_plot, curves_plot, languages_plot, overfitting_plot
from ccalign_jax.reporting.results import language_table, main_table, trials_table
from ccalign_jax.reporting.tables import Table, to_html
from ccalign_jax.reporting.where import GROUPINGS, bins_plot, where_tables
from ccalign_jax.reporting.wording import NOTHING, count_words, find, has_interval

__all__ = ["data_table", "figure_html", "render_page", "render_report", "study_tables"]

MAX_ROWS = 40  # longer tables are folded away


def study_tables(summary: Mapping[str, Any]) -> dict[str, Table]:
    """Every table that the summary of a study has the figures for, by the name of its file.

    Args:
        summary: the content of `summary.json`.
    """
    tables = {
        "main": main_table(summary),
        "pivots": pivots_table(summary),
        "pivots_by_language": pivots_by_language_table(summary),
        "ladder": ladder_table(summary),
        "metrics": metrics_table(summary),
        "languages": language_table(summary),
        **where_tables(summary),
    }
    if summary["baselines"]["identity"].keys() & set(TEXT_TASKS):
        tables["text_to_text"] = text_to_text_table(summary)
    if "diagnostics" in summary:
        tables["diagnostics"] = diagnostics_table(summary)
    return {**tables, "trials": trials_table(summary)}


def render_report(summary: Mapping[str, Any], config: Mapping[str, Any], *, folder: str = "RUN") -> str:
    """The page as HTML; the same bytes for the same arguments.

    Args:
        summary: the content of `summary.json`.
        config: the content of `config.json`, or any nested mapping of choices.
        folder: of the run, as a person would type it.
    """
    data = find(config, "config", "data")
    best = best_words(summary, folder=folder, data="DATA" if data in (None, "arrays") else data)
    tables = {name: _folded(table) for name, table in study_tables(summary).items()}
    languages = figure_html(
        languages_plot(summary),
        f"R@1 on the holdout, as the embeddings are and after what was selected ({_bars(summary).partition(';')[0]}).",
    )
    sections = {
        "Results": [tables["main"]],
        "Pivots": [tables["pivots"], tables["pivots_by_language"]],
        "The ladder": [
            tables["ladder"],
            figure_html(
                ladder_plot(summary),
                f"A trained map is worth its training where it stands right of the rest ({_bars(summary)}).",
            ),
        ],
        "Changes, overfitting, training": list(_plots(summary)),
        "Languages": [languages, tables["languages"]],
        "Every metric": [tables["metrics"]],
        "Where the gain lies": list(_where(summary, tables)),
        "Text to text": [tables[name] for name in ("text_to_text",) if name in tables],
        "Diagnostics": [tables[name] for name in ("diagnostics",) if name in tables],
        "Trials": [tables["trials"]],
    }
    return render_page(
        "report.html",
        title=f"{summary['data']['name']}: alignment study",
        heading=f"{summary['data']['name']}: what an alignment earns",
        headline=[_typed(sentence) for sentence in (*headline(summary), *best)],
        sections=[(heading, parts) for heading, parts in sections.items() if parts],
        notes_heading="What was left out, and other notes",
        notes=summary["notes"],
        last_heading="Data and configuration",
        last=[data_table(summary["data"]), to_html(_pairs("Configuration", config))],
    )


def render_page(template: str, **parts: Any) -> str:
    """One of the templates beside this file, filled in; what is not marked safe there is escaped."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FunctionLoader(
            lambda name: resources.files("ccalign_jax.reporting").joinpath(name).read_text("utf-8")
        ),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(parts)


def data_table(data: Mapping[str, Any]) -> str:
    """What is known of the data, as HTML."""
    captions = [f"{language} {count}" for language, count in data.get("captions", {}).items()]
    return to_html(_pairs("Data", {**data, "captions": captions}))


def figure_html(figure: Any, caption: str = "") -> str:
    """A plot as SVG, and what is said below it."""
    said = f"<figcaption>{escape(caption)}</figcaption>\n" if caption else ""
    return f"<figure>\n{to_svg(figure)}\n{said}</figure>"


def _plots(summary: Mapping[str, Any]) -> Iterator[str]:
    seed = summary["protocol"] == "seed"
    pool = " (a larger pool, hence harder)" if seed else ""
    part = "the reported folds" if seed else "the inner parts"
    alone = f"Right of the line, mapping {'is claimed to beat' if seed else 'beats'} leaving the embeddings alone"
    yield figure_html(changes_plot(summary), f"{alone} ({_bars(summary)}).")
    yield figure_html(
        overfitting_plot(summary),
        f"Filled: holdout; ring: training images{pool}. A ring right of its dot, further than identity's, is "
        "overfitting.",
    )
    if not all(map(is_solved, shown_families(summary))):
        yield figure_html(
            curves_plot(summary),
            f"The best trial of each trained family as it trains, scored on {part}, mean over folds; epoch 0 is the "
            "untrained start, a dot the epoch chosen (median over folds).",
        )


def _bars(summary: Mapping[str, Any]) -> str:
    """What the bars of a plot are."""
    change, folds = summary["selected"]["delta"]["t2i"]["R@1"], summary["folds"]
    if has_interval(change):
        return "bars: 95 % intervals" + ("; rings: no evidence by the adjusted p" if verdict(change) else "")
    if folds == 1:
        return "one fold, no spread"
    return f"bars: standard deviation over {folds} folds, no confidence interval"


def _where(summary: Mapping[str, Any], tables: Mapping[str, str]) -> Iterator[str]:
    """Tables of languages and of groups of images, and the plot of the latter."""
    found = [name for name in GROUPINGS if name in tables]
    if "disparity" in tables:
        yield tables["disparity"]
    if found:
        yield figure_html(
            bins_plot(summary), f"What was selected against identity, in each group of images ({_bars(summary)})."
        )
    yield from (tables[name] for name in found)


def _folded(table: Table) -> str:
    """The table, behind a line to click on where it is long."""
    if len(table.rows) <= MAX_ROWS:
        return to_html(table)
    shown = f"{escape(table.title)}: show {count_words(len(table.rows), 'row')}"
    return f"<details>\n<summary>{shown}</summary>\n{to_html(table)}</details>\n"


def _typed(sentence: str) -> str:
    """A sentence, escaped; what stands between backticks is code, which breaks between words alone."""
    return re.sub(
        r"`([^`]+)`",
        lambda found: " ".join(f"<code>{word}</code>" for word in found[1].split(" ")),
        escape(sentence),
    )


def _pairs(title: str, tree: Mapping[str, Any]) -> Table:
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

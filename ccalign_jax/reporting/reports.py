"""The pages of a sweep and an evaluation, and the panels that they and the curves are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from html import escape
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ccalign_jax.reporting import baselines, curves, diagnostics, families, geometry, languages, results, retrieval
from ccalign_jax.reporting.format import NOTHING, Summary, bars_words, find
from ccalign_jax.reporting.plots import to_svg
from ccalign_jax.reporting.sentences import best_words, evaluation_headline, headline
from ccalign_jax.reporting.table import WIDEST_NAME, Table, is_heading, stacked

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup
    from matplotlib.figure import Figure


class Panel(NamedTuple):
    """One subject of a page: its table, its plot, its block of HTML, or several of these.

    Attributes:
        name: of the files of table and plot.
        section: its heading on the page, shared with neighbours of the same section.
        table: of the summary; None where the summary lacks what it shows.
        plot: likewise.
        caption: below the plot; `{bars}` in it becomes what the bars of this summary are.
        html: likewise, a block of the page that is neither; the function escapes what comes from data.
    """

    name: str
    section: str
    table: Callable[[Summary], Table | None] | None = None
    plot: Callable[[Summary], Figure | None] | None = None
    caption: str = ""
    html: Callable[[Summary], str | None] | None = None


LANGUAGES = "R@1 of each language ({bars}). Text to text: as the language of the query, the mean over the others."
SWEEP = [
    Panel(
        *("main", "Results", results.main_table, results.changes_plot),
        "Right of the line a map does better than leaving the embeddings as they are ({bars}; rings: no evidence).",
    ),
    Panel(
        *("baselines", "Baselines", baselines.baselines_table, baselines.baselines_plot),
        "Training helps where the trained map stands right of all baselines ({bars}; rings: no evidence).",
    ),
    Panel("pivots", "Pivots", families.pivots_table),
    Panel("pivots_by_language", "Pivots", families.pivots_by_language_table),
    Panel("languages", "Languages", languages.languages_table, languages.languages_plot, LANGUAGES),
    Panel("disparity", "Languages", languages.disparity_table),
    Panel(
        *("subgroups", "Subgroups of images", None, languages.subgroups_plot),
        "What was selected against identity, in each group of images ({bars}; rings: no evidence).",
    ),
    Panel("difficulty", "Subgroups of images", partial(languages.subgroups_table, grouping="difficulty")),
    Panel("captions", "Subgroups of images", partial(languages.subgroups_table, grouping="captions")),
    Panel("text_to_text", "Text to text", families.text_to_text_table),
    Panel("metrics", "Every metric", retrieval.metrics_table),
    Panel(
        *("overfitting", "Overfitting and training", None, results.overfitting_plot),
        "Filled: test part; ring: training images (with --protocol=seed a larger pool, hence harder). A ring right of "
        "its dot, further than identity's, is overfitting.",
    ),
    Panel(
        *("training", "Overfitting and training", None, results.training_plot),
        "The best trial of each trained family as it trains, scored on the parts that choose, mean over folds; epoch 0 "
        "is the untrained start, a dot the epoch chosen (median over folds).",
    ),
    Panel("diagnostics", "Diagnostics", diagnostics.diagnostics_table),
    Panel("trials", "Trials", families.trials_table),
]
EVALUATION = [
    Panel("retrieval", "Captions and images", retrieval.retrieval_table),
    Panel("languages", "Captions and images", None, languages.languages_plot, LANGUAGES),
    Panel("metrics", "Captions and images", retrieval.metrics_table),
    Panel(
        *("pool", "Captions and images", None, retrieval.pool_plot),
        "R@1 as expected among fewer rivals, drawn at random: compare two galleries at equal size only.",
    ),
    Panel("scores", "Captions and images", baselines.scores_table),
    Panel(
        *("similarities", "Captions and images", None, geometry.similarity_plot),
        "Captions with their own image and with every other, mean over languages. The larger the overlap of the two, "
        "the less a cosine tells them apart.",
    ),
    Panel("text_to_text", "Text to text", families.text_to_text_table),
    Panel("pairs_direct", "Text to text", partial(languages.pairs_table, task="t2t")),
    Panel("pairs_through_image", "Text to text", partial(languages.pairs_table, task="via_image")),
    Panel(
        *("gram_correlation", "Geometry", None, geometry.gram_correlation_plot),
        "How alike two sets arrange the same images: correlation of their inner products (Pearson), the diagonal, "
        "always 1, left blank.",
    ),
    Panel(
        *("gram_matrices", "Geometry", None, geometry.gram_plot),
        "Inner products of the same images, as each set has them: sets agree where panels look alike.",
    ),
    Panel(
        *("spectra", "Geometry", None, geometry.spectra_plot),
        "Singular values of the centred rows, each spectrum scaled to norm 1: the flatter, the more directions are in "
        "use. Their number grows with that of the rows, so that only equal numbers of rows compare.",
    ),
    Panel("diagnostics", "Geometry", diagnostics.diagnostics_table),
    Panel("calibration", "Geometry", diagnostics.calibration_table),
    Panel("diagnostics_by_language", "Geometry", diagnostics.diagnostics_by_language_table),
    Panel(
        *("map", "The map itself", diagnostics.map_table, geometry.map_plot),
        "Left: at 1 a direction keeps its length. Right: angles of the nearest orthogonal map.",
    ),
]
CURVES = [
    Panel("path", "From identity to an unconstrained map", curves.path_table, curves.path_plot),
    Panel("learning", "By number of training images", curves.learning_table, curves.learning_plot),
]


def make_tables(panels: Sequence[Panel], summary: Summary) -> dict[str, Table]:
    """Every table that the summary has the values for, by name."""
    found = {panel.name: panel.table(summary) for panel in panels if panel.table}
    return {name: table for name, table in found.items() if table is not None}


def make_plots(panels: Sequence[Panel], summary: Summary) -> dict[str, Figure]:
    """Every plot that the summary has the values for, by name."""
    found = {panel.name: panel.plot(summary) for panel in panels if panel.plot}
    return {name: plot for name, plot in found.items() if plot is not None}


def render_report(
    summary: Summary,
    config: Mapping[str, Any],
    *,
    folder: str = "RUN",
    extras: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """The page of a sweep as HTML; the same bytes for the same arguments.

    Args:
        summary: of a sweep.
        config: the content of `config.json`, or any nested mapping of choices.
        folder: of the run, as a person would type it.
        extras: what panels may show beyond the summary, as more of its keys: the content of `examples.json`.
    """
    shown = {**summary, **extras}
    data = find(config, "config", "data")
    best = best_words(summary, folder=folder, data="DATA" if data in (None, "arrays") else data)
    return _render(
        SWEEP,
        shown,
        make_tables(SWEEP, shown),
        make_plots(SWEEP, shown),
        title="alignment study",
        heading="what an alignment changes",
        headline=[*headline(summary), *best],
        appendix={"Data": _data(summary), "Configuration": config},
    )


def render_evaluation(
    summary: Summary,
    tables: Mapping[str, Table],
    plots: Mapping[str, Figure],
    *,
    extras: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """The page of an evaluation as HTML, with its tables and plots by name; the same bytes for the same arguments."""
    return _render(
        EVALUATION,
        {**summary, **extras},
        tables,
        plots,
        title="evaluation",
        heading="before and after a map" if "metrics" in summary else "the embeddings as they are",
        headline=evaluation_headline(summary),
        appendix={"Data": {**_data(summary), "split": summary.get("split", "all")}},
    )


def _render(
    panels: Sequence[Panel],
    summary: Summary,
    tables: Mapping[str, Table],
    plots: Mapping[str, Figure],
    *,
    headline: Sequence[str],
    appendix: Mapping[str, Mapping[str, Any]],
    **titles: str,
) -> str:
    """A page: headline, panels under their sections, notes, and an appendix of titles and nested mappings."""
    bars = bars_words(summary)

    def parts(panel: Panel) -> Iterator[tuple[Table | None, str, str, str]]:
        if panel.table and panel.name in tables:
            yield tables[panel.name], "", "", ""
        if panel.plot and panel.name in plots:
            yield None, to_svg(plots[panel.name]), panel.caption.replace("{bars}", bars), ""
        if panel.html and (block := panel.html(summary)):
            yield None, "", "", block

    sections = [
        (section, [part for panel in members for part in parts(panel)])
        for section, members in groupby(panels, key=lambda panel: panel.section)
    ]
    return _template("page.html").render(
        name=summary["data"]["name"],
        headline=map(_typed, headline),
        sections=[(section, found) for section, found in sections if found],
        notes=summary.get("notes", []),
        appendix=[Table(title, ("what", "value"), tuple(_flat(tree)), "ll") for title, tree in appendix.items()],
        **titles,
    )


def to_html(table: Table) -> str:
    """A `<table>` and its notes, escaped.

    Example:
        >>> "<td>a&lt;b</td>" in to_html(Table("T", ("n", "x"), (("1", "a<b"),), "ll"))
        True
    """
    return str(_template("table.html").module.to_html(table))  # type: ignore[attr-defined]


@cache
def _template(name: str) -> jinja2.Template:
    import jinja2

    loader, strict = jinja2.PackageLoader("ccalign_jax.reporting", ""), jinja2.StrictUndefined
    environment = jinja2.Environment(
        loader=loader, undefined=strict, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {"is_heading": is_heading, "stacked": stacked, "widest_name": WIDEST_NAME}
    return environment.get_template(name)


def _typed(sentence: str) -> Markup:
    """A sentence, escaped; text between backticks is code, which breaks between words alone."""
    from markupsafe import Markup

    def code(found: re.Match[str]) -> str:
        return " ".join(f"<code>{word}</code>" for word in found[1].split(" "))

    return Markup(re.sub(r"`([^`]+)`", code, escape(sentence)))


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

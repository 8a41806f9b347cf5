"""The pages of a sweep and an evaluation, and the panels that they and the curves are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ccalign_jax.options import ARRAYS
from ccalign_jax.reporting import (
    baselines,
    candidates,
    curves,
    diagnostics,
    examples,
    families,
    geometry,
    hubs,
    language_plots,
    languages,
    neighbourhoods,
    overfitting,
    regularisation,
    results,
    retrieval,
)
from ccalign_jax.reporting.answer import answer, command_words, directions_words, next_words, when_words
from ccalign_jax.reporting.format import NOTHING, Summary, bars_words, count_words, find, verdict_of
from ccalign_jax.reporting.html import Part, Section, render_page
from ccalign_jax.reporting.plots import to_svg
from ccalign_jax.reporting.scope import reading_notes
from ccalign_jax.reporting.sentences import evaluation_headline
from ccalign_jax.reporting.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Panel(NamedTuple):
    """One subject of a page: its table, its plot, its block of HTML, or several of these.

    Attributes:
        name: of the files of table and plot.
        section: its heading on the page, shared with neighbours of the same section.
        table: of the summary; None where the summary lacks what it shows.
        plot: likewise.
        caption: below the plot; `{bars}` in it becomes what the bars of this summary are.
        open: whether its table is, if it is short; None where nothing else is in its section.
        html: likewise, a block of the page that is neither; the function escapes what comes from data.
    """

    name: str
    section: str
    table: Callable[[Summary], Table | None] | None = None
    plot: Callable[[Summary], Figure | None] | None = None
    caption: str = ""
    html: Callable[[Summary], str | None] | None = None
    open: bool | None = None


LANGUAGES = "R@1 of each language ({bars}); both directions on one scale."
TEXT = "By language of the query, the mean over those of the gallery. Only the mean of all pairs has an interval."
HOLLOW = "Changes of R@1. {Bars}; hollow: no evidence."
FIRST = ""  # the section of the plot below the answer
LEADS = {
    "All candidates": "Right of the line a map beats the embeddings as they are; an arrow is a change beyond the axis.",
    "Without training": "A trained map is worth its training where it stands right of every baseline that needs none.",
    "Configurations": "A map generalises where R@1 and mAP rise on new images and the gap stays near that of identity.",
    "Languages": "Each language before and after the chosen map, which should lift all of them, the weakest most.",
    "Train against test": "A ring far right of its dot is overfitting: training images gain what new ones do not.",
    "Text to text": "What the maps do to captions that look for captions of another language.",
    "Subgroups of images": "Whether the chosen map helps easy and hard images alike.",
    "Every metric": "The chosen map against identity by every metric, should R@1 alone mislead.",
    "Retrieval examples": "What the chosen map finds that identity does not, and what it loses: drawn, not picked.",
    "Neighbourhoods": "Where the chosen map moves the captions of an image, and where its rivals are.",
    "Geometry": "Whether captions come to be arranged like their images, and whether hubs attract most queries.",
    "Diagnostics": "What the maps change in the geometry of the embeddings.",
    "Trials": "Every trial with its settings; the last column counts the folds that chose it.",
}
SWEEP = [
    Panel(
        "overview",
        FIRST,
        None,
        results.overview_plot,
        "R@1: the share of queries whose first hit is right. {directions} {Bars}; hollow: no evidence.",
    ),
    Panel("main", "All candidates", results.main_table, candidates.candidates_plot, HOLLOW, open=True),
    Panel("pivots", "All candidates", families.pivots_table),
    Panel("pivots_by_language", "All candidates", families.pivots_by_language_table),
    Panel("baselines", "Without training", baselines.baselines_table, baselines.baselines_plot, HOLLOW),
    Panel("configurations", "Configurations", results.configurations_table),
    Panel("languages", "Languages", languages.languages_table, language_plots.languages_plot, LANGUAGES),
    Panel("disparity", "Languages", languages.disparity_table),
    Panel(
        *("overfitting", "Train against test", None, overfitting.overfitting_plot),
        "What each candidate adds to identity on test images (dot) and on training images (ring); beside it the gap.",
    ),
    Panel(
        *("regularisation", "Train against test", None, regularisation.regularisation_plot),
        "At each value of a regulariser the trial with the best validation score ({bars}); diamonds: chosen by folds.",
    ),
    Panel(
        *("training", "Train against test", None, results.training_plot),
        "Validation scores of the best trial of each trained family, mean over folds; epoch 0 is the untrained start, "
        "a dot the epoch chosen (median over folds).",
    ),
    Panel("text_to_text", "Text to text", families.text_to_text_table, language_plots.text_to_text_plot, TEXT),
    Panel("subgroups", "Subgroups of images", None, languages.subgroups_plot, HOLLOW),
    Panel("difficulty", "Subgroups of images", partial(languages.subgroups_table, grouping="difficulty")),
    Panel("captions", "Subgroups of images", partial(languages.subgroups_table, grouping="captions")),
    Panel("metrics", "Every metric", retrieval.metrics_table, open=False),
    Panel("examples", "Retrieval examples", html=examples.examples_html),
    Panel(
        *("neighbourhoods", "Neighbourhoods", None, neighbourhoods.neighbourhoods_plot),
        "Held-out images, each in the middle of its own two principal components: a ring is where identity has a "
        "caption, an arrowhead where the map takes it, and rivals are other images near its captions. Improved and "
        "worsened: by the mean reciprocal rank (MRR) of the image's queries, whose change is in the title; drawn at "
        "random.",
    ),
    Panel(
        *("gram_matrices", "Geometry", None, geometry.gram_plot),
        "Inner products of the same held-out images, as each set has them: sets agree where panels look alike.",
    ),
    Panel(
        *("spectra", "Geometry", None, geometry.spectra_plot),
        "Singular values of the centred rows, each spectrum scaled to norm 1: flatter means more directions in use.",
    ),
    Panel(
        *("hubs", "Geometry", None, hubs.hubs_plot),
        "Both measures are lower where all items are found equally often; means over folds.",
    ),
    Panel("diagnostics", "Diagnostics", diagnostics.diagnostics_table),
    Panel("trials", "Trials", families.trials_table, open=False),
]
EVALUATION = [
    Panel("retrieval", "Captions and images", retrieval.retrieval_table),
    Panel("languages", "Captions and images", None, language_plots.languages_plot, LANGUAGES),
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
    Panel("text_to_text", "Text to text", families.text_to_text_table, language_plots.text_to_text_plot, TEXT),
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
    timing: Mapping[str, Any] = MappingProxyType({}),
    extras: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """The page of a sweep as HTML; the same bytes for the same arguments.

    Args:
        summary: of a sweep.
        config: the content of `config.json`, or any nested mapping of choices.
        folder: of the run, as a person would type it.
        timing: the content of `timing.json`.
        extras: what panels may show beyond the summary, as more of its keys: the content of `examples.json`.
    """
    shown, about, data = {**summary, **extras}, summary["data"], find(config, "config", "data")
    verdict, sentence = answer(summary)
    return _render(
        SWEEP,
        shown,
        make_tables(SWEEP, shown),
        make_plots(SWEEP, shown),
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
    plots: Mapping[str, Figure],
    *,
    extras: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """The page of an evaluation as HTML, with its tables and plots by name; the same bytes for the same arguments."""
    first, *others = evaluation_headline(summary)
    return _render(
        EVALUATION,
        {**summary, **extras},
        tables,
        plots,
        title="evaluation",
        verdict=verdict_of(summary) if "delta" in summary else "",
        answer=first,
        facts=["before and after a map" if "metrics" in summary else "the embeddings as they are"],
        sentences=others,
        links=("summary.json", "retrieval.csv", "records.csv", "tables/", "figures/"),
        settings="Data",
        appendix={"Data": {**_data(summary), "split": summary.get("split", "all")}},
    )


def _render(
    panels: Sequence[Panel],
    summary: Summary,
    tables: Mapping[str, Table],
    plots: Mapping[str, Figure],
    *,
    appendix: Mapping[str, Mapping[str, Any]],
    **parts: Any,
) -> str:
    """A page: the answer and its plot, then panels under their sections, notes, and nested mappings as tables."""
    bars = bars_words(summary)
    words = {
        "{bars}": bars,
        "{Bars}": bars[:1].upper() + bars[1:],
        "{directions}": directions_words(summary) if "selected" in summary else "",
    }

    def parts_of(panel: Panel) -> Iterator[Part]:
        if panel.plot and panel.name in plots:
            caption = panel.caption
            for name, meaning in words.items():
                caption = caption.replace(name, meaning)
            yield Part(panel.name, svg=to_svg(plots[panel.name]), caption=caption)
        if panel.html and (block := panel.html(summary)):
            yield Part(panel.name, block=block)
        if panel.table and panel.name in tables:
            yield Part(panel.name, table=tables[panel.name], open=panel.open)

    sections = {
        title: Section(title, LEADS.get(title, ""), []) for title in dict.fromkeys(one.section for one in panels)
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

"""The panels of a sweep, an evaluation and curves: lists from which their tables, plots and pages are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.baselines import baselines_plot, baselines_table, scores_table
from ccalign_jax.reporting.curves import learning_plot, learning_table, path_plot, path_table
from ccalign_jax.reporting.diagnostics import (
    calibration_table,
    diagnostics_by_language_table,
    diagnostics_table,
    map_table,
)
from ccalign_jax.reporting.families import pivots_table, training_plot, trials_table
from ccalign_jax.reporting.format import Summary, find
from ccalign_jax.reporting.geometry import gram_correlation_plot, gram_plot, map_plot, spectra_plot
from ccalign_jax.reporting.languages import (
    languages_plot,
    languages_table,
    pivots_by_language_table,
    retrieval_table,
)
from ccalign_jax.reporting.metrics import metrics_table, pool_plot, similarity_plot
from ccalign_jax.reporting.page import Panel, make_plots, make_tables, render_page
from ccalign_jax.reporting.results import changes_plot, main_table, overfitting_plot
from ccalign_jax.reporting.sentences import best_words, evaluation_headline, headline
from ccalign_jax.reporting.subgroups import captions_table, difficulty_table, disparity_table, subgroups_plot
from ccalign_jax.reporting.table import Table
from ccalign_jax.reporting.text_tasks import pairs_direct_table, pairs_through_image_table, text_to_text_table
from ccalign_jax.reporting.verdicts import is_optimistic, is_tested, verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def bars_words(summary: Summary) -> str:
    """What the bars of a plot of a sweep are."""
    folds = summary["folds"]
    if is_tested(summary):
        tested = verdict(summary["selected"]["delta"]["t2i"]["R@1"])
        return "bars: 95 % intervals" + ("; rings: no evidence by the adjusted p" if tested else "")
    return "one fold, no spread" if folds == 1 else f"bars: standard deviation over {folds} folds, not an interval"


def _changes_caption(summary: Summary) -> str:
    beats = "is claimed to beat" if is_optimistic(summary) else "beats"
    return f"Right of the line, mapping {beats} leaving the embeddings alone ({bars_words(summary)})."


def _overfitting_caption(summary: Summary) -> str:
    pool = " (a larger pool, hence harder)" if is_optimistic(summary) else ""
    return (
        f"Filled: test part; ring: training images{pool}. A ring right of its dot, further than identity's, is "
        "overfitting."
    )


def _training_caption(summary: Summary) -> str:
    part = "the reported folds" if is_optimistic(summary) else "the inner parts"
    return (
        f"The best trial of each trained family as it trains, scored on {part}, mean over folds; epoch 0 is the "
        "untrained start, a dot the epoch chosen (median over folds)."
    )


SWEEP = [
    Panel("main", "Results", main_table, changes_plot, _changes_caption),
    Panel(
        *("baselines", "Baselines", baselines_table, baselines_plot),
        lambda summary: (
            f"A trained map is worth its training where it stands right of the rest ({bars_words(summary)})."
        ),
    ),
    Panel("pivots", "Pivots", pivots_table),
    Panel("pivots_by_language", "Pivots", pivots_by_language_table),
    Panel(
        *("languages", "Languages", languages_table, languages_plot),
        lambda summary: (
            "R@1 on the test part, as the embeddings are and after what was selected "
            f"({bars_words(summary).partition(';')[0]}). Text to text: as the language of the query, the mean over the "
            "others."
        ),
    ),
    Panel("disparity", "Languages", disparity_table),
    Panel(
        *("subgroups", "Subgroups of images", None, subgroups_plot),
        lambda summary: f"What was selected against identity, in each group of images ({bars_words(summary)}).",
    ),
    Panel("difficulty", "Subgroups of images", difficulty_table),
    Panel("captions", "Subgroups of images", captions_table),
    Panel("text_to_text", "Text to text", text_to_text_table),
    Panel("metrics", "Every metric", metrics_table),
    Panel("overfitting", "Overfitting and training", None, overfitting_plot, _overfitting_caption),
    Panel("training", "Overfitting and training", None, training_plot, _training_caption),
    Panel("diagnostics", "Diagnostics", diagnostics_table),
    Panel("trials", "Trials", trials_table),
]

EVALUATION = [
    Panel("retrieval", "Captions and images", retrieval_table),
    Panel(
        *("languages", "Captions and images", None, languages_plot),
        "R@1 of each language. Text to text: as the language of the query, the mean over the others.",
    ),
    Panel("metrics", "Captions and images", metrics_table),
    Panel(
        *("pool", "Captions and images", None, pool_plot),
        "What R@1 would be among fewer rivals, drawn at random: compare two galleries at equal size only.",
    ),
    Panel("scores", "Captions and images", scores_table),
    Panel(
        *("similarities", "Captions and images", None, similarity_plot),
        "Captions with their own image and with every other, mean over languages. The larger the overlap of the two, "
        "the less a cosine tells them apart.",
    ),
    Panel("text_to_text", "From language to language", text_to_text_table),
    Panel("pairs_direct", "From language to language", pairs_direct_table),
    Panel("pairs_through_image", "From language to language", pairs_through_image_table),
    Panel(
        *("gram_correlation", "Geometry", None, gram_correlation_plot),
        "How alike two sets arrange the same images: correlation of their inner products (Pearson), the diagonal, "
        "always 1, left blank.",
    ),
    Panel(
        *("gram_matrices", "Geometry", None, gram_plot),
        "Inner products of the same images, as each set has them: sets agree where panels look alike.",
    ),
    Panel(
        *("spectra", "Geometry", None, spectra_plot),
        "Singular values of the centred rows, each spectrum scaled to norm 1: the flatter, the more directions are in "
        "use. Their number grows with that of the rows, so that only equal numbers of rows compare.",
    ),
    Panel("diagnostics", "Geometry", diagnostics_table),
    Panel("calibration", "Geometry", calibration_table),
    Panel("diagnostics_by_language", "Geometry", diagnostics_by_language_table),
    Panel(
        *("map", "The map itself", map_table, map_plot),
        "Left: at 1 a direction keeps its length. Right: angles of the nearest orthogonal map.",
    ),
]

CURVES = [
    Panel("path", "From identity to an unconstrained map", path_table, path_plot),
    Panel("learning", "By number of training images", learning_table, learning_plot),
]


def render_report(summary: Summary, config: Mapping[str, Any], *, folder: str = "RUN") -> str:
    """The page of a sweep as HTML; the same bytes for the same arguments.

    Args:
        summary: of a sweep.
        config: the content of `config.json`, or any nested mapping of choices.
        folder: of the run, as a person would type it.
    """
    data = find(config, "config", "data")
    best = best_words(summary, folder=folder, data="DATA" if data in (None, "arrays") else data)
    return render_page(
        SWEEP,
        summary,
        make_tables(SWEEP, summary),
        make_plots(SWEEP, summary),
        title=f"{summary['data']['name']}: alignment study",
        heading=f"{summary['data']['name']}: what an alignment earns",
        headline=[*headline(summary), *best],
        appendix={"Data": _data(summary), "Configuration": config},
    )


def render_evaluation(summary: Summary, tables: Mapping[str, Table], plots: Mapping[str, Figure]) -> str:
    """The page of an evaluation as HTML; the same bytes for the same arguments.

    Args:
        summary: of an evaluation.
        tables, plots: from `make_tables` and `make_plots` of `EVALUATION`.
    """
    what = "before and after a map" if "metrics" in summary else "the embeddings as they are"
    return render_page(
        EVALUATION,
        summary,
        tables,
        plots,
        title=f"{summary['data']['name']}: evaluation",
        heading=f"{summary['data']['name']}: {what}",
        headline=evaluation_headline(summary),
        appendix={"Data": {**_data(summary), "split": summary.get("split", "all")}},
    )


def _data(summary: Summary) -> dict[str, Any]:
    captions = [f"{language} {count}" for language, count in summary["data"].get("captions", {}).items()]
    return {**summary["data"], "captions": captions}

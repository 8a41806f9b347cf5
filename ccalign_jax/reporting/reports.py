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
from ccalign_jax.reporting.families import pivots_by_language_table, pivots_table, training_plot, trials_table
from ccalign_jax.reporting.format import Summary, find
from ccalign_jax.reporting.geometry import gram_correlation_plot, gram_plot, map_plot, spectra_plot
from ccalign_jax.reporting.metrics import metrics_table, pool_plot, similarity_plot
from ccalign_jax.reporting.page import Panel, make_plots, make_tables, render_page
from ccalign_jax.reporting.results import changes_plot, main_table, overfitting_plot
from ccalign_jax.reporting.sentences import best_words, evaluation_headline, headline
from ccalign_jax.reporting.subgroups import (
    captions_table,
    difficulty_table,
    disparity_table,
    languages_plot,
    languages_table,
    retrieval_table,
    subgroups_plot,
)
from ccalign_jax.reporting.table import Table
from ccalign_jax.reporting.text_tasks import pairs_direct_table, pairs_through_image_table, text_to_text_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Captions of plots; {bars} is what the bars are in the summary that is shown.
CHANGES = "Right of the line a map does better than leaving the embeddings as they are ({bars}; rings: no evidence)."
BASELINES = "A trained map is worth its training where it stands right of the rest ({bars}; rings: no evidence)."
LANGUAGES = "R@1 of each language ({bars}). Text to text: as the language of the query, the mean over the others."
SUBGROUPS = "What was selected against identity, in each group of images ({bars}; rings: no evidence)."
OVERFITTING = (
    "Filled: test part; ring: training images (with --protocol=seed a larger pool, hence harder). A ring right of its "
    "dot, further than identity's, is overfitting."
)
TRAINING = (
    "The best trial of each trained family as it trains, scored on the parts that choose, mean over folds; epoch 0 is "
    "the untrained start, a dot the epoch chosen (median over folds)."
)
POOL = "R@1 as expected among fewer rivals, drawn at random: compare two galleries at equal size only."
SIMILARITIES = (
    "Captions with their own image and with every other, mean over languages. The larger the overlap of the two, "
    "the less a cosine tells them apart."
)
GRAM_CORRELATION = (
    "How alike two sets arrange the same images: correlation of their inner products (Pearson), the diagonal, "
    "always 1, left blank."
)
GRAM_MATRICES = "Inner products of the same images, as each set has them: sets agree where panels look alike."
SPECTRA = (
    "Singular values of the centred rows, each spectrum scaled to norm 1: the flatter, the more directions are in "
    "use. Their number grows with that of the rows, so that only equal numbers of rows compare."
)
MAP = "Left: at 1 a direction keeps its length. Right: angles of the nearest orthogonal map."

SWEEP = [
    Panel("main", "Results", main_table, changes_plot, CHANGES),
    Panel("baselines", "Baselines", baselines_table, baselines_plot, BASELINES),
    Panel("pivots", "Pivots", pivots_table),
    Panel("pivots_by_language", "Pivots", pivots_by_language_table),
    Panel("languages", "Languages", languages_table, languages_plot, LANGUAGES),
    Panel("disparity", "Languages", disparity_table),
    Panel("subgroups", "Subgroups of images", None, subgroups_plot, SUBGROUPS),
    Panel("difficulty", "Subgroups of images", difficulty_table),
    Panel("captions", "Subgroups of images", captions_table),
    Panel("text_to_text", "Text to text", text_to_text_table),
    Panel("metrics", "Every metric", metrics_table),
    Panel("overfitting", "Overfitting and training", None, overfitting_plot, OVERFITTING),
    Panel("training", "Overfitting and training", None, training_plot, TRAINING),
    Panel("diagnostics", "Diagnostics", diagnostics_table),
    Panel("trials", "Trials", trials_table),
]
EVALUATION = [
    Panel("retrieval", "Captions and images", retrieval_table),
    Panel("languages", "Captions and images", None, languages_plot, LANGUAGES),
    Panel("metrics", "Captions and images", metrics_table),
    Panel("pool", "Captions and images", None, pool_plot, POOL),
    Panel("scores", "Captions and images", scores_table),
    Panel("similarities", "Captions and images", None, similarity_plot, SIMILARITIES),
    Panel("text_to_text", "Text to text", text_to_text_table),
    Panel("pairs_direct", "Text to text", pairs_direct_table),
    Panel("pairs_through_image", "Text to text", pairs_through_image_table),
    Panel("gram_correlation", "Geometry", None, gram_correlation_plot, GRAM_CORRELATION),
    Panel("gram_matrices", "Geometry", None, gram_plot, GRAM_MATRICES),
    Panel("spectra", "Geometry", None, spectra_plot, SPECTRA),
    Panel("diagnostics", "Geometry", diagnostics_table),
    Panel("calibration", "Geometry", calibration_table),
    Panel("diagnostics_by_language", "Geometry", diagnostics_by_language_table),
    Panel("map", "The map itself", map_table, map_plot, MAP),
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

"""What is on each page: its sections, the sentence that each starts with, and their tables, plots and blocks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ccalign_jax.reporting.format import Summary
from ccalign_jax.reporting.panels import (
    baselines,
    candidates,
    configurations,
    curves,
    diagnostics,
    examples,
    families,
    geometry,
    hubs,
    language_plots,
    languages,
    migration,
    neighbourhoods,
    overfitting,
    overview,
    query_adapter,
    regularisation,
    results,
    retrieval,
)
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
OPEN = {  # sections that are not folded at first
    *("All candidates", "Without training", "Languages", "Train against test"),
    *("From identity to an unconstrained map", "By number of training images"),
    *("By number of pairs", "By map", "Maps of queries"),
}
LEADS = {
    "All candidates": "Right of the line a map beats the embeddings as they are; an arrow is a change beyond the axis.",
    "Without training": "A trained map is worth its training where it stands right of every baseline that needs none.",
    "Configurations": "A map generalises where R@1 and mAP rise on new images and the gap stays near that of identity.",
    "Languages": "Each language before and after the map, which should lift all of them, the weakest most.",
    "Train against test": "A ring far right of its dot is overfitting: training images gain what new ones do not.",
    "Text to text": "What the maps do to captions that look for captions of another language.",
    "Subgroups of images": "Whether the chosen map helps easy and hard images alike.",
    "Size of the gallery": "R@1 as expected among fewer rivals, drawn at random: compare galleries of equal size only.",
    "Cosines": "The larger the overlap of own and other images, the less a cosine tells them apart.",
    "The map itself": "Left: at 1 a direction keeps its length. Right: angles of the nearest orthogonal map.",
    "Every metric": "The map against identity by every metric, should R@1 alone mislead.",
    "Retrieval examples": "What the chosen map finds that identity does not, and what it loses: drawn, not picked.",
    "Neighbourhoods": "Where the chosen map moves the captions of an image, and where its rivals are.",
    "Geometry": "Whether captions come to be arranged like their images, and whether hubs attract most queries.",
    "Diagnostics": "What the maps change in the geometry of the embeddings.",
    "From identity to an unconstrained map": "Where test and training images part, the map begins to overfit.",
    "By number of pairs": "Where the curve is flat, more pairs would not help; a map suffices at the dotted line.",
    "By map": "Each kind of map, its setting chosen on the pairs, fitted on all of them.",
    "By number of training images": "A map whose gain still grows, or whose gap is wide, needs more images.",
    "Maps of queries": "Right of the line a map finds more than the queries as they are.",
    "Trials": "Every trial with its settings; the last column counts the folds that chose it.",
}
SWEEP = [
    Panel(
        "overview",
        FIRST,
        None,
        overview.overview_plot,
        "R@1: the share of queries whose first hit is right. {directions} {Bars}; hollow: no evidence.",
    ),
    Panel("main", "All candidates", results.main_table, candidates.candidates_plot, HOLLOW),
    Panel("pivots", "All candidates", families.pivots_table),
    Panel("pivots_by_language", "All candidates", families.pivots_by_language_table),
    Panel("baselines", "Without training", baselines.baselines_table, baselines.baselines_plot, HOLLOW),
    Panel("configurations", "Configurations", configurations.configurations_table),
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
    Panel("metrics", "Every metric", retrieval.metrics_table),
    Panel("examples", "Retrieval examples", html=examples.examples_html),
    Panel(
        *("neighbourhoods", "Neighbourhoods", None, neighbourhoods.neighbourhoods_plot),
        "Held-out images, each in two principal components of its own, or all in one UMAP. Rings: captions under "
        "identity; arrowheads: where the map takes them; crosses: other images nearby; a dotted line: the image itself "
        "moves. Improved and worsened: by the mean reciprocal rank (MRR) of the image's queries, whose change is in "
        "the title; drawn at random.",
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
    Panel("trials", "Trials", families.trials_table),
]
EVALUATION = [
    Panel("languages", "Languages", None, language_plots.languages_plot, LANGUAGES),
    Panel("retrieval", "Languages", retrieval.retrieval_table, open=True),
    Panel("scores", "Without training", baselines.scores_table),
    Panel("text_to_text", "Text to text", families.text_to_text_table, language_plots.text_to_text_plot, TEXT),
    Panel("pairs_direct", "Text to text", partial(languages.pairs_table, task="t2t")),
    Panel("pairs_through_image", "Text to text", partial(languages.pairs_table, task="via_image")),
    Panel("metrics", "Every metric", retrieval.metrics_table),
    Panel("pool", "Size of the gallery", None, retrieval.pool_plot),
    Panel(
        *("similarities", "Cosines", None, geometry.similarity_plot),
        "Captions with their own image and with every other, mean over languages.",
    ),
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
    Panel("map", "The map itself", diagnostics.map_table, geometry.map_plot),
]
CURVES = [
    Panel(
        *("path", "From identity to an unconstrained map", curves.path_table, curves.path_plot),
        "R@1 as the penalty falls from identity (left) to none (right); bands: 95 % intervals; diamonds and grey "
        "lines: what the inner parts of so many folds chose. Below: how far the map moves and turns.",
        open=True,
    ),
    Panel(
        *("learning", "By number of training images", curves.learning_table, curves.learning_plot),
        "Change and gap by the images that a fold trains on; bands: 95 % intervals; hollow: no evidence.",
        open=True,
    ),
]
MIGRATION = [
    Panel(
        *("recovery", "By number of pairs", migration.curve_table, migration.recovery_plot),
        "Share of what the reference finds; bands: 95 % intervals; dotted: what is called enough.",
        open=True,
    ),
    Panel("maps", "By map", migration.maps_table),
]
ADAPTER = [
    Panel(
        *("maps", "Maps of queries", query_adapter.adapter_table, query_adapter.adapter_plot),
        "Change of R@1 against queries as they are; bars: 95 % intervals; hollow: no evidence.",
        open=True,
    ),
]

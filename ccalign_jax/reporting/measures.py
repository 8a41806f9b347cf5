"""Metrics and diagnostics: their names, which side is better, and the cells of one metric by state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ccalign_jax._names import IDENTITY, UNMAPPED
from ccalign_jax.reporting.format import Summary, changed, find, level, plain
from ccalign_jax.reporting.verdicts import CHANGE, is_tested

MAIN_METRICS = ("R@1", "mAP")

HIGHER, LOWER, NEITHER, DEPENDS = "higher", "lower", "neither", "depends on n"
HIGHER_AT_N, LOWER_AT_N = "higher, at equal n", "lower, at equal n"  # of equally many rows; others do not compare


class MeasureName(NamedTuple):
    """How a metric or diagnostic is shown.

    Attributes:
        words: its name in a row.
        better: `higher`, `lower`, either of them `at equal n`, `neither`, or `depends on n`: what names n is to be
            compared at equal numbers of rows alone.
        places: decimals.
        heading: its name above a column, where `words` is too long for one.
    """

    words: str
    better: str = HIGHER
    places: int = 3
    heading: str = ""


MEASURES = {
    **{name: MeasureName(name) for name in ("R@1", "R@5", "R@10", "MRR", "mAP", "nDCG@10")},
    "median_rank": MeasureName("median rank", LOWER, 1),
    # one set of rows
    "effective_rank": MeasureName("effective rank, of the variances", DEPENDS, 1, "effective\nrank"),
    "effective_rank_roy_vetterli": MeasureName("effective rank, of the singular values", DEPENDS, 1),
    "pca90_components": MeasureName("components for 90 % of the variance", DEPENDS, 1, "PCA\n90 %"),
    "iso_score": MeasureName("IsoScore", HIGHER_AT_N, 3, "Iso-\nScore"),
    "mean_pairwise_cosine": MeasureName("mean pairwise cosine", NEITHER, 3, "mean\ncosine"),
    "PoZ": MeasureName("entries near zero, below .001", LOWER, 3, "near\nzero"),
    "PoZ_relative": MeasureName("entries near zero, relative to the width", LOWER),
    "entropy": MeasureName("entropy of a dimension, nats", HIGHER, 3, "entropy"),
    "entropy_relative": MeasureName("entropy of a dimension, relative to the width", HIGHER),
    "hub_skew": MeasureName("hubs within the set, skew", LOWER_AT_N, 2, "hub\nskew"),
    "hub_ratio_1pct": MeasureName("hubs within the set, share of the top 1 %", LOWER_AT_N, 3, "top 1 %\nhubs"),
    "hub_skew_ties_shared": MeasureName("hubs within the set, skew, ties shared", LOWER_AT_N, 2),
    "hub_ratio_1pct_ties_shared": MeasureName("hubs within the set, share of the top 1 %, ties shared", LOWER_AT_N),
    "hub_skew_t2i": MeasureName("hubs among the images, text to image, skew", LOWER_AT_N, 2),
    "hub_ratio_1pct_t2i": MeasureName("hubs among the images, text to image, share of the top 1 %", LOWER_AT_N),
    "hub_skew_i2t": MeasureName("hubs among the captions, image to text, skew", LOWER_AT_N, 2),
    "hub_ratio_1pct_i2t": MeasureName("hubs among the captions, image to text, share of the top 1 %", LOWER_AT_N),
    "modality_gap": MeasureName("modality gap, distance of the means", NEITHER, 3, "modality\ngap"),
    # two sets whose rows are aligned
    "gram_correlation": MeasureName("Gram correlation, Pearson", HIGHER, 3, "Gram\ncorr."),
    "gram_rank_correlation": MeasureName("Gram correlation, Spearman"),
    "biased_cka": MeasureName("CKA, biased", DEPENDS),
    "unbiased_cka": MeasureName("CKA, unbiased", HIGHER, 3, "unbiased\nCKA"),
    "neighbour_jaccard": MeasureName("neighbours in common, Jaccard", HIGHER_AT_N),
    "mutual_neighbours": MeasureName("neighbours in common, share of k", HIGHER_AT_N, 3, "mutual\nk-NN"),
    "cknna": MeasureName("CKNNA", HIGHER_AT_N),
    # the language probe
    "by_image": MeasureName("accuracy, images split", LOWER),
    "shuffled": MeasureName("accuracy, images split, labels shuffled", NEITHER),
    "seed": MeasureName("accuracy, rows split (seed study)", LOWER),
    "chance": MeasureName("chance", NEITHER),
    # a linear map
    "deviation": MeasureName("‖W − E‖", NEITHER, 2),
    "relative_deviation": MeasureName("‖W − E‖ over ‖E‖", NEITHER, 3, "‖W − E‖\nover ‖E‖"),
    "condition": MeasureName("condition number", LOWER, 1, "condition\nnumber"),
    "map_effective_rank": MeasureName("effective rank of W", NEITHER, 1, "effective\nrank"),
    "orthogonality": MeasureName("distance from orthogonal", NEITHER, 3, "distance from\northogonal"),
    "rotation_mean": MeasureName("mean rotation, degrees", NEITHER, 1, "mean rotation\n(degrees)"),
    "rotation_max": MeasureName("largest rotation, degrees", NEITHER, 1, "largest rotation\n(degrees)"),
}

DIRECTION_WORDS = {"t2i": "text to image", "i2t": "image to text"}
DIRECTION_NOTE = (
    "t2i: a caption looks for its image; i2t: an image looks for any of its captions, one language at a time. "
    "R@1: share of queries whose first hit is right. All languages weigh the same."
)
TASKS = {
    **DIRECTION_WORDS,
    "t2t": "directly",
    "via_image": "via nearest image",
    "via_image_soft": "via soft mean of images",
    "via_image_oracle": "via right image",
}
SCORINGS = {
    "cosine": "cosine",
    "centred_cosine": "centred cosine",
    "csls": "CSLS",
    "inverted_softmax": "inverted softmax",
    "nnn": "nearest-neighbour normalisation",
}
GROUPS = {
    "macro": "captions, mean over languages",
    "image": "images",
    "between_languages": "between languages, mean over pairs",
    "with_image": "captions with images, mean over languages",
    "probe": "language probe",
}


def measure_name(name: str) -> MeasureName:
    """How a metric or diagnostic is shown; one that is not listed keeps its key.

    Example:
        >>> measure_name("median_rank").words, measure_name("new_metric").words
        ('median rank', 'new metric')
    """
    return MEASURES.get(name, MeasureName(name.replace("_", " "), NEITHER))


def metric_names(metrics: Mapping[str, Any]) -> list[str]:
    """The retrieval metrics of one task, in their order.

    Example:
        >>> metric_names({"R@1": {"mean": 0.5}, "per_language": {}})
        ['R@1']
    """
    return [name for name in metrics if name != "per_language"]


def main_metrics(summary: Summary) -> list[str]:
    """The metrics of the main table: R@1, mAP, and those that a user has registered.

    Example:
        >>> main_metrics({"baselines": {"identity": {"t2i": dict.fromkeys(["R@1", "R@3", "R@5", "mAP"])}}})
        ['R@1', 'mAP', 'R@3']
    """
    every = metric_names(summary["baselines"]["identity"]["t2i"])
    return [*MAIN_METRICS, *(name for name in every if name not in MEASURES)]


def scoring_name(summary: Summary, scoring: str) -> str:
    """The name of a scoring; one whose bank is the test set says so.

    Example:
        >>> scoring_name({"scores": {"bank": {"transductive": True}}}, "csls")
        'CSLS (transductive)'
    """
    transductive = scoring != "cosine" and find(summary, "scores", "bank", "transductive")
    return SCORINGS.get(scoring, scoring) + (" (transductive)" if transductive else "")


def states(summary: Summary) -> dict[str, Mapping[str, Any]]:
    """Metrics of identity, and of what a sweep selected, or through an evaluated map.

    Example:
        >>> list(states({"baselines": {"identity": {}}, "metrics": {}}))
        ['identity', 'mapped']
    """
    found = {IDENTITY: summary["baselines"][IDENTITY]}
    if "selected" in summary:
        found["selected"] = summary["selected"]["metrics"]
    if "metrics" in summary:
        found["mapped"] = summary["metrics"]
    return found


def changes(summary: Summary) -> Mapping[str, Any] | None:
    """The changes of the last of `states` against identity; None where there is one state."""
    found: Mapping[str, Any] | None = summary.get("selected", summary).get("delta")
    return found


def headings(summary: Summary, head: str) -> list[str]:
    """Column headings of one metric: of the only state, or of both and their change.

    Example:
        >>> headings({"baselines": {"identity": {}}}, "t2i R@1")
        ['t2i\\nR@1']
    """
    named = list(states(summary))
    if len(named) == 1:
        return [head.replace(" ", "\n")]
    return [*(f"{head}\n{state}" for state in named), CHANGE if is_tested(summary) else "change"]


def compared(summary: Summary, *path: str) -> list[str]:
    """The cells below `headings`: the metric at a path such as `t2i`, `per_language`, `de`, `R@1`.

    A language that is not mapped is compared with itself.
    """
    places = measure_name(path[-1]).places
    base = tuple(part.removesuffix(UNMAPPED) for part in path)
    delta = changes(summary)
    cells = [
        level(find(metrics, *(base if state == IDENTITY else path)), places)
        for state, metrics in states(summary).items()
    ]
    return cells if delta is None else [*cells, changed(find(delta, *path), places)]


def by_chance(summary: Summary, *path: str) -> list[str]:
    """The cells below `headings` in a row of chance."""
    mean = find(summary["baselines"]["chance"], *path, "mean")
    return [plain(mean, measure_name(path[-1]).places), *[""] * (len(headings(summary, "")) - 1)]

"""What every figure of an evaluation is called, which side of it is better, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ccalign_jax.reporting.wording import DIRECTION_WORDS, NOTHING, find

__all__ = [
    "FIGURES",
    "GROUPS",
    "SCORINGS",
    "TASKS",
    "FigureName",
    "amount",
    "change",
    "figure_name",
    "main_metrics",
    "metric_names",
    "scoring_name",
]

MAIN_METRICS = ("R@1", "mAP")

HIGHER, LOWER, NEITHER, DEPENDS = "higher", "lower", "neither", "depends on n"
HIGHER_AT_N, LOWER_AT_N = "higher, at equal n", "lower, at equal n"  # of equally many rows; others do not compare


class FigureName(NamedTuple):
    """How one figure is shown.

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


FIGURES = {
    **{name: FigureName(name) for name in ("R@1", "R@5", "R@10", "MRR", "mAP", "nDCG@10")},
    "median_rank": FigureName("median rank", LOWER, 1),
    # one set of rows
    "effective_rank": FigureName("effective rank, of the variances", DEPENDS, 1, "effective\nrank"),
    "effective_rank_roy_vetterli": FigureName("effective rank, of the singular values", DEPENDS, 1),
    "pca90_components": FigureName("components for 90 % of the variance", DEPENDS, 1, "PCA\n90 %"),
    "iso_score": FigureName("IsoScore", HIGHER_AT_N, 3, "Iso-\nScore"),
    "mean_pairwise_cosine": FigureName("mean pairwise cosine", NEITHER, 3, "mean\ncosine"),
    "PoZ": FigureName("entries near zero, below .001", LOWER, 3, "near\nzero"),
    "PoZ_relative": FigureName("entries near zero, relative to the width", LOWER),
    "entropy": FigureName("entropy of a dimension, nats", HIGHER, 3, "entropy"),
    "entropy_relative": FigureName("entropy of a dimension, relative to the width", HIGHER),
    "hub_skew": FigureName("hubs within the set, skew", LOWER_AT_N, 2, "hub\nskew"),
    "hub_ratio_1pct": FigureName("hubs within the set, share of the top 1 %", LOWER_AT_N, 3, "top 1 %\nhubs"),
    "hub_skew_ties_shared": FigureName("hubs within the set, skew, ties shared", LOWER_AT_N, 2),
    "hub_ratio_1pct_ties_shared": FigureName("hubs within the set, share of the top 1 %, ties shared", LOWER_AT_N),
    "hub_skew_t2i": FigureName("hubs among the images, text to image, skew", LOWER_AT_N, 2),
    "hub_ratio_1pct_t2i": FigureName("hubs among the images, text to image, share of the top 1 %", LOWER_AT_N),
    "hub_skew_i2t": FigureName("hubs among the captions, image to text, skew", LOWER_AT_N, 2),
    "hub_ratio_1pct_i2t": FigureName("hubs among the captions, image to text, share of the top 1 %", LOWER_AT_N),
    "modality_gap": FigureName("modality gap, distance of the means", NEITHER, 3, "modality\ngap"),
    # two sets whose rows are aligned
    "gram_correlation": FigureName("Gram correlation, Pearson", HIGHER, 3, "Gram\ncorr."),
    "gram_rank_correlation": FigureName("Gram correlation, Spearman"),
    "biased_cka": FigureName("CKA, biased", DEPENDS),
    "unbiased_cka": FigureName("CKA, unbiased", HIGHER, 3, "unbiased\nCKA"),
    "neighbour_jaccard": FigureName("neighbours in common, Jaccard", HIGHER_AT_N),
    "mutual_neighbours": FigureName("neighbours in common, share of k", HIGHER_AT_N, 3, "mutual\nk-NN"),
    "cknna": FigureName("CKNNA", HIGHER_AT_N),
    # the language probe
    "by_image": FigureName("accuracy, images split", LOWER),
    "shuffled": FigureName("accuracy, images split, labels shuffled", NEITHER),
    "seed": FigureName("accuracy, rows split (seed study)", LOWER),
    "chance": FigureName("chance", NEITHER),
    # a linear map
    "deviation": FigureName("‖W − E‖", NEITHER, 2),
    "relative_deviation": FigureName("‖W − E‖ over ‖E‖", NEITHER, 3, "‖W − E‖\nover ‖E‖"),
    "condition": FigureName("condition number", LOWER, 1, "condition\nnumber"),
    "map_effective_rank": FigureName("effective rank of W", NEITHER, 1, "effective\nrank"),
    "orthogonality": FigureName("distance from orthogonal", NEITHER, 3, "distance from\northogonal"),
    "rotation_mean": FigureName("mean rotation, degrees", NEITHER, 1, "mean rotation\n(degrees)"),
    "rotation_max": FigureName("largest rotation, degrees", NEITHER, 1, "largest rotation\n(degrees)"),
}

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


def figure_name(name: str) -> FigureName:
    """How a figure is shown; one that is not listed keeps its key.

    Example:
        >>> figure_name("median_rank").words, figure_name("new_figure").words
        ('median rank', 'new figure')
    """
    return FIGURES.get(name, FigureName(name.replace("_", " "), NEITHER))


def metric_names(figures: Mapping[str, Any]) -> list[str]:
    """The retrieval metrics of one task, in their order.

    Example:
        >>> metric_names({"R@1": {"mean": 0.5}, "per_language": {}})
        ['R@1']
    """
    return [name for name in figures if name != "per_language"]


def main_metrics(summary: Mapping[str, Any]) -> list[str]:
    """The metrics of the main table: R@1, mAP, and those that a user has registered.

    Example:
        >>> main_metrics({"baselines": {"identity": {"t2i": dict.fromkeys(["R@1", "R@3", "R@5", "mAP"])}}})
        ['R@1', 'mAP', 'R@3']
    """
    every = metric_names(summary["baselines"]["identity"]["t2i"])
    return [*MAIN_METRICS, *(name for name in every if name not in FIGURES)]


def amount(value: float | None, places: int = 3) -> str:
    """A figure of any size and sign; three decimals go without a leading zero.

    Example:
        >>> amount(0.4857), amount(-0.02), amount(136.61, 1), amount(2.5e7, 1), amount(None)
        ('.486', '−.020', '136.6', '2.5e+07', '—')
    """
    if value is None:
        return NOTHING
    size = f"{abs(value):.{places}f}" if abs(value) < 1e5 else f"{abs(value):.1e}"
    sign = "−" if value < 0 and float(size) else ""
    return sign + (size.removeprefix("0") if places > 2 else size)


def change(before: float | None, after: float | None, places: int = 3) -> str:
    """What changed, with its sign; what rounds to zero has none.

    Example:
        >>> change(0.25, 0.5), change(2.0, 1.0, 1), change(1.0, 1.0001), change(None, 1.0)
        ('+.250', '−1.0', '.000', '—')
    """
    if before is None or after is None:
        return NOTHING
    size = amount(abs(after - before), places)
    return size if not float(size) else ("−" if after < before else "+") + size


def scoring_name(summary: Mapping[str, Any], scoring: str) -> str:
    """What a scoring is called; one that saw the test itself says so.

    Example:
        >>> scoring_name({"scores": {"bank": {"transductive": True}}}, "csls")
        'CSLS (transductive)'
    """
    seen = scoring != "cosine" and find(summary, "scores", "bank", "transductive")
    return SCORINGS.get(scoring, scoring) + (" (transductive)" if seen else "")

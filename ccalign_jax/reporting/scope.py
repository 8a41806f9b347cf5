"""How far results may be trusted, in sentences: the scope of intervals, the test over folds, optimism of a choice."""

from __future__ import annotations

from ccalign_jax._names import BOTH
from ccalign_jax.reporting.format import (
    NO_EVIDENCE,
    Summary,
    clusters,
    count_words,
    find,
    is_tested,
    p_words,
    signed,
    verdict_of,
)


def optimism_words(summary: Summary) -> str:
    """The gain that the seed protocol claims beside that of a nested choice; empty where that was not measured."""
    found = find(summary, "optimism", BOTH, "R@1")
    if not found:
        return ""
    return (
        f"In the mean of both directions the seed protocol claims {signed(found['claimed'])}; choosing on the other "
        f"folds earns {signed(found['honest'])}: optimism {signed(found['optimism'])}."
    )


def gallery_size(summary: Summary) -> int:
    """Images of the gallery, the inverse of the R@1 of chance."""
    return round(1 / summary["baselines"]["chance"]["t2i"]["R@1"]["mean"])


def interval_words(summary: Summary) -> str:
    """The scope of the intervals and p-values of a sweep."""
    folds = summary["folds"]
    maps = "this map" if folds == 1 else f"these {folds} maps, one a fold,"
    replicates = find(summary, "statistics", "replicates")
    often = f" {replicates:,} times" if replicates else ""
    return (
        f"Intervals and p are about {maps} on new images, in a gallery of the same size (about "
        f"{count_words(gallery_size(summary), 'image')}): what is resampled{often} are {clusters(summary)} with all "
        "their captions, not the training. In the tables p is adjusted (Holm) for all "
        f"{count_words(len(summary['trials']), 'trial')}, or all {len(summary['families'])} families."
    )


def folds_words(summary: Summary) -> str:
    """The result of the test over folds, which allows for other training images; empty where there is none."""
    from ccalign_jax.statistics import ALPHA

    selected = summary["selected"]
    p = find(selected, "delta", BOTH, "R@1", "p_folds")
    if p is None:
        return ""
    doubt = verdict_of(selected) not in ("", NO_EVIDENCE) and p >= ALPHA
    return (
        f"Over folds, allowing for other training images too (Nadeau–Bengio): {p_words(p)} for the mean of both "
        f"directions{', so that whether other maps would do the same is open' if doubt else ''}."
    )


def interval_note(summary: Summary) -> str:
    """The scope of the intervals of an evaluation, or that there are none."""
    if not is_tested(summary):
        return "No interval was computed."
    known = find(summary, "training_images", "known")
    whose = "new images" if known else "images like these, if it was not trained on them"
    return (
        f"Intervals (95 %) and p are about this map on {whose}, in a gallery of the same size: what is resampled are "
        f"{clusters(summary)} with all their captions."
    )

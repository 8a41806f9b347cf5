"""How far results may be trusted, in sentences: the scope of intervals, the test over folds, optimism of a choice."""

from __future__ import annotations

from ccalign_jax._names import BOTH
from ccalign_jax.reporting.format import (
    CHANGE_NOTE,
    DIRECTION_NOTE,
    NO_EVIDENCE,
    Summary,
    clusters,
    count_words,
    find,
    is_tested,
    p_words,
    signed,
)
from ccalign_jax.reporting.verdicts import evidence_notes, is_optimistic, verdict_of


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


def gallery_note(summary: Summary) -> str:
    """What is searched, and how large it is."""
    folds, repeats = summary["folds"], summary.get("repeats", 1)
    pool = f"{count_words(gallery_size(summary), 'image')} and their captions, none of them trained on"
    if folds == 1:
        return f"One fold. The gallery is the whole test part, {pool}: R@k falls as the gallery grows."
    product = f" ({repeats} × {folds // repeats})" if repeats > 1 else ""
    return (
        f"Means over {folds} folds{product}. The gallery is the whole test part of a fold, about {pool}: R@k falls as "
        "the gallery grows."
    )


def selection_note(summary: Summary) -> str:
    """On which images settings, epochs and the selected trial were chosen."""
    dropped = find(summary, "race", "dropped") or ()
    compared = {trial["name"] for trial in summary["trials"]} | {one["trial"] for one in dropped}
    trials = count_words(len(compared), "trial")
    if is_optimistic(summary):
        return (
            "Optimistic: settings and epoch were chosen on the very folds that are reported (seed protocol). "
            f"selected: the best of {trials}. {optimism_words(summary)}".strip()
        )
    inner = summary.get("inner", "an inner part that is never reported")
    return (
        f"Settings and epoch of each row were chosen in each fold apart from its test part, on {inner}. selected: the "
        f"same choice among all trials and identity ({trials}): the change after selection."
    )


def reading_notes(summary: Summary) -> list[str]:
    """How the figures and tables of a sweep are read, and how far its intervals reach."""
    from ccalign_jax.statistics import FLIPS

    notes = [DIRECTION_NOTE, gallery_note(summary), CHANGE_NOTE, selection_note(summary)]
    if not is_tested(summary):
        return [*notes, "No interval was computed."]
    notes += [
        *evidence_notes(summary),
        f"p ≤: less cannot be shown: {FLIPS:,} sign flips end at {1 / FLIPS:.4f}, times the number of rows that p is "
        "adjusted for. Such a p may be smaller in truth than one that is written with =.",
        interval_words(summary),
    ]
    return list(filter(None, [*notes, folds_words(summary)]))


def folds_doubt(summary: Summary) -> str:
    """The end of a sentence on a gain that the test over folds leaves open; empty where it does not."""
    from ccalign_jax.statistics import ALPHA

    p = find(summary, "selected", "delta", BOTH, "R@1", "p_folds")
    if p is None or p < ALPHA:
        return ""
    return f"; whether it would with other training images stays open ({p_words(p)} over folds)"


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

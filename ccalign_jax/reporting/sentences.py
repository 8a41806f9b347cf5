"""The result of a sweep or an evaluation in a few sentences."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from ccalign_jax._names import DIRECTIONS, IDENTITY
from ccalign_jax.reporting.baselines import baselines_words
from ccalign_jax.reporting.format import Summary, both, count_words, find, gallery_size, p_words, plain
from ccalign_jax.reporting.measures import DIRECTION_WORDS, scoring_name
from ccalign_jax.reporting.names import choice_words, trial_names
from ccalign_jax.reporting.results import closed_words, optimism_words
from ccalign_jax.reporting.verdicts import (
    CLAIMED_GAIN,
    GAIN,
    LOSS,
    both_words,
    clusters,
    is_optimistic,
    is_tested,
    result_words,
    verdict_of,
)


def headline(summary: Summary) -> tuple[str, ...]:
    """The trial that was chosen, its change in both directions, and how far to trust it."""
    selected = summary["selected"]
    sentences = [f"Chosen: {choice_words(summary, selected['per_fold'])}."]
    free = baselines_words(summary)
    if set(selected["per_fold"]) == {IDENTITY}:
        sentences += ["No trial beat the embeddings as they are on the inner parts, so that nothing is changed.", free]
        return tuple(filter(None, sentences))
    parts = (summary["baselines"]["identity"], selected["metrics"], selected["delta"])
    earned = [
        result_words(DIRECTION_WORDS[task], *(part[task]["R@1"] for part in parts), stated=verdict_of(selected, task))
        for task in DIRECTIONS
    ]
    sentences.append(f"Against identity, on images kept out of training: {'; '.join(earned)}.")
    sentences += [both_words(selected), closed_words(summary), free]
    if is_tested(summary):
        sentences += [interval_words(summary), folds_words(summary)]
    else:
        sentences += _spread_words(summary)
    if is_optimistic(summary):
        optimistic = "Optimistic: under the seed protocol the choice was made on the very folds that are reported."
        sentences.append(f"{optimistic} {optimism_words(summary)}".strip())
    return tuple(filter(None, sentences))


def best_words(summary: Summary, *, folder: str = "RUN", data: str = "DATA") -> tuple[str, ...]:
    """Which map is kept, where, and the command that applies it; text between backticks is to be typed.

    Args:
        summary: of a sweep.
        folder: of the run.
        data: what the command is to map.

    Example:
        >>> best_words({"trials": [], "best": "identity"}, folder="runs/mine")
        ('Kept in `runs/mine/best`: identity, the embeddings as they are.',)
    """
    best = summary["best"]
    if best == IDENTITY:
        return (f"Kept in `{folder}/best`: identity, the embeddings as they are.",)
    checkpoint, rows = (shlex.quote(path) for path in (f"{folder}/best", data))
    return (
        f"Kept in `{folder}/best`, refitted: {trial_names(summary).get(best, best)} (`{best}`). To apply it:",
        f"`python experiments/apply.py --checkpoint={checkpoint} --data={rows} --out=aligned.npz`",
    )


def interval_words(summary: Summary) -> str:
    """The scope of the intervals and p-values of a sweep."""
    folds = summary["folds"]
    maps = "this map" if folds == 1 else f"these {folds} maps, one a fold,"
    replicates = find(summary, "statistics", "replicates")
    often = f" {replicates:,} times" if replicates else ""
    return (
        f"Intervals and p are about {maps} on fresh images, in a pool of the same size (about "
        f"{count_words(gallery_size(summary), 'image')}): what is resampled{often} are {clusters(summary)} with all "
        "their captions, not the training. In the tables p is adjusted (Holm) for all "
        f"{count_words(len(summary['trials']), 'trial')}, or all {len(summary['families'])} families."
    )


def folds_words(summary: Summary) -> str:
    """The result of the test over folds, which allows for other training images; empty where there is none."""
    from ccalign_jax.statistics import ALPHA

    selected = summary["selected"]
    p = find(selected, "delta", "both", "R@1", "p_folds")
    if p is None:
        return ""
    doubt = verdict_of(selected) in (GAIN, CLAIMED_GAIN, LOSS) and p >= ALPHA
    return (
        f"Over folds, allowing for other training images too (Nadeau–Bengio): {p_words(p)} for the mean of both "
        f"directions{', so that whether other maps would do the same is open' if doubt else ''}."
    )


def _spread_words(summary: Summary) -> Iterator[str]:
    """How far the spread over folds allows a conclusion, where there are no intervals."""
    folds = summary["folds"]
    changes = {task: summary["selected"]["delta"][task]["R@1"] for task in DIRECTIONS}
    small = [
        task for task, change in changes.items() if change["std"] is not None and abs(change["mean"]) <= change["std"]
    ]
    if small:
        which = "Both changes are" if len(small) > 1 else f"The {DIRECTION_WORDS[small[0]]} change is"
        yield f"{which} no larger than the spread over folds."
    spread = f"± is a spread over {folds} folds (standard deviation)" if folds > 1 else "one fold has not even a spread"
    yield f"No interval was computed: {spread}, and whether the change holds on other images is open."


def evaluation_headline(summary: Summary) -> tuple[str, ...]:
    """The metrics of the embeddings, the change through the map, and the best score without training."""
    identity, chance = summary["baselines"]["identity"], summary["baselines"]["chance"]
    if "metrics" not in summary:
        read = [
            f"{DIRECTION_WORDS[task]} R@1 {plain(identity[task]['R@1']['mean'])} "
            f"(chance {plain(chance[task]['R@1']['mean'])})"
            for task in DIRECTIONS
        ]
        return (f"The embeddings as they are, on {place_words(summary)}.", f"Mean over languages: {', '.join(read)}.")
    words = {**DIRECTION_WORDS, "t2t": "text to text"}
    parts = (identity, summary["metrics"], summary["delta"])
    changes = [
        result_words(words[task], *(part[task]["R@1"] for part in parts)) for task in words if task in summary["delta"]
    ]
    sentences = [
        f"Map {summary['name']} on {place_words(summary)}.",
        training_words(summary),
        f"Against identity: {'; '.join(changes)}.",
        both_words(summary),
        _free_words(summary),
        interval_note(summary),
    ]
    return tuple(filter(None, sentences))


def _free_words(summary: Mapping[str, Any]) -> str:
    """The best score on identity beside the map; empty where the map was trained on all of these images."""
    scores = find(summary, "scores", "identity") or {}
    free = {name: both(metrics)["mean"] for name, metrics in scores.items() if name != "cosine"}
    about = summary.get("training_images") or {}
    if not free or (about.get("known") and about["seen"] == about["images"]):
        return ""
    best = max(free, key=lambda name: free[name])
    return (
        f"Without any training, the best of {count_words(len(free), 'score')} on identity, "
        f"{scoring_name(summary, best)}, reads {plain(free[best])} in the mean of both directions; the map "
        f"under the plain cosine reads {plain(both(summary['metrics'])['mean'])}."
    )


def place_words(summary: Summary) -> str:
    """The data that were evaluated.

    Example:
        >>> place_words({"data": {"name": "toy", "images": 10}, "split": "test"})
        'toy, split test, 10 images'
    """
    data, split = summary["data"], summary.get("split", "all")
    return f"{data['name']}, {'' if split == 'all' else f'split {split}, '}{count_words(data['images'], 'image')}"


def interval_note(summary: Summary) -> str:
    """The scope of the intervals of an evaluation, or that there are none."""
    if not is_tested(summary):
        return "No interval was computed."
    known = find(summary, "training_images", "known")
    whose = "fresh images" if known else "images like these, if it was not trained on them"
    return (
        f"Intervals (95 %) and p are about this map on {whose}, in a pool of the same size: what is resampled are "
        f"{clusters(summary)} with all their captions."
    )


def training_words(summary: Summary) -> str:
    """How many of the images are training images of the map, and what follows for its change.

    Example:
        >>> training_words({"training_images": {"known": True, "images": 10, "seen": 0}})
        'None of the 10 images is a training image of the map, by key or by row.'
    """
    about = summary.get("training_images") or {"known": False}
    if not about["known"]:
        return (
            "Training images unknown: the map's file does not record them. If it was trained on these images, its "
            "change is in part overfitting."
        )
    whole = count_words(about["images"], "image")
    if not about["seen"]:
        return f"None of the {whole} is a training image of the map, by key or by row."
    counts = f"{about['by_key']} by key, {about['by_row']} by row"
    if about["seen"] == about["images"]:
        return (
            f"All {whole} are training images of the map ({counts}), so that its change has no interval, p or verdict: "
            "it says how well the map fits them. Its change on fresh images is in the summary.json of its own "
            "sweep (selected), or comes from evaluating images that it was not trained on."
        )
    means = {task: [plain(about[state][task]["R@1"]["mean"]) for state in (IDENTITY, "metrics")] for task in DIRECTIONS}
    read = [f"{DIRECTION_WORDS[task]} {before} → {after}" for task, (before, after) in means.items()]
    return (
        f"{about['seen']} of {whole} are training images of the map ({counts}) and are left out of all else; among "
        f"themselves, without verdict: R@1 {', '.join(read)}."
    )

"""One evaluation in words: which states there are, how they stand side by side, and what it all comes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccalign_jax.reporting.evidence import CHANGE, both_words, clusters, result_words
from ccalign_jax.reporting.figure_names import amount, figure_name, scoring_name
from ccalign_jax.reporting.wording import (
    DIRECTION_WORDS,
    DIRECTIONS,
    both_directions,
    changed,
    count_words,
    find,
    has_interval,
    level,
    plain,
)

__all__ = [
    "by_chance",
    "compared",
    "evaluation_headline",
    "evaluation_place",
    "headings",
    "interval_note",
    "maps",
    "states",
    "training_words",
]

Summary = Mapping[str, Any]


def states(summary: Summary) -> dict[str, Mapping[str, Any]]:
    """Metrics of the embeddings as they are, and through the map where there is one.

    Example:
        >>> list(states({"baselines": {"identity": {}}, "metrics": {}}))
        ['identity', 'mapped']
    """
    mapped = {"mapped": summary["metrics"]} if "metrics" in summary else {}
    return {"identity": summary["baselines"]["identity"], **mapped}


def maps(summary: Summary) -> dict[str, Mapping[str, Any]]:
    """Figures of the linear map, or of each language's; empty where the map is none.

    Example:
        >>> maps({"map": None}), maps({"map": {"per_language": {"de": {"condition": 1.0}}}})
        ({}, {'de': {'condition': 1.0}})
    """
    found = summary.get("map") or {}
    return dict(found["per_language"]) if "per_language" in found else {"all languages": found} if found else {}


def evaluation_place(summary: Summary) -> str:
    """Which data were scored.

    Example:
        >>> evaluation_place({"data": {"name": "toy", "images": 10}, "split": "test"})
        'toy, split test, 10 images'
    """
    data, split = summary["data"], summary.get("split", "all")
    return f"{data['name']}, {'' if split == 'all' else f'split {split}, '}{count_words(data['images'], 'image')}"


def headings(summary: Summary, head: str) -> list[str]:
    """Column headings of one figure: of the only state, or of identity, mapped and change.

    Example:
        >>> headings({}, "t2i R@1"), headings({"metrics": {}}, "R@1")
        (['t2i\\nR@1'], ['R@1\\nidentity', 'R@1\\nmapped', 'change'])
    """
    if "metrics" not in summary:
        return [head.replace(" ", "\n")]
    known = has_interval(find(summary, "delta", "t2i", "R@1"))
    return [f"{head}\nidentity", f"{head}\nmapped", CHANGE if known else "change"]


def compared(summary: Summary, *path: str) -> list[str]:
    """The cells below `headings`: the metric at a path such as `t2i`, `per_language`, `de`, `R@1`."""
    places = figure_name(path[-1]).places
    cells = [level(find(metrics, *path), places) for metrics in states(summary).values()]
    return [*cells, changed(find(summary["delta"], *path), places)] if "metrics" in summary else cells


def by_chance(summary: Summary, *path: str) -> list[str]:
    """The cells below `headings` in a row of chance."""
    figure = find(summary["baselines"]["chance"], *path, "mean")
    return [amount(figure, figure_name(path[-1]).places), *[""] * (len(headings(summary, "")) - 1)]


def interval_note(summary: Summary) -> str:
    """What the intervals of an evaluation refer to, or that there are none."""
    if not has_interval(summary["delta"]["t2i"]["R@1"]):
        return "No interval was computed."
    known = find(summary, "training_images", "known")
    whose = "fresh images" if known else "images like these, if it was not trained on them"
    return (
        f"Intervals (95 %) and p are about this map on {whose}, in a pool of the same size: what is drawn anew are "
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
    ways = f"{about['by_key']} by key, {about['by_row']} by row"
    if about["seen"] == about["images"]:
        return (
            f"All {whole} are training images of the map ({ways}), so that its change has no interval, p or verdict: "
            "it says how well the map fits them. Its change on fresh images is in the summary.json of its own "
            "sweep (selected), or comes from evaluating images that it was not trained on."
        )
    read = [f"{DIRECTION_WORDS[way]} {_from_to(about, way)}" for way in DIRECTIONS]
    return (
        f"{about['seen']} of {whole} are training images of the map ({ways}) and are left out of all else; among "
        f"themselves, without verdict: R@1 {', '.join(read)}."
    )


def _from_to(part: Mapping[str, Any], way: str) -> str:
    before, after = (plain(part[state][way]["R@1"]["mean"]) for state in ("identity", "metrics"))
    return f"{before} → {after}"


def evaluation_headline(summary: Summary) -> tuple[str, ...]:
    """The result in a few sentences: what the embeddings do, what the map changes, and what scores alone would.

    Args:
        summary: of an evaluation.
    """
    identity, place = summary["baselines"]["identity"], evaluation_place(summary)
    chance = summary["baselines"]["chance"]
    if "metrics" not in summary:
        read = [
            f"{DIRECTION_WORDS[d]} R@1 {plain(identity[d]['R@1']['mean'])} (chance {plain(chance[d]['R@1']['mean'])})"
            for d in DIRECTIONS
        ]
        return (f"The embeddings as they are, on {place}.", f"Mean over languages: {', '.join(read)}.")
    said = [f"Map {summary['name']} on {place}."]
    changes = {task: summary["delta"][task]["R@1"] for task in (*DIRECTIONS, "t2t") if task in summary["delta"]}
    words = {**DIRECTION_WORDS, "t2t": "text to text"}
    read = [
        result_words(words[task], identity[task]["R@1"], summary["metrics"][task]["R@1"], change)
        for task, change in changes.items()
    ]
    said.append(training_words(summary))
    said.append(f"Against identity: {'; '.join(read)}.")
    said.append(both_words(summary))
    free = {name: both_directions(figures) for name, figures in (find(summary, "scores", "identity") or {}).items()}
    free.pop("cosine", None)
    about = summary.get("training_images") or {}
    # On its training images a map has an unfair advantage over scores.
    if free and (not about.get("known") or about["seen"] < about["images"]):
        best = max(free, key=lambda name: free[name])
        said.append(
            f"Without any training, the best of {count_words(len(free), 'score')} on identity, "
            f"{scoring_name(summary, best)}, reads {plain(free[best])} in the mean of both directions; the map "
            f"under the plain cosine reads {plain(both_directions(summary['metrics']))}."
        )
    said.append(interval_note(summary))
    return tuple(said)

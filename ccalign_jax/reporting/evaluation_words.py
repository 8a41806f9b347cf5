"""One evaluation in words: which states there are, how they stand side by side, and what it all comes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccalign_jax.reporting.figure_names import amount, change, figure_name, scoring_name
from ccalign_jax.reporting.wording import (
    DIRECTION_WORDS,
    DIRECTIONS,
    both_directions,
    count_words,
    find,
    mean_change_words,
    plain,
    signed_spread,
)

__all__ = [
    "by_chance",
    "compared",
    "evaluation_headline",
    "evaluation_place",
    "headings",
    "interval",
    "maps",
    "states",
]

Summary = Mapping[str, Any]


def interval(figure: Mapping[str, Any], places: int = 3) -> str:
    """The 95 % interval of a change, or nothing where none was computed.

    Example:
        >>> interval({"low": -0.01, "high": 0.02}), interval({"low": None, "high": None})
        ('−.010 to +.020', '')
    """
    if figure.get("low") is None:
        return ""
    return f"{change(0.0, figure['low'], places)} to {change(0.0, figure['high'], places)}"


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
    return [f"{head}\nidentity", f"{head}\nmapped", "change"]


def compared(summary: Summary, *path: str) -> list[str]:
    """The cells below `headings`: the metric at a path such as `t2i`, `per_language`, `de`, `R@1`."""
    places = figure_name(path[-1]).places
    cells = [amount(find(metrics, *path, "mean"), places) for metrics in states(summary).values()]
    if "metrics" not in summary:
        return cells
    figure = find(summary["delta"], *path)
    return [*cells, signed_spread(figure) if places == 3 else change(0.0, find(figure, "mean"), places)]


def by_chance(summary: Summary, *path: str) -> list[str]:
    """The cells below `headings` in a row of chance."""
    figure = find(summary["baselines"]["chance"], *path, "mean")
    return [amount(figure, figure_name(path[-1]).places), *[""] * (len(headings(summary, "")) - 1)]


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
    changes = {route: summary["delta"][route]["R@1"] for route in (*DIRECTIONS, "t2t") if route in summary["delta"]}
    words = {**DIRECTION_WORDS, "t2t": "text to text"}
    read = [
        f"{words[route]} R@1 {plain(identity[route]['R@1']['mean'])} → "
        f"{plain(summary['metrics'][route]['R@1']['mean'])} ({signed_spread(change).replace('±', ' ± ')})"
        for route, change in changes.items()
    ]
    said.append(f"Against identity: {', '.join(read)}.")
    said.append(mean_change_words([changes[direction]["mean"] for direction in DIRECTIONS]))
    free = {name: both_directions(figures) for name, figures in (find(summary, "scores", "identity") or {}).items()}
    free.pop("cosine", None)
    if free:
        best = max(free, key=lambda name: free[name])
        said.append(
            f"Without any training, the best of {count_words(len(free), 'score')} on identity, "
            f"{scoring_name(summary, best)}, reads {plain(free[best])} in the mean of both directions; the map "
            f"under the plain cosine reads {plain(both_directions(summary['metrics']))}."
        )
    known = [f"{words[route]} {interval(change)}" for route, change in changes.items() if interval(change)]
    said.append(f"95 % intervals of the changes: {', '.join(known)}." if known else "No interval is computed yet.")
    return tuple(said)

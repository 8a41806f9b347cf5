"""Figures and choices in words: how they are written everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "both_directions",
    "chosen_words",
    "count_words",
    "find",
    "gap",
    "mean_change_words",
    "plain",
    "pool_size",
    "range_words",
    "signed",
    "signed_spread",
]

DIRECTIONS = ("t2i", "i2t")
DIRECTION_WORDS = {"t2i": "text to image", "i2t": "image to text"}
NOTHING = "—"

Figure = Mapping[str, Any]


def plain(value: float | None) -> str:
    """A share in three decimals without its leading zero.

    Example:
        >>> plain(0.4857), plain(1.0), plain(None)
        ('.486', '1.000', '—')
    """
    return NOTHING if value is None else f"{value:.3f}".removeprefix("0")


def signed(value: float | None) -> str:
    """A change with its sign; what rounds to zero has none.

    Example:
        >>> signed(0.041), signed(-0.27), signed(-0.0002), signed(None)
        ('+.041', '−.270', '.000', '—')
    """
    if value is None:
        return NOTHING
    size = plain(abs(value))
    return size if size == ".000" else ("−" if value < 0 else "+") + size


def signed_spread(figure: Figure | None) -> str:
    """A change, and its standard deviation over folds where there is one.

    Example:
        >>> signed_spread({"mean": 0.041, "std": 0.017}), signed_spread({"mean": 0.041, "std": None})
        ('+.041±.017', '+.041')
    """
    if figure is None:
        return NOTHING
    return signed(figure["mean"]) + ("" if figure["std"] is None else "±" + plain(figure["std"]))


def find(tree: Any, *path: str) -> Any:
    """What lies at a path of keys, or None.

    Example:
        >>> find({"a": {"b": 1}}, "a", "b"), find({"a": {}}, "a", "b")
        (1, None)
    """
    for key in path:
        if not isinstance(tree, Mapping) or key not in tree:
            return None
        tree = tree[key]
    return tree


def pool_size(summary: Mapping[str, Any]) -> int:
    """Images of the gallery: what is left of chance's R@1, which is one in so many."""
    chance = find(summary, "baselines", "chance", "t2i", "R@1", "mean")
    return round(1 / chance) if chance else max(summary["data"]["images"] // summary["folds"], 1)


def count_words(count: int, what: str) -> str:
    """So many of something.

    Example:
        >>> count_words(1, "trial"), count_words(2, "trial")
        ('1 trial', '2 trials')
    """
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def range_words(values: Sequence[int]) -> str:
    """Smallest and largest of whole numbers.

    Example:
        >>> range_words([14, 19, 16]), range_words([3, 3])
        ('14–19', '3')
    """
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low}–{high}"


def chosen_words(names: Sequence[str]) -> str:
    """Which trial was chosen in how many folds, the most frequent first.

    Example:
        >>> chosen_words(["a", "b", "a"]), chosen_words(["a", "a"]), chosen_words(["a"])
        ('a in 2 of 3 folds; b in 1', 'a in all 2 folds', 'a')
    """
    counts = Counter(names).most_common()
    if len(names) == 1:
        return names[0]
    if len(counts) == 1:
        return f"{names[0]} in all {len(names)} folds"
    (first, times), *rest = counts
    return "; ".join([f"{first} in {times} of {len(names)} folds", *(f"{name} in {count}" for name, count in rest)])


def mean_change_words(changes: Sequence[float]) -> str:
    """Which way the mean of both directions went.

    Example:
        >>> mean_change_words([0.04, -0.01]), mean_change_words([0.01, -0.01])
        ('The mean of both directions rose by .015.', 'The mean of both directions did not change.')
    """
    mean = sum(changes) / len(changes)
    size = plain(abs(mean))
    verb = "did not change" if size == ".000" else f"{'rose' if mean > 0 else 'fell'} by {size}"
    return f"The mean of both directions {verb}."


def gap(part: Mapping[str, Any], direction: str) -> str:
    """R@1 on training images minus R@1 on the holdout; empty where it was not measured."""
    train = find(part, "train_metrics", direction, "R@1", "mean")
    return "" if train is None else signed(train - part["metrics"][direction]["R@1"]["mean"])


def both_directions(metrics: Mapping[str, Any], metric: str = "R@1") -> float:
    """The mean of both directions: what only one of them gains may be lost by the other.

    Args:
        metrics: or changes of them.
        metric: by default R@1.

    Example:
        >>> both_directions({"t2i": {"R@1": {"mean": 0.5}}, "i2t": {"R@1": {"mean": 0.25}}})
        0.375
    """
    return sum(metrics[direction][metric]["mean"] for direction in DIRECTIONS) / len(DIRECTIONS)

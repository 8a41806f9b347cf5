"""Estimates, counts and choices as text, written in one form everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ccalign_jax._names import BOTH, DIRECTIONS

NOTHING = "—"
LARGE = 1e5  # larger numbers are written with an exponent

Estimate = Mapping[str, Any]  # mean, and where known std, low, high, p and p_adjusted
Summary = Mapping[str, Any]  # the content of a summary.json


def plain(value: float | None, places: int = 3) -> str:
    """A number of any size and sign; three decimals go without a leading zero.

    Example:
        >>> plain(0.4857), plain(-0.02), plain(None), plain(136.61, 1), plain(2.5e7, 1)
        ('.486', '−.020', '—', '136.6', '2.5e+07')
    """
    if value is None:
        return NOTHING
    size = f"{abs(value):.{places}f}" if abs(value) < LARGE else f"{abs(value):.1e}"
    sign = "−" if value < 0 and float(size) else ""
    return sign + (size.removeprefix("0") if places > 2 else size)


def signed(value: float | None, places: int = 3) -> str:
    """A change with its sign; what rounds to zero has none.

    Example:
        >>> signed(0.041), signed(-0.27), signed(-0.0002), signed(None), signed(2.0, 1)
        ('+.041', '−.270', '.000', '—', '+2.0')
    """
    if value is None:
        return NOTHING
    size = plain(abs(value), places)
    return size if not float(size) else ("−" if value < 0 else "+") + size


def difference(before: float | None, after: float | None, places: int = 3) -> str:
    """The second number minus the first.

    Example:
        >>> difference(0.25, 0.5), difference(2.0, 1.0, 1), difference(None, 1.0)
        ('+.250', '−1.0', '—')
    """
    return signed(None if before is None or after is None else after - before, places)


def has_interval(estimate: Estimate | None) -> bool:
    """Whether the 95 % interval of an estimate was computed."""
    return estimate is not None and estimate.get("low") is not None


def level(estimate: Estimate | None, places: int = 3) -> str:
    """A level, and its 95 % interval where there is one.

    Example:
        >>> level({"mean": 0.591, "low": 0.575, "high": 0.607}), level({"mean": 0.591, "low": None, "high": None})
        ('.591 [.575, .607]', '.591')
    """
    if estimate is None:
        return NOTHING
    ends = ""
    if has_interval(estimate):
        ends = f" [{plain(estimate['low'], places)}, {plain(estimate['high'], places)}]"
    return plain(estimate["mean"], places) + ends


def changed(estimate: Estimate | None, places: int = 3) -> str:
    """A change with its 95 % interval and adjusted p; without an interval, its standard deviation over folds.

    Example:
        >>> changed({"mean": 0.105, "std": 0.013, "low": 0.091, "high": 0.119, "p_adjusted": 0.0001})
        '+.105 [+.091, +.119] p<.001'
        >>> changed({"mean": 0.041, "std": 0.017}), changed({"mean": 0.041, "std": None})
        ('+.041±.017', '+.041')
    """
    if estimate is None:
        return NOTHING
    mean = signed(estimate["mean"], places)
    if not has_interval(estimate):
        spread = estimate.get("std")
        return mean if spread is None else f"{mean}±{plain(spread, places)}"
    p = estimate.get("p_adjusted")
    test = "" if p is None else " " + p_words(p).replace(" ", "")
    return f"{mean} [{signed(estimate['low'], places)}, {signed(estimate['high'], places)}]{test}"


def change_words(estimate: Estimate) -> str:
    """A change within a sentence.

    Example:
        >>> change_words({"mean": 0.105, "std": 0.013, "low": 0.091, "high": 0.119, "p_adjusted": 0.0001})
        '+.105, 95 % interval +.091 to +.119, p < .001'
        >>> change_words({"mean": 0.041, "std": 0.017})
        '+.041 ± .017'
    """
    if not has_interval(estimate):
        return changed(estimate).replace("±", " ± ")
    p = estimate.get("p_adjusted")
    ends = f"{signed(estimate['mean'])}, 95 % interval {signed(estimate['low'])} to {signed(estimate['high'])}"
    return ends if p is None else f"{ends}, {p_words(p)}"


def p_words(p: float) -> str:
    """A p-value, always as wide.

    Example:
        >>> p_words(0.0001), p_words(0.034), p_words(1.0)
        ('p < .001', 'p = .034', 'p > .999')
    """
    return "p < .001" if p < 0.001 else "p > .999" if p > 0.999 else f"p = {plain(p)}"


def find(tree: Any, *path: str) -> Any:
    """The value at a path of keys, or None.

    Example:
        >>> find({"a": {"b": 1}}, "a", "b"), find({"a": {}}, "a", "b")
        (1, None)
    """
    for key in path:
        if not isinstance(tree, Mapping) or key not in tree:
            return None
        tree = tree[key]
    return tree


def both(metrics: Mapping[str, Any], metric: str = "R@1") -> Estimate:
    """The estimate of the mean of both directions; of metrics (or changes) that lack it, its mean alone.

    Example:
        >>> both({"t2i": {"R@1": {"mean": 0.5}}, "i2t": {"R@1": {"mean": 0.25}}})
        {'mean': 0.375}
    """
    mean = find(metrics, BOTH, metric)
    return mean or {"mean": sum(metrics[task][metric]["mean"] for task in DIRECTIONS) / len(DIRECTIONS)}


def gap(part: Mapping[str, Any], direction: str) -> str:
    """R@1 on training images minus R@1 on the test part; empty where it was not measured."""
    known = find(part, "gap", direction, "R@1")
    if has_interval(known):
        return changed(known)
    train = find(part, "train_metrics", direction, "R@1", "mean")
    return "" if train is None else signed(train - part["metrics"][direction]["R@1"]["mean"])


def gallery_size(summary: Summary) -> int:
    """Images of the gallery, the inverse of the R@1 of chance."""
    chance = find(summary, "baselines", "chance", "t2i", "R@1", "mean")
    folds = summary["folds"] // summary.get("repeats", 1)
    return round(1 / chance) if chance else max(summary["data"]["images"] // folds, 1)


def count_words(count: int, what: str) -> str:
    """A count and its noun.

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

"""Estimates, counts and choices as text, written in one form everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ccalign_jax._names import IDENTITY
from ccalign_jax.reporting.cells import Cell, fixed

Estimate = Mapping[str, Any]  # mean, and where known std, low, high, p and p_adjusted
Summary = Mapping[str, Any]  # the content of a summary.json

NOTHING = "—"
LARGE = 1e5  # larger numbers are written with an exponent

GAIN, CLAIMED_GAIN, NO_EVIDENCE, LOSS = "gain", "claimed gain", "no evidence", "loss"

CHANGE = "change, p\n[95 %]"  # a heading
DIRECTION_NOTE = (
    "t2i: a caption looks for its image; i2t: an image looks for any of its captions, one language at a time. "
    "R@1: share of queries whose first hit is right. All languages weigh the same."
)
CHANGE_NOTE = "change: against identity, the embeddings as they are, on the same queries."
INTERVAL_NOTE = "[ ]: 95 % interval. p: paired sign flips over {}, {}."


def plain(value: float | None, places: int = 3) -> str:
    """A number of any size and sign; three decimals go without a leading zero.

    Example:
        >>> plain(0.4857), plain(-0.02), plain(None), plain(136.61, 1), plain(2.5e7, 1)
        ('.486', '−.020', '—', '136.6', '2.5e+07')
    """
    if value is None:
        return NOTHING
    size = fixed(abs(value), places) if abs(value) < LARGE else f"{abs(value):.1e}"
    sign = "−" if value < 0 and float(size) else ""
    return Cell.of(sign + (size.removeprefix("0") if places > 2 else size), {"mean": value})


def signed(value: float | None, places: int = 3) -> str:
    """A change with its sign; what rounds to zero has none.

    Example:
        >>> signed(0.041), signed(-0.27), signed(-0.0002), signed(None), signed(2.0, 1)
        ('+.041', '−.270', '.000', '—', '+2.0')
    """
    if value is None:
        return NOTHING
    size = plain(abs(value), places)
    return Cell.of(size if not float(size) else ("−" if value < 0 else "+") + size, {"mean": value})


def difference(before: float | None, after: float | None, places: int = 3) -> str:
    """The second number minus the first."""
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
    low, high = (plain(estimate.get(end), places) for end in ("low", "high"))
    ends = f" [{low}, {high}]" if has_interval(estimate) else ""
    return Cell.of(plain(estimate["mean"], places) + ends, estimate)


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
    mean, spread = signed(estimate["mean"], places), estimate.get("std")
    if not has_interval(estimate):
        return Cell.of(mean if spread is None else f"{mean}±{plain(spread, places)}", estimate)
    ends = f"{mean} [{signed(estimate['low'], places)}, {signed(estimate['high'], places)}]"
    return Cell.of(f"{ends} {adjusted_words(estimate).replace(' ', '')}".rstrip(), estimate)


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
    mean, low, high = (signed(estimate[key]) for key in ("mean", "low", "high"))
    return ", ".join(filter(None, (mean, f"95 % interval {low} to {high}", adjusted_words(estimate))))


def p_words(p: float, *, at_floor: bool = False) -> str:
    """A p-value, always as wide; one that cannot be less, for want of sign flips, is an upper bound.

    Example:
        >>> p_words(0.0001), p_words(0.034), p_words(1.0), p_words(0.161, at_floor=True)
        ('p < .001', 'p = .034', 'p > .999', 'p ≤ .161')
    """
    return "p < .001" if p < 0.001 else "p > .999" if p > 0.999 else f"p {'≤' if at_floor else '='} {plain(p)}"


def adjusted_words(change: Estimate) -> str:
    """The adjusted p of a change; empty where it was not tested."""
    from ccalign_jax.statistics import FLIPS

    p, raw = change.get("p_adjusted"), change.get("p")
    return "" if p is None else p_words(p, at_floor=raw is not None and raw * (FLIPS + 1) <= 1.0001)


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


def identity_part(summary: Summary) -> dict[str, Any]:
    """Metrics of identity on the test part and on training images, in the form of those of a family."""
    baselines = summary["baselines"]
    return {"metrics": baselines[IDENTITY], "train_metrics": baselines.get("identity_train", {})}


def gap(part: Mapping[str, Any], direction: str) -> str:
    """R@1 on training images minus R@1 on the test part; empty where it was not measured."""
    known = find(part, "gap", direction, "R@1")
    if has_interval(known):
        return changed(known)
    train = find(part, "train_metrics", direction, "R@1", "mean")
    return "" if train is None else difference(part["metrics"][direction]["R@1"]["mean"], train)


def is_tested(summary: Summary) -> bool:
    """Whether the changes of a sweep's choice, or of an evaluated map, have intervals."""
    return has_interval(find(summary.get("selected", summary), "delta", "t2i", "R@1"))


def bars_words(summary: Summary) -> str:
    """What the bars of a plot are."""
    folds = summary.get("folds", 1)
    spread = f"bars: standard deviation over {folds} folds, not an interval" if folds > 1 else "no interval, no spread"
    return "bars: 95 % intervals" if is_tested(summary) else spread


def change_heading(summary: Summary) -> str:
    """The heading of changes: with interval and p, or the spread over folds, or neither."""
    return CHANGE if is_tested(summary) else "change\n±fold std" if summary.get("folds", 1) > 1 else "change"


def cell_note(summary: Summary, rows: str = "families") -> Iterator[str]:
    """How a cell with an interval, or a spread, is read; p is adjusted over `rows`: `families` or `trials`."""
    if is_tested(summary):
        adjusted = f"adjusted (Holm) for the number of {rows} ({len(summary[rows])}); selected is one hypothesis"
        yield INTERVAL_NOTE.format(clusters(summary), adjusted)
    elif summary["folds"] > 1:
        yield "± is the standard deviation over folds: a spread, not a confidence interval."


def clusters(summary: Summary) -> str:
    """The unit that is resampled."""
    return "groups of images" if find(summary, "statistics", "cluster") == "group of images" else "images"


def count_words(count: int, what: str) -> str:
    """A count and its noun: `1 trial`, `2 trials`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def chosen_words(names: Sequence[str]) -> str:
    """Which trial was chosen in how many folds, the most frequent first.

    Example:
        >>> chosen_words(["a", "b", "a"]), chosen_words(["a", "a"]), chosen_words(["a"])
        ('a in 2 of 3 folds; b in 1', 'a in both folds', 'a')
    """
    (first, times), *rest = Counter(names).most_common()
    if not rest:
        return first if times == 1 else f"{first} in {'both' if times == 2 else f'all {times}'} folds"
    return "; ".join([f"{first} in {times} of {len(names)} folds", *(f"{name} in {count}" for name, count in rest)])

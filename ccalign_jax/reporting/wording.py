"""Figures and results in words: how numbers, families and choices are written everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["aligner_name", "chosen_words", "family_labels", "headline", "plain", "pool_size", "range_words", "signed"]

DIRECTIONS = ("t2i", "i2t")
DIRECTION_WORDS = {"t2i": "text to image", "i2t": "image to text"}
NOTHING = "—"

_ALIGNERS = {
    "identity": "identity",
    "linear": "linear W (unconstrained)",
    "residual": "residual W = I + ΔW",
    "residual_mlp": "residual MLP",
}

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


def aligner_name(aligner: str) -> str:
    """What a reader calls an aligner; combinations keep the name they have on the command line.

    Example:
        >>> aligner_name("residual"), aligner_name("dual(residual)")
        ('residual W = I + ΔW', 'dual(residual)')
    """
    return _ALIGNERS.get(aligner, aligner)


def family_labels(families: Sequence[Mapping[str, Any]]) -> list[str]:
    """A short label for each family: pivot and loss only where they differ.

    Example:
        >>> family_labels([{"pivot": "image", "aligner": "linear", "loss": "mse"}])
        ['linear']
    """
    shown = [key for key in ("pivot", "aligner", "loss") if key == "aligner" or _varies(families, key)]
    return [" · ".join(family[key] for key in shown) for family in families]


def setting_words(families: Sequence[Mapping[str, Any]]) -> str:
    """The pivot and the loss that all families share, for a title.

    Example:
        >>> setting_words([{"pivot": "image", "aligner": "linear", "loss": "mse"}])
        ', pivot image, loss mse'
    """
    shared = [key for key in ("pivot", "loss") if families and not _varies(families, key)]
    return "".join(f", {key} {families[0][key]}" for key in shared)


def pool_size(summary: Mapping[str, Any]) -> int:
    """Images of the gallery: what is left of chance's R@1, which is one in so many."""
    chance = find(summary, "baselines", "chance", "t2i", "R@1", "mean")
    return round(1 / chance) if chance else max(summary["data"]["images"] // summary["folds"], 1)


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
        ('a in 2 of 3 folds, b in 1', 'a in all 2 folds', 'a')
    """
    counts = Counter(names).most_common()
    if len(names) == 1:
        return names[0]
    if len(counts) == 1:
        return f"{names[0]} in all {len(names)} folds"
    (first, times), *rest = counts
    return ", ".join([f"{first} in {times} of {len(names)} folds", *(f"{name} in {count}" for name, count in rest)])


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


def headline(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """The result in a few sentences: what was chosen, what it earns both ways, and how far to trust it.

    Args:
        summary: the content of `summary.json`.
    """
    selected, folds = summary["selected"], summary["folds"]
    said = [f"Chosen: {chosen_words(selected['per_fold'])}."]
    if set(selected["per_fold"]) == {"identity"}:
        return (*said, "No trial beat the embeddings as they are on the inner parts, so that nothing is changed.")
    changes = {direction: selected["delta"][direction]["R@1"] for direction in DIRECTIONS}
    earned = [
        f"{DIRECTION_WORDS[direction]} R@1 {plain(summary['baselines']['identity'][direction]['R@1']['mean'])} → "
        f"{plain(selected['metrics'][direction]['R@1']['mean'])} ({signed_spread(change).replace('±', ' ± ')})"
        for direction, change in changes.items()
    ]
    said.append(f"Against identity, on images kept out of training: {', '.join(earned)}.")
    said.append(mean_change_words([change["mean"] for change in changes.values()]))
    small = [d for d, change in changes.items() if change["std"] is not None and abs(change["mean"]) <= change["std"]]
    if small:
        which = "Both changes are" if len(small) > 1 else f"The {DIRECTION_WORDS[small[0]]} change is"
        said.append(f"{which} no larger than the spread over folds.")
    if any(change["low"] is None for change in changes.values()):
        spread = (
            f"± is a spread over {folds} folds (standard deviation)" if folds > 1 else "one fold has not even a spread"
        )
        said.append(f"No interval is computed yet: {spread}, and whether the change holds on other images is open.")
    else:
        said += [
            f"95 % interval, {DIRECTION_WORDS[direction]}: {signed(change['low'])} to {signed(change['high'])}."
            for direction, change in changes.items()
        ]
    if summary["protocol"] == "seed":
        said.append("Optimistic: under the seed protocol the choice was made on the very folds that are reported.")
    return tuple(said)


def _varies(families: Sequence[Mapping[str, Any]], key: str) -> bool:
    return len({family[key] for family in families}) > 1

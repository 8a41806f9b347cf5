"""Expected recall in a smaller gallery, exact over all random choices of rivals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.metrics.counts import Ranks

__all__ = ["expected_recall", "recall_curve"]


def expected_recall(
    ranks: Ranks, gallery: int, size: int, *, k: int = 1, gold: Int[np.ndarray, " q"] | int = 1
) -> Float[np.ndarray, " q"]:
    """Probability that a gold answer is among the first `k` when `size` of `gallery` items are left.

    A query keeps its gold answers, and its rivals are a random part, drawn without replacement: how many of
    those better than the best gold answer are drawn is hypergeometric. With one gold answer at rank r of N,
    R@1 at size m is C(N − r, m − 1) / C(N − 1, m − 1). Ties count at their expectation, as in `recall_at`,
    which this is at `size` = `gallery`.

    Args:
        ranks: of `[q]` queries, from the whole gallery.
        gallery: N, the number of items that were ranked.
        size: m, of the smaller gallery; at least the gold answers of every query, at most N.
        k: ≥ 1.
        gold: gold answers of each query, `[q]` or one number for all.

    Returns:
        `[q]` float64 in [0, 1]; 0 where there is no gold answer.

    Raises:
        ValueError: a `size` or `k` outside its range, or ranks that do not fit into the gallery.

    Example:
        >>> third_of_four = Ranks(*(np.array([number]) for number in (2, 0, 1, 1 / 3, 1 / 3, 0.5)))
        >>> expected_recall(third_of_four, 4, 2).round(6).tolist()
        [0.333333]
    """
    better, equal, tied = (np.asarray(part).astype(np.int64) for part in (ranks.better, ranks.equal, ranks.tied))
    known = tied > 0
    answers = np.where(known, np.broadcast_to(np.asarray(gold, np.int64), better.shape), 1)
    if k < 1:
        raise ValueError(f"k is {k}; it must be at least 1")
    if not 1 <= size <= gallery:
        raise ValueError(f"size is {size}; it must be from 1 to the gallery's {gallery}")
    if answers.max(initial=1) > size:
        raise ValueError(f"a query has {answers.max()} gold answers, which no gallery of {size} holds; raise size")
    if (answers < tied).any() or (better + equal + answers > gallery)[known].any():
        raise ValueError(f"the ranks are not of a gallery of {gallery} items with so many gold answers each")
    found = np.zeros(len(better))
    for count in np.unique(answers[known]):
        # at[b]: recall of a gold answer with b rivals before it
        at = _recall_by_rivals(int(gallery - count), int(size - count), k)
        rows = known & (answers == count)
        alone = rows & (tied == 1)
        # one gold answer stands before 0 … E of the rivals that tie with it, all alike
        below = np.concatenate([[0.0], np.cumsum(at)])
        ends = better[alone] + equal[alone] + 1
        found[alone] = (below[ends] - below[better[alone]]) / (equal[alone] + 1)
        exact = alone & (equal == 0)
        found[exact] = at[better[exact]]
        for row in np.flatnonzero(rows & (tied > 1)):
            chances = _rivals_before_first(int(equal[row]), int(tied[row]))
            found[row] = chances @ at[better[row] : better[row] + equal[row] + 1]
    return np.clip(found, 0.0, 1.0)


def recall_curve(
    ranks: Ranks, gallery: int, sizes: Sequence[int], *, k: int = 1, gold: Int[np.ndarray, " q"] | int = 1
) -> Float[np.ndarray, " sizes"]:
    """Mean expected recall over the queries at each gallery size, to compare results from galleries of unlike size.

    Args:
        ranks, gallery, k, gold: as in `expected_recall`.
        sizes: each as `size` there.

    Returns:
        `[sizes]` float64.

    Raises:
        ValueError: as `expected_recall`, or no query.

    Example:
        >>> third_of_four = Ranks(*(np.array([number]) for number in (2, 0, 1, 1 / 3, 1 / 3, 0.5)))
        >>> recall_curve(third_of_four, 4, [1, 2, 3, 4]).round(6).tolist()
        [1.0, 0.333333, 0.0, 0.0]
    """
    known = np.asarray(ranks.tied) > 0
    if not known.any():
        raise ValueError("no query has a gold answer")
    return np.array([expected_recall(ranks, gallery, size, k=k, gold=gold)[known].mean() for size in sizes])


def _recall_by_rivals(rivals: int, drawn: int, k: int) -> Float[np.ndarray, " rivals_and_one"]:
    """P(fewer than `k` of the first b rivals are among the `drawn`), for b = 0 … `rivals`."""
    log_factorial = np.array([math.lgamma(number + 1) for number in range(rivals + 1)])

    def log_choose(of: np.ndarray, some: np.ndarray | int) -> np.ndarray:
        possible = (np.asarray(some) >= 0) & (np.asarray(some) <= of)
        some = np.where(possible, some, 0)
        return np.where(possible, log_factorial[of] - log_factorial[some] - log_factorial[of - some], -np.inf)

    before = np.arange(rivals + 1)
    all_replicates = log_choose(np.array(rivals), drawn)
    total = np.zeros(rivals + 1)
    for hits in range(min(k, drawn + 1)):
        total += np.exp(log_choose(before, hits) + log_choose(rivals - before, drawn - hits) - all_replicates)
    return np.minimum(total, 1.0)


def _rivals_before_first(equal: int, tied: int) -> Float[np.ndarray, " equal_and_one"]:
    """P(x rivals stand before the first gold answer), x = 0 … `equal`, all `equal + tied` in random order."""
    places = np.arange(equal + 1)
    none_yet = np.cumprod(np.concatenate([[1.0], (equal - places[:-1]) / (equal + tied - places[:-1])]))
    return none_yet * tied / (equal + tied - places)

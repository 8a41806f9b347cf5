"""Retrieval metrics from ranks: R@k, MRR, mAP, median rank and nDCG, in expectation over the order of ties."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ccalign_jax.errors import InputError
from ccalign_jax.metrics.counts import GAINS, NDCG_PLACES, Ranks, each_answer_once
from ccalign_jax.numerics import AnyArray

__all__ = [
    "METRICS",
    "Metric",
    "all_tied",
    "expected_rank",
    "macro",
    "mean_metrics",
    "recall_at",
    "register_metric",
    "resolve_ties",
    "retrieval_metrics",
]


class Metric(NamedTuple):
    """A retrieval metric.

    Attributes:
        per_query: the value of each query, from NumPy ranks.
        statistic: over queries.
        better: which values are better.
    """

    per_query: Callable[[Ranks], Float[AnyArray, " q"]]
    statistic: Literal["mean", "median"] = "mean"
    better: Literal["higher", "lower"] = "higher"


def recall_at(ranks: Ranks, k: int) -> Float[Array, " q"]:
    """Probability, over random orders of the ties, that a gold answer stands among the first `k`.

    With B better and E equal rivals and one gold answer it is clip((k − B) / (E + 1), 0, 1).

    Args:
        ranks: of `[q]` queries, NumPy or JAX arrays.
        k: ≥ 1, static.

    Returns:
        `[q]` in [0, 1]; 0 where there is no gold answer.

    Example:
        >>> two = np.array([2])
        >>> recall_at(Ranks(0 * two, two, two // 2, two, two, two), 2).tolist()
        [0.6666666666666666]
    """
    xp = np if isinstance(ranks.better, np.ndarray) else jnp
    if xp is np and ranks.tied.max(initial=0) <= 1:  # the common case, which needs no loop
        return xp.clip((k - ranks.better) / (ranks.equal + 1.0), 0.0, 1.0) * ranks.tied
    places = xp.clip(k - ranks.better, 0, ranks.equal + ranks.tied)
    missed = xp.ones_like(ranks.better, dtype=np.float64 if xp is np else jnp.float32)
    for place in range(k):
        left = xp.maximum(ranks.equal + ranks.tied - place, 1)
        missed = missed * xp.where(place < places, xp.maximum(ranks.equal - place, 0) / left, 1.0)
    return xp.where(ranks.tied > 0, 1.0 - missed, 0.0)


def expected_rank(ranks: Ranks) -> Float[np.ndarray, " q"]:
    """Rank of the best gold answer of each query, `[q]` ≥ 1, in expectation over the order of ties.

    Example:
        >>> two = np.array([2])
        >>> expected_rank(Ranks(0 * two, two, two // 2, two, two, two)).tolist()
        [2.0]
    """
    return np.asarray(ranks.better + 1 + ranks.equal / (ranks.tied + 1))


METRICS: dict[str, Metric] = {
    "R@1": Metric(partial(recall_at, k=1)),
    "R@5": Metric(partial(recall_at, k=5)),
    "R@10": Metric(partial(recall_at, k=10)),
    "MRR": Metric(lambda ranks: ranks.reciprocal_rank),
    "mAP": Metric(lambda ranks: ranks.average_precision),
    "median_rank": Metric(expected_rank, "median", "lower"),
    "nDCG@10": Metric(lambda ranks: ranks.ndcg),
}


def register_metric(name: str, per_query: Callable[[Ranks], Float[AnyArray, " q"]]) -> None:
    """Register a metric, the mean over queries of a function of their ranks; a sweep then reports it with the others.

    Args:
        name: in summaries and tables.
        per_query: values in [0, 1], the higher the better, of the queries of `Ranks` of NumPy arrays.

    Raises:
        InputError: the name is taken, or empty, or `per_query` is no function.

    Example:
        >>> register_metric("R@3", partial(recall_at, k=3))
        >>> from ccalign_jax.metrics import rank
        >>> retrieval_metrics(rank(jnp.eye(3), jnp.eye(3), jnp.arange(3)[:, None]))["R@3"]
        1.0
        >>> del METRICS["R@3"]
    """
    if not name or name in METRICS or name == "per_language":
        raise InputError(f"metric {name!r}: the name is {'taken' if name else 'empty'}; choose another")
    if not callable(per_query):
        raise InputError(f"metric {name!r}: {type(per_query).__name__} is no function; give the function itself")
    METRICS[name] = Metric(per_query)


def mean_metrics() -> tuple[str, ...]:
    """The metrics that are means over queries."""
    return tuple(name for name, metric in METRICS.items() if metric.statistic == "mean")


def resolve_ties(ranks: Ranks, how: Literal["optimistic", "pessimistic"]) -> Ranks:
    """Optimistic or pessimistic ranks, with every tie won or lost: bounds for any order of the ties.

    `average_precision` and `ndcg` are left at their expectation.
    """
    lost = ranks.equal if how == "pessimistic" else 0 * ranks.equal
    better = ranks.better + lost
    reciprocal = (ranks.tied > 0) / (better + 1.0)
    return ranks._replace(better=better, equal=0 * ranks.equal, reciprocal_rank=reciprocal)


def retrieval_metrics(ranks: Ranks) -> dict[str, float]:
    """Each of `METRICS` over the queries, in float64; means lie in [0, 1], the median rank is ≥ 1.

    The rank of a query is that of its best gold answer; one tied with E rivals stands at its mean place.
    Rows without a gold answer are no queries.

    Raises:
        ValueError: no query.

    Example:
        >>> from ccalign_jax.metrics import rank
        >>> retrieval_metrics(rank(jnp.eye(3), jnp.eye(3), jnp.arange(3)[:, None]))["R@1"]
        1.0
    """
    ranks = Ranks(*(np.asarray(part) for part in ranks))
    ranks = Ranks(*(part[ranks.tied > 0] for part in ranks))
    if not len(ranks.better):
        raise ValueError("no query has a gold answer")
    found = {}
    for name, metric in METRICS.items():
        values = metric.per_query(ranks)
        found[name] = float(np.median(values) if metric.statistic == "median" else np.mean(values, dtype=np.float64))
    return found


def macro(metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The unweighted mean of each metric over languages.

    Example:
        >>> macro([{"R@1": 0.25}, {"R@1": 0.75}])
        {'R@1': 0.5}
    """
    return {metric: float(np.mean([one[metric] for one in metrics])) for metric in metrics[0]}


def all_tied(gold: Int[np.ndarray, "q k"], gallery: int) -> Ranks:
    """Ranks of a constant score, under which all items tie: their metrics are those of chance.

    Args:
        gold: `[q, k]` as in `rank`; only the number of different answers ≥ 0 of a query matters.
        gallery: number of items.

    Example:
        >>> retrieval_metrics(all_tied(np.zeros((2, 1), int), 4))["R@1"]
        0.25
    """
    count = (each_answer_once(np.asarray(gold)) >= 0).sum(1)
    precision, reciprocal, ndcg = np.zeros((3, len(count)))
    places = np.arange(1, gallery + 1)
    for answers in np.unique(count[count > 0]):
        rows = count == answers
        before = 1 + (places - 1) * (answers - 1) / max(gallery - 1, 1)
        precision[rows] = np.mean(before / places)
        ndcg[rows] = answers * GAINS[min(gallery, NDCG_PLACES)] / gallery / GAINS[min(answers, NDCG_PLACES)]
        # P(no gold answer among the first t), then the first one at place t + 1
        none_yet = np.concatenate([[1.0], np.cumprod((gallery - answers - places + 1) / (gallery - places + 1))[:-1]])
        reciprocal[rows] = np.sum(none_yet * answers / (gallery - places + 1) / places)
    return Ranks(
        better=np.zeros(len(count), np.int32),
        equal=np.where(count > 0, gallery - count, 0).astype(np.int32),
        tied=count.astype(np.int32),
        reciprocal_rank=reciprocal,
        average_precision=precision,
        ndcg=ndcg,
    )

"""Retrieval metrics by hand, over random orders, and with rows that are no queries."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.metrics import (
    METRICS,
    Ranks,
    all_tied,
    macro,
    rank,
    ranks_from_scores,
    recall_at,
    resolve_ties,
    retrieval_metrics,
)

jitted_ranks, jitted_rank = jax.jit(ranks_from_scores), jax.jit(rank)


def from_counts(better, equal, tied):
    better, equal, tied = map(np.array, (better, equal, tied))
    return Ranks(better, equal, tied, *[1 / (better + 1.0)] * 3)


def test_metrics_by_hand():
    found = retrieval_metrics(from_counts([0, 0, 4, 12], [0, 1, 0, 0], [1, 1, 1, 1]))
    assert list(found) == list(METRICS)
    assert found["R@1"] == pytest.approx((1 + 0.5) / 4)
    assert found["R@5"] == pytest.approx(3 / 4)
    assert found["R@10"] == pytest.approx(3 / 4)
    assert found["MRR"] == pytest.approx((1 + 1 + 1 / 5 + 1 / 13) / 4)
    assert found["median_rank"] == pytest.approx((1.5 + 5) / 2)


def test_median_rank_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    scores = np.random.default_rng(0).integers(0, 9, (41, 30)).astype(np.float32)
    gold = np.random.default_rng(1).integers(0, 30, (41, 1))
    places = [stats.rankdata(-row)[place] for row, (place,) in zip(scores, gold, strict=True)]
    found = retrieval_metrics(jitted_ranks(scores, gold))
    assert found["median_rank"] == np.median(places)


def test_answers_that_tie_stand_at_the_mean_place_of_their_first():
    """Two answers and three rivals in every order, behind four that are better."""
    first = np.mean([5 + min(order.index(0), order.index(1)) for order in itertools.permutations(range(5))])
    assert retrieval_metrics(from_counts([4], [3], [2]))["median_rank"] == pytest.approx(first)


def test_rows_without_gold_are_no_queries():
    rows = jnp.asarray(np.random.default_rng(0).standard_normal((6, 4)), jnp.float32)
    gold = jnp.array([[0], [-1], [3], [2], [-1], [5]])
    some = jnp.array([0, 2, 3, 5])
    every, kept = jitted_rank(rows, rows, gold), jitted_rank(rows[some], rows, gold[some])
    assert retrieval_metrics(every) == retrieval_metrics(kept)
    assert retrieval_metrics(every)["R@1"] == 0.5
    with pytest.raises(ValueError, match="no query"):
        retrieval_metrics(jitted_rank(rows, rows, -jnp.ones((6, 1), int)))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 2**31))
def test_any_sort_falls_between_the_bounds(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (8, 12)).astype(np.float32)
    gold = np.stack([rng.choice(12, 2, replace=False) for _ in range(8)])
    ranks = jitted_ranks(scores, gold)
    low, mean, high = (
        retrieval_metrics(part)
        for part in (resolve_ties(ranks, "pessimistic"), ranks, resolve_ties(ranks, "optimistic"))
    )
    # ties broken at random: a sort of some implementation or other
    sorted_ranks = jitted_ranks((scores + rng.uniform(0, 0.5, scores.shape)).astype(np.float32), gold)
    found = retrieval_metrics(sorted_ranks)
    for metric in ("R@1", "R@5", "R@10", "MRR"):
        assert low[metric] <= found[metric] + 1e-6 and found[metric] <= high[metric] + 1e-6
        assert low[metric] - 1e-6 <= mean[metric] <= high[metric] + 1e-6
    assert high["median_rank"] <= found["median_rank"] <= low["median_rank"]


def test_numpy_and_jax_ranks_give_the_same_recall():
    counts = ([0, 2, 3, 0], [0, 4, 1, 3], [1, 2, 3, 0])
    of_numpy = from_counts(*counts)
    of_jax = Ranks(*map(jnp.asarray, of_numpy))
    for k in (1, 3, 5, 10):
        np.testing.assert_allclose(np.asarray(recall_at(of_jax, k)), recall_at(of_numpy, k), atol=1e-6)
    assert recall_at(of_numpy, 10)[3] == 0


def test_chance_is_the_mean_over_random_orders():
    rng = np.random.default_rng(0)
    gold = np.array([[0, 1, 2], [3, 4, -1], [5, -1, -1], [-1, -1, -1]])
    scores = rng.permuted(np.tile(np.arange(12.0), (4 * 3000, 1)), axis=1).astype(np.float32)
    drawn = retrieval_metrics(jitted_ranks(scores, np.tile(gold, (3000, 1))))
    chance = retrieval_metrics(all_tied(gold, 12))
    for metric in set(METRICS) - {"median_rank"}:  # which is of means in the one, of random orders in the other
        assert drawn[metric] == pytest.approx(chance[metric], abs=0.012), metric


def test_macro_weighs_languages_alike():
    assert macro([{"R@1": 0.0, "MRR": 1.0}, {"R@1": 0.5, "MRR": 0.0}, {"R@1": 1.0, "MRR": 0.5}]) == {
        "R@1": 0.5,
        "MRR": 0.5,
    }

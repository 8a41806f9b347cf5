"""Recall in smaller galleries against all choices of rivals, against simulation, and at its ends."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.metrics import Ranks, all_tied, expected_recall, ranks_from_scores, recall_at, recall_curve


def counts(better, equal, tied):
    parts = [np.atleast_1d(part) for part in (better, equal, tied)]
    return Ranks(*parts, *[np.zeros(len(parts[0]))] * 3)


def every_draw(better, equal, tied, gold, gallery, size, k):
    """R@k over all parts of the rivals, ties by the ratio of `recall_at`."""
    rivals = [1] * better + [0] * equal + [-1] * (gallery - gold - better - equal)
    found = []
    for drawn in itertools.combinations(rivals, size - gold):
        found.append(float(recall_at(counts(drawn.count(1), drawn.count(0), tied), k)[0]))
    return np.mean(found)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_it_is_the_mean_over_every_draw(data):
    gallery = data.draw(st.integers(1, 9))
    gold = data.draw(st.integers(1, min(3, gallery)))
    tied = data.draw(st.integers(1, gold))
    better = data.draw(st.integers(0, gallery - gold))
    equal = data.draw(st.integers(0, gallery - gold - better))
    size = data.draw(st.integers(gold, gallery))
    k = data.draw(st.integers(1, 4))
    found = expected_recall(counts(better, equal, tied), gallery, size, k=k, gold=gold)
    assert found[0] == pytest.approx(every_draw(better, equal, tied, gold, gallery, size, k), abs=1e-12)


@pytest.mark.parametrize("size", [1, 2, 100, 554])
def test_one_gold_is_the_ratio_of_binomials(size):
    ranks = np.arange(1, 555)
    expected = [math.comb(554 - rank, size - 1) / math.comb(553, size - 1) for rank in ranks]
    found = expected_recall(counts(ranks - 1, 0 * ranks, 0 * ranks + 1), 554, size)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-300)


def test_scipys_hypergeometric_agrees():
    stats = pytest.importorskip("scipy.stats")
    better = np.array([0, 3, 40, 900, 4999])
    found = expected_recall(counts(better, 0 * better, 0 * better + 1), 5000, 1000, k=10)
    np.testing.assert_allclose(found, stats.hypergeom.cdf(9, 4999, better, 999), rtol=1e-8, atol=1e-30)


@pytest.mark.parametrize("k", [1, 5])
def test_simulated_galleries_agree(k):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 12, (40, 60)).astype(np.float32)
    gold = np.stack([rng.choice(60, 2, replace=False) for _ in range(40)])
    whole = Ranks(*map(np.asarray, ranks_from_scores(jnp.asarray(scores), jnp.asarray(gold))))
    found = recall_curve(whole, 60, [20], k=k, gold=2)[0]
    best = np.take_along_axis(scores, gold, 1).max(1, keepdims=True)
    tied = (np.take_along_axis(scores, gold, 1) == best).sum(1)
    rivals = np.stack([np.setdiff1d(np.arange(60), answers) for answers in gold])
    drawn = []
    for _ in range(400):
        kept = np.take_along_axis(scores, rng.permuted(rivals, axis=1)[:, :18], 1)  # and both answers
        better, equal = ((kept > best).sum(1), (kept == best).sum(1))
        drawn.append(recall_at(counts(better, equal, tied), k).mean())
    assert found == pytest.approx(np.mean(drawn), abs=0.01)


def test_the_whole_gallery_is_recall_itself():
    rng = np.random.default_rng(1)
    scores = jnp.asarray(rng.integers(0, 5, (50, 30)), jnp.float32)
    gold = np.stack([rng.choice(30, 3, replace=False) for _ in range(50)])
    gold[::7, 1:], gold[10] = -1, -1
    ranks = Ranks(*map(np.asarray, ranks_from_scores(scores, jnp.asarray(gold))))
    for k in (1, 5, 10):
        found = expected_recall(ranks, 30, 30, k=k, gold=(gold >= 0).sum(1))
        np.testing.assert_allclose(found, recall_at(ranks, k), atol=1e-12)
    assert found[10] == 0


def test_it_falls_as_the_gallery_grows_and_starts_at_one():
    rng = np.random.default_rng(2)
    better = rng.integers(0, 400, 200)
    equal = np.where(rng.uniform(size=200) < 0.3, rng.integers(0, 100, 200), 0)
    curve = recall_curve(counts(better, equal, 0 * better + 1), 500, np.arange(1, 501).tolist())
    assert curve[0] == pytest.approx(1) and (np.diff(curve) <= 1e-12).all()


@pytest.mark.parametrize("size", [1, 7, 50])
def test_chance_is_one_in_the_gallery(size):
    assert recall_curve(all_tied(np.zeros((3, 1), int), 50), 50, [size])[0] == pytest.approx(1 / size)


def test_large_galleries_stay_finite():
    better = np.array([0, 10, 1000, 10**6 - 1])
    found = expected_recall(counts(better, 0 * better, 0 * better + 1), 10**6, 1000, k=1)
    assert found[0] == 1 and found[3] == 0
    np.testing.assert_allclose(
        found[1], np.prod((10**6 - 1000 - np.arange(10)) / (10**6 - 1 - np.arange(10))), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": 0}, "size is 0"),
        ({"size": 6}, "size is 6"),
        ({"k": 0}, "k is 0"),
        ({"gold": 3, "size": 2}, "3 gold answers"),
        ({"gallery": 3, "size": 3}, "not of a gallery of 3"),
    ],
)
def test_what_does_not_fit_is_said(change, said):
    ranks = counts([2], [1], [1])
    with pytest.raises(ValueError, match=said):
        expected_recall(ranks, **{"gallery": 5, "size": 4, **change})
    with pytest.raises(ValueError, match="no query"):
        recall_curve(counts([0], [0], [0]), 5, [2])

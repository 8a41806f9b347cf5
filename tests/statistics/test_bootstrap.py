"""The cluster bootstrap against loops, np.repeat, np.quantile and SciPy's, and under what must not change it."""

import numpy as np
import pytest
from scipy import stats

from ccalign_jax.statistics import (
    MEDIAN_REPLICATES,
    _blocks,
    _medians,
    bootstrap_weights,
    percentile_interval,
    ratio_replicates,
    weighted_medians,
)

BLOCKS = (1, 100, 777, 1 << 20)


def one_median(values, owner, weights):
    return weighted_medians([values], [owner], weights)[0]


def queries(n, k, m, seed=0):
    """Sums in [0, count] and counts from 0 up, more alike within a cluster than between."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 6, (n, k))
    return rng.random((n, 1, m)) ** 3 * rng.uniform(0.8, 1, (n, k, m)) * counts[..., None], counts


def ratios(weights, sums, counts):
    """Replicate by replicate in float64."""
    found = []
    for row in weights.astype(np.float64):
        found.append(np.einsum("n,nkm->km", row, sums) / (row @ counts)[:, None])
    return np.moveaxis(found, 0, -1)


@pytest.mark.parametrize(("rows", "width", "size"), [(10, 3, 7), (10, 3, 1), (1, 50, 10), (6, 2, 6)])
def test_blocks_are_every_draw_once(monkeypatch, rows, width, size):
    monkeypatch.setattr(_blocks, "BLOCK_ENTRIES", size)
    cuts = list(_blocks.blocks(rows, width))
    assert np.concatenate([np.arange(rows)[cut] for cut in cuts]).tolist() == list(range(rows))
    assert all((cut.stop - cut.start) * width <= max(size, width) for cut in cuts)


# weights


@pytest.mark.parametrize("entries", BLOCKS)
def test_weights_count_what_was_drawn(monkeypatch, entries):
    monkeypatch.setattr(_blocks, "BLOCK_ENTRIES", entries)
    expected = np.zeros((50, 37), int)
    np.add.at(expected, (np.arange(50)[:, None], np.random.default_rng(3).integers(37, size=(50, 37))), 1)
    found = bootstrap_weights(37, replicates=50, seed=3)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


def test_weights_follow_the_seed_and_not_the_number_of_replicates():
    first = bootstrap_weights(37, replicates=20, seed=3)
    np.testing.assert_array_equal(bootstrap_weights(37, replicates=50, seed=3)[:20], first)
    assert (bootstrap_weights(37, replicates=20, seed=4) != first).any()


def test_every_cluster_is_drawn_alike():
    weights = bootstrap_weights(30, replicates=20_000, seed=0).astype(float)
    assert (weights.sum(1) == 30).all()
    np.testing.assert_allclose(weights.mean(0), 1, atol=0.04)
    expected = np.where(np.eye(30) > 0, 1 - 1 / 30, -1 / 30)  # of a multinomial
    np.testing.assert_allclose(np.cov(weights, rowvar=False), expected, atol=0.06)


@pytest.mark.parametrize(("clusters", "dtype"), [(255, np.uint8), (256, np.uint16), (70_000, np.uint32)])
def test_weights_never_overflow(monkeypatch, clusters, dtype):
    class Stubborn:
        """Each cluster once in the first replicates, the last cluster alone in the last."""

        left = 3

        def integers(self, high, *, size):
            self.left -= size[0]
            drawn = np.tile(np.arange(high), (size[0], 1))
            if self.left == 0:
                drawn[-1] = high - 1
            return drawn

    monkeypatch.setattr(_blocks, "BLOCK_ENTRIES", 1)
    generator = Stubborn()
    monkeypatch.setattr(np.random, "default_rng", lambda seed: generator)
    weights = bootstrap_weights(clusters, replicates=3, seed=0)
    assert weights.dtype == dtype
    assert (weights[:2] == 1).all() and weights[2, -1] == clusters and not weights[2, :-1].any()


@pytest.mark.parametrize(("clusters", "replicates"), [(0, 5), (5, 0)])
def test_nothing_to_draw_is_refused(clusters, replicates):
    with pytest.raises(ValueError, match=f"{clusters} clusters and {replicates} replicates"):
        bootstrap_weights(clusters, replicates=replicates, seed=0)


# ratios


@pytest.mark.parametrize("entries", BLOCKS)
def test_ratios_are_those_of_a_loop_in_float64(monkeypatch, entries):
    monkeypatch.setattr(_blocks, "BLOCK_ENTRIES", entries)
    sums, counts = queries(150, 4, 3)
    weights = bootstrap_weights(150, replicates=60, seed=1)
    found = ratio_replicates(weights, sums, counts)
    assert found.shape == (4, 3, 60) and found.dtype == np.float32
    np.testing.assert_allclose(found, ratios(weights, sums, counts), rtol=0, atol=2e-7)


def test_ratios_stay_exact_where_clusters_are_many():
    sums, counts = queries(20_000, 2, 2)
    weights = bootstrap_weights(20_000, replicates=30, seed=1)
    np.testing.assert_allclose(
        ratio_replicates(weights, sums, counts), ratios(weights, sums, counts), rtol=0, atol=2e-7
    )


def test_small_changes_keep_their_digits():
    _, counts = queries(500, 2, 1)
    sums = 1e-6 * counts[..., None] * np.random.default_rng(0).normal(1, 1, (500, 2, 1))
    weights = bootstrap_weights(500, replicates=40, seed=1)
    np.testing.assert_allclose(
        ratio_replicates(weights, sums, counts), ratios(weights, sums, counts), rtol=0, atol=1e-12
    )


def test_a_value_that_all_clusters_share_does_not_vary():
    _, counts = queries(500, 2, 1)
    found = ratio_replicates(bootstrap_weights(500, replicates=200, seed=1), counts[..., None] / 3, counts)
    assert (found == np.float32(1 / 3)).all()


def test_equal_arms_differ_by_exactly_nothing():
    sums, counts = queries(200, 3, 2)
    weights = bootstrap_weights(200, replicates=50, seed=1)
    assert (ratio_replicates(weights, sums - sums, counts) == 0).all()


def test_a_change_is_drawn_as_its_arms_are():
    (ours, counts), (theirs, _) = queries(200, 3, 2), queries(200, 3, 2, seed=5)
    theirs = np.minimum(theirs, counts[..., None])
    weights = bootstrap_weights(200, replicates=50, seed=1)
    change = ratio_replicates(weights, ours, counts) - ratio_replicates(weights, theirs, counts)
    np.testing.assert_allclose(ratio_replicates(weights, ours - theirs, counts), change, rtol=0, atol=3e-7)


def test_duplicate_columns_are_drawn_alike():
    sums, counts = queries(200, 1, 1)
    weights = bootstrap_weights(200, replicates=50, seed=1)
    found = ratio_replicates(weights, np.tile(sums, (1, 7, 5)), np.tile(counts, (1, 7)))
    np.testing.assert_allclose(found, np.broadcast_to(found[0, 0], found.shape), rtol=0, atol=2e-7)
    np.testing.assert_allclose(found[0, 0], ratio_replicates(weights, sums, counts)[0, 0], rtol=0, atol=2e-7)


def test_the_order_of_clusters_does_not_matter():
    sums, counts = queries(200, 3, 2)
    weights, order = bootstrap_weights(200, replicates=50, seed=1), np.random.default_rng(2).permutation(200)
    shuffled = ratio_replicates(weights[:, order], sums[order], counts[order])
    np.testing.assert_allclose(shuffled, ratio_replicates(weights, sums, counts), rtol=0, atol=2e-7)


@pytest.mark.parametrize("junk", [0.0, 3.0, np.nan])
def test_a_cluster_without_queries_never_matters(junk):
    sums, counts = queries(120, 2, 2)
    counts[20:50] = 0
    sums[20:50] = junk
    weights = bootstrap_weights(120, replicates=50, seed=1)
    kept = np.r_[:20, 50:120]
    found = ratio_replicates(weights, sums, counts)
    np.testing.assert_allclose(found, ratio_replicates(weights[:, kept], sums[kept], counts[kept]), rtol=0, atol=2e-7)


def test_a_replicate_without_queries_has_no_estimate():
    counts = np.zeros((9, 2), int)
    counts[4, 0] = 2
    weights = bootstrap_weights(9, replicates=200, seed=0)
    found = ratio_replicates(weights, counts[..., None] / 4, counts)
    np.testing.assert_array_equal(np.isnan(found[0, 0]), weights[:, 4] == 0)
    assert np.nanmin(found[0]) == np.nanmax(found[0]) == 0.25
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize("shapes", [((9, 2, 1), (9, 3)), ((9, 2), (9, 2)), ((8, 2, 1), (8, 2))])
def test_shapes_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ValueError, match="must be"):
        ratio_replicates(np.ones((5, 9), np.uint8), np.zeros(shapes[0]), np.zeros(shapes[1]))


# medians


def medians(values, owner, weights):
    """np.median of np.repeat, replicate by replicate."""
    repeated = [np.repeat(values, row[owner]) for row in weights]
    return np.array([np.median(some) if len(some) else np.nan for some in repeated], np.float32)


@pytest.fixture(params=[1, 3, 64])
def stretches(request, monkeypatch):
    """One stretch sums all values one by one, many leave little to be summed."""
    monkeypatch.setattr(_medians, "STRETCHES", request.param)


@pytest.mark.usefixtures("stretches")
@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("count", [1, 2, 5, 64, 65, 333, 2000])
def test_medians_are_those_of_the_repeated_values(count, ties):
    rng = np.random.default_rng(count)
    values = rng.integers(1, 8, count) / 2 if ties else rng.lognormal(3, 2, count)
    owner = rng.integers(0, 90, count)
    weights = bootstrap_weights(100, replicates=300, seed=1)
    np.testing.assert_array_equal(one_median(values, owner, weights), medians(values, owner, weights))


@pytest.mark.usefixtures("stretches")
@pytest.mark.parametrize("entries", BLOCKS)
def test_medians_far_from_the_middle_are_exact(monkeypatch, entries):
    """A cluster holds neighbouring values, so that replicates of one cluster have their median anywhere."""
    monkeypatch.setattr(_blocks, "BLOCK_ENTRIES", entries)
    owner = np.arange(1000) // 50
    values = np.arange(1000.0)
    weights = np.concatenate([20 * np.eye(20, dtype=int), bootstrap_weights(20, replicates=50, seed=0)])
    found = one_median(values, owner, weights)
    assert (found[0], found[19]) == (24.5, 974.5)
    np.testing.assert_array_equal(found, medians(values, owner, weights))


@pytest.mark.usefixtures("stretches")
@pytest.mark.parametrize("entries", [1, 1 << 21])
def test_columns_have_each_their_own_medians(monkeypatch, entries):
    monkeypatch.setattr(_medians, "COLUMN_ENTRIES", entries)
    rng = np.random.default_rng(3)
    values = [rng.integers(1, most, count).astype(float) for most, count in ((3, 40), (500, 333), (9, 0), (90, 1))]
    owners = [rng.integers(0, 50, len(column)) for column in values]
    weights = bootstrap_weights(50, replicates=200, seed=1)
    found = weighted_medians(values, owners, weights)
    for column, owner, replicates in zip(values, owners, found, strict=True):
        np.testing.assert_array_equal(replicates, medians(column, owner, weights))


def test_an_even_number_has_the_mean_of_its_middle_two():
    """The two may lie as far apart as values do, in different stretches of the sorted ones."""
    values, owner = np.r_[np.zeros(500), np.full(500, 9.0)], np.arange(1000)
    found = one_median(values, owner, np.ones((1, 1000), np.uint8))
    assert found.tolist() == [4.5]


def test_a_replicate_without_values_has_no_median():
    found = one_median(np.array([3.0, 4.0]), np.array([1, 1]), np.array([[2, 0], [1, 1]]))
    np.testing.assert_array_equal(found, [np.nan, 3.5])
    assert np.isnan(one_median(np.zeros(0), np.zeros(0, int), np.ones((3, 2), int))).all()


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.int64])
def test_owners_may_be_of_any_whole_number(dtype):
    values, owner = np.random.default_rng(0).normal(size=900), np.arange(900)
    weights = bootstrap_weights(900, replicates=50, seed=1)
    expected = medians(values, owner, weights)
    np.testing.assert_array_equal(one_median(values, owner.astype(dtype), weights), expected)


def test_medians_of_more_values_than_float32_counts():
    """2²³ zeros and one more of the ones: the middle one is a one."""
    weights = np.array([[2**23, 2**23 + 1]])
    assert one_median(np.array([0.0, 1.0]), np.array([0, 1]), weights).tolist() == [1.0]


def test_medians_do_not_depend_on_any_order():
    rng = np.random.default_rng(0)
    values, owner = rng.integers(1, 30, 400), rng.integers(0, 60, 400)
    weights = bootstrap_weights(60, replicates=100, seed=1)
    found = one_median(values, owner, weights)
    rows, clusters = rng.permutation(400), rng.permutation(60)
    np.testing.assert_array_equal(one_median(values[rows], owner[rows], weights), found)
    renamed = np.argsort(clusters)[owner]
    np.testing.assert_array_equal(one_median(values, renamed, weights[:, clusters]), found)


@pytest.mark.parametrize(
    ("values", "owner", "words"),
    [
        ([1.0, np.nan], [0, 1], "1 of 2 values are NaN"),
        ([1.0, 2.0], [0, 2], "run from 0 to 2, but the weights are of 2"),
        ([1.0, 2.0], [-1, 0], "run from -1"),
        ([1.0, 2.0], [0], r"\(2,\) and owner \(1,\)"),
    ],
)
def test_medians_of_what_cannot_be_are_refused(values, owner, words):
    with pytest.raises(ValueError, match=words):
        one_median(np.array(values), np.array(owner), np.ones((3, 2), np.uint8))


# intervals


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("replicates", [1, 2, 41, 1000])
def test_intervals_are_quantiles(replicates, level, dtype):
    values = np.random.default_rng(0).normal(size=(3, 2, replicates)).astype(dtype)
    found = percentile_interval(values, level=level)
    expected = np.quantile(values.astype(np.float64), [(1 - level) / 2, (1 + level) / 2], axis=-1)
    assert found[0].shape == (3, 2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_nan_is_no_draw():
    values = np.random.default_rng(0).normal(size=(4, 200))
    values[1, 30:90] = np.nan
    values[2, 1:] = np.nan
    values[3] = np.nan
    before = values.copy()
    found = np.array(percentile_interval(values))
    np.testing.assert_allclose(found[:, :3], np.nanquantile(values[:3], [0.025, 0.975], axis=-1), rtol=0, atol=1e-12)
    assert np.isnan(found[:, 3]).all()
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("level", [0, 1, 95, np.nan])
def test_a_level_that_is_no_share_is_refused(level):
    with pytest.raises(ValueError, match="level"):
        percentile_interval(np.zeros(3), level=level)


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no replicates"):
        percentile_interval(np.zeros((3, 0)))


def test_scipys_bootstrap_agrees():
    sums, counts = queries(80, 1, 2)
    counts = counts + 1
    for metric in range(2):
        one = sums[:, 0, metric]
        found = stats.bootstrap(
            (one, counts[:, 0]),
            lambda s, c, axis: s.sum(axis) / c.sum(axis),
            n_resamples=10_000,
            paired=True,
            vectorized=True,
            method="percentile",
            random_state=np.random.default_rng(8),
        )
        replicates = ratio_replicates(bootstrap_weights(80, seed=9), sums, counts)[0, metric]
        spread = found.standard_error
        assert replicates.std(ddof=1) == pytest.approx(spread, rel=0.04)
        # 0.15 is four times what two sets of ten thousand replicates leave
        np.testing.assert_allclose(
            percentile_interval(replicates), found.confidence_interval, rtol=0, atol=0.15 * spread
        )


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Captions of an image that succeed or fail together make wide intervals; 400 samples of 80 images each."""
    rng = np.random.default_rng(0)
    counts = np.full((80, 400), 5)
    together = rng.random((80, 400)) < 0.3
    sums = np.where(together, 5.0, 0.0)[..., None]
    low, high = percentile_interval(ratio_replicates(bootstrap_weights(80, replicates=2000, seed=1), sums, counts))
    assert 0.91 < np.mean((low <= 0.3) & (high >= 0.3)) < 0.98
    assert np.mean(high - low) == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / 80), rel=0.05)


def test_intervals_of_medians_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    weights, owner = bootstrap_weights(60, replicates=MEDIAN_REPLICATES, seed=1), np.repeat(np.arange(60), 3)
    held = []
    for _ in range(150):
        values = np.repeat(rng.normal(size=60), 3)
        low, high = percentile_interval(one_median(values, owner, weights))
        held.append(low <= 0 <= high)
    assert 0.9 < np.mean(held) < 0.99

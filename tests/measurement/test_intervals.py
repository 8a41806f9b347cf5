"""Intervals and tests against replicates made one by one; what moves together is one, however often it is seen."""

import itertools

import numpy as np
import pytest

from ccalign_jax.measurement import inference, metric_replicates
from ccalign_jax.measurement.inference import bounds, change_tests, two_sided
from ccalign_jax.measurement.measure import MEDIAN, ImageSums, Measurement
from ccalign_jax.measurement.metric_replicates import (
    mean_replicates,
    minus_replicates,
    replicate_folds,
    replicate_metrics,
)
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.metrics import mean_metrics

FEW = {"replicates": 40, "flips": 40, "seed": 0}


def copied(fold, images):
    """The same sums of other images."""
    return fold._replace(images=np.asarray(images))


def twice(fold):
    """Every image stands there twice, with all its queries."""

    def double(column):
        count = len(column.counts)
        return ImageSums(
            np.concatenate([column.sums] * 2),
            np.concatenate([column.counts] * 2),
            np.concatenate([column.rank] * 2),
            np.concatenate([column.owner, column.owner + count]),
        )

    sums = {place: double(column) for place, column in fold.sums.items()}
    return Measurement(fold.values, sums, np.arange(2 * len(fold.images)))


def by_hand(folds, weights, cluster_of):
    """`{place: (means, median)}` where each image stands there as often as its cluster was drawn."""
    each = []
    for fold in folds:
        times, found = weights[cluster_of[fold.images]], {}
        for wanted in dict.fromkeys(task for task, _ in fold.sums):
            drawn = {}
            for name, column in ((name, each) for (task, name), each in fold.sums.items() if task == wanted):
                count = np.repeat(column.counts, times).sum()
                if count:
                    rank = np.repeat(column.rank, times[column.owner])
                    drawn[name] = np.append(np.repeat(column.sums, times, axis=0).sum(axis=0) / count, np.median(rank))
            found |= {(wanted, name): figures for name, figures in drawn.items()}
            if drawn:
                found[wanted, None] = np.mean(list(drawn.values()), axis=0)
        each.append(found)
    found = {place: np.mean([fold[place] for fold in each], axis=0) for place in each[0]}
    both = {name: 0.5 * (found["t2i", name] + found["i2t", name]) for task, name in found if task == "t2i"}
    return found | {("both", name): figures for name, figures in both.items()}


@pytest.mark.parametrize("groups", [np.arange(40), np.arange(40) // 3], ids=["images", "groups"])
def test_every_metric_in_every_replicate(measured, groups):
    folds = [measured(range(25), seed=1), measured(range(25, 40), seed=2)]
    replicates = draw_replicates(groups, **FEW)
    found = replicate_metrics(folds, replicates)
    names = (None, "de", "en")
    assert set(found) == set(itertools.product(("t2i", "i2t", "both"), names))
    for draw in range(40):
        for place, figures in by_hand(folds, replicates.weights[draw], replicates.cluster_of).items():
            np.testing.assert_allclose(found[place].means[:, draw], figures[:-1], atol=1e-5)
            assert found[place].median[draw] == pytest.approx(figures[-1])


@pytest.mark.parametrize("groups", [np.arange(40), np.arange(40) // 3], ids=["images", "groups"])
def test_clusters_add_up_to_every_metric(measured, groups):
    folds = [measured(range(25), seed=1), measured(range(25, 40), seed=2)]
    replicates = draw_replicates(groups, **FEW)
    as_measured = by_hand(folds, np.ones((replicates.weights.shape[1]), int), replicates.cluster_of)
    for place, figure in replicate_metrics(folds, replicates).items():
        assert figure.shares.shape == (len(mean_metrics()), replicates.weights.shape[1])
        np.testing.assert_allclose(figure.shares.sum(axis=1), as_measured[place][:-1])
        alone = replicates.cluster_of[folds[0].images] == 4  # what one of them adds, the rest being as they are
        if place == ("t2i", "en"):
            column = folds[0].sums["t2i", "en"]
            wanted = column.sums[alone].sum(axis=0) / column.counts.sum() / 2
            np.testing.assert_allclose(figure.shares[:, 4], wanted)


def test_the_same_resamples_for_the_same_seed():
    one, same, other = (draw_replicates(np.arange(20), replicates=30, flips=30, seed=seed) for seed in (1, 1, 2))
    for name in ("weights", "signs"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
        assert not np.array_equal(getattr(one, name), getattr(other, name))


def test_clusters_are_groups_whatever_their_numbers():
    found = draw_replicates(np.array([7, 3, 7, 100]), **FEW)
    assert found.cluster_of.tolist() == [1, 0, 1, 2]
    assert found.weights.shape == (40, 3) and found.signs.shape == (8, 3)  # all of them
    assert (found.weights.sum(axis=1) == 3).all()


@pytest.mark.parametrize("groups", [np.arange(40), np.arange(40) // 3], ids=["images", "groups"])
def test_the_resamples_of_a_fold_alone_are_those_of_the_whole(measured, groups):
    fold, replicates = measured(range(12, 25), seed=2), draw_replicates(groups, **FEW)
    inside = np.unique(groups[12:25])
    whole, alone = replicate_metrics([fold], replicates), mean_replicates(replicate_folds([fold], replicates))
    assert alone.keys() == whole.keys()
    for place, figure in alone.items():
        np.testing.assert_array_equal(figure.means, whole[place].means)
        np.testing.assert_array_equal(figure.median, whole[place].median)
        np.testing.assert_array_equal(figure.shares, whole[place].shares[:, inside])


def test_a_language_that_a_resample_lacks_is_left_out_of_it(measured, image_sums):
    """One rare image has all of its captions: replicates without it have no such figure, and the macro mean has."""
    fold = measured(range(12), ("de",), seed=1)
    for task in ("t2i", "i2t"):
        fold.sums[task, "ja"] = image_sums([1, 4], [5, 5], 12)
    replicates = draw_replicates(np.arange(12), **FEW)
    found = replicate_metrics([fold], replicates)
    drawn = replicates.weights[:, 5] > 0
    assert 0 < drawn.sum() < 40
    np.testing.assert_array_equal(np.isnan(found["t2i", "ja"].means[0]), ~drawn)
    np.testing.assert_allclose(found["t2i", None].means[:, ~drawn], found["t2i", "de"].means[:, ~drawn], atol=1e-6)
    ends = bounds(found, "level")["t2i", "ja"]
    assert ends["MRR"] == pytest.approx((0.625, 0.625))


def width(draws, place=("t2i", None), metric="R@1", kind="level"):
    ends = bounds(draws, kind)[place][metric]
    return ends[1] - ends[0]


def test_an_interval_is_about_two_standard_errors_to_either_side(measured):
    fold = measured(range(400), ("en",), most=1)
    hits = fold.sums["t2i", "en"].sums[:, mean_metrics().index("MRR")]
    ends = bounds(replicate_metrics([fold], draw_replicates(np.arange(400), seed=0, replicates=4000)), "level")[
        "t2i", "en"
    ]["MRR"]
    error = hits.std() / np.sqrt(400)
    assert ends[0] == pytest.approx(hits.mean() - 1.96 * error, abs=0.1 * error)
    assert ends[1] == pytest.approx(hits.mean() + 1.96 * error, abs=0.1 * error)


def test_an_interval_is_wider_where_few_images_carry_a_change(image_sums):
    """Four images change, of two hundred: Student's t, for their variance was guessed from them."""
    stats = pytest.importorskip("scipy.stats")
    count = 200
    base = image_sums([2] * count, range(count), count)
    mine = image_sums([1, 1, 1, 4, *[2] * (count - 4)], range(count), count)
    folds = [[Measurement({}, {("t2i", "en"): one, ("i2t", "en"): one}, np.arange(count))] for one in (mine, base)]
    replicates = draw_replicates(np.arange(count), replicates=2000, flips=100, seed=0)
    changes = minus_replicates(*(replicate_metrics(each, replicates) for each in folds))
    place, row = ("t2i", "en"), mean_metrics().index("MRR")
    shares = (mine.sums - base.sums)[:, row] / count
    assert shares.sum() == pytest.approx(1.25 / count)
    freedom = 2 * count / (stats.kurtosis(shares, fisher=False) - 1)
    stretch = stats.t.ppf(0.975, freedom) / stats.norm.ppf(0.975) * np.sqrt(count / (count - 1))
    low, high = (
        shares.sum() + stretch * (end - shares.sum()) for end in np.quantile(changes[place].means[row], [0.025, 0.975])
    )
    assert stretch > 1.1
    assert bounds(changes, "change")[place]["MRR"] == pytest.approx((low, high), abs=1e-6)


def test_an_interval_stays_where_estimates_can_be(image_sums):
    """One image of six misses: stretched, the interval of the level would pass 1; that of a change may go below 0."""
    each = image_sums([1, 1, 1, 1, 1, 9], range(6), 6), image_sums([9, 1, 1, 1, 1, 1], range(6), 6)
    one, other = (Measurement({}, {("t2i", "en"): sums, ("i2t", "en"): sums}, np.arange(6)) for sums in each)
    replicates = draw_replicates(np.arange(6), replicates=2000, flips=100, seed=0)
    draws = [replicate_metrics([each], replicates) for each in (one, other)]
    level = bounds(draws[0], "level")["t2i", "en"]["R@1"]
    change = bounds(minus_replicates(*draws), "change")["t2i", "en"]["R@1"]
    assert 0 < level[0] < 5 / 6 < level[1] == 1.0
    assert -1 <= change[0] < 0 < change[1] <= 1


def test_a_change_may_go_below_zero_whichever_arm_comes_first(image_sums):
    """Three of 200 images gain and none loses: no bootstrap replicate is below 0, and the interval is."""
    count = 200
    arms = image_sums([1] * 3 + [2] * (count - 3), range(count), count), image_sums([2] * count, range(count), count)
    replicates = draw_replicates(np.arange(count), replicates=2000, flips=100, seed=0)
    folds = [Measurement({}, {("t2i", "en"): arm, ("i2t", "en"): arm}, np.arange(count)) for arm in arms]
    one, other = (replicate_metrics([fold], replicates) for fold in folds)
    gain, loss = (
        bounds(minus_replicates(*pair), "change")["t2i", "en"]["R@1"] for pair in ((one, other), (other, one))
    )
    assert minus_replicates(one, other)["t2i", "en"].means[0].min() > -1e-6
    assert gain[0] < 0 < 3 / count < gain[1]
    assert loss == pytest.approx((-gain[1], -gain[0]), abs=1e-6)
    assert bounds(one, "level")["t2i", "en"]["R@1"][0] == 0


def test_duplicates_in_one_group_tell_nothing_new(measured):
    """Every image twice, with equal rows: as two images each the interval would shrink by the root of two."""
    count, options = 150, {"replicates": 2000, "flips": 500, "seed": 0}
    base, mine = measured(range(count), seed=3), measured(range(count), seed=3, better=0.2)
    plain = draw_replicates(np.arange(count), **options)
    grouped = draw_replicates(np.tile(np.arange(count), 2), **options)
    apart = draw_replicates(np.arange(2 * count), **options)
    once, same, naive = (
        replicate_metrics([fold], replicates)
        for fold, replicates in ((base, plain), (twice(base), grouped), (twice(base), apart))
    )
    for place in once:
        for metric in mean_metrics():
            assert width(same, place, metric) == pytest.approx(width(once, place, metric), rel=0.05, abs=1e-6)
            assert width(naive, place, metric) == pytest.approx(width(once, place, metric) / 2**0.5, rel=0.15)
    tests = []
    for fold, replicates, before in ((mine, plain, once), (twice(mine), grouped, same)):
        changes = minus_replicates(replicate_metrics([fold], replicates), before)
        tests.append(change_tests(changes, replicates)["both", None]["MRR"])
    assert tests[0] == tests[1] < 0.05


def test_an_image_that_several_folds_report_is_one(measured):
    """Repeats divide the images anew: the same image of another fold is no other image."""
    count, options = 150, {"replicates": 2000, "flips": 500, "seed": 0}
    one = measured(range(count), seed=4)
    replicates = draw_replicates(np.arange(2 * count), **options)
    once, repeated = replicate_metrics([one], replicates), replicate_metrics([one, one], replicates)
    for place, figure in once.items():
        np.testing.assert_allclose(repeated[place].means, figure.means, atol=1e-6)
    others = replicate_metrics([one, copied(one, range(count, 2 * count))], replicates)
    assert width(others) == pytest.approx(width(once) / 2**0.5, rel=0.15)
    better = measured(range(count), seed=4, better=0.05)
    tests = []
    for mine, base in (([better], [one]), ([better] * 2, [one] * 2)):
        changes = minus_replicates(replicate_metrics(mine, replicates), replicate_metrics(base, replicates))
        tests.append(change_tests(changes, replicates)["t2i", None]["MRR"])
    assert tests[0] == tests[1]


def exact_p(mine, base, cluster_of, place):
    """All assignments of signs, in loops: of each cluster's part in the change, the mean over folds."""
    clusters = cluster_of.max() + 1
    parts = np.zeros((clusters, len(mean_metrics())))
    task, language = place
    for one, other in zip(mine, base, strict=True):
        for way in ("t2i", "i2t") if task == "both" else (task,):
            names = [name for task, name in one.sums if task == way] if language is None else [language]
            for name in names:
                a, b = one.sums[way, name], other.sums[way, name]
                for row, image in enumerate(one.images):
                    share = (a.sums[row] - b.sums[row]) / a.counts.sum() / len(names) / len(mine)
                    parts[cluster_of[image]] += share / (2 if task == "both" else 1)
    flipped = np.array([signs @ parts for signs in itertools.product((-1, 1), repeat=clusters)])
    return np.mean(np.abs(flipped) >= np.abs(parts.sum(axis=0)) - 1e-9, axis=0)


@pytest.mark.parametrize("groups", [np.arange(8), np.array([0, 0, 1, 2, 3, 3, 4, 5])], ids=["images", "groups"])
def test_signs_flip_by_cluster(measured, groups):
    """Few enough that all assignments are there, so that p-values are exact."""
    places = [range(5), range(5, 8)]
    mine = [measured(rows, seed=seed, better=0.4) for seed, rows in enumerate(places)]
    base = [measured(rows, seed=seed) for seed, rows in enumerate(places)]
    replicates = draw_replicates(groups, replicates=200, flips=256, seed=0)
    changes = minus_replicates(replicate_metrics(mine, replicates), replicate_metrics(base, replicates))
    found = change_tests(changes, replicates)
    assert set(found) == set(changes)
    for place, figures in found.items():
        assert list(figures) == [*mean_metrics(), MEDIAN]
        wanted = exact_p(mine, base, replicates.cluster_of, place)
        for metric, p in zip(mean_metrics(), wanted, strict=True):
            assert figures[metric] == pytest.approx(p), (place, metric)
        assert figures[MEDIAN] == two_sided(changes[place].median)
    assert len({figures["MRR"] for figures in found.values()}) > 3


def test_no_change_is_no_change(measured):
    folds = [measured(range(20)), measured(range(20, 30))]
    replicates = draw_replicates(np.arange(30), **FEW)
    draws = replicate_metrics(folds, replicates)
    changes = minus_replicates(draws, draws)
    for place, figures in bounds(changes, "change").items():
        assert all(ends == (0.0, 0.0) for ends in figures.values())
        assert all(one == 1.0 for one in change_tests(changes, replicates)[place].values())


def test_a_change_has_the_interval_of_the_differences(measured):
    """Paired: the same images are drawn on both sides, so that what both have in common cancels."""
    base, mine = measured(range(200), seed=5), measured(range(200), seed=5, better=0.05)
    replicates = draw_replicates(np.arange(200), replicates=1000, flips=100, seed=0)
    one, other = replicate_metrics([mine], replicates), replicate_metrics([base], replicates)
    changes = minus_replicates(one, other)
    np.testing.assert_allclose(changes["i2t", "en"].means, one["i2t", "en"].means - other["i2t", "en"].means)
    assert width(changes, kind="change") < 0.7 * width(one)
    del other["t2i", "de"]
    assert set(minus_replicates(one, other)) == set(changes) - {("t2i", "de")}


def test_pairs_of_languages_take_fewer_resamples(measured, monkeypatch):
    for module in (inference, metric_replicates):
        monkeypatch.setattr(module, "PAIR_REPLICATES", 15)
    monkeypatch.setattr(metric_replicates, "PAIR_MEDIANS", 7)
    base, mine = (
        measured(range(20), ("de->en", "en->de"), seed=1, better=better, tasks=("t2t",)) for better in (0, 0.5)
    )
    whole = [measured(range(20), seed=2)]
    whole[0].sums.update(base.sums)
    other = [whole[0]._replace(sums={**whole[0].sums, **mine.sums})]
    replicates = draw_replicates(np.arange(20), replicates=40, flips=60, seed=0)
    draws = replicate_metrics(whole, replicates)
    assert draws["t2t", None].means.shape == draws["t2t", "de->en"].means.shape == (len(mean_metrics()), 15)
    assert draws["t2i", None].means.shape == (len(mean_metrics()), 40)
    assert [len(draws[task, None].median) for task in ("t2i", "t2t")] == [40, 7]
    short = replicate_metrics(whole, replicates._replace(weights=replicates.weights[:15]))
    np.testing.assert_array_equal(draws["t2t", "en->de"].means, short["t2t", "en->de"].means)
    changes = minus_replicates(replicate_metrics(other, replicates), draws)
    p = change_tests(changes, replicates)
    few = change_tests(changes, replicates._replace(signs=replicates.signs[:15]))
    assert p["t2t", "de->en"] == few["t2t", "de->en"] and p["t2i", None]["R@1"] == 1.0


@pytest.mark.parametrize(
    ("draws", "p"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], 2 / 10),  # never on the other side: as often as one draw more could be
        ([-1, 2, 3, 4, 5, 6, 7, 8, 9], 2 / 9),
        ([-1, -2, -3, 4, np.nan, 6, 7, 8, 9], 6 / 8),
        ([0, 0, 0], 1.0),
        ([0, 1, 1, 1], 0.5),
        ([-5, -4, -4], 2 / 4),
    ],
)
def test_the_share_of_resamples_on_the_other_side(draws, p):
    assert two_sided(np.array(draws, float)) == pytest.approx(p)

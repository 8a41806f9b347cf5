"""Where the gain lies: differences between languages, crowded images and captions, by hand and in loops."""

import itertools

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.measurement.inference import two_sided
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.metrics import mean_metrics
from ccalign_jax.options import SweepConfig
from ccalign_jax.statistics import holm
from ccalign_jax.study import subgroups
from ccalign_jax.study.outcomes import Outcome
from ccalign_jax.study.plan import plan_folds, plan_sweep
from ccalign_jax.study.subgroups import crowding, gain_by_subgroup

COUNT, FOLDS = 120, 3
LANGUAGES = ("de", "en", "ja")
R1 = mean_metrics().index("R@1")


def data_of(captions, *, groups=None, languages=LANGUAGES):
    """Images with as many English captions as `captions` says, and one in each other language."""
    rng, keys = np.random.default_rng(0), np.array([f"k{number:03d}" for number in range(COUNT)])
    owners = {language: np.repeat(keys, captions) if language == "en" else keys for language in languages}
    text = {language: rng.standard_normal((len(owner), 8)) for language, owner in owners.items()}
    image = rng.standard_normal((COUNT, 8))
    return EmbeddingSet.build("toy", image, text, image_keys=keys, text_keys=owners, groups=groups)


def planned(captions=1, *, groups=None, languages=LANGUAGES, **options):
    data = data_of(np.broadcast_to(captions, COUNT), groups=groups, languages=languages)
    config = SweepConfig(aligners=("residual",), folds=FOLDS, **options)
    return plan_sweep(data, config, plan_folds(data, config))


@pytest.fixture(scope="module")
def both_arms(measured):
    """`both_arms(plan)` are identity and a trial on its folds, and the replicates; de gains, and ja in one fold."""

    def make(plan):
        before = Outcome("identity")
        before.test = [measured(fold.test, plan.data.languages, seed=n) for n, fold in enumerate(plan.folds)]
        after = Outcome("a")
        for number, fold in enumerate(plan.folds):
            better = measured(fold.test, plan.data.languages, seed=number, better=0.5)
            moved = {"de"} | ({"ja"} if number == 0 else set())
            sums = before.test[number].sums
            sums = {place: better.sums[place] if place[1] in moved else one for place, one in sums.items()}
            after.test.append(before.test[number]._replace(sums=sums))
        replicates = draw_replicates(plan.data.groups, seed=0, replicates=200, flips=200)
        return before, [after] * len(plan.folds), replicates

    return make


def first(folds, way, language, times=None):
    """The mean over folds of R@1 of a language; each image of the data counted so often."""
    each = []
    for fold in folds:
        column = fold.sums[way, language]
        weight = np.ones(len(fold.images)) if times is None else times[fold.images]
        each.append(weight @ column.sums[:, R1] / (weight @ column.counts))
    return np.mean(each)


def test_disparity_is_best_less_worst_language(both_arms):
    plan = planned()
    before, chosen, replicates = both_arms(plan)
    found = gain_by_subgroup(plan, before, chosen, replicates)[0]["disparity"]
    assert set(found) == {"t2i", "i2t"}
    p = []
    for way, entry in found.items():
        spreads, differences = {}, {}
        for side, folds in (("before", before.test), ("after", chosen[0].test)):
            each = {language: first(folds, way, language) for language in LANGUAGES}
            assert entry[side]["best"] == max(each, key=each.get)
            assert entry[side]["worst"] == min(each, key=each.get)
            differences[side] = max(each.values()) - min(each.values())
            assert entry[side]["difference"]["mean"] == pytest.approx(differences[side])
            spreads[side] = []
            for times in replicates.weights[:, replicates.cluster_of]:
                drawn = [first(folds, way, language, times) for language in LANGUAGES]
                spreads[side].append(max(drawn) - min(drawn))
            ends = [entry[side]["difference"][end] for end in ("low", "high")]
            np.testing.assert_allclose(ends, np.quantile(spreads[side], [0.025, 0.975]), atol=1e-5)
        change = np.subtract(spreads["after"], spreads["before"])
        assert entry["change"]["mean"] == pytest.approx(differences["after"] - differences["before"])
        np.testing.assert_allclose(
            [entry["change"][end] for end in ("low", "high")], np.quantile(change, [0.025, 0.975]), atol=1e-5
        )
        assert entry["change"]["p"] == two_sided(change)
        p.append(entry["change"]["p"])
    assert found["t2i"]["after"]["best"] == "de"
    np.testing.assert_allclose([found[way]["change"]["p_adjusted"] for way in found], holm(np.array(p)))


@pytest.mark.parametrize(("options", "there"), [({"languages": ("en",)}, False), ({"heldout_language": "ja"}, False)])
def test_one_language_alone_has_no_disparity(both_arms, options, there):
    plan = planned(**options)
    before, chosen, replicates = both_arms(plan)
    assert ("disparity" in gain_by_subgroup(plan, before, chosen, replicates)[0]) is there


@pytest.mark.parametrize("tile", [2048, 7])
@pytest.mark.parametrize("groups", [np.arange(40), np.arange(40) // 4, np.zeros(40, int)], ids=["own", "four", "one"])
def test_crowding_in_loops(tile, groups, monkeypatch):
    monkeypatch.setattr(subgroups, "TILE_ROWS", tile)
    rows = np.random.default_rng(0).standard_normal((40, 5)) * np.linspace(0.1, 9, 40)[:, None]
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    wanted = [
        max((float(unit[i] @ unit[j]) for j in range(40) if groups[j] != groups[i]), default=-1.0) for i in range(40)
    ]
    np.testing.assert_allclose(crowding(rows, groups), wanted, atol=1e-6)


def gained(folds, base, places, number):
    """For each direction what a bin has under identity and what it gains: languages and folds in loops."""
    found = {}
    for way in ("t2i", "i2t"):
        level, change = [], []
        for fold, other, place in zip(folds, base, places, strict=True):
            each = []
            for name, column in ((name, one) for (task, name), one in fold.sums.items() if task == way):
                rows = (place == number) & (column.counts > 0)
                if rows.any():
                    sums = [one.sums[way, name].sums[rows, R1].sum() for one in (fold, other)]
                    each.append(np.array(sums) / column.counts[rows].sum())
            mine, before = np.mean(each, axis=0)
            level.append(before)
            change.append(mine - before)
        found[way] = (np.mean(level), np.mean(change))
    found["both"] = tuple(np.mean([found["t2i"], found["i2t"]], axis=0))
    return found


def assert_bins(bins, places, before, chosen):
    after = [outcome.test[fold] for fold, outcome in enumerate(chosen)]
    p = {way: [] for way in ("t2i", "i2t", "both")}
    for number, entry in enumerate(bins):
        assert entry["images"] == sum((place == number).sum() for place in places)
        wanted = gained(after, before.test, places, number)
        for way, (level, change) in wanted.items():
            figure, delta = entry["identity"][way]["R@1"], entry["delta"][way]["R@1"]
            assert figure["mean"] == pytest.approx(level) and delta["mean"] == pytest.approx(change)
            assert figure["low"] - 1e-6 <= level <= figure["high"] + 1e-6
            assert delta["low"] - 1e-6 <= change <= delta["high"] + 1e-6
            assert set(delta) == {"mean", "std", "low", "high", "p", "p_adjusted", "p_folds"}
            p[way].append((delta["p"], delta["p_adjusted"]))
    for pairs in p.values():
        one, adjusted = np.transpose(pairs)
        np.testing.assert_allclose(adjusted, holm(one))


def test_quarters_by_the_nearest_other_image(both_arms):
    groups = np.arange(COUNT)
    groups[:20] //= 2
    plan = planned(groups=groups)
    before, chosen, replicates = both_arms(plan)
    found = gain_by_subgroup(plan, before, chosen, replicates)[0]["difficulty"]
    alike = [crowding(plan.data.image[fold.test], plan.data.groups[fold.test]) for fold in plan.folds]
    edges = np.percentile(np.concatenate(alike), [25, 50, 75])
    places = [(values[:, None] > edges).sum(axis=1) for values in alike]  # nearest to each other tie, on one side
    images = [entry["images"] for entry in found["bins"]]
    assert sum(images) == COUNT and all(abs(number - COUNT / 4) <= 2 for number in images)
    assert len({entry["name"] for entry in found["bins"]}) == 4 and "left out" not in found["what"]
    assert_bins(found["bins"], places, before, chosen)


CAPTIONS = {
    "few": ([1, 2], ["3", "4"]),  # the other languages have one each
    "six": ([1, 2, 3, 4, 5, 6], ["3", "4", "5", "6", "7", "8"]),
    "many": ([*range(1, 11)], None),
}


@pytest.mark.parametrize("kind", CAPTIONS)
def test_bins_by_the_number_of_captions(both_arms, kind):
    counts, names = CAPTIONS[kind]
    plan = planned(np.resize(counts, COUNT))
    before, chosen, replicates = both_arms(plan)
    found = gain_by_subgroup(plan, before, chosen, replicates)[0]["captions"]
    each = [np.resize(counts, COUNT)[fold.test] + 2 for fold in plan.folds]
    if names is None:  # so many that they are put together, into quarters
        names = [entry["name"] for entry in found["bins"]]
        assert len(names) == 4
    edges = [[int(end) for end in name.split(" to ")] for name in names]
    assert [entry["name"] for entry in found["bins"]] == names
    assert edges[0][0] == min(counts) + 2 and edges[-1][-1] == max(counts) + 2
    assert all(one[-1] + 1 == other[0] for one, other in itertools.pairwise(edges))
    places = [sum((values >= edge[0]).astype(int) for edge in edges) - 1 for values in each]
    assert sum(entry["images"] for entry in found["bins"]) == COUNT
    assert_bins(found["bins"], places, before, chosen)


def test_one_bin_says_nothing(both_arms):
    plan = planned()
    assert "captions" not in gain_by_subgroup(plan, *both_arms(plan))[0]


def test_images_of_a_kind_that_a_fold_lacks_are_counted(both_arms):
    captions = np.ones(COUNT, int)
    captions[::2], captions[0] = 2, 9
    plan = planned(captions)
    found = gain_by_subgroup(plan, *both_arms(plan))[0]["captions"]
    assert [entry["name"] for entry in found["bins"]] == ["3", "4"]
    assert [entry["images"] for entry in found["bins"]] == [60, 59] and "1 images are left out" in found["what"]


def test_an_image_that_repeats_report_is_counted_once(both_arms):
    plan = planned(np.resize([1, 2], COUNT), repeats=2)
    before, chosen, replicates = both_arms(plan)
    found = gain_by_subgroup(plan, before, chosen, replicates)[0]
    assert len(plan.folds) == 2 * FOLDS
    assert [entry["images"] for entry in found["captions"]["bins"]] == [60, 60]


def test_what_did_not_change_gained_nowhere(both_arms):
    plan = planned(np.resize([1, 2], COUNT))
    before, _, replicates = both_arms(plan)
    found = gain_by_subgroup(plan, before, [before] * FOLDS, replicates)[0]
    nothing = {"mean": 0.0, "std": 0.0, "low": 0.0, "high": 0.0, "p": 1.0, "p_adjusted": 1.0, "p_folds": 1.0}
    for key in ("difficulty", "captions"):
        for entry in found[key]["bins"]:
            assert all(entry["delta"][way]["R@1"] == nothing for way in ("t2i", "i2t", "both"))
    for way in ("t2i", "i2t"):
        change = found["disparity"][way]["change"]
        assert {change[key] for key in ("mean", "low", "high")} == {0.0} and change["p"] == change["p_adjusted"] == 1.0


def test_a_sweep_tells_where_what_it_selected_gained(solved):
    """The choice of each fold, against identity, on the figures that the summary has."""
    summary = solved[1].summary
    found = summary["subgroups"]
    for way in ("t2i", "i2t"):
        for side, metrics in (("before", summary["baselines"]["identity"]), ("after", summary["selected"]["metrics"])):
            each = {
                name: one["R@1"]["mean"] for name, one in metrics[way]["per_language"].items() if "unmapped" not in name
            }
            told = found["disparity"][way][side]
            assert each[told["best"]] == max(each.values()) and each[told["worst"]] == min(each.values())
            assert told["difference"]["mean"] == pytest.approx(max(each.values()) - min(each.values()), abs=1e-6)
    assert sum(entry["images"] for entry in found["difficulty"]["bins"]) == summary["data"]["images"]

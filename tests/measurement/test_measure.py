"""Measurements: per-image sums add up to the metrics, whatever ties, is ragged or is padded; macro means, chance."""

import jax
import numpy as np
import pytest

from ccalign_jax.aligners import make_aligner
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.measurement.measure import (
    MEDIAN,
    add_measurement,
    chance_measurement,
    measure,
    measure_pairs,
    nest_values,
    subgroup,
)
from ccalign_jax.metrics import METRICS, Ranks, mean_metrics, rank_tasks, retrieval_metrics
from ccalign_jax.numerics import unit_float32
from ccalign_jax.study.arrays import device_embeddings, make_part
from ccalign_jax.training import map_part, rank_part

LANGUAGES = ("de", "en", "ja")


def crowded(count=30, seed=0):
    """Rows are few different ones, so that much ties; ja is rare, and captions are none to many."""
    rng = np.random.default_rng(seed)
    kinds = rng.standard_normal((8, 4)).astype(np.float32)
    keys = np.array([f"k{number:02d}" for number in range(count)])
    owners = {"de": np.sort(rng.choice(count, 50)), "en": np.arange(count), "ja": np.array([3, 3, 7])}
    image = kinds[rng.integers(8, size=count)]
    text = {language: image[owner] + kinds[rng.integers(3, size=len(owner))] for language, owner in owners.items()}
    return EmbeddingSet.build(
        "crowded", image, text, image_keys=keys, text_keys={language: keys[owner] for language, owner in owners.items()}
    )


def ranked(data, images):
    """A part, and its ranks as they stand."""
    part = make_part(data, images)
    aligner = make_aligner("identity", 4, 4, languages=3)
    return part, jax.tree.map(np.asarray, rank_part(map_part(aligner, {}, device_embeddings(data), part)))


def assert_is(column, figures):
    for place, name in enumerate(mean_metrics()):
        assert column.sums[:, place].sum() / column.counts.sum() == pytest.approx(figures[name], abs=1e-6), name
    assert np.median(column.rank) == figures[MEDIAN]
    np.testing.assert_array_equal(np.bincount(column.owner, minlength=len(column.counts)), column.counts)


def assert_same(one, other):
    """Equal sums and values in the same places."""
    assert list(one.sums) == list(other.sums) and list(one.values) == list(other.values)
    for place, column in one.sums.items():
        for mine, theirs in zip(column, other.sums[place], strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-6)
    for place, values in one.values.items():
        assert values == pytest.approx(other.values[place])


def test_means_is_every_metric_but_the_median():
    assert [*mean_metrics()[:5], MEDIAN, *mean_metrics()[5:]] == list(METRICS)


@pytest.mark.parametrize("images", [np.arange(30), np.arange(0, 30, 3), np.array([1, 3])], ids=len)
def test_images_add_up_to_the_metrics(images):
    part, ranks = ranked(crowded(), images)
    found = measure(ranks, part, LANGUAGES)
    assert {task for task, _ in found.sums} == {"t2i", "i2t"}
    for number, name in enumerate(LANGUAGES):
        for task, one in zip(("t2i", "i2t"), ranks[number], strict=True):
            if not (one.tied > 0).any():
                assert (task, name) not in found.sums and (task, name) not in found.values
                continue
            column = found.sums[task, name]
            assert column.sums.shape == (len(images), len(mean_metrics())) and column.counts.shape == (len(images),)
            assert_is(column, retrieval_metrics(one))
            assert found.values[task, name] == retrieval_metrics(one)
    ties = any(np.any(one.equal > 0) for pair in ranks for one in pair)
    assert ties or len(images) == 2  # else nothing was tested of them


def test_a_caption_is_its_images_and_an_image_its_own():
    """Three images, of which the second has two captions and the third none."""
    part = make_part(
        EmbeddingSet.build(
            "toy",
            np.eye(3) + 0.1,
            {"de": np.eye(3), "en": np.eye(3)},
            image_keys=list("abc"),
            text_keys={"de": list("abb"), "en": list("abc")},
        ),
        np.arange(3),
    )
    value = np.array([1.0, 0.5, 0.25, 0.0], np.float32)  # the fourth is padding
    counts = np.array([1, 1, 1, 0], np.int32)
    better = np.array([0, 1, 3, 0], np.int32)
    ranks = Ranks(better, 0 * better, counts, value, value, value)
    images = Ranks(*(leaf[:3] for leaf in ranks))._replace(tied=np.array([1, 1, 0], np.int32))
    found = measure(((ranks, images), (ranks, images)), part, ("de", "en")).sums
    column = found["t2i", "de"]
    np.testing.assert_array_equal(column.counts, [1, 2, 0])
    np.testing.assert_array_equal(column.sums[:, mean_metrics().index("MRR")], [1, 0.75, 0])
    np.testing.assert_array_equal(column.sums[:, mean_metrics().index("R@1")], [1, 0, 0])
    np.testing.assert_array_equal(column.sums[:, mean_metrics().index("R@5")], [1, 2, 0])
    np.testing.assert_array_equal(column.rank, [1, 2, 4])
    np.testing.assert_array_equal(column.owner, [0, 1, 1])
    np.testing.assert_array_equal(found["i2t", "de"].counts, [1, 1, 0])  # the third has no caption to find
    np.testing.assert_array_equal(found["i2t", "de"].sums[:, mean_metrics().index("MRR")], [1, 0.5, 0])


def test_a_query_that_ties_stands_at_its_mean_place():
    part = make_part(EmbeddingSet.build("toy", np.eye(2) + 0.1, {"en": np.eye(2)}), np.arange(2))
    counts = np.ones(2, np.int32)
    ranks = Ranks(0 * counts, np.array([1, 0], np.int32), counts, *[counts.astype(np.float32)] * 3)
    column = measure(((ranks, ranks),), part, ("en",)).sums["t2i", "en"]
    np.testing.assert_array_equal(column.rank, [1.5, 1.0])
    np.testing.assert_array_equal(column.sums[:, 0], [0.5, 1.0])


def test_padding_adds_nothing():
    data, images = crowded(), np.arange(0, 30, 2)
    part, ranks = ranked(data, images)
    plain = measure(ranks, part, LANGUAGES)
    longer = jax.tree.map(lambda leaf: np.pad(leaf, (0, 5)), ranks)
    assert_same(plain, measure(longer, part, LANGUAGES))


TASKS = ("t2t",)


def tasks_of(data, part, images):
    text = [unit_float32(data.text[language][np.isin(data.image_of[language], images)]) for language in LANGUAGES]
    found = rank_tasks(text, unit_float32(data.image[images]), part.image_of, part.captions_of, tasks=TASKS)
    return jax.tree.map(np.asarray, {task: getattr(found, task) for task in TASKS})


def test_pairs_of_languages_belong_to_the_image_of_the_first():
    data, images = crowded(), np.arange(30)
    part = make_part(data, images)
    ranks = tasks_of(data, part, images)
    found = measure_pairs(ranks, part, LANGUAGES)
    assert {task for task, _ in found.sums} == set(TASKS)
    pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
    for task in TASKS:
        assert list(found.sums) == [(task, f"{LANGUAGES[a]}->{LANGUAGES[b]}") for a, b in pairs]
        for (a, b), one in zip(pairs, ranks[task], strict=True):
            column = found.sums[task, f"{LANGUAGES[a]}->{LANGUAGES[b]}"]
            assert_is(column, retrieval_metrics(one))
            owner = part.image_of[a]
            both = owner[np.isin(owner, part.image_of[b])]  # others have no answer
            np.testing.assert_array_equal(np.sort(column.owner), both)


def test_a_task_that_nothing_takes_is_absent():
    part = make_part(crowded(), np.array([0, 1, 2]))  # none of them has ja
    lengths = [len(part.image_of[a]) for a in range(3) for b in range(3) if a != b]
    none = [Ranks(*[np.zeros(length)] * 6) for length in lengths]
    found = measure_pairs({"t2t": none}, part, LANGUAGES)
    assert found.sums == found.values == {}
    several = [none[0]._replace(tied=np.ones(lengths[0])), *none[1:]]
    found = measure_pairs({"t2t": several}, part, LANGUAGES)
    assert list(found.sums) == [("t2t", "de->en")] and list(found.values) == [("t2t", None), ("t2t", "de->en")]


def test_some_of_the_images_alone():
    data, images = crowded(), np.arange(30)
    part, ranks = ranked(data, images)
    directions = measure(ranks, part, LANGUAGES)
    whole = add_measurement(directions, measure_pairs(tasks_of(data, part, images), part, LANGUAGES))
    rng = np.random.default_rng(0)
    mask = rng.random(30) < 0.4
    mask[[3, 7]] = False
    some, rest = subgroup(whole, mask), subgroup(whole, ~mask)
    every = subgroup(whole, np.ones(30, bool))
    assert list(every.sums) == list(directions.sums)
    for place, values in every.values.items():
        assert values == pytest.approx({name: directions.values[place][name] for name in mean_metrics()}, abs=1e-6)
    assert not [name for _, name in some.sums if name == "ja"]  # its captions are of the others
    for place, column in directions.sums.items():
        parts = [(one.sums[place], rows) for one, rows in ((some, mask), (rest, ~mask)) if place in one.sums]
        asked = np.zeros(30)
        for one, rows in parts:
            np.testing.assert_array_equal(one.sums, column.sums[rows])
            np.testing.assert_array_equal(one.counts, column.counts[rows])
            asked[rows] = np.bincount(one.owner, minlength=rows.sum())
            assert len(one.rank) == len(one.owner) == one.counts.sum() > 0
        np.testing.assert_array_equal(asked, np.bincount(column.owner, minlength=30))
        assert sorted(np.concatenate([one.rank for one, _ in parts])) == sorted(column.rank)


def ranks_of(*places):
    """Queries whose answers stand at these places; 0 is no query."""
    places = np.array(places)
    there = (places > 0).astype(np.int32)
    value = np.where(places > 0, 1 / np.maximum(places, 1), 0)
    return Ranks(np.maximum(places - 1, 0), 0 * there, there, value, value, value)


def values_of(pairs):
    """The nested values of these text-to-image and image-to-text ranks of de and en."""
    owners = tuple(np.arange(len(t2i.better)) for t2i, _ in pairs)
    images = max(len(one.better) for pair in pairs for one in pair)
    part = make_part(crowded(), np.arange(images))._replace(image_of=owners)
    return nest_values(measure(pairs, part, ("de", "en")).values)


def test_both_is_the_mean_of_the_two_directions():
    pairs = ((ranks_of(1, 2), ranks_of(4, 1, 1, 1)), (ranks_of(1, 1, 0), ranks_of(2, 2, 0, 0)))
    found = values_of(pairs)
    assert list(found) == ["t2i", "i2t", "both"]
    assert found["t2i"]["R@1"] == 0.75 and found["i2t"]["R@1"] == 0.375 and found["both"]["R@1"] == 0.5625
    assert found["both"]["per_language"]["de"]["R@1"] == pytest.approx((0.5 + 0.75) / 2)
    assert list(found["both"]) == [*METRICS, "per_language"]
    for metric in METRICS:
        halves = (found["t2i"], found["i2t"])
        assert found["both"][metric] == pytest.approx(np.mean([one[metric] for one in halves]))
        for language in ("de", "en"):
            wanted = np.mean([one["per_language"][language][metric] for one in halves])
            assert found["both"]["per_language"][language][metric] == pytest.approx(wanted)


def test_a_language_of_one_direction_alone_is_not_of_both():
    found = values_of(((ranks_of(1), ranks_of(1)), (ranks_of(2), ranks_of(0))))
    assert list(found["t2i"]["per_language"]) == ["de", "en"]
    assert list(found["i2t"]["per_language"]) == list(found["both"]["per_language"]) == ["de"]
    assert found["both"]["R@1"] == 0.75  # of the directions' means


def by_hand():
    """Images a to e; en: a a c d d d e, ja: b c."""
    owners = {"en": list("aacddde"), "ja": list("bc")}
    rng = np.random.default_rng(0)
    text = {language: rng.standard_normal((len(rows), 6)) for language, rows in owners.items()}
    return EmbeddingSet.build("toy", rng.standard_normal((5, 6)), text, image_keys=list("abcde"), text_keys=owners)


def test_chance_counts_galleries_and_answers():
    data = by_hand()
    found = chance_measurement(make_part(data, np.arange(5)), data.languages).values
    assert found["t2i", "en"]["R@1"] == pytest.approx(1 / 5)
    # images a, c, d, e have 2, 1, 3, 1 of seven captions
    assert found["i2t", "en"]["R@1"] == pytest.approx(np.mean([2, 1, 3, 1]) / 7)
    assert found["i2t", "ja"]["R@1"] == pytest.approx(1 / 2)
    assert found["both", None]["R@1"] == pytest.approx((found["t2i", None]["R@1"] + found["i2t", None]["R@1"]) / 2)


def test_a_language_without_a_query_is_left_out():
    """A rare language may be absent from a training sample; the others still count."""
    data = by_hand()
    found = chance_measurement(make_part(data, np.array([0, 3, 4])), data.languages).values
    assert [name for task, name in found if task == "both"] == [None, "en"]
    assert found["t2i", None]["R@1"] == pytest.approx(1 / 3)


def test_chance_between_languages():
    data = by_hand()
    found = chance_measurement(make_part(data, np.arange(5)), data.languages, tasks=["t2t"]).values
    # c alone has both: one caption of ja among two, and one of en among seven
    assert found["t2t", "en->ja"]["R@1"] == pytest.approx(1 / 2)
    assert found["t2t", "ja->en"]["R@1"] == pytest.approx(1 / 7)

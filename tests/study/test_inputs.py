"""The data and the folds that follow from the options of a sweep."""

import numpy as np

from ccalign_jax.data import EmbeddingSet, synthetic
from ccalign_jax.options import SweepConfig
from ccalign_jax.study.inputs import prepare_data, read_data
from ccalign_jax.study.plan import plan_folds


def test_data_comes_from_arrays_sets_and_names(one_line):
    rows = np.random.default_rng(0).standard_normal((12, 4))
    data = read_data({"en": rows, "de": rows[:, :3] @ np.eye(3, 4)}, rows, languages=["en"])
    assert data.languages == ("en",) and len(data) == 12 and data.d_image == 4
    assert read_data(data) is data
    assert read_data("synthetic").name
    one_line(lambda: read_data({"en": rows}), "images")
    one_line(lambda: read_data(data, languages=["xx"]), "xx")


def test_the_seed_protocol_prepares_complete_first_captions(one_line):
    keys = [f"k{number:02d}" for number in range(20)]
    rows = np.random.default_rng(0).standard_normal((60, 4))
    owners = {"de": keys * 2, "en": keys[3:]}
    text = {language: rows[: len(own)] for language, own in owners.items()}
    data = EmbeddingSet.build("toy", rows[:20], text, image_keys=keys, text_keys=owners)
    prepared = prepare_data(data, SweepConfig(protocol="seed"))
    assert len(prepared) == 17 and {len(part) for part in prepared.text.values()} == {17}
    assert len(plan_folds(prepared, SweepConfig(protocol="seed", folds=4))) == 4
    assert len(prepare_data(data, SweepConfig(limit=10))) == 10
    assert len(plan_folds(data, SweepConfig(folds=2))) == 2
    one_line(lambda: plan_folds(data, SweepConfig(split="official")), "split")


def test_duplicates_are_grouped_and_said():
    rows = np.random.default_rng(0).standard_normal((20, 4))
    rows[7] = 3 * rows[2]
    data = EmbeddingSet.build("toy", rows, {"en": np.random.default_rng(1).standard_normal((20, 4))})
    found = prepare_data(data, SweepConfig())
    assert found.groups[7] == found.groups[2] and len(np.unique(found.groups)) == 19
    assert any("2 of 20 images have an exact or near duplicate" in note for note in found.notes)
    for fold in plan_folds(found, SweepConfig(folds=4)):
        for one in (fold.test, *(inner.validation for inner in fold.inner)):
            assert (2 in one) == (7 in one)
    loose = prepare_data(data, SweepConfig(duplicate_cosine=0.5))
    assert len(np.unique(loose.groups)) < 19


def test_the_plan_follows_the_choices():
    data = synthetic(40, dimensions=8)
    crossed, alone, repeated = (
        plan_folds(data, SweepConfig(folds=4, **choices)) for choices in ({}, {"inner_folds": 1}, {"repeats": 3})
    )
    assert [len(folds[0].inner) for folds in (crossed, alone, repeated)] == [3, 1, 3]
    assert [len(folds) for folds in (crossed, alone, repeated)] == [4, 4, 12]
    seed = plan_folds(data, SweepConfig(protocol="seed", folds=4))
    assert all(len(fold.inner) == 1 and fold.inner[0].validation is fold.test for fold in seed)


def test_the_limit_is_seeded():
    data = synthetic(40, dimensions=8)
    one, same, other = (prepare_data(data, SweepConfig(limit=20, seed=seed)) for seed in (1, 1, 2))
    assert one.sha256() == same.sha256() != other.sha256()

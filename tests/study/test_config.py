"""What a sweep is asked to do, and the folder that it claims for itself."""

import dataclasses
import json

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet, synthetic
from ccalign_jax.study.config import SweepConfig, plan_folds, prepare_data, read_data
from ccalign_jax.study.folder import RunFolder, file_name


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"protocol": "kfold"}, ["--protocol=kfold", "nested or seed"]),
        ({"split": "dev"}, ["--split=dev", "kfold or official"]),
        ({"protocol": "seed", "split": "official"}, ["--split=official"]),
        ({"protocol": "seed", "inner_folds": 1}, ["--protocol=seed", "--inner_folds"]),
        ({"protocol": "seed", "repeats": 2}, ["--protocol=seed", "--repeats"]),
        ({"split": "official", "inner_folds": 1}, ["--split=official", "--inner_folds"]),
        ({"split": "official", "repeats": 2}, ["--split=official", "--repeats"]),
        ({"limit": 0}, ["--limit=0"]),
        ({"seed": -1}, ["--seed=-1"]),
        ({"seed": 2**32}, ["--seed="]),
    ],
)
def test_impossible_choices(change, parts, one_line):
    one_line(lambda: SweepConfig(**change), *parts)


def test_a_config_is_read_as_it_was_written(tmp_path):
    config = SweepConfig(pivots=("image", "text:en"), hyper=("l2=0.1",), languages=("de", "中"), limit=30)
    with RunFolder(tmp_path / "run") as folder:
        folder.claim(config, "abc", resume=False, overwrite=False)
        assert SweepConfig.read(folder.config_path) == config


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"config": 3}', '{"config": {"what": 1}}', '{"config": {"seed": -1}}']
)
def test_what_is_no_config(tmp_path, text, one_line):
    path = tmp_path / "config.json"
    path.write_text(text)
    one_line(lambda: SweepConfig.read(path), str(path), "not a sweep's config.json")
    one_line(lambda: SweepConfig.read(tmp_path / "none.json"), "none.json")


def test_differences_are_named():
    one = SweepConfig()
    assert one.differences(SweepConfig()) == []
    other = dataclasses.replace(one, folds=3, pivots=("symmetric",))
    assert other.differences(one) == ["pivots is ('symmetric',), was ('image',)", "folds is 3, was 5"]


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
        for one in (fold.report, *(inner.select for inner in fold.inner)):
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
    assert all(len(fold.inner) == 1 and fold.inner[0].select is fold.report for fold in seed)


def claim(path, config=None, sha256="abc", **how):
    with RunFolder(path) as folder:
        folder.claim(config or SweepConfig(), sha256, **{"resume": False, "overwrite": False, **how})


def test_a_folder_is_claimed_once(tmp_path, one_line):
    path = tmp_path / "runs" / "mine"
    claim(path)
    stored = json.loads((path / "unfinished" / "config.json").read_text())
    assert stored["data_sha256"] == "abc" and stored["versions"]["jax"]
    one_line(lambda: claim(path), str(path), "holds a sweep already", "--resume", "--overwrite")
    one_line(lambda: claim(path, resume=True, overwrite=True), "give one of them")
    claim(path, resume=True)
    one_line(lambda: claim(path, SweepConfig(folds=3), resume=True), "folds is 3, was 5")
    one_line(lambda: claim(path, sha256="def", resume=True), "data have changed")
    (path / "unfinished" / "slices").mkdir()
    claim(path, SweepConfig(folds=3), overwrite=True)
    assert [child.name for child in (path / "unfinished").iterdir()] == ["config.json"]
    one_line(lambda: claim(tmp_path / "none", resume=True), "no run to resume")
    assert not (tmp_path / "none").exists()
    (tmp_path / "empty").mkdir()
    claim(tmp_path / "empty")


@pytest.mark.parametrize("how", [{}, {"resume": True}, {"overwrite": True}])
@pytest.mark.parametrize("content", [None, '{"model_type": "clip"}', "not json", '{"config": {"folds": 3}}'])
def test_what_is_not_ours_stays(tmp_path, content, how, one_line):
    """Other programs write a config.json too: --overwrite must not delete someone's model."""
    (tmp_path / "weights.bin").write_bytes(b"precious")
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    one_line(lambda: claim(tmp_path, **how), str(tmp_path))
    assert (tmp_path / "weights.bin").read_bytes() == b"precious"
    assert content is None or (tmp_path / "config.json").read_text() == content


def test_a_file_is_no_folder(tmp_path, one_line):
    (tmp_path / "file").write_text("text")
    one_line(lambda: claim(tmp_path / "file"), "file", "not a folder", "--out")


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", "half", "flip", "other"])
def test_a_damaged_slice_is_no_slice(tmp_path, damage):
    folder, tree = RunFolder(tmp_path), {"a": np.arange(2000.0), "b": (np.ones((2, 3)), np.int32(4))}
    assert folder.load_slice(0, 1, lambda: tree) is None
    folder.save_slice(0, 1, tree)
    found = folder.load_slice(0, 1, lambda: tree)
    np.testing.assert_array_equal(found["a"], tree["a"])
    assert found["b"][1] == 4
    assert folder.load_slice(0, 0, lambda: tree) is None
    (file,) = (tmp_path / "unfinished" / "slices").iterdir()
    content = file.read_bytes()
    damaged = {"half": content[: len(content) // 2], "flip": content[:900] + b"\x99" + content[901:]}
    file.write_bytes(damage if isinstance(damage, bytes) else damaged.get(damage, content))
    like = {**tree, "more": 1} if damage == "other" else tree
    assert folder.load_slice(0, 1, lambda: like) is None


def test_a_config_nested_without_end_is_no_config(tmp_path, one_line):
    (tmp_path / "config.json").write_text("[" * 10**5)
    one_line(lambda: SweepConfig.read(tmp_path / "config.json"), "config.json: not a sweep's config.json")


def test_a_slice_with_a_damaged_header_is_no_slice(tmp_path):
    """Whatever Python's parser raises of it."""
    folder, tree = RunFolder(tmp_path), {"a": np.arange(3.0)}
    folder.save_slice(0, 1, tree)
    (file,) = (tmp_path / "slices").iterdir()
    content = file.read_bytes()
    start = content.index(b"\x93NUMPY")
    for place in range(start, start + 128):
        for bit in (1, 8, 64):
            file.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
            assert folder.load_slice(0, 1, lambda: tree) is None


def test_no_folder_keeps_nothing():
    folder = RunFolder(None)
    folder.claim(SweepConfig(), "abc", resume=False, overwrite=False)
    folder.save_slice(0, 0, {"a": np.ones(3)})
    assert folder.load_slice(0, 0, dict) is None


def test_names_of_files():
    assert file_name("image/dual(residual)/infonce/l2=1e-05") == "image_dual_residual_infonce_l2_1e-05"
    assert file_name("text:中文/x") != file_name("text:日本/x")
    assert not set('\\/:*?"<>|') & set(file_name('a\\b/c:d*e?f"g<h>i|j'))


def test_the_limit_is_seeded():
    data = synthetic(40, dimensions=8)
    one, same, other = (prepare_data(data, SweepConfig(limit=20, seed=seed)) for seed in (1, 1, 2))
    assert one.sha256() == same.sha256() != other.sha256()

"""Checkpoints: they come back as they were, and no damage goes unseen."""

import json
import resource
import shutil

import jax
import numpy as np
import pytest

from ccalign_jax.aligners import ALIGNERS, AlignerEntry, make_aligner, registered_by
from ccalign_jax.checkpoints import (
    ABOUT,
    TRAINING_IMAGES,
    LearnedMap,
    load_aligner,
    load_tree,
    save_checkpoint,
    save_tree,
)
from ccalign_jax.data.fingerprints import Fingerprints
from ccalign_jax.descriptions import described_aligner
from ccalign_jax.study.refit import describe_map
from ccalign_jax.training import Hyper, Recipe, Space, Trial


def about(aligner="residual", *, d_text=6, d_image=4, hidden=8, languages=("de", "en")):
    return {
        "trial": "image/residual/infonce",
        "aligner": aligner,
        "hyper": {"temperature": 0.07},
        "hidden": hidden,
        "epoch": 3,
        "d_text": d_text,
        "d_image": d_image,
        "languages": list(languages),
    }


def params_of(name, seed=0):
    aligner = make_aligner(name, 6, 4, languages=2, hidden=8)
    params = aligner.init(jax.random.key(seed))
    keys = iter(jax.random.split(jax.random.key(seed + 1), 20))
    return jax.tree.map(lambda leaf: np.asarray(leaf + jax.random.normal(next(keys), leaf.shape)), params)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "best"
    save_tree(path, params_of("residual"), about())
    return path


@pytest.mark.parametrize("name", ["identity", "residual", "residual_mlp", "dual(per_language(residual_mlp))"])
def test_what_is_saved_comes_back(tmp_path, name):
    params = params_of(name)
    save_tree(tmp_path / "deep" / "best", params, about(name))
    found = load_aligner(tmp_path / "deep" / "best")
    assert jax.tree.structure(found.params) == jax.tree.structure(params)
    for one, other in zip(jax.tree.leaves(found.params), jax.tree.leaves(params), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert {key: found.about[key] for key in about(name)} == about(name)
    rows = np.ones((3, 6), np.float32)
    aligner = make_aligner(name, 6, 4, languages=2, hidden=8)
    np.testing.assert_array_equal(found.aligner.text(found.params, rows, 1), aligner.text(params, rows, 1))
    assert [child.name for child in (tmp_path / "deep").iterdir()] == ["best"]


def test_a_checkpoint_replaces_an_older_one_and_a_draft_left_behind(tmp_path):
    (tmp_path / "best.draft" / "tree").mkdir(parents=True)
    save_tree(tmp_path / "best", params_of("residual", 0), about())
    save_tree(tmp_path / "best", params_of("linear", 5), about("linear"))
    found = load_aligner(tmp_path / "best")
    np.testing.assert_array_equal(found.params["weight"], params_of("linear", 5)["weight"])
    assert [child.name for child in tmp_path.iterdir()] == ["best"]


def test_training_images_are_stored_and_covered_by_the_checksum(tmp_path, one_line):
    known = Fingerprints(np.arange(16, dtype=np.int16).reshape(2, 8), np.array([5, 2**63 + 1], np.uint64))
    one = LearnedMap(make_aligner("residual", 6, 4, languages=2), params_of("residual"), about(), known)
    save_checkpoint(tmp_path / "best", one)
    found = load_aligner(tmp_path / "best").training_images
    for mine, theirs in zip(found, known, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
    (tmp_path / "best" / TRAINING_IMAGES).unlink()
    one_line(lambda: load_aligner(tmp_path / "best"), "SHA-256")
    save_checkpoint(tmp_path / "best", one._replace(training_images=None))  # replaces the older one
    assert load_aligner(tmp_path / "best").training_images is None


def test_a_stacked_tree_is_no_map(tmp_path, one_line):
    save_tree(tmp_path / "group", {"delta": np.zeros((3, 5, 6, 4), np.float32)}, {"stacked": ["trials", "folds"]})
    tree, _ = load_tree(tmp_path / "group")
    assert tree["delta"].shape == (3, 5, 6, 4)
    one_line(lambda: load_aligner(tmp_path / "group"), "group", "aligner", "give RUN/best")


@pytest.mark.parametrize("bit", [0x01, 0x80])
def test_every_flipped_byte_is_noticed(tmp_path, saved, bit, one_line):
    path = tmp_path / "best"
    shutil.copytree(saved, path)
    flips = 0
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        content = file.read_bytes()
        step = 1 if file.name == ABOUT else max(1, len(content) // 40)
        for place in range(0, len(content), step):
            file.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
            one_line(lambda: load_aligner(path), str(path))
            flips += 1
        file.write_bytes(content)
    assert flips > 500
    load_aligner(path)


def test_missing_cut_and_added_files_are_noticed(tmp_path, saved, one_line):
    path = tmp_path / "best"
    shutil.copytree(saved, path)
    for file in sorted(file for file in (path / "tree").rglob("*") if file.is_file()):
        content = file.read_bytes()
        for damage in (file.unlink, lambda target=file, cut=content[:-1]: target.write_bytes(cut)):
            damage()
            if not content and file.exists():
                continue
            one_line(lambda: load_aligner(path), str(path), "SHA-256")
            file.write_bytes(content)
    (path / "tree" / "more").write_bytes(b"")
    one_line(lambda: load_aligner(path), "SHA-256")
    shutil.rmtree(path / "tree")
    one_line(lambda: load_aligner(path), "damaged or missing")
    (path / ABOUT).unlink()
    one_line(lambda: load_aligner(path), "no checkpoint here", ABOUT)
    one_line(lambda: load_tree(tmp_path / "nowhere"), "nowhere: no such folder; give a folder such as RUN/best")
    shutil.copytree(saved, path / "best")
    one_line(lambda: load_aligner(path), f"no checkpoint here ({ABOUT} is missing); did you mean {path / 'best'}?")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"leaves": {}}', "{", '"leaves sha256"', "[" * 10**5])
def test_what_is_no_description(tmp_path, text, one_line):
    save_tree(tmp_path / "best", {}, about("identity"))
    (tmp_path / "best" / ABOUT).write_text(text)
    one_line(lambda: load_tree(tmp_path / "best"), ABOUT)


@pytest.mark.parametrize("change", [{"languages": ["en", "de"]}, {"aligner": "linear"}, {"epoch": 4}, {"d_text": 4}])
def test_an_edited_description_is_noticed(tmp_path, saved, change, one_line):
    """The order of the languages picks the map of each: it is as much a part of the checkpoint as its numbers."""
    path = tmp_path / "best"
    shutil.copytree(saved, path)
    said = json.loads((path / ABOUT).read_text())
    (path / ABOUT).write_text(json.dumps({**said, **change}, indent=1, sort_keys=True) + "\n")
    one_line(lambda: load_aligner(path), str(path), "SHA-256")


STRANGE = {
    "d_text": ("6", 0, -1, True, None, 2**40),
    "hidden": (1e9, 0, -3),
    "languages": (3, [None], ["de", "de"], "de"),
    "aligner": ("", "\u2028", "residul", "dual(", 5),
    "hyper": ([], None),
    "trial": (3, None),
    "scores": ([], {}, {"before": {"MRR": 0.1}, "after": {}}, {"before": {"MRR": "x"}, "after": {"MRR": 1}}),
    "modules": (3, [None]),
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in STRANGE.items() for value in values])
def test_a_description_with_a_strange_entry_is_refused_by_the_name_of_its_file(key, value, one_line):
    said = {**about("residual_mlp"), key: value}
    one_line(lambda: described_aligner("some/best", said), "some/best")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"d_image": 0}, "d_image is 0, of another kind"),
        ({"hidden": 0}, "hidden is 0, but residual_mlp needs it"),
        ({"aligner": ""}, "unknown aligner ''"),
    ],
)
def test_a_description_says_which_entry_is_wrong(change, words, one_line):
    said = {**about("residual_mlp"), **change}
    one_line(lambda: described_aligner("best", said), f"best: {ABOUT}: {words}")


def test_a_size_that_an_aligner_does_not_read_may_be_none():
    assert described_aligner("best", about("linear", hidden=0)).matrix is not None


def test_parameters_of_another_aligner_are_refused(tmp_path, one_line):
    for name, other in (("linear", {}), ("residual", {"d_text": 5}), ("residual_mlp", {})):
        save_tree(tmp_path / "best", params_of("residual"), about(name, **other))
        one_line(lambda: load_aligner(tmp_path / "best"), f"not those of {name}")
    save_tree(tmp_path / "best", params_of("residual"), about("resid"))
    one_line(lambda: load_aligner(tmp_path / "best"), "resid")


def test_an_aligner_of_another_program_is_to_be_registered_first(tmp_path, one_line, monkeypatch):
    def make(d_text, d_out, sizes):
        return make_aligner("linear", d_text, d_out, languages=1)

    make.__module__ = "my_maps"
    monkeypatch.setitem(ALIGNERS, "mine", AlignerEntry(make, "another program's"))
    assert registered_by("dual(linear,mine)") == ["my_maps"]
    trial = Trial(0, "t", "image", "per_language(mine)", "infonce", Hyper(), Recipe())
    said = describe_map(trial, 1, space=Space(6, 4, ("de", "en")), data="toy", protocol="nested", seed=0)
    save_tree(tmp_path / "best", params_of("per_language(linear)"), said)
    assert load_aligner(tmp_path / "best").about["modules"] == ["my_maps"]
    monkeypatch.delitem(ALIGNERS, "mine")
    one_line(
        lambda: load_aligner(tmp_path / "best"),
        "best",
        "'mine' is not registered",
        "--plugin=my_maps",
        "load_plugin('my_maps')",
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_map_that_is_not_finite_is_neither_saved_nor_loaded(tmp_path, monkeypatch, one_line, value):
    params = {"delta": np.full((6, 4), value, np.float32)}
    one_line(lambda: save_tree(tmp_path / "best", params, about()), "best: ['delta'] is NaN or infinite")
    assert not list(tmp_path.iterdir())
    with monkeypatch.context() as earlier:  # a version without the check
        earlier.setattr("ccalign_jax.checkpoints._check_finite", lambda path, tree: None)
        save_tree(tmp_path / "best", params, about())
    one_line(lambda: load_aligner(tmp_path / "best"), "best: ['delta'] is NaN or infinite", "learning_rate")


def test_a_language_finds_its_number(tmp_path, one_line):
    save_tree(tmp_path / "one", params_of("residual"), about())
    save_tree(tmp_path / "each", params_of("per_language(residual)"), about("per_language(residual)"))
    shared, own = load_aligner(tmp_path / "one"), load_aligner(tmp_path / "each")
    assert [shared.language_number(language) for language in ("de", "en", "xx")] == [0, 1, -1]
    assert own.language_number("en") == 1
    one_line(lambda: own.language_number("xx"), "no map for xx", "--languages=de,en")


@pytest.fixture
def full_disk():
    """Files cannot become longer than 10 kB."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_one_error_and_leaves_what_was_there(tmp_path, full_disk, capfd, one_line):
    path = tmp_path / "map"
    save_tree(path, {"w": np.ones(3)}, {"name": "small"})
    rows = np.random.default_rng(0).normal(size=(100, 100))
    one_line(lambda: save_tree(path, {"w": rows}, {"name": "large"}), str(path), "file too large", "make room")
    assert capfd.readouterr().err == ""
    assert load_tree(path)[1]["name"] == "small" and [entry.name for entry in tmp_path.iterdir()] == ["map"]

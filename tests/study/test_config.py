"""What a sweep is asked to do, and the folder that it claims for itself."""

import dataclasses
import json
import resource

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet, synthetic
from ccalign_jax.study.config import SweepConfig, plan_folds, prepare_data, read_data
from ccalign_jax.study.file_names import file_name
from ccalign_jax.study.folder import RunFolder, read_summary


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
def test_a_damaged_result_is_none(tmp_path, damage):
    folder, tree = RunFolder(tmp_path), {"a": np.arange(2000.0), "b": (np.ones((2, 3)), np.int32(4))}
    assert folder.load_result("000-0001", lambda: tree) is None
    folder.save_result("000-0001", tree)
    found = folder.load_result("000-0001", lambda: tree)
    np.testing.assert_array_equal(found["a"], tree["a"])
    assert found["b"][1] == 4
    assert folder.load_result("000-0000", lambda: tree) is None
    (file,) = (tmp_path / "unfinished" / "slices").iterdir()
    content = file.read_bytes()
    damaged = {"half": content[: len(content) // 2], "flip": content[:900] + b"\x99" + content[901:]}
    file.write_bytes(damage if isinstance(damage, bytes) else damaged.get(damage, content))
    like = {**tree, "more": 1} if damage == "other" else tree
    assert folder.load_result("000-0001", lambda: like) is None


def test_a_deeply_nested_config_is_refused(tmp_path, one_line):
    (tmp_path / "config.json").write_text("[" * 10**5)
    one_line(lambda: SweepConfig.read(tmp_path / "config.json"), "config.json: not a sweep's config.json")


def test_a_result_with_a_damaged_header_is_run_again(tmp_path):
    """Whatever exception Python's parser raises."""
    folder, tree = RunFolder(tmp_path), {"a": np.arange(3.0)}
    folder.save_result("000-0001", tree)
    (file,) = (folder.draft / "slices").iterdir()
    content = file.read_bytes()
    start = content.index(b"\x93NUMPY")
    for place in range(start, start + 128):
        for bit in (1, 8, 64):
            file.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
            assert folder.load_result("000-0001", lambda: tree) is None


def test_no_folder_keeps_nothing():
    folder = RunFolder(None)
    folder.claim(SweepConfig(), "abc", resume=False, overwrite=False)
    folder.save_result("000-0000", {"a": np.ones(3)})
    assert folder.load_result("000-0000", dict) is None


def test_paths_are_kept_absolute(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data.npz").touch()
    (tmp_path / "grid.yaml").touch()
    monkeypatch.chdir(tmp_path)
    claim("run", SweepConfig(data="data.npz", grid="grid.yaml"))
    monkeypatch.chdir("elsewhere")
    with RunFolder("../run") as folder:
        config = SweepConfig.read(folder.config_path)
        assert (config.data, config.grid) == (str(tmp_path / "data.npz"), str(tmp_path / "grid.yaml"))
        folder.claim(config, "abc", resume=True, overwrite=False)
    monkeypatch.chdir(tmp_path)  # where an older version's relative path is right
    assert SweepConfig(data="data.npz", grid="grid.yaml").differences(config) == []
    assert SweepConfig(data="other.npz").differences(config)
    assert SweepConfig().absolute() == SweepConfig()


def test_plugins_are_part_of_a_run(tmp_path, monkeypatch, one_line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maps.py").touch()
    (tmp_path / "maps").mkdir()
    config = SweepConfig(plugins=("maps", "maps.py"))
    assert config.absolute().plugins == ("maps", str(tmp_path / "maps.py"))
    claim("run", config)
    with RunFolder("run") as folder:
        stored = SweepConfig.read(folder.config_path)
        assert stored.differences(config) == []
    one_line(lambda: claim("run", resume=True), "plugins is ()")


def test_a_config_of_an_older_version_has_no_plugins(tmp_path):
    claim(tmp_path)
    path = tmp_path / "unfinished" / "config.json"
    said = json.loads(path.read_text())
    del said["config"]["plugins"]
    path.write_text(json.dumps(said))
    assert SweepConfig.read(path) == SweepConfig()
    claim(tmp_path, resume=True)


def finish(path, *names):
    """A run whose folder looks complete."""
    with RunFolder(path) as folder:
        folder.claim(SweepConfig(), "abc", resume=False, overwrite=False)
        folder.save_result("000-0000", {"a": np.ones(3)})
        with folder.writing() as draft:
            for name in names:
                (draft / name).parent.mkdir(exist_ok=True)
                (draft / name).write_text('{"families": [], "selected": {}, "best": "identity"}')


FILES = ("summary.json", "results.csv", "report.html", "tables/main.md", "ranks/identity.npz", "best/checkpoint.json")


def test_a_complete_run_has_its_files_and_no_trials(tmp_path, one_line):
    run = tmp_path / "run"
    finish(run, *FILES)
    assert not (run / "unfinished").exists()
    claim(run, resume=True)
    assert RunFolder(run).finished() is not None
    (run / "best" / "checkpoint.json").unlink()
    one_line(lambda: claim(run, resume=True), str(run), "1 of its files are missing", "best/checkpoint.json")
    (run / "summary.json").unlink()
    claim(run, resume=True)
    assert RunFolder(run).finished() is None


def test_a_complete_run_of_an_older_version(tmp_path, one_line):
    run = tmp_path / "run"
    finish(run, *FILES)
    (run / "manifest.json").unlink()
    (run / "slices").mkdir()  # the run was killed in its last step
    claim(run, resume=True)
    assert not (run / "slices").exists()
    one_line(lambda: claim(run, overwrite=True), "no manifest.json", "older versions")
    (run / "ranks" / "identity.npz").unlink()
    (run / "ranks").rmdir()
    one_line(lambda: claim(run, resume=True), "files are missing", "ranks")


def test_an_unfinished_run_of_an_older_version_goes_on(tmp_path):
    run, tree = tmp_path / "run", {"a": np.ones(3)}
    with RunFolder(run) as folder:
        folder.claim(SweepConfig(), "abc", resume=False, overwrite=False)
        folder.save_result("000-0000", tree)
    for entry in (run / "unfinished").iterdir():
        entry.rename(run / entry.name)
    (run / "unfinished").rmdir()
    (run / "manifest.json").unlink()
    claim(run, resume=True)
    assert RunFolder(run).load_result("000-0000", lambda: tree) is not None and not (run / "slices").exists()


def test_an_overwritten_run_stays_until_the_new_one_is_complete(tmp_path):
    run = tmp_path / "run"
    finish(run, *FILES, "plots/old.png")
    claim(run, SweepConfig(folds=3), overwrite=True)
    assert read_summary(run) is not None and (run / "plots" / "old.png").exists()
    with RunFolder(run) as folder:
        assert SweepConfig.read(folder.config_path).folds == 3  # which is what --resume continues
        folder.claim(SweepConfig(folds=3), "abc", resume=True, overwrite=False)
        assert folder.finished() is None
        with folder.writing() as draft:
            (draft / "summary.json").write_text("{}")
    assert sorted(path.name for path in run.iterdir()) == ["config.json", "manifest.json", "summary.json"]


def test_a_full_disk_keeps_what_was_there(tmp_path, one_line):
    folder = RunFolder(tmp_path)
    folder.save_result("000-0000", {"a": np.ones(3)})
    kept = sorted(tmp_path.rglob("*"))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        one_line(lambda: folder.save_result("000-0000", {"a": np.ones(3000)}), str(tmp_path), "make room")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert sorted(tmp_path.rglob("*")) == kept
    assert folder.load_result("000-0000", lambda: {"a": 0})["a"].shape == (3,)


def test_names_of_files():
    assert file_name("identity") == "identity"
    assert file_name("image/dual(residual)/infonce/l2=1e-05").startswith("image_dual_residual_infonce_l2_1e-05-")
    alike = [
        "text:a b/x",
        "text:a_b/x",
        "text:a  b/x",
        "text:A_b/x",
        "text_a_b_x",
        "x" * 300,
        "x" * 301,
        "中" * 99,
        "中" * 98,
    ]
    names = [file_name(name) for name in alike]
    assert all(name.isascii() for name in names)
    assert len({name.casefold() for name in names}) == len(alike) and max(len(name.encode()) for name in names) < 120
    assert not set('\\/:*?"<>|') & set(file_name('a\\b/c:d*e?f"g<h>i|j'))


def test_the_limit_is_seeded():
    data = synthetic(40, dimensions=8)
    one, same, other = (prepare_data(data, SweepConfig(limit=20, seed=seed)) for seed in (1, 1, 2))
    assert one.sha256() == same.sha256() != other.sha256()

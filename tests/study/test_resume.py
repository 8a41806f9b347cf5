"""The folder of a run: what is resumed, what is refused, and folders of older versions."""

import json
import resource

import numpy as np
import pytest

from ccalign_jax.options import SweepConfig
from ccalign_jax.runs.kinds import SWEEP_FOLDER, read_config
from ccalign_jax.runs.load import read_summary
from ccalign_jax.runs.store import Store


def test_a_config_is_read_as_it_was_written(tmp_path):
    config = SweepConfig(pivots=("image", "text:en"), hyper=("l2=0.1",), languages=("de", "中"), limit=30)
    with Store(tmp_path / "run", SWEEP_FOLDER) as folder:
        folder.acquire(config, {"data_sha256": "abc"})
        assert read_config(folder.config_path, SWEEP_FOLDER)[0] == config


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"config": 3}', '{"config": {"what": 1}}', '{"config": {"seed": -1}}']
)
def test_what_is_no_config(tmp_path, text, one_line):
    path = tmp_path / "config.json"
    path.write_text(text)
    one_line(lambda: read_config(path, SWEEP_FOLDER), str(path), "not that of a sweep")
    one_line(lambda: read_config(tmp_path / "none.json", SWEEP_FOLDER), "none.json")


def claim(path, config=None, sha256="abc", **how):
    with Store(path, SWEEP_FOLDER) as store:
        store.acquire(config or SweepConfig(), {"data_sha256": sha256}, **how)


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
    (path / "unfinished" / "trials").mkdir()
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
    folder, tree = Store(tmp_path, SWEEP_FOLDER), {"a": np.arange(2000.0), "b": (np.ones((2, 3)), np.int32(4))}
    assert folder.load_result("000-0001", lambda: tree) is None
    folder.save_result("000-0001", tree)
    found = folder.load_result("000-0001", lambda: tree)
    np.testing.assert_array_equal(found["a"], tree["a"])
    assert found["b"][1] == 4
    assert folder.load_result("000-0000", lambda: tree) is None
    (file,) = (tmp_path / "unfinished" / "trials").iterdir()
    content = file.read_bytes()
    damaged = {"half": content[: len(content) // 2], "flip": content[:900] + b"\x99" + content[901:]}
    file.write_bytes(damage if isinstance(damage, bytes) else damaged.get(damage, content))
    like = {**tree, "more": 1} if damage == "other" else tree
    assert folder.load_result("000-0001", lambda: like) is None
    assert folder.damaged == [file] and not file.exists()


def test_a_deeply_nested_config_is_refused(tmp_path, one_line):
    (tmp_path / "config.json").write_text("[" * 10**5)
    one_line(
        lambda: read_config(tmp_path / "config.json", SWEEP_FOLDER)[0],
        "config.json: missing, damaged, or not that of a sweep",
    )


def test_a_result_with_a_damaged_header_is_run_again(tmp_path):
    """Whatever exception Python's parser raises."""
    folder, tree = Store(tmp_path, SWEEP_FOLDER), {"a": np.arange(3.0)}
    folder.save_result("000-0001", tree)
    (file,) = (folder.draft / "trials").iterdir()
    content = file.read_bytes()
    start = content.index(b"\x93NUMPY")
    for place in range(start, start + 128):
        for bit in (1, 8, 64):
            file.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
            assert folder.load_result("000-0001", lambda: tree) is None


def test_no_folder_keeps_nothing():
    folder = Store(None, SWEEP_FOLDER)
    folder.acquire(SweepConfig(), {"data_sha256": "abc"})
    folder.save_result("000-0000", {"a": np.ones(3)})
    assert folder.load_result("000-0000", dict) is None


def test_paths_are_kept_absolute(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data.npz").touch()
    (tmp_path / "grid.yaml").touch()
    monkeypatch.chdir(tmp_path)
    claim("run", SweepConfig(data="data.npz", grid="grid.yaml"))
    monkeypatch.chdir("elsewhere")
    with Store("../run", SWEEP_FOLDER) as folder:
        config = read_config(folder.config_path, SWEEP_FOLDER)[0]
        assert (config.data, config.grid) == (str(tmp_path / "data.npz"), str(tmp_path / "grid.yaml"))
        folder.acquire(config, {"data_sha256": "abc"}, resume=True)
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
    with Store("run", SWEEP_FOLDER) as folder:
        stored = read_config(folder.config_path, SWEEP_FOLDER)[0]
        assert stored.differences(config) == []
    one_line(lambda: claim("run", resume=True), "plugins is ()")


def test_a_config_of_an_older_version_has_no_plugins(tmp_path):
    claim(tmp_path)
    path = tmp_path / "unfinished" / "config.json"
    said = json.loads(path.read_text())
    del said["config"]["plugins"]
    path.write_text(json.dumps(said))
    assert read_config(path, SWEEP_FOLDER)[0] == SweepConfig()
    claim(tmp_path, resume=True)


def finish(path, *names):
    """A run whose folder looks complete."""
    with Store(path, SWEEP_FOLDER) as folder:
        folder.acquire(SweepConfig(), {"data_sha256": "abc"})
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
    assert Store(run, SWEEP_FOLDER).finished
    (run / "best" / "checkpoint.json").unlink()
    one_line(lambda: claim(run, resume=True), str(run), "1 of its files are missing", "best/checkpoint.json")
    (run / "summary.json").unlink()
    claim(run, resume=True)
    assert not Store(run, SWEEP_FOLDER).finished


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
    with Store(run, SWEEP_FOLDER) as folder:
        folder.acquire(SweepConfig(), {"data_sha256": "abc"})
        folder.save_result("000-0000", tree)
    (run / "unfinished" / "trials").rename(run / "slices")  # their former name
    (run / "unfinished" / "config.json").rename(run / "config.json")
    (run / "unfinished").rmdir()
    (run / "manifest.json").unlink()
    claim(run, resume=True)
    assert Store(run, SWEEP_FOLDER).load_result("000-0000", lambda: tree) is not None and not (run / "trials").exists()


def test_an_overwritten_run_stays_until_the_new_one_is_complete(tmp_path):
    run = tmp_path / "run"
    finish(run, *FILES, "plots/old.png")
    claim(run, SweepConfig(folds=3), overwrite=True)
    assert read_summary(run) is not None and (run / "plots" / "old.png").exists()
    with Store(run, SWEEP_FOLDER) as folder:
        assert read_config(folder.config_path, SWEEP_FOLDER)[0].folds == 3  # which is what --resume continues
        folder.acquire(SweepConfig(folds=3), {"data_sha256": "abc"}, resume=True)
        assert not folder.finished
        with folder.writing() as draft:
            (draft / "summary.json").write_text("{}")
    assert sorted(path.name for path in run.iterdir()) == ["config.json", "manifest.json", "summary.json"]


def test_a_full_disk_keeps_what_was_there(tmp_path, one_line):
    folder = Store(tmp_path, SWEEP_FOLDER)
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

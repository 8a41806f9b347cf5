"""Folders of results: locking, what is removed, and what a failure leaves."""

import errno
import json
import os
from pathlib import Path

import pytest

from ccalign_jax.files import whole_file
from ccalign_jax.runs.output import default_path, file_name, output_path
from ccalign_jax.runs.kinds import CURVES_FOLDER, EVALUATION_FOLDER
from ccalign_jax.runs.store import Store


def results(path, **how):
    return Store(path, EVALUATION_FOLDER, **how)


def write(path, files, *, overwrite=False, **how):
    with results(path, **how) as folder:
        folder.acquire(overwrite=overwrite)
        with folder.writing() as draft:
            for name, text in files.items():
                (draft / name).parent.mkdir(exist_ok=True)
                (draft / name).write_text(text)
        return folder.path


def content(path):
    """Name and text of every file but the manifest."""
    names = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    return {name: file.read_text() for name, file in names.items() if file.name != "manifest.json"}


OLD = {"summary.json": "old", "tables/main.md": "old", "plots/map.svg": "old"}
NEW = {"summary.json": "new", "tables/main.md": "new", "tables/more.md": "new"}


def test_results_replace_those_that_the_manifest_lists(tmp_path, one_line):
    path = tmp_path / "runs" / "mine"
    write(path, OLD)
    assert content(path) == OLD and not (path / ".lock").exists()
    assert json.loads((path / "manifest.json").read_text())["files"].keys() == OLD.keys()
    one_line(lambda: write(path, NEW), str(path), "holds an evaluation already; give --overwrite")
    write(path, NEW, overwrite=True)
    assert content(path) == NEW and not (path / "plots").exists()


@pytest.mark.parametrize("name", ["notes.txt", "tables/mine.md", "plots", "summary.json/x"])
def test_a_folder_with_other_files_is_refused_and_stays(name, tmp_path, one_line):
    path = tmp_path / "mine"
    write(path, {"results.csv": "old", "tables/main.md": "old"})
    (path / name).parent.mkdir(exist_ok=True)
    if name == "plots":  # a link to the folder of someone else
        (tmp_path / "else").mkdir()
        (path / name).symlink_to(tmp_path / "else")
    else:
        (path / name).write_text("precious")
    before = content(path)
    one_line(lambda: write(path, NEW, overwrite=True), str(path / name), "is not a file of an evaluation")
    assert content(path) == before and (path / name).exists()


@pytest.mark.parametrize("name", ["summary.json", "config.json", "unfinished/summary.json", "tables/main.md"])
def test_a_marker_without_a_manifest_is_refused(name, tmp_path, one_line):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("{}")
    one_line(lambda: write(tmp_path, NEW, overwrite=True), str(tmp_path), "no manifest.json", "--out")
    assert content(tmp_path) == {name: "{}"}


@pytest.mark.parametrize(
    "manifest",
    [
        "{",
        "[]",
        "[" * 100_000,
        '{"kind": "an evaluation"}',
        '{"kind": "an evaluation", "files": ["../precious"]}',
        '{"kind": "an evaluation", "files": ["/precious"]}',
        '{"kind": "an evaluation", "files": [""]}',
    ],
)
def test_a_manifest_names_files_of_its_folder(manifest, tmp_path, one_line):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text(manifest)
    one_line(lambda: write(tmp_path / "run", NEW, overwrite=True), "manifest.json: damaged")
    assert (tmp_path / "precious").exists()


def test_results_of_another_kind_are_refused(tmp_path, one_line):
    write(tmp_path / "run", OLD)
    curves = Store(tmp_path / "run", CURVES_FOLDER)
    one_line(lambda: curves.acquire(overwrite=True), "holds an evaluation, not curves")
    assert content(tmp_path / "run") == OLD


def test_one_process_has_a_folder_at_a_time(tmp_path, one_line):
    with results(tmp_path / "run") as first:
        first.acquire(overwrite=False)
        one_line(lambda: write(tmp_path / "run", NEW), "another process is writing there")
        one_line(lambda: write(tmp_path / "run", NEW, overwrite=True), "another process is writing there")
        with first.writing() as draft:
            (draft / "summary.json").write_text("first")
    assert content(tmp_path / "run") == {"summary.json": "first"}
    write(tmp_path / "run", NEW, overwrite=True)


def test_a_new_folder_is_never_shared(tmp_path):
    with results(tmp_path / "run", new=True) as first, results(tmp_path / "run", new=True) as second:
        first.acquire(overwrite=False)
        second.acquire(overwrite=False)
        assert [first.path.name, second.path.name] == ["run", "run-2"]
    assert write(tmp_path / "run", NEW, new=True).name == "run"
    assert write(tmp_path / "run", NEW, new=True).name == "run-2"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_keeps_earlier_results_or_leaves_nothing(error, tmp_path):
    write(tmp_path / "old", OLD)
    for path in (tmp_path / "old", tmp_path / "runs" / "deep" / "new"):
        with pytest.raises(error), results(path) as folder:
            folder.acquire(overwrite=True)
            with folder.writing() as draft:
                (draft / "summary.json").write_text("half")
                raise error
    assert content(tmp_path) == {f"old/{name}": text for name, text in OLD.items()}
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("steps", range(5))
def test_a_kill_during_the_swap_loses_nothing(steps, tmp_path, monkeypatch, one_line):
    path, moved = tmp_path / "run", []
    write(path, OLD)
    replace = Path.replace

    def stop(self, target):
        if len(moved) == steps:
            raise KeyboardInterrupt
        moved.append(target)
        return replace(self, target)

    with pytest.raises(KeyboardInterrupt), monkeypatch.context() as patched:
        patched.setattr(Path, "replace", stop)
        write(path, NEW, overwrite=True)
    one_line(lambda: write(path, {}), "holds an evaluation already")  # which completes the replacement first
    assert content(path) == (NEW if steps else OLD) and not (path / "unfinished").exists()


def test_a_draft_that_a_kill_left_is_not_in_the_way(tmp_path):
    folder = results(tmp_path / "run")
    folder.acquire(overwrite=False)
    (folder.draft / "half").touch()
    del folder
    write(tmp_path / "run", NEW)
    assert content(tmp_path / "run") == NEW


def test_links_and_the_working_directory(tmp_path, monkeypatch, one_line):
    path, link = tmp_path / "run", tmp_path / "link"
    write(path, OLD)
    link.symlink_to(path)
    write(link, NEW, overwrite=True)
    assert link.is_symlink() and content(path) == NEW
    monkeypatch.chdir(path)
    write(".", OLD, overwrite=True)
    assert content(path) == OLD == content(Path.cwd())
    Path("data.npz").touch()
    one_line(lambda: write(".", NEW, overwrite=True), "data.npz: is not a file of an evaluation")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    one_line(lambda: write(tmp_path / "broken", NEW), "broken: is not a folder")


@pytest.mark.parametrize("given", ["gs://bucket/run", "s3://bucket/run", "file:///tmp/run", Path("hf://me/run")])
def test_remote_paths_are_refused(given, one_line):
    one_line(lambda: results(given), "remote", "--out=")


def test_paths_that_are_not_utf_8_are_refused(tmp_path, one_line, monkeypatch):
    strange = tmp_path / os.fsdecode(b"caf\xe9")
    one_line(lambda: results(strange), r"--out=", r"caf\udce9", "not UTF-8")
    strange.mkdir()
    monkeypatch.chdir(strange)
    one_line(lambda: results("run"), r"caf\udce9/run", "not UTF-8")


@pytest.mark.parametrize("given", ["C:/runs", "runs/gs:x", "a:b"])
def test_local_paths_are_not(given):
    assert output_path(given) == Path(given)


@pytest.mark.parametrize("name", ["evaluation-flickr8k-all", "evaluation-a/b c-all", "中" * 200])
def test_a_default_folder_has_a_short_name(name):
    path = default_path(name)
    assert path.parent == Path("runs") and len(path.name.encode()) < 130


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path, one_line):
    write(tmp_path / "run", OLD)

    def full(folder):
        folder.acquire(overwrite=True)
        with folder.writing() as draft:
            (draft / "summary.json").write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with results(tmp_path / "run") as folder:
        one_line(lambda: full(folder), str(tmp_path / "run"), "no space left on device", "make room")
    assert content(tmp_path / "run") == OLD


def test_a_file_is_whole_or_not_there(tmp_path, one_line):
    path = tmp_path / "file"
    path.write_text("old")

    def full(**options):
        with whole_file(path, **options) as file:
            file.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    one_line(full, str(path), "no space left on device")
    assert content(tmp_path) == {"file": "old"}
    said = one_line(lambda: full(resumable=True), str(path))
    assert said.endswith("make room there, then continue with --resume")
    with pytest.raises(OSError, match="broken pipe"), whole_file(path) as file:
        raise OSError(errno.EPIPE, "broken pipe")
    with whole_file(path) as file:
        file.write(b"new")
    assert content(tmp_path) == {"file": "new"}


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


def test_a_damaged_file_of_finished_results_is_named(tmp_path, one_line):
    write(tmp_path / "run", OLD)
    (tmp_path / "run" / "tables" / "main.md").write_text("olf")
    one_line(lambda: results(tmp_path / "run").finished, "tables/main.md: damaged", "manifest.json")


def test_a_damaged_manifest_is_refused(tmp_path, one_line):
    write(tmp_path / "run", OLD)
    manifest = tmp_path / "run" / "manifest.json"
    content = manifest.read_text()
    for old, new in (("tables/main.md", "tables/mais.md"), ('"sha256"', '"sha257"'), ('"schema": 2', '"schema": 3')):
        manifest.write_text(content.replace(old, new))
        one_line(lambda: results(tmp_path / "run").finished, "manifest.json: damaged")


def test_a_manifest_without_digests_is_that_of_an_older_version(tmp_path):
    write(tmp_path / "run", OLD)
    old = {"schema": 1, "kind": "an evaluation", "files": sorted(OLD)}
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(old))
    (tmp_path / "run" / "tables" / "main.md").write_text("changed")
    assert results(tmp_path / "run").finished

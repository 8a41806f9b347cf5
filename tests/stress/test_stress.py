"""Short forms of the stress programs; `python tests/stress/NAME.py` runs them in full."""

import itertools
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import corruption
import disk
import numpy as np
import pytest
from commands import OUT, results, write_wit

from ccalign_jax.data import synthetic
from ccalign_jax.errors import InputError
from ccalign_jax.exporting import export
from ccalign_jax.options import SweepConfig
from ccalign_jax.runs.kinds import SWEEP_FOLDER
from ccalign_jax.runs.output import write_csv, write_json
from ccalign_jax.runs.store import Store
from ccalign_jax.study import sweep
from ccalign_jax.wit import WitConfig, WitFolder


@pytest.mark.slow
def test_damaged_files_are_refused_by_name(no_plots):
    found = corruption.corrupt(42, seed=1)
    unseen = {case: times for case, times in found.items() if case[2] not in ("refused", "same content")}
    assert not unseen
    assert sum(times for case, times in found.items() if case[2] == "refused") > 28


@pytest.mark.filterwarnings("ignore")  # Pillow's and torch's, of damaged files
def test_strange_data_and_flags_are_read_right_or_refused_in_one_line():
    for library in ("torch", "pyarrow", "polars", "PIL"):
        pytest.importorskip(library)
    import fuzz

    found = [(name, outcome) for name, outcome, _ in fuzz.fuzz(135, seed=2)]
    assert not [each for each in found if each[1] not in fuzz.GOOD]
    assert {name for name, _ in found} == {reader.name for reader in fuzz.READERS}
    assert {outcome for _, outcome in found} == set(fuzz.GOOD)


def content(folder: Path) -> dict[str, bytes]:
    """The bytes of every file of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def copies(folder: Path, monkeypatch, wanted: Callable[[int], bool]) -> Iterator[list[Path]]:
    """Copies of a folder at moments at which bytes reach the disk: what a kill would leave."""
    fsync, calls, found = os.fsync, itertools.count(), []

    def copying(opened: int) -> None:
        if wanted(at := next(calls)):
            found.append(folder.with_name(f"{folder.name}-{at}"))
            shutil.copytree(folder, found[-1])
        fsync(opened)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", copying)
        yield found


def test_a_run_goes_on_from_every_moment_to_the_same_bytes(tmp_path, monkeypatch):
    out, data = tmp_path / OUT, {"data_sha256": "abc"}

    def run(**how) -> int:
        computed = 0
        with Store(out, SWEEP_FOLDER) as store:
            store.acquire(SweepConfig(), data, **how)
            if store.finished:
                return 0
            for name in ("one", "two"):
                if store.load_result(name, lambda: {"a": 0}) is None:
                    store.save_result(name, {"a": np.arange(9)})
                    computed += 1
            with store.writing() as draft:
                (draft / "ranks").mkdir()
                np.savez(draft / "ranks" / "one.npz", np.arange(9))
                write_csv(draft / "results.csv", [{"trial": "one"}])
                write_json(draft / "summary.json", {"schema": 2})
        return computed

    with copies(out, monkeypatch, lambda call: True) as left:
        run()
    known, most = content(out), 2
    assert "summary.json" in known and len(left) > 20
    for folder in left:
        computed = resumed(folder, out, run)
        assert content(out) == known
        assert computed <= most  # what an earlier moment had, later ones have
        most = computed


def resumed(left: Path, out: Path, run: Callable[..., Any]) -> Any:
    """What a run returns that goes on with what is left of another one."""
    shutil.rmtree(out)
    left.rename(out)
    try:
        return run(resume=True)
    except InputError as error:  # nothing was there yet
        assert "leave --resume out" in error.in_flags
        return run()


def test_an_extraction_goes_on_from_every_moment_to_the_same_bytes(tmp_path, monkeypatch):
    pytest.importorskip("PIL")
    corruption.write_photographs(tmp_path)
    with copies(tmp_path / OUT, monkeypatch, lambda call: True) as left:
        corruption.embed(tmp_path)
    known = content(tmp_path / OUT)
    assert len(left) > 10
    for folder in left:
        resumed(folder, tmp_path / OUT, partial(corruption.embed, tmp_path))
        assert content(tmp_path / OUT) == known


def test_captions_go_on_from_every_moment_to_the_same_bytes(tmp_path, monkeypatch):
    pytest.importorskip("polars")
    write_wit(tmp_path, images=20)
    config = WitConfig(tsv=(str(tmp_path / "wit-[01].tsv"),), languages=("de", "en"))

    def build(**how) -> None:
        with WitFolder(tmp_path / OUT, config, **how) as folder:
            folder.make_captions()

    with copies(tmp_path / OUT, monkeypatch, lambda call: call % 40 in (0, 1)) as left:
        build()
    known = content(tmp_path / OUT)
    assert {*known} == {"build.json", "captions.jsonl", "urls.tsv"} and len(left) > 3
    for folder in left:
        resumed(folder, tmp_path / OUT, build)
        assert content(tmp_path / OUT) == known


@pytest.mark.slow
def test_a_sweep_goes_on_from_any_moment_to_the_same_bytes(tmp_path, monkeypatch, no_plots):
    data, out = synthetic(60, languages=("de", "en"), dimensions=8, seed=1), tmp_path / OUT
    given = {"aligners": ["residual", "ridge"], "hyper": {"epochs": 1, "steps_per_epoch": 1}, "diagnostics": False}

    def run(**how) -> None:
        sweep(data, **given, folds=2, inner_folds=1, out=out, **how)

    with copies(out, monkeypatch, lambda call: call == 5) as left:  # one trial is stored
        run()
    known = results(tmp_path)
    assert {"summary.json", "results.csv", "best/checkpoint.json"} <= known.keys()
    shutil.rmtree(out)
    left[0].rename(out)
    assert len([*out.glob("unfinished/trials/*.npz")]) == 1
    run(resume=True)
    assert results(tmp_path) == known


@contextmanager
def most_bytes(count: int) -> Iterator[None]:
    """No file may become longer."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("to", ["safetensors", "numpy", "onnx", "torch", "faiss"])
def test_an_export_on_a_full_disk_is_one_line_and_leaves_nothing(to, tmp_path, one_line):
    disk.write_map(tmp_path)
    for library in {"onnx": ["onnx"], "torch": ["torch"], "faiss": ["faiss"]}.get(to, []):
        pytest.importorskip(library)
    with most_bytes(1000):
        one_line(lambda: export(tmp_path / "map", to=to, out=tmp_path / OUT), str(tmp_path / OUT), "make room")
    assert [path.name for path in tmp_path.iterdir()] == ["map"]
    assert export(tmp_path / "map", to=to, out=tmp_path / OUT).files


@pytest.mark.parametrize("most", [200, 10_000])
def test_captions_on_a_full_disk_go_on_with_room(most, tmp_path, one_line):
    pytest.importorskip("polars")
    write_wit(tmp_path, images=300)
    place, config = tmp_path, WitConfig(tsv=(str(tmp_path / "wit-*.tsv"),), languages=("de", "en"))

    def build(**how):
        with WitFolder(place / OUT, config, **how) as folder:
            return folder.make_captions()

    with most_bytes(most):
        one_line(build, str(place / OUT), "file too large", "make room")
    try:
        build(resume=True)
    except InputError:  # there was no room for any file
        build()
    assert len((place / OUT / "captions.jsonl").read_text().splitlines()) == 300
    assert sorted(path.name for path in (place / OUT).iterdir()) == ["build.json", "captions.jsonl", "urls.tsv"]

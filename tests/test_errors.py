"""Paths that results cannot store."""

import os
import sys

import numpy as np
import pytest

from ccalign_jax.checkpoints import load_tree, save_tree
from ccalign_jax.data import load, open_shards
from ccalign_jax.errors import check_path, check_text

BAD = os.fsdecode(b"caf\xe9.npz")


def test_only_invalid_text_is_refused(one_line, monkeypatch):
    for name in ("runs/mine", "日本.npz", "a b", ""):
        check_text("--out=", name)
    one_line(lambda: check_text("--out=", BAD), r"--out=caf\udce9.npz", "not UTF-8", "PYTHONUTF8=1")
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    one_line(lambda: check_text("--out=", "日本.npz"), r"--out=\u65e5\u672c.npz", "PYTHONUTF8=1")


def test_a_relative_path_is_refused_for_its_folder(tmp_path, one_line, monkeypatch):
    (tmp_path / BAD).mkdir()
    monkeypatch.chdir(tmp_path / BAD)
    one_line(lambda: check_path("--out=", "run"), r"caf\udce9.npz/run")
    check_path("--out=", "/run")


@pytest.mark.parametrize("call", [load, open_shards, load_tree, lambda path: save_tree(path, {}, {})])
def test_data_and_maps_are_refused_before_they_are_read_or_written(call, tmp_path, one_line):
    path = tmp_path / BAD
    np.savez(path, image=np.eye(2, dtype="f4"), text_en=np.eye(2, dtype="f4"))
    one_line(lambda: call(path), r"caf\udce9.npz", "not UTF-8")
    assert [file.name for file in tmp_path.iterdir()] == [BAD]

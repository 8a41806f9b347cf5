"""Paths that results cannot store."""

import os
import sys

import numpy as np
import pytest

from ccalign_jax.checkpoints import load_tree, save_tree
from ccalign_jax.data import load, open_shards
from ccalign_jax.errors import InputError, check_path, check_text, suggest
from ccalign_jax.exporting import export
from ccalign_jax.settings import SETTINGS
from ccalign_jax.study import sweep

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


@pytest.mark.parametrize(
    ("flags", "arguments"),
    [
        (
            "out: exists already; give --overwrite or another --out",
            "out: exists already; give overwrite=True or another out",
        ),
        ("leave one out with --languages=de,en", 'leave one out with languages=["de", "en"]'),
        ("--split=official, but no split", "split=official, but no split"),
        (
            "--hyper=epochs=1,2.5: give --hyper=criterion=t2i",
            'hyper={"epochs": [1, 2.5]}: give hyper={"criterion": "t2i"}',
        ),
        ("there are a, b (--aligners=list)", "there are a, b"),
        ("no captions: give --source (--source=list prints all)", "no captions: give source"),
        (
            "finish it with ccalign sweep --out=my run --resume; or not",
            "finish it with ccalign sweep --out=my run resume=True; or not",
        ),
        ("use ccalign extract --out=run --resume --overwrite", "use ccalign extract --out=run --resume --overwrite"),
        ("/tmp/my--file.npz: a dash--for example", "/tmp/my--file.npz: a dash--for example"),
    ],
)
def test_python_reads_arguments_where_a_shell_reads_flags(flags, arguments):
    error = InputError(flags)
    assert (str(error), error.in_flags) == (arguments, flags)


def test_what_a_message_quotes_cannot_break_its_line_or_the_terminal():
    error = InputError("--hyper=a\nb\x1b[31m\u2028: " + "x" * 10**6 + "; leave it out")
    for text in (str(error), error.in_flags):
        assert text.isprintable() and len(text) < 3000
        assert r"a\nb\x1b[31m\u2028: x" in text and text.endswith("; leave it out")


def test_the_nearest_name_is_suggested(one_line):
    assert suggest("temp", SETTINGS) == "did you mean temperature?"
    assert suggest("elephant", ["residual", "linear"]) == "there are residual, linear"
    for call, meant in (
        (lambda: sweep("synthetic", aligners=["dual(residul)"]), "residual"),
        (lambda: sweep("synthetic", losses=["infonc"]), "infonce"),
        (lambda: sweep("synthetic", pivots=["symetric"]), "symmetric"),
        (lambda: sweep("synthetic", grid="defautl"), "default"),
        (lambda: sweep("synthetic", hyper={"lr": 0.1}), "learning_rate"),
        (lambda: sweep("synthetic", langs=["de"]), "languages"),
        (lambda: export("map", to="numpi", out="there"), "numpy"),
    ):
        one_line(call, f"; did you mean {meant}?")

"""align.py as a user runs it, and what others make of its map."""

import json
import shutil

import numpy as np
import pytest

from ccalign_jax.data import load, write_shards

SETTINGS = ["--batch=16", "--epochs=2", "--held=40", "--hyper=learning_rate=0.1", "--hyper=temperature=0.1"]


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    """A folder with shards of 200 pairs, captions of which are images turned, and the same as one file."""
    random = np.random.default_rng(0)
    image = random.standard_normal((200, 8)).astype(np.float16)
    text = image @ np.linalg.qr(random.standard_normal((8, 8)))[0].astype(np.float16)
    path = tmp_path_factory.mktemp("align")
    write_shards(
        path / "shards", ({"image": image[part], "text_en": text[part]} for part in (slice(90), slice(90, 200)))
    )
    np.savez(path / "whole.npz", image=image, text_en=text)
    return path


def test_train_apply_and_go_on(script, where):
    done = script("align.py", "--data=shards", "--out=run", "--check", *SETTINGS, cwd=where)
    assert done.returncode == 0, done.stderr
    assert "shards: 200 pairs in 2 shards, images [8], captions [8]: en; 40 held out" in done.stdout
    assert "before " in done.stdout and "run/best" in done.stdout and "pairs" in done.stderr
    about = json.loads((where / "run" / "best" / "checkpoint.json").read_text())
    assert about["scores"]["after"]["t2i_R@1"] > about["scores"]["before"]["t2i_R@1"] + 0.3
    done = script("apply.py", "--checkpoint=run/best", "--data=whole.npz", "--out=mapped.npz", cwd=where)
    assert done.returncode == 0, done.stderr
    assert load(where / "mapped.npz").text["en"].shape == (200, 8)
    done = script("align.py", "--out=run", "--resume", cwd=where)
    assert done.returncode == 0 and "run is complete already: run/best" in done.stdout
    shutil.rmtree(where / "run" / "best")
    done = script("align.py", "--out=run", "--resume", cwd=where)
    again = json.loads((where / "run" / "best" / "checkpoint.json").read_text())
    assert done.returncode == 0 and again["scores"] == about["scores"] and again["hyper"] == about["hyper"]


def test_solve_in_one_pass(script, where):
    done = script("align.py", "--data=shards", "--aligner=procrustes", "--held=40", "--out=solved", cwd=where)
    assert done.returncode == 0, done.stderr
    assert "after  t2i R@1 1.000  i2t R@1 1.000  MRR 1.000  (40 held out)" in done.stdout
    assert "\nimage/procrustes/closed_form: solved/best\n" in done.stdout


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        ((), ("--data must be given: embeddings, in any form of docs/data.md",)),
        (("--data=shards", "--out=bad", "--resume"), ("bad: holds no run to resume; leave --resume out",)),
        (("--data=shards", "--out=bad", "--pivot=gcca", "--aligner=gcca"), ("needs all rows at once",)),
    ],
)
def test_mistakes_are_one_line(script, where, one_line_on_stderr, flags, parts):
    one_line_on_stderr(script("align.py", *flags, cwd=where), *parts)
    assert not (where / "bad").exists()

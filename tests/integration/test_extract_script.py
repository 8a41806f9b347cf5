"""extract.py as a user runs it: killed in the midst of its work, resumed, and read by sweep.py."""

import json
import re
import time

import numpy as np
import pytest

from ccalign_jax.data import load

Image = pytest.importorskip("PIL.Image", reason="Pillow opens photographs")
ENCODERS = """
import os, time
import numpy as np
def text(captions):
    return np.array([[1 + caption.count(letter) for letter in "abdeghinotu"] for caption in captions], float)
def image(images):
    time.sleep(float(os.environ.get("SLOW", 0)))
    return np.array([1 + image.reshape(-1, 3).mean(0) for image in images])
"""
FLAGS = ["--images=images", "--captions=captions.csv", "--text_encoder=mine.py:text", "--image_encoder=mine.py:image"]
SIZES = ["--shard_images=4", "--batch_images=2"]


@pytest.fixture
def where(tmp_path):
    """A folder with 40 photographs, one of them broken, their captions and encoders."""
    (tmp_path / "images").mkdir()
    (tmp_path / "mine.py").write_text(ENCODERS)
    random = np.random.default_rng(0)
    lines = ["image,en,de"]
    for number in range(40):
        pixels = random.integers(0, 255, (4, 4, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number:02d}.png")
        lines.append(f"{number:02d}.png,a dog and {number} birds,{'ein Hund' * (number % 3)}")
    (tmp_path / "images" / "07.png").write_bytes(b"broken")
    (tmp_path / "captions.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_killed_resumed_and_swept(script, started, where):
    done = script("extract.py", *FLAGS, *SIZES, "--out=whole", cwd=where)
    assert done.returncode == 0, done.stderr
    assert "39 images [3], captions [11]: de 25, en 39" in done.stdout
    assert "note: left out 1: image: not an image that Pillow can read" in done.stdout
    assert "listed in whole/left_out.csv" in done.stdout and "rows/s" in done.stderr
    running = started("extract.py", *FLAGS, *SIZES, "--out=killed", cwd=where, SLOW="0.2")
    while not list((where / "killed").glob("shard-*.safetensors")):
        assert running.poll() is None
        time.sleep(0.02)
    running.kill()
    running.communicate()
    assert len(list((where / "killed").glob("shard-*.safetensors"))) < 10
    refused = script("sweep.py", "--data=killed", cwd=where)
    assert refused.returncode == 2 and "the extraction is unfinished" in refused.stderr
    done = script("extract.py", "--resume", "--out=killed", cwd=where)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\nkilled is complete: python .*sweep\.py --data=killed\n", done.stdout)
    for file in (where / "whole").iterdir():
        if not file.name.startswith("."):
            assert (where / "killed" / file.name).read_bytes() == file.read_bytes(), file.name
    assert len(load(where / "killed")) == 39
    swept = script("sweep.py", "--data=whole", "--aligners=ridge", "--quick", "--out=run", cwd=where)
    assert swept.returncode == 0, swept.stderr
    assert json.loads((where / "run" / "summary.json").read_text())["data"]["images"] == 39


def test_mistakes_are_one_line_with_status_2(script, where):
    for flags, words in {
        ("--captions=none.csv", "--out=new"): "no such file",
        ("--text_encoder=mine.py:nothing", "--out=new"): "mine.py has no function nothing",
        ("--layers=first", "--out=new"): "--layers=first: it must be numbers of hidden states",
        ("--threads=0", "--out=new"): "--threads=0: it must be at least 1",
        (): "--out must be given",
    }.items():
        done = script("extract.py", *FLAGS, *flags, cwd=where)
        assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (where / "new").exists()
    done = script("extract.py", "--text_encoder=list", cwd=where)
    assert done.returncode == 0 and "use-m3" in done.stdout

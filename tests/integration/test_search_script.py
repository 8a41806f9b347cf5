"""`search.py` from a sweep's folder to printed results and a page."""

import json
import os
import re
import signal
import time
import urllib.request

import numpy as np
import pytest


@pytest.fixture(scope="module")
def run(script, tmp_path_factory):
    """A sweep of closed forms on a small set, whose official test images are held out."""
    folder = tmp_path_factory.mktemp("search")
    random = np.random.default_rng(0)
    image = random.standard_normal((160, 8)).astype(np.float32)
    text = np.roll(image, 1, axis=1) + 0.3 * random.standard_normal(image.shape).astype(np.float32)
    keys = np.array([f"{number:03d}" for number in range(160)])
    captions = np.array([f"picture {number}" for number in range(160)])
    split = np.where(np.arange(160) % 2, "test", "train")
    arrays = {"image": image, "image_keys": keys, "text_en": text, "text_en_keys": keys, "split": split}
    np.savez(folder / "data.npz", captions_en=captions, **arrays)
    flags = ["--data=data.npz", "--aligners=ridge", "--split=official", "--diagnostics=false", "--out=run"]
    done = script("sweep.py", *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_caption_of_the_data_is_searched_without_an_encoder(run, script):
    done = script("search.py", "--checkpoint=run/best", "--top=3", "picture 7", cwd=run)
    assert done.returncode == 0, done.stderr
    assert "no encoder is known; --text_encoder=NAME gives it" in done.stdout
    assert "80 images that the map was not trained on" in done.stdout and "007 ← its own" in done.stdout
    done = script("search.py", "--checkpoint=run/best", "--query_key=008", "--json", cwd=run)
    found = json.loads(done.stdout)
    assert found["after"]["images"][0]["key"] == "008" and "trained on this caption" in found["notes"][1]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--data=missing.npz", "--text_encoder=nothing", "x"), "missing.npz: no such file"),
        (("--query_key=008", "--serve"), "query_key and serve: give one of them"),
        (("a", "b"), "'b' is not a flag"),
    ],
)
def test_mistakes_are_one_line(run, script, flags, message):
    done = script("search.py", "--checkpoint=run/best", *flags, cwd=run)
    assert done.returncode == 2 and message in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


def test_the_page_is_served_until_a_signal(run, started):
    process = started("search.py", "--checkpoint=run/best", "--serve", cwd=run)
    printed, until = process._folder / "stdout", time.monotonic() + 120
    while not (printed.exists() and (found := re.search(r"http://127\.0\.0\.1:\d+/\S+", printed.read_text()))):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.05)
    with urllib.request.urlopen(f"{found[0]}search?q=picture+7", timeout=30) as answer:
        assert json.load(answer)["after"]["place"] == 1
    os.kill(process._process, signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode in (130, -signal.SIGINT) and said.splitlines()[-1] == "stopped"

"""Recall of shorter rows: nothing lost where there is nothing to lose, and all where everything is cut away."""

import json

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.errors import InputError
from ccalign_jax.evaluation import shorten
from ccalign_jax.evaluation.write_shortening import write_shortening
from ccalign_jax.reporting.panels.shortening import shortening_table, shortening_words
from ccalign_jax.runs.kinds import SHORTENING_FOLDER
from ccalign_jax.runs.store import Store


@pytest.fixture(scope="module")
def found():
    """Rows of 16 numbers, of which 4 directions, turned at random, hold everything."""
    random = np.random.default_rng(0)
    turn = np.linalg.qr(random.normal(size=(16, 16)))[0]
    image = random.normal(size=(160, 4))
    text = image + 0.2 * random.normal(size=image.shape)
    keys = [f"{number:03d}" for number in range(160)]
    split = np.repeat(["train", "test"], [80, 80])
    rows = {"de": (text @ turn[:4]).astype(np.float32)}
    data = EmbeddingSet.build("made", (image @ turn[:4]).astype(np.float32), rows, image_keys=keys, split=split)
    return shorten(data, widths=[16, 4, 1])


def row(found, reduction, code, width):
    asked = {"reduction": reduction, "code": code, "width": width}
    return next(one for one in found.summary["rows"] if asked.items() <= one.items())


def test_a_rotation_loses_nothing_where_four_directions_hold_all(found):
    assert found.summary["held_out"] == "80 images of the test split" and found.summary["gallery"] == 80
    change = row(found, "rotation", "float32", 4)["delta"]["both"]["R@1"]
    assert abs(change["mean"]) < 1e-6 and abs(change["low"]) < 1e-6
    assert row(found, "truncation", "float32", 16)["delta"]["both"]["R@1"]["mean"] == 0
    assert row(found, "truncation", "float32", 4)["delta"]["both"]["R@1"]["high"] < 0
    assert row(found, "rotation", "float32", 1)["metrics"]["both"]["R@1"]["mean"] < 0.1  # signs of one number
    coded = row(found, "rotation", "int8", 4)
    assert coded["bytes"] == 4 and coded["delta"]["both"]["R@1"]["mean"] > -0.1
    assert row(found, "rotation", "binary", 16)["bytes"] == 2
    assert found.summary["shortest"]["bytes"] <= 16


def test_what_was_found_is_written(found, tmp_path):
    with Store(tmp_path / "out", SHORTENING_FOLDER) as store:
        store.acquire(overwrite=False)
        write_shortening(store, found)
    assert json.loads((tmp_path / "out" / "shortening.json").read_text())["shortest"] == found.summary["shortest"]
    with np.load(tmp_path / "out" / "rotation.npz") as stored:
        assert stored["rotation"].shape == (16, 16) and not stored["mean_text"].any()
    assert (tmp_path / "out" / "records.csv").read_text().count("rotation/int8") > 3
    table = shortening_table(found.summary)
    assert ("PCA, sides centred, one bit", *[""] * (len(table.columns) - 1)) in table.rows
    assert "all of the interval is above −.010" in shortening_words(found.summary)[1]
    assert shortening_words({**found.summary, "shortest": None})[0].startswith("No shorter row")


def test_widths_and_spaces_that_make_no_sense_are_refused():
    eye = np.eye(60, 8) + 0.1
    data = EmbeddingSet.build("made", eye, {"de": eye}, image_keys=[f"{number}" for number in range(60)])
    with pytest.raises(InputError, match="widths=9: give numbers from 1 to 8"):
        shorten(data, widths=[9])
    other = EmbeddingSet.build("made", eye[:, :4], {"de": eye}, image_keys=[f"{number}" for number in range(60)])
    with pytest.raises(InputError, match="captions have 8 numbers, images 4"):
        shorten(other)

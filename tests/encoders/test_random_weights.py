"""Encoders with random weights, from files of pictures to a report: at chance, and the report says so."""

from html import escape

import numpy as np
import pytest

import ccalign_jax as cc
from ccalign_jax.scenes.write import make_scenes

pytest.importorskip("torch", reason="transformers models need torch")
pytest.importorskip("transformers", reason='pip install -e ".[encode]" adds transformers')
pytest.importorskip("PIL", reason="image processors need Pillow")

SCENES, LANGUAGES = 40, ("de", "en")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """The folder of drawn scenes with captions."""
    folder = tmp_path_factory.mktemp("scenes")
    make_scenes(folder / "scenes", count=SCENES)
    return folder / "scenes"


def colours(images):
    """As wide as the other encoders' rows, so that all sweeps are the same programs."""
    return np.array([np.histogram(image, bins=32)[0] + 1.0 for image in images])


@pytest.mark.parametrize("kind", ["clip", "siglip2", "vision-text-dual-encoder", "sentence-transformers"])
def test_random_weights_are_at_chance_and_the_report_says_so(kind, scenes, dual, sentences, tmp_path, no_plots):
    if kind == "sentence-transformers":
        sentences(tmp_path)
        text, image = str(tmp_path / "model"), colours
    else:
        dual(tmp_path / "model", kind)
        text = image = str(tmp_path / "model")
    found = cc.extract(
        scenes / "images",
        scenes / "captions.jsonl",
        text_encoder=text,
        image_encoder=image,
        languages=LANGUAGES,
        out=tmp_path / "embeddings",
    )
    assert found["images"] == SCENES and set(found["captions"]) == set(LANGUAGES)
    run = cc.sweep(tmp_path / "embeddings", aligners=["ridge"], folds=2, diagnostics=False, out=tmp_path / "run")
    identity = run.summary["baselines"]["identity"]
    for direction in ("t2i", "i2t"):
        recall = identity[direction]["R@1"]
        assert recall["low"] <= 1 / (SCENES / 2) <= recall["high"]
    notes, page = (
        [note for note in run.summary["notes"] if "chance" in note],
        (tmp_path / "run" / "report.html").read_text(),
    )
    assert notes and all(escape(note) in page for note in notes)

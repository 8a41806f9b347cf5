"""The example plugin through a sweep, and its map where the plugin is loaded and where it is not."""

import json
from pathlib import Path

import numpy as np
import pytest

import ccalign_jax as cc
from ccalign_jax.aligners import ALIGNERS
from ccalign_jax.checkpoints import save_checkpoint
from ccalign_jax.data import EmbeddingSet, save

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plugin.py"


@pytest.fixture
def shifted() -> EmbeddingSet:
    """80 images whose captions all lie off by one vector, which a shift takes back."""
    random = np.random.default_rng(0)
    image, gap = random.standard_normal((80, 8)), 3 * random.standard_normal(8)
    texts = {language: image + 0.5 * random.standard_normal((80, 8)) + gap for language in ("de", "en")}
    return EmbeddingSet.build("shifted", image, texts)


@pytest.mark.usefixtures("as_before")
def test_the_example_is_swept_and_its_map_needs_it(shifted, tmp_path, script, one_line):
    cc.load_plugin(EXAMPLE)
    hyper = {"epochs": 5, "learning_rate": 0.05, "temperature": 0.1, "margin": [0.0, 0.2]}
    names = {"pivots": ["halfway"], "aligners": ["gated_shift"], "losses": ["pairwise"]}
    found = cc.sweep(shifted, **names, hyper=hyper, grid="quick", folds=2, inner_folds=1, diagnostics=False)
    assert {trial["name"] for trial in found.summary["trials"]} == {
        f"halfway/gated_shift/pairwise/margin={margin}" for margin in ("0", "0.2")
    }
    assert found.summary["selected"]["verdict"]["both"] == "gain" and "gated_shift" in found.summary["best"]
    assert found.summary["selected"]["delta"]["both"]["R@3"]["p"] is not None
    best = tmp_path / "best"
    save_checkpoint(best, found.best)
    assert json.loads((best / "checkpoint.json").read_text())["modules"] == ["plugin"]
    assert cc.load_aligner(best).params["shift"].shape == (8,)
    save(tmp_path / "data.npz", shifted)
    flags = [f"--checkpoint={best}", f"--data={tmp_path / 'data.npz'}", f"--plugin={EXAMPLE}", "--out=mapped.npz"]
    done = script("apply.py", *flags, cwd=tmp_path)
    assert done.returncode == 0 and (tmp_path / "mapped.npz").is_file(), done.stderr
    del ALIGNERS["gated_shift"]
    one_line(lambda: cc.load_aligner(best), "best", "'gated_shift' is not registered", "--plugin=plugin")

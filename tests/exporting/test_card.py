"""Cards and result files of exported maps: estimates are those of the summary, and what is unknown is said."""

import json

import numpy as np
import pytest
import yaml
from quick_pages import without_plots

import ccalign_jax as cc
from ccalign_jax.exporting.card_results import losses
from ccalign_jax.exporting.facts import MACRO, estimate

TYPES = {"recall_at_1": "R@1", "recall_at_10": "R@10", "mrr": "MRR", "map": "mAP", "ndcg_at_10": "nDCG@10"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a small sweep of closed forms, in which captions are images turned, and noise."""
    folder = tmp_path_factory.mktemp("card")
    random = np.random.default_rng(0)
    image = random.standard_normal((60, 6)).astype(np.float32)
    turned = image @ np.linalg.qr(random.standard_normal((6, 6)))[0]
    text = {name: turned + noise * random.standard_normal((60, 6)) for name, noise in (("de", 0.3), ("en", 0.6))}
    data = folder / "embeddings.npz"
    np.savez(data, image=image, **{f"text_{name}": rows.astype(np.float32) for name, rows in text.items()})
    with without_plots():
        cc.sweep(
            data,
            pivots=["symmetric"],
            aligners=["centring", "centred_ridge"],
            folds=3,
            inner_folds=1,
            diagnostics=False,
            out=folder / "run",
        )
    return folder / "run"


@pytest.fixture(scope="module")
def card(run):
    """The parsed front matter, the body, the folder, and the summary."""
    done = cc.export(run / "best", to="numpy", out=run.parent / "out")
    assert done.card == done.path / "README.md"
    _, head, body = done.card.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), body, done.path, json.loads((run / "summary.json").read_text())


def test_estimates_are_those_of_the_summary(card):
    head, body, _, summary = card
    metrics = summary["selected"]["metrics"]
    results = head["model-index"][0]["results"]
    assert [one["task"]["name"][-2:] for one in results] == ["es", "de", "en"] * 2
    for one, (task, group) in zip(results, [(t, g) for t in ("t2i", "i2t") for g in (MACRO, "de", "en")], strict=True):
        assert "own folds" in one["dataset"]["name"] and one["dataset"]["split"] == "test"
        values = {metric["type"]: metric["value"] for metric in one["metrics"]}
        for kind, metric in TYPES.items():
            assert values[kind] == estimate(metrics, task, metric, group)["mean"]
    found = metrics["t2i"]["R@1"]
    shown = ", ".join(f"{found[name]:.3f}".removeprefix("0") for name in ("low", "high"))
    assert f"{found['mean']:.3f}".removeprefix("0") + f" [{shown}]" in body


def test_the_body_says_how_it_was_chosen_and_what_is_unknown(card):
    head, body, _, summary = card
    assert head["license"] == "unknown" and head["language"] == ["de", "en"] and head["library_name"] == "ccalign_jax"
    for part in (
        f"{len(summary['trials'])} trials",
        "3 test folds",
        "20 images; R@k of other gallery sizes",
        "de 60, en 60",
        "untouched, centring",
        "untouched, inverted softmax",
        "its licence: unknown",
        "`y = unit(W x + b)`",
        "Images are mapped, too",
        "identity is at chance",
        "change against the best closed form",
        "train less test (gap)",
    ):
        assert part in body, part


def test_the_lines_of_use_map_rows(card, run):
    _, body, folder, _ = card
    rows = np.random.default_rng(1).standard_normal((3, 6))
    names = {"rows": rows}
    code = body.split("```python\n")[1].split("```")[0].replace('"model.npz"', repr(str(folder / "model.npz")))
    exec(code, names)
    np.testing.assert_allclose(names["mapped"], cc.load_aligner(run / "best")(rows, "de"), atol=1e-6)


def test_results_in_the_shape_of_other_tools(card):
    _, _, folder, summary = card
    metrics = summary["selected"]["metrics"]
    (file,) = (folder / "results" / "clip_benchmark").glob("*_de_zeroshot_retrieval.json")
    content = json.loads(file.read_text())
    parts = (content["dataset"], content["pretrained"], content["model"], content["language"], content["task"])
    assert file.stem == "_".join(parts) and "own-folds" in content["dataset"] and "not an entry" in content["note"]
    assert content["metrics"]["image_retrieval_recall@5"] == estimate(metrics, "t2i", "R@5", "de")["mean"]
    assert content["metrics"]["text_retrieval_recall@1"] == estimate(metrics, "i2t", "R@1", "de")["mean"]
    (file,) = (folder / "results" / "mteb").glob("*/*/*I2TRetrieval.json")
    content = json.loads(file.read_text())
    assert content["task_name"] == file.stem and content["dataset_revision"] == summary["data"]["sha256"]
    row = content["scores"]["test"][1]
    assert row["hf_subset"] == "en"
    assert row["main_score"] == row["ndcg_at_10"] == estimate(metrics, "i2t", "nDCG@10", "en")["mean"]


def test_losses_and_better_baselines_are_named():
    def level(mean):
        return {side: {"R@1": {"mean": mean, "low": None, "high": None}} for side in ("t2i", "i2t", "both")}

    def change(mean, high):
        return {"mean": mean, "low": mean - 0.1, "high": high}

    delta = {
        "t2i": {"R@1": change(-0.1, -0.02), "per_language": {"de": {"R@1": change(-0.01, 0.03)}}},
        "i2t": {"R@1": change(0.1, 0.2), "per_language": {"de": {"R@1": change(0.0, 0.03)}}},
    }
    chosen = {"metrics": level(0.5), "delta": delta, "gap": level(0.2)}
    summary = {"selected": chosen, "families": [], "baselines": {"chance": level(0.1), "identity": level(0.6)}}
    summary["scores"] = {"identity": {"csls": level(0.4)}}
    found = list(losses(summary))
    assert found == [
        "- mean over languages, t2i: R@1 −.100 [−.200, −.020] (a loss: the interval is below 0).",
        "- de, t2i: R@1 −.010 [−.110, +.030] (lower, the interval holds 0).",
        "- untouched embeddings, cosine is higher without any training: R@1 .600 in the mean of both, against .500; "
        "the difference is not tested here.",
        "- R@1 on training images less that on test images: +.200.",
    ]


def test_a_map_without_a_run_has_no_figures(tmp_path, learned):
    done = cc.export(learned("per_language(residual_mlp)"), to="safetensors", out=tmp_path / "out")
    head = yaml.safe_load(done.card.read_text().split("---\n")[1])
    assert "model-index" not in head and "No test figures are known" in done.card.read_text()
    assert "it has no map for other languages" in done.card.read_text() and not (done.path / "results").exists()


def test_figures_of_another_map_are_not_taken(run, tmp_path):
    """Beside a map that the summary is not of, it says nothing."""
    learned = cc.load_aligner(run / "best")
    about = {**learned.about, "trial": "another"}
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "summary.json").write_text((run / "summary.json").read_text())
    cc.checkpoints.save_checkpoint(folder / "best", learned._replace(about=about))
    done = cc.export(folder / "best", to="numpy", out=tmp_path / "out")
    assert "No test figures are known" in done.card.read_text()


def test_the_encoders_are_those_of_the_extraction(run, tmp_path):
    text = {"name": "org/text", "revision": "abc", "weights_sha256": "1234"}
    encoder = tmp_path / "image"
    encoder.mkdir()
    (encoder / "README.md").write_text("---\nlicense: mit\n---\n# An encoder\n")
    content = {"encoders": {"text": text, "image": {"name": str(encoder)}}, "config": {}}
    content["source"] = {"captions": "the first of an image", "facts": ["800 of its images are of COCO"]}
    (tmp_path / "embeddings").mkdir()
    (tmp_path / "embeddings" / "embeddings.json").write_text(json.dumps(content))
    done = cc.export(run / "best", to="numpy", out=tmp_path / "out", data=tmp_path / "embeddings")
    card = done.card.read_text()
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["base_model"] == ["org/text"] and head["base_model_revision"] == ["abc"]
    for part in ("revision abc", "`1234`", "its licence: mit", "the first of an image", "800 of its images"):
        assert part in card, part
    assert str(tmp_path) not in card


def test_an_export_replaces_an_earlier_one_whole(run, tmp_path):
    out = tmp_path / "out"
    cc.export(run / "best", to="numpy", out=out)
    assert (out / "results").is_dir()
    cc.export(cc.load_aligner(run / "best"), to="safetensors", out=out, overwrite=True)
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "config.json", "model.safetensors"]

"""What every export has in common, and the arrays of NumPy and safetensors."""

import json
import sys

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file
from scipy.special import erf

import ccalign_jax as cc
from ccalign_jax.exporting import FORMATS


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def gelu(rows):
    return 0.5 * rows * (1 + erf(rows / np.sqrt(2)))


def through(arrays, prefix, rows):
    """As the documentation says that the arrays are used."""
    rows = unit(rows)
    if f"{prefix}W" in arrays:
        return unit(rows @ arrays[f"{prefix}W"] + arrays[f"{prefix}offset"])
    hidden = gelu(rows @ arrays[f"{prefix}W1"] + arrays[f"{prefix}offset1"])
    return unit(hidden @ arrays[f"{prefix}W2"] + arrays[f"{prefix}offset2"])


def test_a_checkpoint_becomes_a_matrix(best, tmp_path, learned, captions):
    done = cc.export(best, to="safetensors", out=tmp_path / "out")
    assert [file.name for file in done.files] == ["config.json", "model.safetensors"]
    arrays = load_file(done.path / "model.safetensors")
    np.testing.assert_allclose(unit(unit(captions) @ arrays["W"]), learned("residual")(captions), atol=2e-6)
    np.testing.assert_array_equal(arrays["params.delta"], learned("residual").params["delta"])
    with safe_open(done.path / "model.safetensors", "np") as file:
        about = file.metadata()
    config = json.loads((done.path / "config.json").read_text())
    assert about["aligner"] == config["map"]["aligner"] == "residual" and about["sha256"] == config["map"]["sha256"]
    assert config["parts"]["captions"] == {"language": None, "d_in": 6, "d_out": 5}


@pytest.mark.parametrize("to", ["safetensors", "numpy"])
def test_layers_of_each_language_and_of_images(to, tmp_path, learned, captions, images):
    map_ = learned("dual(per_language(residual_mlp),shift)")
    done = cc.export(map_, to=to, out=tmp_path / "out")
    arrays = load_file(done.files[1]) if to == "safetensors" else np.load(done.files[1], allow_pickle=False)
    for language in ("de", "en"):
        found = through(arrays, f"captions_{language}.", captions)
        np.testing.assert_allclose(found, map_(captions, language), atol=2e-6)
    np.testing.assert_allclose(through(arrays, "images.", images), map_.images(images), atol=2e-6)
    assert arrays["params.text.expand.kernel"].shape == (2, 6, 4)


def test_one_language_is_the_map_itself(tmp_path, learned, captions):
    """For a map with a shared part, what is no language of training takes that part."""
    map_ = learned("film")
    done = cc.export(map_, to="numpy", out=tmp_path / "de", language="de")
    np.testing.assert_allclose(through(np.load(done.files[1]), "", captions), map_(captions, "de"), atol=2e-6)
    done = cc.export(map_, to="numpy", out=tmp_path / "all")
    np.testing.assert_allclose(through(np.load(done.files[1]), "", captions), map_(captions), atol=2e-6)


def test_a_map_without_layers_keeps_its_parameters_and_says_so(tmp_path, learned):
    done = cc.export(learned("dual(mixture,shift)"), to="numpy", out=tmp_path / "out")
    arrays = np.load(done.files[1])
    assert "params.text.gate" in arrays and "images.W" in arrays and "W" not in arrays
    assert "captions" in done.notes[0] and "no plain matrix" in done.notes[0]
    kernel = learned("fourier")
    for to, load in (("numpy", np.load), ("safetensors", load_file)):
        done = cc.export(kernel, to=to, out=tmp_path / to)
        arrays = load(done.files[1])
        assert {name: arrays[f"params.{name}"].shape for name in kernel.params} == {
            name: leaf.shape for name, leaf in kernel.params.items()
        }


def test_mistakes_are_one_line_and_write_nothing(best, tmp_path, learned, one_line):
    def export(map_=best, to="numpy", out="out", **more):
        return lambda: cc.export(map_, to=to, out=tmp_path / out, **more)

    one_line(export(to="pickle"), "--to=pickle", "safetensors", "--to=list")
    one_line(export(language="xx", map_=learned("per_language(shift)")), "no map for xx", "de,en")
    one_line(export(side="both"), "--side=both", "captions and images")
    one_line(export(side="images", language="de"), "images have no language")
    one_line(export(index="filled.faiss"), "--index", "numpy does not read it")
    one_line(export(map_=tmp_path), "no checkpoint here")
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


@pytest.mark.parametrize(
    ("to", "library", "extra"), [("onnx", "onnx", "export"), ("faiss", "faiss", "export"), ("torch", "torch", "torch")]
)
def test_a_missing_library_is_named_with_what_installs_it(to, library, extra, tmp_path, learned, one_line, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    one_line(
        lambda: cc.export(learned("linear"), to=to, out=tmp_path / "out"),
        f"--to={to} needs {library}: pip install ",
        f'"ccalign_jax[{extra}]"',
    )
    assert not list(tmp_path.iterdir())


def test_overwrite_replaces_what_an_export_wrote_and_nothing_else(best, tmp_path, one_line):
    out = tmp_path / "out"
    cc.export(best, to="safetensors", out=out)
    (out / "notes.txt").write_text("mine")
    one_line(lambda: cc.export(best, to="numpy", out=out), "exists already", "--overwrite")
    cc.export(best, to="numpy", out=out, overwrite=True)
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "config.json", "model.npz", "notes.txt"]
    one_line(lambda: cc.export(best, to="numpy", out=best, overwrite=True), "holds no export")


def test_every_format_has_one_line_that_says_what_it_is():
    for format_ in FORMATS.values():
        assert format_.summary and "\n" not in format_.summary and len(format_.summary) < 100


def test_the_library_of_encoders_is_named_where_it_is_missing(best, tmp_path, one_line, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    asked = {"to": "sentence-transformers", "text_encoder": "org/name", "out": tmp_path / "out"}
    one_line(lambda: cc.export(best, **asked), 'needs sentence_transformers: pip install "ccalign_jax[encode]"')
    assert not (tmp_path / "out").exists()


def test_a_language_that_was_not_in_training_is_noted(tmp_path, learned):
    done = cc.export(learned("conditional"), to="numpy", language="xx", out=tmp_path / "xx")
    assert done.notes[-1] == "xx was not in training (de, en): what all languages share is written"
    assert not cc.export(learned("conditional"), to="numpy", language="de", out=tmp_path / "de").notes

"""Files for PyTorch, the seed study's program and LlamaIndex, used as their readers use them."""

import json
import runpy

import numpy as np
import pytest

import ccalign_jax as cc
from ccalign_jax.seed_maps import load_seed_map

torch = pytest.importorskip("torch")


def test_the_script_maps_rows_with_torch_alone(tmp_path, learned, captions, images):
    map_ = learned("dual(per_language(residual_mlp),shift)")
    done = cc.export(map_, to="torch", out=tmp_path / "out")
    assert [file.name for file in done.files] == ["config.json", "model.pt", "use_map.py"]
    map_rows = runpy.run_path(done.path / "use_map.py")["map_rows"]
    found = map_rows(torch.from_numpy(captions), "captions_en")
    np.testing.assert_allclose(found.numpy(), map_(captions, "en"), atol=2e-6)
    np.testing.assert_allclose(map_rows(torch.from_numpy(images), "images"), map_.images(images), atol=2e-6)


def test_images_that_stay_are_scaled(tmp_path, learned, captions, images):
    map_ = learned("linear")
    done = cc.export(map_, to="torch", out=tmp_path / "out")
    map_rows = runpy.run_path(done.path / "use_map.py")["map_rows"]
    np.testing.assert_allclose(map_rows(torch.from_numpy(captions)), map_(captions), atol=2e-6)
    np.testing.assert_allclose(map_rows(torch.from_numpy(images), "images"), map_.images(images), atol=2e-6)


@pytest.mark.parametrize("name", ["linear", "residual_mlp"])
def test_the_seed_studys_file_comes_back_exactly(name, tmp_path, learned):
    map_ = learned(name)
    cc.export(map_, to="seed", out=tmp_path / "W.pt")
    again = load_seed_map(tmp_path / "W.pt")
    assert again.about["aligner"] == name and again.about["languages"] == map_.about["languages"]
    flat = {path: leaf for path, leaf in torch.utils._pytree.tree_flatten_with_path(again.params)[0]}
    for path, leaf in torch.utils._pytree.tree_flatten_with_path(map_.params)[0]:
        np.testing.assert_array_equal(flat[path], leaf)


def test_other_linear_maps_are_folded_into_the_seed_studys_w(tmp_path, learned, captions):
    map_ = learned("per_language(low_rank)")
    cc.export(map_, to="seed", out=tmp_path / "W.pt", language="en")
    np.testing.assert_allclose(load_seed_map(tmp_path / "W.pt")(captions), map_(captions, "en"), atol=2e-6)


def test_llama_index_loads_a_square_map(tmp_path, learned):
    """As its `LinearLayer.load` and `forward` do."""
    rows = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
    for name in ("residual", "scaled_procrustes"):
        map_ = learned(name, 6, 6)
        done = cc.export(map_, to="llama-index", out=tmp_path / name)
        config = json.loads((done.path / "config.json").read_text())
        assert config == {"in_features": 6, "out_features": 6, "bias": name != "residual"}
        layer = torch.nn.Linear(config["in_features"], config["out_features"], bias=config["bias"])
        state = torch.load(done.path / "pytorch_model.bin", map_location="cpu", weights_only=True)
        layer.load_state_dict({name.removeprefix("linear."): value for name, value in state.items()})
        unit = torch.nn.functional.normalize
        found = unit(layer(unit(torch.from_numpy(rows)))).detach().numpy()
        np.testing.assert_allclose(found, map_(rows), atol=2e-6)
        assert json.loads((done.path / "ccalign_jax.json").read_text())["map"]["aligner"] == name
        assert ("offset" in done.notes[0]) == config["bias"]


@pytest.mark.parametrize(
    ("name", "to", "widths", "words"),
    [
        ("fourier", "torch", (6, 5), ["neither linear nor an MLP", "safetensors, numpy, onnx"]),
        ("mixture", "faiss", (6, 5), ["neither linear nor an MLP", "numpy, onnx"]),
        ("mlp", "faiss", (6, 5), ["a hidden layer", "onnx, torch", "exported to safetensors, numpy, onnx, torch"]),
        ("mlp", "seed", (6, 5), ["x plus a hidden layer", "torch"]),
        ("shift", "seed", (6, 6), ["an offset", "faiss, llama-index"]),
        ("dual(linear)", "seed", (6, 5), ["a map of images", "--side"]),
        ("residual", "llama-index", (6, 5), ["different width", "torch, faiss, seed"]),
        ("per_language(linear)", "llama-index", (6, 6), ["--language", "faiss"]),
    ],
)
def test_what_a_format_cannot_hold_is_refused_with_those_that_can(name, to, widths, words, tmp_path, learned, one_line):
    out = tmp_path / ("W.pt" if to == "seed" else "out")
    one_line(lambda: cc.export(learned(name, *widths), to=to, out=out), f"--to={to}", name, *words)
    one_line(
        lambda: cc.export(learned(name, *widths), to="seed", out=out.with_suffix(".pt"), side="images"), "captions"
    )
    assert not list(tmp_path.iterdir())

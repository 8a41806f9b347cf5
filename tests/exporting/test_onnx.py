"""Models of ONNX, of every aligner, in onnxruntime."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ccalign_jax as cc
from ccalign_jax.aligners import ALIGNERS, Aligner, canonical_name, map_captions, map_images, parse_name
from ccalign_jax.exporting.job import make_job
from ccalign_jax.exporting.onnx_files import make_model
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.numerics import unit_rows

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

TRAINED = [name for name, entry in ALIGNERS.items() if not entry.closed and name != "identity"]
BOTH = [f"dual({name})" if ALIGNERS[name].by_language else f"dual(per_language({name}))" for name in TRAINED]


def run(model, rows):
    content = model if isinstance(model, str) else model.SerializeToString()
    return runtime.InferenceSession(content).run(["target_embedding"], {"source_embedding": rows})[0]


def check(map_, rows, images):
    """Every part of the map, for two numbers of rows; a zero row among them changes no other."""
    job = make_job(map_, "onnx", language=None, side=None, options={})
    for part in job.parts:
        model = make_model(job, part)
        onnx.checker.check_model(model, full_check=True)
        some = images if part.name == "images" else rows
        if part.name == "images":
            wanted = map_images(map_.aligner, map_.params, some)
        else:
            wanted = map_captions(map_.aligner, map_.params, some, map_.language_number(part.language))
        found = run(model, np.concatenate([some, np.zeros_like(some[:1])]))
        np.testing.assert_allclose(found[:-1], wanted, atol=2e-6)
        assert found.dtype == np.float32 and np.isfinite(found).all()
    return [part.name for part in job.parts]


@pytest.mark.parametrize("name", [*ALIGNERS, *map(canonical_name, BOTH)])
def test_every_aligner(name, learned, captions, images):
    by_language = parse_name(name).per_language or ALIGNERS[parse_name(name).text].by_language
    names = check(learned(name), captions, images)
    assert names[-1] == "images" and ("captions_de" in names) == by_language


def test_rows_are_made_wider(learned):
    """The identity then pads; the mixture multiplies by more than one index."""
    rows = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    check(learned("mixture", 5, 6), rows, rows[:, [0, 1, 2, 3, 4, 0]])


def test_the_files(tmp_path, learned, captions, images):
    map_ = learned("film")
    done = cc.export(map_, to="onnx", out=tmp_path / "out")
    assert [file.name for file in done.files] == [
        "captions.onnx", "captions_de.onnx", "captions_en.onnx", "config.json", "images.onnx"
    ]  # fmt: skip
    np.testing.assert_allclose(run(str(done.files[1]), captions), map_(captions, "de"), atol=2e-6)
    np.testing.assert_allclose(run(str(done.files[0]), captions), map_(captions), atol=2e-6)
    np.testing.assert_allclose(run(str(done.files[-1]), images), map_.images(images), atol=2e-6)
    about = {entry.key: entry.value for entry in onnx.load(done.files[1]).metadata_props}
    assert about["aligner"] == "film" and about["language"] == "de" and "ccalign_jax" in about["made_by"]
    cc.export(map_, to="onnx", out=tmp_path / "one", language="en", side="captions")
    assert (tmp_path / "one" / "captions.onnx").exists() and not (tmp_path / "one" / "images.onnx").exists()


def plugin_map(text):
    aligner = Aligner(
        init=lambda key: {"scale": jnp.ones(())},
        text=lambda params, rows, language, *, key=None, dropout=0.0: text(rows) * params["scale"],
        image=lambda params, rows: rows,
        deviation=lambda params: params,
    )
    about = {"aligner": "identity", "trial": "", "d_text": 6, "d_image": 6, "languages": ["de"]}
    return LearnedMap(aligner, {"scale": np.float32(2.0)}, about)


@pytest.mark.parametrize(
    "text",
    [
        lambda rows: jax.nn.relu(rows)[:, ::-1] ** 3 + jnp.expm1(-rows),
        lambda rows: jnp.where(rows > 0, jnp.log1p(jnp.abs(rows)), jnp.clip(rows, -0.3, 0.2)),
        lambda rows: rows.reshape(-1, 2, 3).max(1)[:, [0, 1, 2, 0, 1, 2]] + jnp.mean(rows, -1, keepdims=True),
        lambda rows: jnp.broadcast_to(jnp.arange(1.0, 7.0), rows.shape) + rows[:, 2:3],
        lambda rows: rows - jax.nn.logsumexp(rows, axis=1, keepdims=True) + jnp.exp2(rows),
        lambda rows: (
            jax.nn.standardize(rows) * jnp.linalg.norm(rows, axis=-1, keepdims=True) + jax.nn.log_softmax(rows)
        ),
        lambda rows: rows[:, 0, None] * jax.nn.elu(rows) + jax.nn.gelu(rows) + jnp.where(jnp.isnan(rows), 0.0, 1.0),
        lambda rows: jnp.einsum("md,de,me->me", rows, jnp.eye(6), rows) + jnp.maximum(rows, 0.1).prod(1)[:, None],
        lambda rows: unit_rows(rows + 0.3) + unit_rows(rows[:, None] * jnp.ones((2, 1))).sum(1),
        lambda rows: jax.lax.rsqrt(1 + rows**2) + jnp.tanh(rows).T.T + jax.nn.softplus(rows),
    ],
)
def test_functions_that_a_plugin_may_use(text, captions):
    check(plugin_map(text), captions, captions)


def test_a_function_without_a_translation_is_refused_by_its_name(tmp_path, one_line):
    map_ = plugin_map(lambda rows: jnp.sort(rows, axis=-1))
    one_line(lambda: cc.export(map_, to="onnx", out=tmp_path / "out"), "identity", "jax's sort", "safetensors")
    map_ = plugin_map(lambda rows: rows - jnp.concatenate([rows, rows]).max(0))
    one_line(lambda: cc.export(map_, to="onnx", out=tmp_path / "out"), "2*batch")
    map_ = plugin_map(lambda rows: jax.lax.bitcast_convert_type(rows.astype(jnp.float32), "int32") * 1.0)
    one_line(lambda: cc.export(map_, to="onnx", out=tmp_path / "out"), "bitcast_convert_type")
    map_ = plugin_map(lambda rows: rows / len(rows))
    one_line(lambda: cc.export(map_, to="onnx", out=tmp_path / "out"), "number of rows")
    assert not list(tmp_path.iterdir())


def test_a_model_larger_than_a_file_of_onnx_is_refused(tmp_path, learned, one_line, monkeypatch):
    monkeypatch.setattr("ccalign_jax.exporting.onnx_files.MOST_BYTES", 100)
    one_line(
        lambda: cc.export(learned("linear"), to="onnx", out=tmp_path / "out"), "captions takes 0 MiB", "safetensors"
    )
    assert not list(tmp_path.iterdir())

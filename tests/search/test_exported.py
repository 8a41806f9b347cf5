import jax
import numpy as np
import pytest

from ccalign_jax.aligners import canonical_name, make_aligner
from ccalign_jax.checkpoints import save_checkpoint
from ccalign_jax.errors import InputError
from ccalign_jax.exporting import export
from ccalign_jax.exporting.stock_modules import dense, normalize, router, write_json_file, write_modules
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.search import read_any_map
from ccalign_jax.search.exported import identity_map

SIZES = {"hidden": 4, "rank": 2, "features": 8, "experts": 2}


def make_map(name):
    aligner = make_aligner(name, 6, 5, languages=2, **SIZES)
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(aligner.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: 0.5 * random.standard_normal(leaf.shape).astype(np.float32), shapes)
    about = {"aligner": canonical_name(name), "trial": f"image/{name}/infonce", "d_text": 6, "d_image": 5}
    return LearnedMap(aligner, params, about | SIZES | {"languages": ["de", "en"]})


def check_same(found, learned):
    random = np.random.default_rng(1)
    captions, images = random.standard_normal((4, 6)), random.standard_normal((4, 5))
    for language in ("de", "en"):
        assert np.allclose(found(captions, language), learned(captions, language), atol=1e-5)
    assert np.allclose(found.images(images), learned.images(images), atol=1e-5)
    assert found.training_images is None


@pytest.mark.parametrize("to", ["numpy", "safetensors"])
@pytest.mark.parametrize("name", ["residual", "residual_mlp", "per_language(linear)", "dual(shift)", "fourier"])
def test_an_export_of_parameters_is_read_back(to, name, tmp_path):
    learned = make_map(name)
    export(learned, to=to, out=tmp_path / "map")
    check_same(read_any_map(tmp_path / "map"), learned)


@pytest.mark.parametrize("name", ["residual", "residual_mlp", "per_language(linear)", "dual(residual)"])
def test_the_modules_of_sentence_transformers_are_read_back(name, tmp_path):
    learned = make_map(name)
    chains = {one: [dense(layer) for layer in learned.layers(one)] for one in ("de", "en")}
    mapped = chains["de"] if name[:12] != "per_language" else [router(chains, default=None)]
    captions = [normalize(), *mapped, normalize()]  # behind an encoder
    images = [normalize(), *(dense(layer) for layer in learned.image_layers()), normalize()]
    modules = captions
    if learned.aligner.trains_image:
        modules = [router({"text": captions, "image": images}, default="text", modalities={"text": "text"})]
    write_modules(tmp_path, modules, {})
    described = {"made_by": "ccalign_jax 1", "format": "sentence-transformers", "map": learned.about}
    write_json_file(tmp_path / "ccalign_jax.json", described)
    check_same(read_any_map(tmp_path), learned)


def test_what_cannot_be_read_back_is_named(tmp_path):
    learned = make_map("residual")
    write_json_file(tmp_path / "config.json", {"made_by": "ccalign_jax 1", "format": "onnx", "map": learned.about})
    with pytest.raises(InputError, match="an export to onnx, which is not read here; give RUN/best"):
        read_any_map(tmp_path)
    export(learned, to="numpy", out=tmp_path / "map")
    np.savez(tmp_path / "map" / "model.npz", W=np.eye(2))
    with pytest.raises(InputError, match=r"params.delta is not \[6, 5\] as residual has it; export it again"):
        read_any_map(tmp_path / "map")
    with pytest.raises(InputError, match="no such folder"):
        read_any_map(tmp_path / "nothing")


def test_a_checkpoint_is_read_and_its_identity_leaves_rows_as_they_are(tmp_path):
    save_checkpoint(tmp_path / "best", make_map("residual"))
    found = identity_map(read_any_map(tmp_path / "best"))
    assert found([[3.0, 0, 0, 0, 0, 4.0]], "de").round(3).tolist() == [[1.0, 0, 0, 0, 0]]
    assert not found.aligner.trains_image

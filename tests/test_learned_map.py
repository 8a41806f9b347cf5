"""A learned map as a function of rows, and its form as layers."""

import jax
import numpy as np
import pytest

from ccalign_jax.aligners import ALIGNERS, canonical_name, make_aligner
from ccalign_jax.learned_map import LearnedMap

D_TEXT, D_IMAGE, LANGUAGES = 6, 5, ("de", "en", "fr")
AFFINE = {*ALIGNERS} - {"mlp", "residual_mlp", "gated_mlp", "fourier", "nystroem", "mixture"}
NAMES = [*ALIGNERS, "dual(mlp)", "per_language(residual_mlp)", "dual(per_language(linear),shift)"]


def learned(name):
    """A map with parameters away from its start."""
    sizes = {"hidden": 4, "rank": 2, "features": 8, "experts": 2}
    aligner = make_aligner(name, D_TEXT, D_IMAGE, languages=len(LANGUAGES), **sizes)
    shapes = jax.eval_shape(aligner.init, jax.random.key(0))
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: 0.5 * random.standard_normal(leaf.shape).astype(np.float32), shapes)
    about = {
        "aligner": canonical_name(name), "d_text": D_TEXT, "d_image": D_IMAGE, "languages": [*LANGUAGES]
    }  # fmt: skip
    return LearnedMap(aligner, params, about)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def captions():
    return (3 * np.random.default_rng(1).standard_normal((7, D_TEXT))).astype(np.float32)


@pytest.fixture(scope="module")
def images():
    return (3 * np.random.default_rng(2).standard_normal((7, D_IMAGE))).astype(np.float32)


def through(layers, rows):
    rows = unit(rows.astype(np.float64))
    for layer in layers:
        rows = layer(rows)
    return unit(rows)


@pytest.mark.parametrize("name", NAMES)
def test_layers_are_the_map(name, captions, images):
    """In NumPy and float64, of a language that is not the first; None where no such form exists."""
    map_ = learned(name)
    layers = map_.layers("en")
    text = canonical_name(name).removeprefix("dual(").removeprefix("per_language(").partition(")")[0]
    if text in AFFINE or "linear" in name:
        assert layers is not None and len(layers) == 1
    elif "mlp" in name and name != "gated_mlp":
        assert layers is not None and len(layers) == 2
    else:
        assert layers is None
    if layers is not None:
        np.testing.assert_allclose(map_(captions, "en"), through(layers, captions), atol=2e-6)
    np.testing.assert_allclose(map_.images(images), through(map_.image_layers(), images), atol=2e-6)


def test_a_kernel_is_not_taken_for_linear_where_random_rows_do_not_show_it():
    """Landmarks far from each other and a narrow kernel: k(x, z) is nothing but next to a landmark."""
    narrow = learned("nystroem")
    params = narrow.params | {"bandwidth": np.float32(0.01), "landmarks": np.eye(8, D_TEXT, dtype=np.float32) * 0.7}
    rows = unit(np.random.default_rng(0).standard_normal((50, D_TEXT))).astype(np.float32)
    kept = np.asarray(narrow.aligner.text(params, rows, 0))
    np.testing.assert_array_equal(kept, rows[:, :D_IMAGE])  # as the identity
    assert narrow._replace(params=params).layers() is None


def test_the_matrix_maps_unit_rows(captions):
    for name in ("shift", "per_language(residual)", "film"):
        map_ = learned(name)
        weight, offset = map_.matrix("fr")
        assert weight.dtype == offset.dtype == np.float32
        np.testing.assert_allclose(map_(captions, "fr"), unit(unit(captions) @ weight + offset), atol=2e-6)


def test_a_map_without_a_matrix_says_so(one_line):
    one_line(learned("residual_mlp").matrix, "residual_mlp", "no matrix", "call the map")
    one_line(learned("mixture").matrix, "mixture", "no matrix")


def test_rows_come_out_in_their_order_and_by_themselves(captions):
    map_ = learned("residual_mlp")
    whole = map_(captions)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-6)
    order = np.random.default_rng(3).permutation(len(captions))
    np.testing.assert_allclose(map_(captions[order]), whole[order], atol=1e-6)
    np.testing.assert_allclose(map_(1e6 * captions[2:3]), whole[2:3], atol=1e-6)
    assert map_(captions[:0]).shape == (0, D_IMAGE)


def test_a_language_that_was_not_in_training_takes_what_all_share(captions, one_line):
    shared = learned("conditional")
    np.testing.assert_array_equal(shared(captions), shared(captions, "xx"))
    assert not np.allclose(shared(captions), shared(captions, "de"))
    one_line(lambda: learned("per_language(linear)")(captions), "no map for a language that is not named", "de,en,fr")


def test_rows_that_cannot_be_mapped_are_refused(captions, images, one_line):
    map_ = learned("residual")
    one_line(lambda: map_(images), "the rows", "d_text is 5", "trained for 6")
    one_line(lambda: map_.images(captions), "the rows", "d_image is 6", "trained for 5")
    one_line(lambda: map_(captions[0]), "the rows", "(6,)", "row[None]")
    broken = captions.copy()
    broken[3, 0] = np.nan
    one_line(lambda: map_(broken), "the rows row 3", "NaN")


def test_a_map_says_what_it_is_and_how_it_scored(one_line):
    map_ = learned("residual")
    one_line(map_.frame, "no scores", "evaluate it")
    scores = {"before": {"t2i_R@1": 0.25, "MRR": 0.5}, "after": {"t2i_R@1": 0.75, "MRR": 0.5}}
    map_ = map_._replace(about=map_.about | {"trial": "image/residual/mse", "scores": scores})
    assert repr(map_).split("\n") == [
        "LearnedMap image/residual/mse: captions [6] in de, en, fr, images [5]",
        "  on the images that picked the epoch: t2i R@1 0.250 → 0.750, MRR 0.500 → 0.500",
    ]
    pytest.importorskip("pandas")
    assert map_.frame().to_dict("list") == {"metric": ["t2i_R@1", "MRR"], "before": [0.25, 0.5], "after": [0.75, 0.5]}

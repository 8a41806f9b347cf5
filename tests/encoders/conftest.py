"""Photographs and captions for tiny models with random weights."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

WORDS = ["a", "the", "dog", "cat", "runs", "jumps", "over", "lazy", "brown", "fox", "in", "of", "red", "snow", "house"]
CAPTIONS = ["a dog runs", "the lazy brown fox jumps over a cat in the red snow", "house", "a cat of snow"]


@pytest.fixture(scope="session")
def captions() -> list[str]:
    """Captions of different lengths."""
    return CAPTIONS


@pytest.fixture(scope="session")
def photographs() -> list[bytes]:
    """Three photographs of different shapes, as bytes of files."""
    image = pytest.importorskip("PIL.Image", reason="Pillow opens photographs")
    random, found = np.random.default_rng(0), []
    for size in ((40, 30, 3), (32, 32, 3), (20, 50, 3)):
        file = io.BytesIO()
        image.fromarray(random.integers(0, 255, size, np.uint8)).save(file, "png")
        found.append(file.getvalue())
    return found


@pytest.fixture(scope="session")
def tokenizer() -> Callable[[Path], Any]:
    """`tokenizer(folder)` saves a tokenizer of a few words there, with [CLS] and [SEP] around a caption."""
    pytest.importorskip("torch", reason="transformers models need torch")
    transformers = pytest.importorskip("transformers", reason='pip install -e ".[encode]" adds transformers')
    import tokenizers
    from tokenizers import models, pre_tokenizers, processors

    def save(folder: Path, **options: Any) -> Any:
        vocabulary = {word: number for number, word in enumerate(["[PAD]", "[CLS]", "[SEP]", "[UNK]", *WORDS])}
        made = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
        made.pre_tokenizer = pre_tokenizers.Whitespace()
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
        whole = transformers.PreTrainedTokenizerFast(
            tokenizer_object=made,
            pad_token="[PAD]",
            cls_token="[CLS]",
            sep_token="[SEP]",
            unk_token="[UNK]",
            eos_token="[SEP]",
            model_input_names=["input_ids", "attention_mask"],
            **options,
        )
        whole.save_pretrained(folder)
        return whole

    return save


@pytest.fixture(scope="session")
def rows_of() -> Callable[..., np.ndarray]:
    """`rows_of(encoder, items, layer="")` prepares and encodes items as one batch."""

    def encode(encoder: Any, items: list[Any], layer: str = "") -> np.ndarray:
        return encoder.replicas[0](encoder.collate([encoder.prepare(item) for item in items]))[layer]

    return encode

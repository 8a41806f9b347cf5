"""Photographs and captions for tiny models with random weights."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

WORDS = ["a", "the", "dog", "cat", "runs", "jumps", "over", "lazy", "brown", "fox", "in", "of", "red", "snow", "house"]
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
TEXT = {**SMALL, "vocab_size": 32, "max_position_embeddings": 12}
VISION = {**SMALL, "image_size": 32, "patch_size": 16}
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


def _dual(transformers: Any, kind: str) -> tuple[Any, Any]:
    """A dual encoder and its image processor."""
    size = {"height": 32, "width": 32}
    if kind == "clip":
        text = {**TEXT, "eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0}
        config = transformers.CLIPConfig(text_config=text, vision_config=VISION, projection_dim=32)
        return transformers.CLIPModel(config), transformers.CLIPImageProcessorPil(size=size, crop_size=size)
    if kind == "siglip2":
        config = transformers.Siglip2Config(
            text_config={**TEXT, "projection_size": 32, "pad_token_id": 0},
            vision_config={**SMALL, "num_patches": 4, "patch_size": 16},
        )
        return transformers.Siglip2Model(config), transformers.Siglip2ImageProcessorPil(
            max_num_patches=4, patch_size=16
        )
    if kind == "siglip":
        text = {**TEXT, "pad_token_id": 0, "projection_size": 32}
        config = transformers.SiglipConfig(text_config=text, vision_config=VISION)
        return transformers.SiglipModel(config), transformers.SiglipImageProcessorPil(size=size)
    if kind == "altclip":
        # Its positions count from 2, of which the tokenizer's longest caption needs 14.
        text = {**TEXT, "max_position_embeddings": 14, "pad_token_id": 0, "project_dim": 32}
        config = transformers.AltCLIPConfig(text_config=text, vision_config=VISION, projection_dim=32)
        return transformers.AltCLIPModel(config), transformers.CLIPImageProcessorPil(size=size, crop_size=size)
    if kind == "chinese_clip":
        text = {**TEXT, "pad_token_id": 0}
        config = transformers.ChineseCLIPConfig(text_config=text, vision_config=VISION, projection_dim=32)
        return transformers.ChineseCLIPModel(config), transformers.ChineseCLIPImageProcessorPil(
            size=size, crop_size=size
        )
    text, vision = transformers.BertConfig(**TEXT, pad_token_id=0), transformers.ViTConfig(**VISION)
    config = transformers.VisionTextDualEncoderConfig.from_vision_text_configs(vision, text, projection_dim=32)
    return transformers.VisionTextDualEncoderModel(config), transformers.ViTImageProcessorPil(size=size)


@pytest.fixture(scope="session")
def dual(tokenizer) -> Callable[[Path, str], Any]:
    """`dual(folder, kind)` is a dual encoder with random weights, saved there with its processors."""
    torch = pytest.importorskip("torch", reason="transformers models need torch")
    transformers = pytest.importorskip("transformers", reason='pip install -e ".[encode]" adds transformers')

    def save(folder: Path, kind: str) -> Any:
        torch.manual_seed(0)
        model, processor = _dual(transformers, kind)
        model.eval().save_pretrained(folder)
        processor.save_pretrained(folder)
        tokenizer(folder, model_max_length=12)
        return model

    return save


@pytest.fixture(scope="session")
def sentences(tokenizer) -> Callable[[Path], Any]:
    """`sentences(folder)` is a SentenceTransformer with random weights and two prompts, saved there."""
    torch = pytest.importorskip("torch", reason="sentence-transformers needs torch")
    library = pytest.importorskip(
        "sentence_transformers", reason='pip install -e ".[encode]" adds sentence-transformers'
    )
    import transformers
    from sentence_transformers.sentence_transformer import modules

    def save(folder: Path) -> Any:
        torch.manual_seed(0)
        config = transformers.DistilBertConfig(vocab_size=32, dim=32, n_layers=1, n_heads=2, hidden_dim=48)
        transformers.DistilBertModel(config).save_pretrained(folder / "base")
        tokenizer(folder / "base", model_max_length=12)
        base = modules.Transformer(str(folder / "base"), max_seq_length=12)
        parts = [base, modules.Pooling(32), modules.Dense(32, 32)]
        made = library.SentenceTransformer(modules=parts, device="cpu", prompts={"query": "the "})
        made.save_pretrained(str(folder / "model"))
        return made

    return save


@pytest.fixture(scope="session")
def sizes() -> tuple[dict[str, int], dict[str, int]]:
    """Settings of tiny text and vision models."""
    return TEXT, VISION

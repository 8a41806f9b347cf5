"""Tiny models with random weights: rows are those of the library's own calls, whatever else is in the batch."""

import numpy as np
import pytest

from ccalign_jax.encoders import Choices, load_encoders

torch = pytest.importorskip("torch", reason="transformers models need torch")
transformers = pytest.importorskip("transformers", reason='pip install -e ".[encode]" adds transformers')
pytest.importorskip("PIL", reason="image processors need Pillow")


@pytest.fixture(
    scope="module", params=["clip", "siglip", "siglip2", "chinese_clip", "altclip", "vision-text-dual-encoder"]
)
def saved(request, dual, tmp_path_factory):
    """The folder of a dual encoder, and the model."""
    folder = tmp_path_factory.mktemp(request.param)
    return folder, dual(folder, request.param)


def test_a_dual_encoder_gives_projected_rows(saved, captions, photographs, rows_of):
    folder, model = saved
    text, image = load_encoders(str(folder), str(folder), Choices())
    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    padding = "max_length" if model.config.model_type.startswith("siglip") else True
    inputs = tokens(captions, padding=padding, max_length=12, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        wanted = model.get_text_features(**inputs).pooler_output.numpy()
    np.testing.assert_allclose(rows_of(text, captions), wanted, atol=1e-6)
    for caption, row in zip(captions, wanted, strict=True):
        np.testing.assert_allclose(rows_of(text, [caption])[0], row, atol=1e-5)
    together = rows_of(image, photographs)
    for photograph, row in zip(photographs, together, strict=True):
        np.testing.assert_allclose(rows_of(image, [photograph])[0], row, atol=1e-5)
    assert together.shape == (3, wanted.shape[1]) and np.ptp(together, axis=0).max() > 0
    assert text.about["weights_sha256"] == image.about["weights_sha256"]
    assert (text.about["pooling"], image.about["precision"]) == ("projected", "float32")


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_is_near_float32(saved, captions, photographs, rows_of, precision):
    folder, _ = saved
    whole, half = (load_encoders(str(folder), str(folder), Choices(precision=one)) for one in ("float32", precision))
    for one, other, items in zip(whole, half, (captions, photographs), strict=True):
        assert other.about["precision"] == precision
        rows = [
            each / np.linalg.norm(each, axis=1, keepdims=True) for each in (rows_of(one, items), rows_of(other, items))
        ]
        assert rows[1].dtype == np.float32 and 0.99 < np.sum(rows[0] * rows[1], axis=1).min() < 1 - 1e-9


def test_layers_are_kept_beside_the_rows(saved, captions, photographs, rows_of):
    folder, _ = saved
    text, image = load_encoders(str(folder), f"transformers:{folder}", Choices(layers=(1, -1)))
    for encoder, items in ((text, captions), (image, photographs)):
        assert rows_of(encoder, items, "layer1").shape == (len(items), 32)
        assert not np.allclose(rows_of(encoder, items, "layer1"), rows_of(encoder, items, "layer-1"))


def test_layers_that_there_are_not(saved, captions, rows_of, one_line):
    folder, _ = saved
    text, _ = load_encoders(str(folder), str(folder), Choices(layers=(9,)))
    one_line(lambda: rows_of(text, captions), "--layers=9: the text encoder has 3 hidden states")


def test_other_weights_have_another_digest(saved, tmp_path):
    folder, model = saved
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] += 1
    try:
        model.save_pretrained(tmp_path)
    finally:
        with torch.no_grad():
            next(model.parameters()).view(-1)[0] -= 1
    for file in folder.iterdir():
        if not (tmp_path / file.name).exists():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    one, _ = load_encoders(str(folder), str(folder), Choices())
    other, _ = load_encoders(str(tmp_path), str(tmp_path), Choices())
    assert one.about["weights_sha256"] != other.about["weights_sha256"]


@pytest.fixture(scope="module")
def bert(tokenizer, sizes, tmp_path_factory):
    """The folder of a text model, and of a vision model."""
    text, vision = sizes
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    transformers.BertModel(transformers.BertConfig(**text, pad_token_id=0)).save_pretrained(folder / "text")
    tokenizer(folder / "text")
    transformers.ViTModel(transformers.ViTConfig(**vision)).save_pretrained(folder / "image")
    size = {"height": 32, "width": 32}
    transformers.ViTImageProcessorPil(size=size).save_pretrained(folder / "image")
    return folder


@pytest.mark.parametrize("pooling", ["mean", "cls", "last", "max", "pooler"])
def test_text_models_pool_what_is_no_padding(bert, captions, photographs, rows_of, pooling):
    text, image = load_encoders(str(bert / "text"), str(bert / "image"), Choices(pooling=pooling))
    together = rows_of(text, captions)
    model = transformers.AutoModel.from_pretrained(bert / "text")
    tokens = transformers.AutoTokenizer.from_pretrained(bert / "text")
    for caption, row in zip(captions, together, strict=True):
        with torch.inference_mode():
            output = model(**tokens(caption, max_length=12, truncation=True, return_tensors="pt"))
        states = output.last_hidden_state[0].numpy()
        wanted = {
            "mean": states.mean(0),
            "cls": states[0],
            "last": states[-1],
            "max": states.max(0),
            "pooler": output.pooler_output[0].numpy(),
        }[pooling]
        np.testing.assert_allclose(row, wanted, atol=1e-5)
    assert rows_of(image, photographs).shape == (3, 32)


def test_the_prompt_stands_before_every_caption(bert, rows_of):
    plain, _ = load_encoders(str(bert / "text"), str(bert / "image"), Choices())
    prompted, _ = load_encoders(str(bert / "text"), str(bert / "image"), Choices(prompt="the "))
    np.testing.assert_array_equal(rows_of(prompted, ["dog"]), rows_of(plain, ["the dog"]))


def test_choices_that_do_not_suit(saved, bert, tmp_path, one_line):
    both = str(saved[0])
    one_line(lambda: load_encoders(both, both, Choices(pooling="cls")), "a dual encoder pools by itself")
    text, image = str(bert / "text"), str(bert / "image")
    one_line(lambda: load_encoders(text, image, Choices(pooling="first")), "--pooling=first: it must be mean, cls")
    one_line(lambda: load_encoders(image, image, Choices()), "a tokenizer cannot be loaded")
    (tmp_path / "config.json").write_text("{}")
    one_line(lambda: load_encoders(str(tmp_path), image, Choices()), str(tmp_path), "cannot be loaded")


def test_a_whole_extraction_of_a_tiny_model(saved, tmp_path, photographs, captions):
    from ccalign_jax import extract
    from ccalign_jax.data import load
    from ccalign_jax.extraction import Item, Source

    items = [Item(str(n), None, photographs[n], {"en": captions[n : n + 2]}) for n in range(3)]
    source = Source("tiny", lambda: iter(items), "digest", 3)
    folder = str(saved[0])
    for out, devices in (("one", None), ("two", 2)):
        encoders = {"text_encoder": folder, "image_encoder": folder, "layers": [1], "devices": devices}
        found = extract(source=source, out=tmp_path / out, batch_images=1, batch_captions=2, **encoders)
        assert found["images"] == 3 and found["captions"] == {"en": 6}
    one, two = load(tmp_path / "one"), load(tmp_path / "two")
    assert one.sha256() == two.sha256() and load(tmp_path / "one" / "layer1").d_image == 32

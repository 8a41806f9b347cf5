"""A tiny SentenceTransformer: rows, prompts and revisions are those of the library."""

import numpy as np
import pytest

from ccalign_jax.encoders import Choices, load_encoders

torch = pytest.importorskip("torch", reason="sentence-transformers needs torch")
pytest.importorskip("sentence_transformers", reason='pip install -e ".[encode]" adds sentence-transformers')


@pytest.fixture(scope="module")
def model(tokenizer, tmp_path_factory):
    """A folder with a SentenceTransformer of two prompts, and the model."""
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    folder = tmp_path_factory.mktemp("sentences")
    torch.manual_seed(0)
    config = transformers.DistilBertConfig(vocab_size=32, dim=32, n_layers=1, n_heads=2, hidden_dim=48)
    transformers.DistilBertModel(config).save_pretrained(folder / "base")
    tokenizer(folder / "base", model_max_length=12)
    base = modules.Transformer(str(folder / "base"), max_seq_length=12)
    dense = modules.Dense(32, 16)
    made = SentenceTransformer(modules=[base, modules.Pooling(32), dense], device="cpu", prompts={"query": "the "})
    made.save_pretrained(str(folder / "model"))
    made.default_prompt_name = "query"
    made.save_pretrained(str(folder / "prompted"))
    return folder, SentenceTransformer(str(folder / "model"), device="cpu")


def colour(images):
    return np.array([image.mean((0, 1)) for image in images])


def test_rows_and_prompts_are_those_of_the_library(model, captions, rows_of):
    folder, own = model
    wanted = own.encode(captions)
    for name in (str(folder / "model"), f"sentence-transformers:{folder / 'model'}"):
        text, _ = load_encoders(name, colour, Choices())
        np.testing.assert_allclose(rows_of(text, captions), wanted, atol=1e-6)
    assert text.about["prompt"] == "" and text.about["pooling"] == "Transformer + Pooling + Dense"
    wanted = own.encode(captions, prompt_name="query")
    for name, prompt in (("prompted", None), ("model", "query"), ("model", "the ")):
        text, _ = load_encoders(str(folder / name), colour, Choices(prompt=prompt))
        np.testing.assert_allclose(rows_of(text, captions), wanted, atol=1e-6)
        assert text.about["prompt"] == "the "


def test_a_folder_without_a_model(tmp_path, one_line):
    one_line(lambda: load_encoders(str(tmp_path), colour, Choices()), "has none of modules.json, open_clip_config.json")

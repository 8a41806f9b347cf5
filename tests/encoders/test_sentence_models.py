"""A tiny SentenceTransformer: rows, prompts and revisions are those of the library."""

import numpy as np
import pytest

from ccalign_jax.encoders import Choices, load_encoders

torch = pytest.importorskip("torch", reason="sentence-transformers needs torch")
pytest.importorskip("sentence_transformers", reason='pip install -e ".[encode]" adds sentence-transformers')


@pytest.fixture(scope="module")
def model(sentences, tmp_path_factory):
    """A folder with a SentenceTransformer of two prompts, and the model."""
    from sentence_transformers import SentenceTransformer

    folder = tmp_path_factory.mktemp("sentences")
    made = sentences(folder)
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

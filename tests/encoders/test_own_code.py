"""Models that bring code of their own are refused, and their code does not run."""

import json

import pytest

from ccalign_jax.encoders import Choices, load_encoders
from ccalign_jax.errors import InputError

CODE = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n"


@pytest.fixture
def model(tmp_path):
    (tmp_path / "own.py").write_text(CODE)
    return tmp_path


def test_transformers(model):
    pytest.importorskip("transformers")
    own = {"AutoConfig": "own.Config", "AutoModel": "own.Model", "AutoTokenizer": ["own.Tokenizer", None]}
    (model / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": own}))
    with pytest.raises(InputError, match="custom code"):
        load_encoders(f"transformers:{model}", len, Choices(pooling="mean"))
    assert not (model / "ran").exists()


def test_sentence_transformers(model):
    library = pytest.importorskip("sentence_transformers")
    if int(library.__version__.partition(".")[0]) < 6:
        pytest.skip("sentence-transformers 5 runs the modules of a local folder")
    (model / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "own.Module"}]))
    with pytest.raises(InputError, match=r"own\.Module|trust_remote_code"):
        load_encoders(f"sentence-transformers:{model}", len, Choices())
    assert not (model / "ran").exists()

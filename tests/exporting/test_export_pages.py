"""docs/export.md and the table of parameters in docs/results.md keep their word."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

import ccalign_jax as cc
from ccalign_jax.aligners import ALIGNERS
from ccalign_jax.exporting import FORMATS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "export.md").read_text("utf-8")
SECTIONS = {"safetensors and NumPy": "safetensors", "ONNX": "onnxruntime", "PyTorch": "torch", "faiss": "faiss"}


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_every_format_has_a_row():
    rows = re.findall(r"^\| (`[^|]*) \| ", PAGE.split("| `--to` |")[1].split("\n\n")[0], flags=re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(named) == sorted(FORMATS)


@pytest.mark.filterwarnings("ignore:builtin type .* has no __module__ attribute:DeprecationWarning")
@pytest.mark.parametrize("title", SECTIONS)
def test_what_the_page_shows_runs(title, learned, tmp_path, monkeypatch):
    """Each section after the first lines, on a linear map of captions; the result is that of the map."""
    pytest.importorskip(SECTIONS[title])
    monkeypatch.chdir(tmp_path)
    map_ = learned("ridge")
    random = np.random.default_rng(0)
    captions, images = (random.standard_normal((9, width)).astype(np.float32) for width in (6, 5))
    names = {"np": np, "cc": cc, "learned": map_, "captions": captions, "images": images}
    names["unit"] = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for block in blocks(PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0], "py"):
        exec(block, names)
    if title == "faiss":
        assert names["mapping"].index.ntotal == 10 and names["moved"].ntotal == 9
        wanted = map_(captions) @ map_.images(images).T
        np.testing.assert_array_equal(names["nearest"], np.argsort(-wanted, axis=1)[:, :5])
    else:
        np.testing.assert_allclose(np.asarray(names["mapped"]), map_(captions), atol=2e-6)


def parameters():
    """Aligner to the shapes of its parameters as the page writes them."""
    text = (DOCS / "results.md").read_text("utf-8").split("\n### Parameters of every aligner\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {
        name: dict(re.findall(r"`([\w.]+)` \[(.*?)\](?:,|$| \|)", row[2].strip().rstrip("|").strip() + ","))
        for row in rows
        for name in re.findall(r"`([^`]+)`", row[0])
    }


def test_the_table_lists_the_parameters_of_every_aligner(learned):
    sizes = {"d_text": 6, "d_out": 5, "languages": 2, "hidden": 4, "rank": 2, "features": 8, "experts": 2, "min": min}
    listed = parameters()
    assert list(listed) and set(listed) == set(ALIGNERS)
    for name, shapes in listed.items():
        found = {
            ".".join(str(key.key) for key in path): leaf.shape
            for path, leaf in jax.tree_util.tree_leaves_with_path(learned(name).params)
        }
        assert {key: tuple(eval(f"[{shape}]", sizes)) for key, shape in shapes.items()} == found, name

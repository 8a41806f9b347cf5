"""The seed study's folders of .pt shards: a gold case, splits, and every bad shard by its name."""

import sys
from pathlib import Path

import numpy as np
import pytest

from ccalign_jax.data import load, save

ONE_ROW = np.ones((1, 2), np.float16)


@pytest.fixture
def write_shard():
    """Write one .pt shard as the seed study does: a tensor and a list of keys, or a dict of them by language."""
    torch = pytest.importorskip("torch")

    def write(file: Path, values, keys) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        by_language = isinstance(values, dict)
        tensors = {lang: torch.tensor(part) for lang, part in values.items()} if by_language else torch.tensor(values)
        torch.save({"model_name": "frozen", "split": file.parent.name, "keys": keys, "embeddings": tensors}, file)

    return write


@pytest.fixture
def seed_folder(tmp_path, write_shard, rows) -> Path:
    """Three images in two shards; ragged captions in three; float16 images and float32 captions."""
    folder = tmp_path / "seed.format"
    write_shard(folder / "embeddings_image/full/shard-000001.pt", rows(1), ["a"])
    write_shard(folder / "embeddings_image/full/shard-000000.pt", rows(3, 2), ["c", "b"])
    texts = folder / "embeddings_text/full"
    write_shard(texts / "0.pt", {"en": rows(30, dtype=np.float32)}, {"en": ["c"]})
    two = {"en": rows(31, 10, dtype=np.float32), "de": rows(20, dtype=np.float32)}
    write_shard(texts / "1.pt", two, {"en": ["c", "a"], "de": ["b"]})
    write_shard(texts / "2.pt", {"en": rows(dtype=np.float32)}, {"en": []})
    return folder


def test_gold_seed_folder(seed_folder, assert_same):
    data = load(seed_folder)
    assert data.name == "seed.format" and data.split is None and data.notes == ()
    assert data.keys.tolist() == ["a", "b", "c"]
    assert data.image[:, 0].tolist() == [1, 2, 3] and data.image.dtype == np.float16
    assert data.text["en"][:, 0].tolist() == [10, 30, 31] and data.text["en"].dtype == np.float32
    assert data.image_of["en"].tolist() == [0, 2, 2]
    assert data.text["de"][:, 0].tolist() == [20] and data.image_of["de"].tolist() == [1]
    assert load(seed_folder, languages=["de"]).keys.tolist() == ["b"]
    save(seed_folder / "copy.npz", data)
    assert_same(load(seed_folder / "copy.npz"), data)


def test_the_folder_is_named_however_it_is_typed(seed_folder, monkeypatch):
    monkeypatch.chdir(seed_folder)
    assert load(".").name == load(f"{seed_folder}/").name == "seed.format"


def test_several_split_folders_are_the_official_split(tmp_path, write_shard, refusal, rows):
    for split, key, value in (("train", "b", 1), ("test", "a", 2)):
        write_shard(tmp_path / f"embeddings_image/{split}/0.pt", rows(value), [key])
        write_shard(tmp_path / f"embeddings_text/{split}/0.pt", {"en": rows(value)}, {"en": [key]})
    data = load(tmp_path)
    assert dict(zip(data.keys.tolist(), data.split.tolist(), strict=True)) == {"a": "test", "b": "train"}
    write_shard(tmp_path / "embeddings_image/train/1.pt", rows(7), ["a"])
    assert "image a is in the splits test and train; keep it in one" in refusal(tmp_path)


def test_half_precision_of_the_other_kind_becomes_float32(seed_folder):
    torch = pytest.importorskip("torch")
    shard = {"embeddings": torch.tensor([[1.5, 1.0]], dtype=torch.bfloat16, requires_grad=True), "keys": ["a"]}
    torch.save(shard, seed_folder / "embeddings_image/full/shard-000001.pt")
    data = load(seed_folder)
    assert data.image.dtype == np.float32 and data.image[0, 0] == 1.5


def test_without_torch_the_mend_is_named(seed_folder, monkeypatch, refusal):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert refusal(seed_folder).endswith('seed.format needs torch: pip install "ccalign_jax[torch]"')


def test_folder_without_rows(seed_folder, write_shard, refusal, rows):
    for file in (seed_folder / "embeddings_text/full").glob("*.pt"):
        file.unlink()
    assert "embeddings_text: no rows in <split>/*.pt" in refusal(seed_folder)
    write_shard(seed_folder / "embeddings_text/full/0.pt", {"en": rows()}, {"en": []})
    assert "embeddings_text: no rows in <split>/*.pt" in refusal(seed_folder)


@pytest.mark.parametrize(
    ("place", "values", "keys", "message"),
    [
        ("text", ONE_ROW, ["a"], "embeddings and keys of captions must be dicts of languages"),
        ("image", {"en": ONE_ROW}, {"en": ["a"]}, "image lacks a tensor of embeddings or a list of keys"),
        ("image", ONE_ROW, ["a", "b"], "image lacks a tensor of embeddings or a list of keys, one a row"),
        ("image", 1.0, ["a"], "image lacks a tensor of embeddings or a list of keys, one a row"),
        ("image", ONE_ROW, None, "image lacks a tensor of embeddings or a list of keys, one a row"),
        ("text", {"en": ONE_ROW}, {"de": ["a"]}, "de lacks a tensor of embeddings"),
        ("text", {"en": ONE_ROW}, {"en": []}, "en lacks a tensor of embeddings or a list of keys, one a row"),
        (
            "text",
            {"en": np.ones((1, 3))},
            {"en": ["a"]},
            "en embeddings are [1, 3], in earlier shards [1, 2]; make all",
        ),
        ("text", {"fr": np.ones(1)}, {"fr": ["a"]}, "fr embeddings are [1], in earlier shards [1]; make all"),
    ],
)
def test_bad_shards_are_named(seed_folder, write_shard, place, values, keys, message, refusal):
    file = seed_folder / f"embeddings_{place}/full/9.pt"
    write_shard(file, values, keys)
    assert f"{file}: {message}" in refusal(seed_folder)


def test_shards_that_are_damaged_or_carry_code(seed_folder, refusal):
    torch = pytest.importorskip("torch")
    file = seed_folder / "embeddings_image/full/shard-000001.pt"
    whole = file.read_bytes()
    for content in (b"", b"no shard", whole[: len(whole) // 2]):
        file.write_bytes(content)
        assert f"{file}: damaged, or more than tensors" in refusal(seed_folder)
    torch.save({"keys": ["a"], "embeddings": Path("x")}, file)
    assert f"{file}: damaged, or more than tensors" in refusal(seed_folder)
    torch.save([1, 2], file)
    assert f"{file}: image lacks a tensor" in refusal(seed_folder)


def test_hidden_files_are_not_shards(seed_folder, assert_same):
    before = load(seed_folder)
    (seed_folder / "embeddings_image/full/._0.pt").write_bytes(b"Mac OS X")
    (seed_folder / "embeddings_text/.cache").mkdir()
    (seed_folder / "embeddings_text/.cache/0.pt").write_bytes(b"")
    assert_same(load(seed_folder), before)


def test_sparse_rows_and_languages_that_are_not_strings_are_refused(seed_folder, refusal):
    torch = pytest.importorskip("torch")
    file = seed_folder / "embeddings_text/full/9.pt"
    torch.save({"embeddings": {"en": torch.ones(1, 2).to_sparse()}, "keys": {"en": ["a"]}}, file)
    assert f"{file}: en cannot be read (can't convert Sparse layout tensor to numpy" in refusal(seed_folder)
    torch.save({"embeddings": {"en": torch.ones(1, 2), 7: torch.ones(1, 2)}, "keys": {"en": ["a"], 7: ["a"]}}, file)
    assert f"{file}: language 7 is not text; give its code" in refusal(seed_folder)


def test_bad_rows_in_shards_name_folder_language_and_key(seed_folder, write_shard, refusal):
    write_shard(seed_folder / "embeddings_text/full/9.pt", {"de": np.full((1, 2), np.inf)}, {"de": ["c"]})
    assert "seed.format: text_de row 1 (key c) is NaN or infinite" in refusal(seed_folder)

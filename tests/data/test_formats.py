"""Files to data sets and back: gold cases, round trips, damage, and the real files where they are at hand."""

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ccalign_jax.data import formats
from ccalign_jax.data.embedding_set import EmbeddingSet
from ccalign_jax.data.formats import load, save
from ccalign_jax.errors import InputError


@pytest.fixture(params=["in memory", "mapped"])
def reading(request, monkeypatch):
    """Read arrays both ways, whatever their size."""
    if request.param == "mapped":
        monkeypatch.setattr(formats, "_MAP_FROM_BYTES", 0)
    return request.param


def assert_same(left: EmbeddingSet, right: EmbeddingSet) -> None:
    """Equal in everything but name and notes."""
    assert left.languages == right.languages
    pairs = {"image": (left.image, right.image), "groups": (left.groups, right.groups)}
    for language in left.languages:
        pairs[language] = (left.text[language], right.text[language])
        pairs[f"owners of {language}"] = (left.image_of[language], right.image_of[language])
    for label, (a, b) in pairs.items():
        assert a.dtype == b.dtype, label
        np.testing.assert_array_equal(a, b, err_msg=label)
    assert left.keys.tolist() == right.keys.tolist()
    assert (left.split is None) == (right.split is None)
    assert left.split is None or left.split.tolist() == right.split.tolist()
    assert left.sha256() == right.sha256()


def refusal(path, **options) -> str:
    """The message of the error that `load` raises: one line that names the file."""
    with pytest.raises(InputError) as caught:
        load(path, **options)
    message = str(caught.value)
    assert "\n" not in message and message.startswith(str(path)), message
    return message


def rows(*values: float, dtype=np.float16) -> np.ndarray:
    """`[len(values), 2]`: each value beside a one, so that a row is told by its first number."""
    return np.stack([np.array(values), np.ones(len(values))], 1).astype(dtype)


def gold_arrays(as_keys=np.array) -> dict[str, np.ndarray]:
    """Unsorted and repeated keys, several captions an image, a caption without image, an image without caption."""
    return {
        "image": rows(3, 1, 2, 9, 4),
        "image_keys": as_keys(["c", "a", "b", "a", "d"]),
        "split": as_keys(["test", "train", "dev", "test", "train"]),
        "image_groups": np.array([7, 5, 5, 1, 6]),
        "text_en": rows(30, 10, 31, 20, 80),
        "text_en_keys": as_keys(["c", "a", "c", "b", "nobody"]),
        "text_zh-Hans": rows(200, 300, dtype=np.float32),
        "text_zh-Hans_keys": as_keys(["b", "c"]),
    }


def small_set() -> EmbeddingSet:
    text = {"de": rows(5, 6), "en": rows(1, 2, 3, 4)}
    keys = {"de": ["y", "x"], "en": ["x", "y", "x", "y"]}
    split = ["test", "train"]
    return EmbeddingSet.build(
        "small", rows(7, 8), text, image_keys=["x", "y"], text_keys=keys, groups=[4, 2], split=split
    )


# The .npz reader on good files


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("as_keys", [np.array, lambda keys: np.array(keys).astype("S")], ids=["str", "bytes"])
def test_gold_npz(tmp_path, write, as_keys, reading):
    write(tmp_path / "gold.v1.npz", **gold_arrays(as_keys))
    data = load(tmp_path / "gold.v1.npz")
    assert data.name == "gold.v1"
    assert data.keys.tolist() == ["a", "b", "c"]
    assert data.image[:, 0].tolist() == [1, 2, 3] and data.image.dtype == np.float16
    assert data.split.tolist() == ["train", "dev", "test"]
    assert data.groups[0] == data.groups[1] != data.groups[2]
    assert data.languages == ("en", "zh-Hans")
    assert data.text["en"][:, 0].tolist() == [10, 20, 30, 31] and data.text["en"].dtype == np.float16
    assert data.image_of["en"].tolist() == [0, 1, 2, 2]
    assert data.text["zh-Hans"][:, 0].tolist() == [200, 300] and data.text["zh-Hans"].dtype == np.float32
    assert data.image_of["zh-Hans"].tolist() == [1, 2]
    assert data.notes == (
        "left out 1 of 5 images: their keys repeat, the first row of each is kept",
        "left out 1 of 5 captions of en: no image has their key",
        "left out 1 of 4 images: they have no caption",
    )


def test_npz_without_keys_is_aligned_row_by_row(tmp_path):
    np.savez(tmp_path / "aligned.npz", image=rows(*range(12)), text_en=rows(*range(12)))
    data = load(tmp_path / "aligned.npz")
    assert data.image_of["en"].tolist() == list(range(12))
    assert data.image[:, 0].tolist() == data.text["en"][:, 0].tolist() == list(range(12))
    assert data.notes == ()


def test_npz_widths_of_image_and_text_may_differ_and_fortran_order_is_read(tmp_path, reading):
    image = np.asfortranarray(np.arange(1.0, 7.0).reshape(2, 3))
    np.savez(tmp_path / "wide.npz", image=image, text_en=rows(1, 2))
    data = load(tmp_path / "wide.npz")
    assert (data.d_image, data.d_text) == (3, 2)
    np.testing.assert_array_equal(data.image, image)


def test_npz_of_the_other_byte_order_becomes_native(tmp_path):
    np.savez(tmp_path / "big.npz", image=rows(1, 2).astype(">f4"), text_en=rows(1, 2))
    data = load(tmp_path / "big.npz")
    assert data.image.dtype.isnative and data.image[:, 0].tolist() == [1, 2]


def test_npz_unknown_arrays_are_counted_even_where_they_need_pickle(tmp_path):
    odd = {"meta": np.array([{}], object), "texts": np.ones(3)}
    np.savez(tmp_path / "odd.npz", image=rows(1), text_en=rows(1), **odd)
    assert load(tmp_path / "odd.npz").notes == ("left out 2 arrays of unknown names: meta, texts",)


def test_npz_large_stored_arrays_stay_on_disk_and_compressed_ones_do_not(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "_MAP_FROM_BYTES", 1000)
    for write, expected in ((np.savez, True), (np.savez_compressed, False)):
        write(tmp_path / "data.npz", image=rows(*range(400)), text_en=rows(*range(400)))
        data = load(tmp_path / "data.npz")
        assert is_mapped(data.image) is is_mapped(data.text["en"]) is expected
        assert not data.image.flags.writeable
    save(tmp_path / "data.npz", data)
    mapped = load(tmp_path / "data.npz")
    save(tmp_path / "data.npz", mapped)
    assert_same(mapped, load(tmp_path / "data.npz"))


def is_mapped(array: np.ndarray) -> bool:
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def test_languages_narrow_and_spare_the_rest_every_check(tmp_path):
    arrays = gold_arrays() | {"text_fr": np.full((1, 9), np.nan), "text_fr_keys": np.array(["a"])}
    np.savez(tmp_path / "data.npz", **arrays)
    data = load(tmp_path / "data.npz", languages=["zh-Hans"])
    assert data.languages == ("zh-Hans",) and data.keys.tolist() == ["b", "c"]
    assert data.notes[-1] == "left out 2 of 4 images: they have no caption in the chosen languages"
    np.savez(tmp_path / "good.npz", **gold_arrays())
    whole = load(tmp_path / "good.npz", languages=["en", "zh-Hans"])
    assert_same(whole.with_languages(["zh-Hans"]), load(tmp_path / "good.npz", languages=["zh-Hans"]).take([0, 1]))
    assert refusal(tmp_path / "good.npz", languages=["en", "xx"]).endswith("no captions in xx; it has en, zh-Hans")
    assert refusal(tmp_path / "good.npz", languages=[]).endswith("no language is chosen; it has en, zh-Hans")


# Writing


def test_save_is_read_back_equal(tmp_path, reading):
    data = small_set()
    save(tmp_path / "copy.npz", data)
    read = load(tmp_path / "copy.npz")
    assert_same(read, data)
    assert (read.name, read.notes) == ("copy", ())
    assert read.groups.tolist() == [4, 2]
    with zipfile.ZipFile(tmp_path / "copy.npz") as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}


def test_save_writes_the_same_bytes_each_time(tmp_path):
    for name in ("first.npz", "second.npz"):
        save(tmp_path / name, small_set())
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()


def test_save_of_a_part_keeps_its_groups(tmp_path):
    np.savez(tmp_path / "gold.npz", **gold_arrays())
    part = load(tmp_path / "gold.npz").take([1, 2])
    save(tmp_path / "part.npz", part)
    assert_same(load(tmp_path / "part.npz"), part)


def test_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    save(tmp_path / "data.npz", small_set())
    before = (tmp_path / "data.npz").read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(InputError, match=r"data\.npz: not written \(No space left on device\)"):
        save(tmp_path / "data.npz", small_set())
    assert [file.name for file in tmp_path.iterdir()] == ["data.npz"]
    assert (tmp_path / "data.npz").read_bytes() == before


def test_save_refuses_what_load_would_not_read(tmp_path):
    with pytest.raises(InputError, match=r"data\.pt: .*must end in \.npz"):
        save(tmp_path / "data.pt", small_set())
    with pytest.raises(InputError, match=r"nowhere/data\.npz: not written \(No such file or directory\)"):
        save(tmp_path / "nowhere" / "data.npz", small_set())


@st.composite
def ragged_sets(draw) -> EmbeddingSet:
    """Any small data set: shuffled, repeated and missing keys, any float type, with groups and split or without."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    word = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)
    pool = draw(st.lists(word, min_size=1, max_size=6, unique=True))

    def matrix(count: int, width: int) -> np.ndarray:
        return (
            random.normal(size=(count, width)).astype(draw(st.sampled_from([np.float16, np.float32, np.float64]))) + 9
        )

    image_keys = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=8))
    languages = draw(st.lists(st.sampled_from(["ar", "en", "pt_BR", "zh-Hans"]), min_size=1, unique=True))
    text_keys = {language: draw(st.lists(st.sampled_from(pool), min_size=1, max_size=8)) for language in languages}
    width = draw(st.integers(1, 3))
    size = len(image_keys)
    numbers = st.one_of(st.integers(-3, 3), st.integers(2**40, 2**40 + 2))
    groups = draw(st.none() | st.lists(numbers, min_size=size, max_size=size) | st.just([str(size)] * size))
    split = draw(st.none() | st.lists(st.sampled_from(["train", "test"]), min_size=size, max_size=size))
    text = {language: matrix(len(keys), width) for language, keys in text_keys.items()}
    try:
        return EmbeddingSet.build(
            "any",
            matrix(size, draw(st.integers(1, 3))),
            text,
            image_keys=image_keys,
            text_keys=text_keys,
            groups=groups,
            split=split,
        )
    except InputError as error:
        assume("no caption has the key of an image" not in str(error))
        raise


@settings(max_examples=150, deadline=None)
@given(data=ragged_sets())
def test_round_trip_of_any_set(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("round") / "trip.npz"
    save(path, data)
    assert_same(load(path), data)


# Bad files


def test_missing_and_unknown_files_say_what_is_looked_for(tmp_path):
    assert refusal(tmp_path / "none.npz").endswith(
        "none.npz: no such file or folder; give an .npz file or a folder of embeddings_image/<split>/*.pt"
    )
    (tmp_path / "data.csv").write_text("1,2")
    (tmp_path / "data.npz").mkdir()
    for path in (tmp_path / "data.csv", tmp_path / "data.npz", tmp_path):
        assert "cannot tell its format; give an .npz file or" in refusal(path)


def test_the_message_names_the_file_as_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("bad.npz", image=rows(1, 2), text_en=np.zeros((2, 2)))
    assert refusal("bad.npz").startswith("bad.npz: text_en row 0 (key 0) is all zero")


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04" + bytes(50), b"\x93NUMPY\x01\x00"])
def test_what_is_no_zip(tmp_path, content):
    (tmp_path / "bad.npz").write_bytes(content)
    assert "bad.npz: not a whole .npz file (File is not a zip file); copy" in refusal(tmp_path / "bad.npz")


def test_truncated_npz(tmp_path):
    save(tmp_path / "bad.npz", small_set())
    whole = (tmp_path / "bad.npz").read_bytes()
    for length in (len(whole) // 2, len(whole) - 1, len(whole) - 40):
        (tmp_path / "bad.npz").write_bytes(whole[:length])
        assert "not a whole .npz file" in refusal(tmp_path / "bad.npz")


def test_any_flipped_byte_is_noticed_or_harmless(tmp_path, reading):
    """Every third byte of a file: an error of one line that names it, a note of an unknown array, or no change."""
    data = EmbeddingSet.build("tiny", rows(1, 2), {"en": rows(3, 4)}, split=["test", "train"])
    path = tmp_path / "bad.npz"
    save(path, data)
    whole = path.read_bytes()
    noticed = 0
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        try:
            read = load(path)
        except InputError as error:
            noticed += 1
            assert str(error).startswith(str(path)) and "\n" not in str(error)
        else:
            if not read.notes:
                assert_same(read, data)
    assert noticed > len(whole) // 6


@pytest.mark.parametrize("member", ["image", "image_keys", "text_en", "text_en_keys", "split", "image_groups"])
def test_arrays_that_need_pickle_are_refused_by_name(tmp_path, member):
    arrays = gold_arrays()
    np.savez(tmp_path / "bad.npz", **arrays | {member: arrays[member].astype(object)})
    assert f"bad.npz: {member}.npy holds Python objects, which need pickle" in refusal(tmp_path / "bad.npz")


def test_a_member_that_is_no_array(tmp_path, reading):
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("image.npy", b"text, not numbers")
        archive.writestr("text_en.npy", b"")
    assert "bad.npz: image.npy is damaged (the magic string is not correct" in refusal(tmp_path / "bad.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": None}, "no array image (only image_groups, image_keys, split, text_en,"),
        ({"text_en": None}, "text_en_keys has no text_en; add the rows or remove the keys"),
        ({"text_en_keys": None}, "no text_en_keys, but other rows have keys; give all rows keys, or none"),
        ({"image_keys": None}, "no image_keys, but other rows have keys"),
        ({"image_keys": np.array(["a"])}, "image_keys has 1 entries for 5 rows of image"),
        ({"image_keys": np.array([["a"]] * 5)}, "image_keys is <U1[5, 1]; it must be one entry a row"),
        ({"image_keys": np.array([b"\xff"] * 5)}, r"image_keys is not UTF-8 (b'\xff'); encode it as UTF-8"),
        ({"text_en_keys": np.array(["a"])}, "text_en_keys has 1 entries for 5 rows"),
        ({"text_en_keys": np.array("a")}, "text_en_keys is <U1[]; it must be one entry a row"),
        ({"split": np.array(["test"])}, "split has 1 entries for 5 rows of image"),
        ({"split": np.array("test")}, "split is <U4[]; it must be one entry a row"),
        ({"image_groups": np.array([1])}, "image_groups has 1 entries for 5 rows of image"),
        ({"image_groups": np.ones((5, 2))}, "image_groups is float64[5, 2]; it must be one entry a row"),
        ({"image": np.ones(5)}, "image is float64[5]; it must be floats [rows, dimensions]"),
        ({"image": np.ones((5, 2), int)}, "image is int64[5, 2]; it must be floats [rows, dimensions]"),
        ({"text_en": np.ones((0, 2))}, "text_en is float64[0, 2]; it must be floats [rows, dimensions]"),
        ({"text_en": np.ones((5, 3))}, "text_zh-Hans has 2 columns, text_en has 3; one encoder, one width"),
        ({"image": rows(3, 1, np.nan, 9, 4)}, "image row 2 (key b) is NaN or infinite; remove or re-encode it"),
        ({"image": rows(3, 1, 1e300, 9, 4, dtype=np.float64)}, "image row 2 (key b) is NaN or infinite"),
        ({"text_en": np.zeros((5, 2))}, "text_en row 0 (key c) is all zero; remove or re-encode it"),
    ],
)
def test_wrong_contents_name_the_array_and_the_mend(tmp_path, change, message):
    arrays = {key: values for key, values in (gold_arrays() | change).items() if values is not None}
    np.savez(tmp_path / "bad.npz", **arrays)
    assert f"bad.npz: {message}" in refusal(tmp_path / "bad.npz")


def test_no_captions_no_common_key_and_unequal_rows(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, image=rows(1))
    assert "bad.npz: no captions; give one array text_<language> a language" in refusal(path)
    np.savez(path, image=rows(1), image_keys=["a"], text_en=rows(1), text_en_keys=["b"])
    assert "bad.npz: no caption has the key of an image" in refusal(path)
    np.savez(path, image=rows(1, 2), text_en=rows(1))
    assert "bad.npz: text_en has 1 rows for 2 images, but no keys; add text_en_keys" in refusal(path)


# The seed study's folders


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
def seed_folder(tmp_path, write_shard) -> Path:
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


def test_gold_seed_folder(seed_folder):
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


def test_several_split_folders_are_the_official_split(tmp_path, write_shard):
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


def test_without_torch_the_mend_is_named(seed_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert refusal(seed_folder).endswith("seed.format: torch is not installed; pip install torch makes .pt readable")


def test_folder_without_rows(seed_folder, write_shard):
    for file in (seed_folder / "embeddings_text/full").glob("*.pt"):
        file.unlink()
    assert "embeddings_text: no rows in <split>/*.pt" in refusal(seed_folder)
    write_shard(seed_folder / "embeddings_text/full/0.pt", {"en": rows()}, {"en": []})
    assert "embeddings_text: no rows in <split>/*.pt" in refusal(seed_folder)


@pytest.mark.parametrize(
    ("place", "values", "keys", "message"),
    [
        ("text", rows(1), ["a"], "embeddings and keys of captions must be dicts of languages"),
        ("image", {"en": rows(1)}, {"en": ["a"]}, "image lacks a tensor of embeddings or a list of keys"),
        ("image", rows(1), ["a", "b"], "image lacks a tensor of embeddings or a list of keys, one a row"),
        ("image", 1.0, ["a"], "image lacks a tensor of embeddings or a list of keys, one a row"),
        ("image", rows(1), None, "image lacks a tensor of embeddings or a list of keys, one a row"),
        ("text", {"en": rows(1)}, {"de": ["a"]}, "de lacks a tensor of embeddings"),
        ("text", {"en": rows(1)}, {"en": []}, "en lacks a tensor of embeddings or a list of keys, one a row"),
        (
            "text",
            {"en": np.ones((1, 3))},
            {"en": ["a"]},
            "en embeddings are [1, 3], in earlier shards [1, 2]; make all",
        ),
        ("text", {"fr": np.ones(1)}, {"fr": ["a"]}, "fr embeddings are [1], in earlier shards [1]; make all"),
    ],
)
def test_bad_shards_are_named(seed_folder, write_shard, place, values, keys, message):
    file = seed_folder / f"embeddings_{place}/full/9.pt"
    write_shard(file, values, keys)
    assert f"{file}: {message}" in refusal(seed_folder)


def test_shards_that_are_damaged_or_carry_code(seed_folder):
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


def test_bad_rows_in_shards_name_folder_language_and_key(seed_folder, write_shard):
    write_shard(seed_folder / "embeddings_text/full/9.pt", {"de": np.full((1, 2), np.inf)}, {"de": ["c"]})
    assert "seed.format: text_de row 1 (key c) is NaN or infinite" in refusal(seed_folder)


# Real data


def test_real_flickr8k(real_data):
    data = load(real_data("flickr8k5.npz"))
    counts = {language: len(data.text[language]) for language in data.languages}
    assert counts == {"ar": 15126, "de": 4678, "en": 25210, "fr": 4678, "zh": 25210}
    assert len(data) == 5042 and data.image.dtype == np.float16 and data.notes == ()
    assert set(data.split) == {"train", "dev", "test", "extra"} and (data.split == "test").sum() == 1000
    assert len(data.complete()) == 4678


def test_real_identity_recall_on_the_official_split(real_data):
    """Every caption a query, the 1,000 test images the gallery, one gold image each; ties shared."""
    data = load(real_data("flickr8k5.npz"))
    test = data.take(np.flatnonzero(data.split == "test"))
    units = [array.astype(np.float32) for array in (test.image, *(test.text[lang] for lang in test.languages))]
    gallery, *queries = (array / np.linalg.norm(array, axis=1, keepdims=True) for array in units)
    recall = {}
    for language, query in zip(test.languages, queries, strict=True):
        scores = query @ gallery.T
        gold = scores[np.arange(len(query)), test.image_of[language]][:, None]
        better, equal = (scores > gold).sum(1), (scores == gold).sum(1)
        recall[language] = np.clip((1 - better) / equal, 0, 1).mean()
    assert len(test) == 1000 and len(test.text["de"]) == 929
    assert recall == pytest.approx({"en": 0.100, "ar": 0.066, "zh": 0.046, "de": 0.060, "fr": 0.082}, abs=6e-4)


def test_real_coco(real_data):
    data = load(real_data("coco500_clip.npz"))
    assert (len(data), data.d_image, data.d_text, data.languages) == (500, 512, 512, ("en",))
    assert data.image.dtype == np.float32 and data.split is None and data.notes == ()


def test_real_seed_format_is_the_npz_narrowed(real_data):
    pytest.importorskip("torch")
    data = load(real_data("flickr8k5_seed_format"))
    assert len(data) == 4678 and data.languages == ("ar", "de", "en", "fr", "zh") and data.split is None
    assert (data.caption_counts() == 1).all()
    same = load(real_data("flickr8k5.npz")).complete().first_captions()
    assert data.keys.tolist() == same.keys.tolist()
    for language in data.languages:
        np.testing.assert_allclose(data.text[language], same.text[language], atol=1e-3)


def test_real_round_trip(real_data, tmp_path, reading):
    data = load(real_data("flickr8k5.npz")).limit(300)
    save(tmp_path / "copy.npz", data)
    assert_same(load(tmp_path / "copy.npz"), data)

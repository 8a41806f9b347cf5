"""The .npz reader on good files, whatever their order, byte order, compression and size."""

import numpy as np
import pytest

from ccalign_jax.data import keyed_sets, load, save


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("as_keys", [np.array, lambda keys: keys.astype("S")], ids=["str", "bytes"])
def test_gold_npz(tmp_path, write, as_keys, reading, gold_arrays):
    arrays = {name: as_keys(array) if array.dtype.kind == "U" else array for name, array in gold_arrays.items()}
    write(tmp_path / "gold.v1.npz", **arrays)
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


def test_npz_without_keys_is_aligned_row_by_row(tmp_path, rows):
    np.savez(tmp_path / "aligned.npz", image=rows(*range(12)), text_en=rows(*range(12)))
    data = load(tmp_path / "aligned.npz")
    assert data.image_of["en"].tolist() == list(range(12))
    assert data.image[:, 0].tolist() == data.text["en"][:, 0].tolist() == list(range(12))
    assert data.notes == ()


def test_npz_widths_of_image_and_text_may_differ_and_fortran_order_is_read(tmp_path, reading, rows):
    image = np.asfortranarray(np.arange(1.0, 7.0).reshape(2, 3))
    np.savez(tmp_path / "wide.npz", image=image, text_en=rows(1, 2))
    data = load(tmp_path / "wide.npz")
    assert (data.d_image, data.d_text) == (3, 2)
    np.testing.assert_array_equal(data.image, image)


def test_npz_of_the_other_byte_order_becomes_native(tmp_path, rows):
    np.savez(tmp_path / "big.npz", image=rows(1, 2).astype(">f4"), text_en=rows(1, 2))
    data = load(tmp_path / "big.npz")
    assert data.image.dtype.isnative and data.image[:, 0].tolist() == [1, 2]


def test_npz_unknown_arrays_are_counted_even_where_they_need_pickle(tmp_path, rows):
    odd = {"meta": np.array([{}], object), "texts": np.ones(3)}
    np.savez(tmp_path / "odd.npz", image=rows(1), text_en=rows(1), **odd)
    assert load(tmp_path / "odd.npz").notes == ("left out 2 arrays of unknown names: meta, texts",)


def test_npz_large_stored_arrays_stay_on_disk_and_compressed_ones_do_not(tmp_path, monkeypatch, assert_same, rows):
    monkeypatch.setattr(keyed_sets, "_MAP_FROM_BYTES", 1000)
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


def test_languages_narrow_and_spare_the_rest_every_check(tmp_path, assert_same, refusal, gold_arrays):
    arrays = gold_arrays | {"text_fr": np.full((1, 9), np.nan), "text_fr_keys": np.array(["a"])}
    np.savez(tmp_path / "data.npz", **arrays)
    data = load(tmp_path / "data.npz", languages=["zh-Hans"])
    assert data.languages == ("zh-Hans",) and data.keys.tolist() == ["b", "c"]
    assert data.notes[-1] == "left out 2 of 4 images: they have no caption in the chosen languages"
    np.savez(tmp_path / "good.npz", **gold_arrays)
    whole = load(tmp_path / "good.npz", languages=["en", "zh-Hans"])
    assert_same(whole.with_languages(["zh-Hans"]), load(tmp_path / "good.npz", languages=["zh-Hans"]).take([0, 1]))
    assert refusal(tmp_path / "good.npz", languages=["en", "xx"]).endswith("no captions in xx; it has en, zh-Hans")
    assert refusal(tmp_path / "good.npz", languages=[]).endswith("no language is chosen; it has en, zh-Hans")

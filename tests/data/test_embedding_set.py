"""The data set itself: what `build` joins and counts, and what every narrowing keeps, counts and refuses."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from ccalign_jax.data import open_shards
from ccalign_jax.data.embedding_set import EmbeddingSet
from ccalign_jax.errors import InputError


def rows(*values: float, dtype=np.float16) -> np.ndarray:
    """`[len(values), 2]`: each value beside a one, so that a row is told by its first number."""
    return np.stack([np.array(values), np.ones(len(values))], 1).astype(dtype)


def ragged(**changes) -> EmbeddingSet:
    """Four images: a has all captions, b lacks de, c lacks en, d has three of en."""
    arguments = {
        "name": "ragged",
        "image": rows(1, 2, 3, 4),
        "text": {"en": rows(11, 12, 21, 41, 42, 43), "de": rows(13, 31, 44)},
        "image_keys": list("abcd"),
        "text_keys": {"en": list("aabddd"), "de": list("acd")},
        "groups": [0, 1, 1, 2],
        "split": ["train", "train", "test", "dev"],
    }
    return EmbeddingSet.build(**arguments | changes)


def first(values: np.ndarray) -> list[float]:
    return values[:, 0].tolist()


# build


def test_build_joins_sorts_and_keeps_file_order_within_an_image():
    data = EmbeddingSet.build(
        "toy",
        rows(2, 1),
        {"en": rows(22, 11, 21, 12)},
        image_keys=["b", "a"],
        text_keys={"en": ["b", "a", "b", "a"]},
        groups=["x", "w"],
        split=[b"test", b"train"],
    )
    assert data.keys.tolist() == ["a", "b"] and first(data.image) == [1, 2]
    assert first(data.text["en"]) == [11, 12, 22, 21] and data.image_of["en"].tolist() == [0, 0, 1, 1]
    assert data.groups.tolist() == [0, 1] and data.groups.dtype == np.int32
    assert data.split.tolist() == ["train", "test"]
    assert data.image_of["en"].dtype == np.int32
    assert (len(data), data.d_image, data.d_text, data.languages, data.notes) == (2, 2, 2, ("en",), ())
    assert data.caption_counts().tolist() == [[2, 2]]


def test_build_does_not_copy_rows_that_are_in_order():
    image, text = rows(1, 2), rows(3, 4)
    data = EmbeddingSet.build("toy", image, {"en": text})
    assert np.shares_memory(data.image, image) and np.shares_memory(data.text["en"], text)


def test_build_without_keys_numbers_images_in_their_order():
    data = EmbeddingSet.build("toy", rows(*range(11)), {"en": rows(*range(11))})
    assert data.keys[:2].tolist() == ["00", "01"] and first(data.image) == list(range(11))
    assert data.groups.tolist() == list(range(11))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([5, 3, 5], [5, 3, 5]),
        (np.array([2**40, 7, 2**40]), [1, 0, 1]),
        (np.array([2**63, 1, 2**63], np.uint64), [1, 0, 1]),
        (["b", "a", "b"], [1, 0, 1]),
        ([0.5, 0.25, 0.5], [1, 0, 1]),
    ],
)
def test_groups_that_fit_are_kept_and_others_numbered(given, expected):
    assert EmbeddingSet.build("toy", rows(1, 2, 3), {"en": rows(1, 2, 3)}, groups=given).groups.tolist() == expected


def test_build_counts_what_it_leaves_out():
    data = EmbeddingSet.build(
        "toy",
        rows(1, 2, 9, 3),
        {"en": rows(11, 80, 91), "fr": rows(81, 82)},
        image_keys=["a", "b", "a", "c"],
        text_keys={"en": ["a", "x", "b"], "fr": ["x", "y"]},
        notes=["said before"],
    )
    assert data.keys.tolist() == ["a", "b"] and first(data.image) == [1, 2] and data.languages == ("en",)
    assert data.notes == (
        "said before",
        "left out 1 of 4 images: their keys repeat, the first row of each is kept",
        "left out 1 of 3 captions of en: no image has their key",
        "left out 2 of 2 captions of fr: no image has their key",
        "left out language fr: no caption is left",
        "left out 1 of 3 images: they have no caption",
    )


def test_build_of_chosen_languages_equals_choosing_afterwards():
    whole, chosen = ragged().with_languages(["en"]), ragged(languages=["en"])
    assert whole.sha256() == chosen.sha256() and whole.notes == chosen.notes == (
        "left out 1 of 4 images: they have no caption in the chosen languages",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.ones(3)}, "image is float64[3]; it must be floats [rows, dimensions]"),
        ({"image": np.ones((0, 2))}, "image is float64[0, 2]"),
        ({"image": np.ones((4, 2), np.int8)}, "image is int8[4, 2]"),
        (
            {"image": rows(1, 2, np.inf, np.nan)},
            "image row 2 (key c) is NaN or infinite; remove or re-encode it (2 such",
        ),
        (
            {"image": np.zeros((4, 2))},
            "image row 0 (key a) is all zero; remove or re-encode it (4 such in rows 0 to 3)",
        ),
        ({"image_keys": ["a"]}, "image_keys has 1 entries for 4 rows of image; give a key a row"),
        ({"text": {}}, "no captions; give one array text_<language> a language"),
        ({"languages": ["fr", "en"]}, "no captions in fr; it has de, en"),
        ({"languages": []}, "no language is chosen; it has de, en"),
        (
            {"text": {"en": rows(1)}, "text_keys": None},
            "text_en has 1 rows for 4 images, but no keys; add text_en_keys",
        ),
        ({"text_keys": {"en": ["a"], "de": ["a"]}}, "text_de_keys has 1 entries for 3 rows; give a key a row"),
        (
            {"text": {"de": rows(1), "en": np.ones((1, 3))}, "text_keys": {"de": "a", "en": "a"}},
            "text_de_keys is <U1[]",
        ),
        ({"text_keys": {"en": list("xxxxxx"), "de": list("xxx")}}, "no caption has the key of an image; compare"),
        ({"groups": [1]}, "image_groups has 1 entries for 4 rows of image; give one a row"),
        ({"split": ["test"]}, "split has 1 entries for 4 rows of image; give one a row"),
    ],
)
def test_build_refuses_in_one_line(change, message):
    with pytest.raises(InputError) as caught:
        ragged(**change)
    assert str(caught.value).startswith(f"ragged: {message}") and "\n" not in str(caught.value)


def test_rows_beyond_float32_have_a_direction_and_are_taken():
    huge = 1e60 * rows(1, 2, 3, 4, dtype=np.float64)
    np.testing.assert_array_equal(ragged(image=huge).image, huge)
    np.testing.assert_array_equal(ragged(image=1e-120 * huge).image, 1e-120 * huge)
    with pytest.raises(InputError, match=r"image row 1 \(key b\) is NaN or infinite"):
        ragged(image=np.where(np.arange(4)[:, None] == 1, np.inf, huge))


class Frame:
    """Like a data frame: no array, but it makes one."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


@pytest.mark.parametrize(
    "wrap",
    [
        np.ndarray.tolist,
        Frame,
        jnp.asarray,
        lambda array: array.astype(">f8"),
        lambda array: array.astype(np.longdouble),
    ],
)
def test_rows_of_any_kind_are_those_of_the_array(wrap):
    """Fine numbers, which float32 holds."""
    plain = rows(1, 2, 3, 4, dtype=np.float32)
    data = ragged(image=wrap(plain), text={"en": wrap(rows(1, 2, 3, 4, 5, 6, dtype=np.float32)), "de": rows(1, 2, 3)})
    assert data.image.dtype.isnative and data.image.dtype in (np.float32, np.float64)
    np.testing.assert_array_equal(data.image, plain)


def test_torch_tensors_and_bfloat16_are_rows():
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([[1.5, 1.0]] * 4)
    for kind in (tensor, tensor.requires_grad_(), tensor.bfloat16(), jnp.asarray([[1.5, 1.0]] * 4, jnp.bfloat16)):
        assert ragged(image=kind).image.tolist() == [[1.5, 1.0]] * 4


@pytest.mark.parametrize(
    "values", [[[1.0], [1.0, 2.0]], Frame([[1.0], [1.0, 2.0]]), [[1.0, "a"]], [[1.0, None]], "abc", None]
)
def test_data_that_are_no_array_are_refused_in_one_line(values, one_line):
    one_line(lambda: ragged(image=values), "ragged: image ")


def test_build_refuses_mixed_widths_and_naming_a_language_mends_it():
    text = {"de": rows(1, 2), "en": np.ones((2, 3))}
    with pytest.raises(InputError, match=r"toy: text_en has 3 columns, text_de has 2; .*with languages"):
        EmbeddingSet.build("toy", rows(1, 2), text)
    assert EmbeddingSet.build("toy", rows(1, 2), text, languages=["en"]).d_text == 3


def test_bad_rows_are_found_beyond_the_first_block():
    image = np.ones((70_000, 1), np.float16)
    image[69_999] = np.nan
    with pytest.raises(InputError, match=r"image row 69999 \(key 69999\) .* in rows 65536 to 69999"):
        EmbeddingSet.build("toy", image, {"en": np.ones((70_000, 1), np.float16)})


# Narrowing


def test_take_keeps_the_captions_of_the_images_taken():
    part = ragged().take([1, 3])
    assert part.keys.tolist() == ["b", "d"] and first(part.image) == [2, 4]
    assert first(part.text["en"]) == [21, 41, 42, 43] and part.image_of["en"].tolist() == [0, 1, 1, 1]
    assert first(part.text["de"]) == [44] and part.image_of["de"].tolist() == [1]
    assert part.groups.tolist() == [1, 2] and part.split.tolist() == ["train", "dev"]
    assert ragged().take([2]).languages == ("de",)


def test_take_of_a_take_is_a_take():
    assert ragged().take([0, 2, 3]).take([1, 2]).sha256() == ragged().take([2, 3]).sha256()


def test_take_of_everything_changes_nothing_and_copies_nothing():
    data = ragged()
    same = data.take(np.arange(4))
    assert same.sha256() == data.sha256() and same.image is data.image


def test_with_languages_counts_images_that_lose_their_last_caption():
    data = ragged().with_languages(["de"])
    assert data.languages == ("de",) and data.keys.tolist() == ["a", "c", "d"]
    assert data.notes == ("left out 1 of 4 images: they have no caption in the chosen languages",)
    assert ragged().with_languages(["en", "de"]).sha256() == ragged().sha256()
    for asked, message in ((["fr"], "ragged: no captions in fr; it has de, en"), ([], "ragged: no language is chosen")):
        with pytest.raises(InputError, match=message):
            ragged().with_languages(asked)


def test_complete_keeps_images_with_every_language():
    data = ragged().complete()
    assert data.keys.tolist() == ["a", "d"] and (data.caption_counts() > 0).all()
    assert data.notes == ("left out 2 of 4 images: they lack a caption in some language",)
    with pytest.raises(InputError, match="ragged: no image is left: they lack a caption in some language"):
        ragged().take([1, 2]).complete()


def test_first_captions_takes_the_first_in_file_order():
    data = ragged().first_captions()
    assert first(data.text["en"]) == [11, 21, 41] and data.image_of["en"].tolist() == [0, 1, 3]
    assert first(data.text["de"]) == [13, 31, 44] and len(data) == 4
    assert data.notes == ("left out 3 of 9 captions: only the first of each image and language is used",)
    assert data.first_captions().notes == data.notes


def test_limit_is_seeded_and_counted():
    data = EmbeddingSet.build("toy", rows(*range(50)), {"en": rows(*range(50))})
    part = data.limit(10, seed=3)
    assert len(part) == 10 and part.notes == ("left out 40 of 50 images: the limit is 10",)
    assert first(part.image) == first(part.text["en"]) == sorted(first(part.image))
    assert part.sha256() == data.limit(10, seed=3).sha256() != data.limit(10, seed=4).sha256()
    assert data.limit(50) is data
    for count in (0, -1):
        with pytest.raises(InputError, match="toy: no image is left: the limit is"):
            data.limit(count)


def test_a_language_that_a_limit_empties_is_named():
    keys = {"en": list("abcd"), "de": ["a"]}
    data = ragged(text={"en": rows(1, 2, 3, 4), "de": rows(9)}, text_keys=keys)
    parts = [data.limit(1, seed=seed) for seed in range(20)]
    emptied = [part for part in parts if part.languages == ("en",)]
    assert 0 < len(emptied) < len(parts)
    assert all(part.notes[-1] == "left out language de: no caption is left" for part in emptied)


# sha256


def test_sha256_ignores_name_notes_file_order_and_the_past():
    data = ragged()
    assert dataclasses.replace(data, name="other", notes=("said",)).sha256() == data.sha256()
    turned = ragged(
        image=rows(4, 3, 2, 1),
        image_keys=list("dcba"),
        groups=[2, 1, 1, 0],
        split=["dev", "test", "train", "train"],
        text={"de": rows(44, 31, 13), "en": rows(41, 42, 43, 21, 11, 12)},
        text_keys={"de": list("dca"), "en": list("dddbaa")},
    )
    assert turned.sha256() == data.sha256()
    long = ragged(image_keys=["a", "b", "c", "much longer"], text_keys={"en": list("aab???"), "de": list("ac?")})
    short = ragged(image_keys=list("abcd"), text_keys={"en": list("aab???"), "de": list("ac?")})
    assert long.keys.dtype != short.keys.dtype and long.sha256() == short.sha256()


@pytest.mark.parametrize(
    "change",
    [
        {"image": rows(1, 2, 3, 5)},
        {"image": rows(1, 2, 3, 4, dtype=np.float32)},
        {"image_keys": list("abce"), "text_keys": {"en": list("aabeee"), "de": list("ace")}},
        {"groups": [0, 1, 1, 3]},
        {"split": None},
        {"split": ["train", "train", "test", "test"]},
        {"text": {"en": rows(11, 12, 21, 41, 42, 43), "de": rows(13, 31, 45)}},
        {"text": {"en": rows(12, 11, 21, 41, 42, 43), "de": rows(13, 31, 44)}},
        {"text_keys": {"en": list("aabbdd"), "de": list("acd")}},
        {"languages": ["de"]},
    ],
)
def test_sha256_sees_every_change_of_content(change):
    assert ragged(**change).sha256() != ragged().sha256()


def test_sha256_tells_whose_language_a_row_is():
    def named(left: str, right: str) -> str:
        return EmbeddingSet.build("toy", rows(1), {left: rows(1), right: rows(2)}).sha256()

    assert named("a", "bc") != named("ab", "c") and named("de", "en") != named("en", "de")


@pytest.mark.parametrize("language", ["x->y", "a,b", "", " ", "a\nb", "a\x1b[31m", "image", "macro", "\ud800", 5])
def test_ambiguous_language_names_are_refused(language, one_line, tmp_path):
    rows = np.eye(3, dtype=np.float32)
    one_line(lambda: EmbeddingSet.build("toy", rows, {language: rows}), f"toy: language {language!r}: ", "rename it")
    if isinstance(language, str) and language.isprintable() and language:
        np.savez(tmp_path / "0.npz", **{"image": rows, f"text_{language}": rows, "text_en": rows})
        one_line(lambda: open_shards(tmp_path), f"language {language!r}: ", "rename it")
        assert open_shards(tmp_path, languages=["en"]).languages == ("en",)


@pytest.mark.parametrize(
    "language", ["zh-Hant", "pt_BR", "en (US)", "中文", "العربية", "$x^$", r"$\frac{$", "a|b", "<b>"]
)
def test_other_language_names_are_accepted(language):
    assert EmbeddingSet.build("toy", np.eye(3), {language: np.eye(3)}).languages == (language,)


def test_splits_of_unknown_names_are_noted():
    rows, names = np.eye(4), ["train", "trian", "test", "restval"]
    data = EmbeddingSet.build("odd", rows, {"en": rows}, split=names)
    assert data.notes == (
        "2 of 4 images are in split 'restval', 'trian': not train, dev or test; --split=official trains on them",
    )
    assert not EmbeddingSet.build("even", rows, {"en": rows}, split=["train", "val", "", "test"]).notes

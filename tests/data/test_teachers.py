"""Teacher rows: joined by key, several of a key as their mean, in the place of images where there are none."""

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet, load, save
from ccalign_jax.data.teachers import TEACHER_GALLERY

TEXT = {"text_de": np.eye(3), "text_de_keys": np.array(["c", "a", "b"])}
TAUGHT = {"teacher_en": np.array([[0, 4.0], [3, 0], [0, 2], [7, 7]]), "teacher_en_keys": np.array(list("bbax"))}
IMAGES = {"image": np.array([[1.0, 0], [0, 1], [1, 1]]), "image_keys": np.array(list("abc"))}
HALF = 0.5**0.5


def test_teacher_rows_join_images_and_what_is_missing_is_said():
    data = load({**IMAGES, **TEXT, **TAUGHT})
    np.testing.assert_allclose(data.teachers["en"], [[0, 2], [HALF, HALF], [0, 0]])  # as it is, the unit mean, none
    assert data.notes == (
        "left out 1 of 4 teacher rows of en: no image has their key",
        "1 of 3 images have no teacher row in en: the pivot teacher:en does not train on them",
    )
    assert data.d_teacher == 2 and "teacher rows [2]: en 2" in repr(data)
    assert data.take(np.array([1])).teachers["en"].shape == (1, 2)


def test_without_images_teacher_rows_take_their_place():
    more = {"teacher_fr": np.array([[5.0, 0]]), "teacher_fr_keys": np.array(["a"])}
    data = load({**TEXT, **TAUGHT, **more})
    assert data.keys.tolist() == ["a", "b"] and data.languages == ("de",)
    np.testing.assert_allclose(data.image, [[HALF, HALF], [HALF, HALF]])  # of a: both languages
    assert data.notes[:3] == (
        TEACHER_GALLERY,
        "left out 1 of 3 captions of de: no image has their key",
        "left out 1 of 3 images: they have no caption",
    )


def test_keys_without_images_may_have_a_split_and_groups():
    listed = {
        "image_keys": np.array(list("cab")),
        "split": np.array(["dev", "train", "test"]),
        "image_groups": [3, 1, 2],
    }
    data = load({**TEXT, **TAUGHT, **listed})
    assert data.keys.tolist() == ["a", "b"] and data.split.tolist() == ["train", "test"]
    assert data.groups.tolist() == [1, 2]
    assert "left out 1 of 3 keys: they have no teacher row" in data.notes


def test_rows_without_keys_are_aligned():
    data = load({"text_de": np.eye(11), "teacher_en": np.arange(1.0, 23).reshape(11, 2)})
    assert data.numbered and data.image[10].tolist() == [21, 22] and data.image_of["de"].tolist() == [*range(11)]


@pytest.mark.parametrize("form", ["npz", "npy", "safetensors", "frame", "parquet"])
def test_what_is_written_is_read_again(form, tmp_path):
    data = load({**IMAGES, **TEXT, **TAUGHT})
    path = tmp_path / "set"
    if form == "npz":
        save(path := tmp_path / "set.npz", data)
    elif form == "safetensors":
        import json

        from safetensors.numpy import save_file

        keys = {
            name: json.dumps(each.tolist()) for name, each in {**IMAGES, **TEXT, **TAUGHT}.items() if "keys" in name
        }
        rows = {name: each.astype("f4") for name, each in {**IMAGES, **TEXT, **TAUGHT}.items() if "keys" not in name}
        save_file(rows, path := tmp_path / "set.safetensors", keys)
    elif form == "npy":
        path.mkdir()
        for name, each in {**IMAGES, **TEXT, **TAUGHT}.items():
            np.save(path / f"{name}.npy", each)
    else:
        pytest.importorskip("pyarrow")
        path = data.frame()
        if form == "parquet":
            path.to_parquet(path := tmp_path / "set.parquet")
    again = load(path)
    np.testing.assert_array_equal(again.teachers["en"], data.teachers["en"])
    np.testing.assert_array_equal(again.image, data.image)


def test_tables_of_teacher_rows_and_captions_alone():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"id": ["a", "b"], "text_de": [*np.eye(2)], "teacher_en": [[1.0, 0, 0], [0, 1.0, 0]]})
    data = load(frame)
    assert data.d_image == 3 and data.d_text == 2 and TEACHER_GALLERY in data.notes


def test_a_gallery_of_teacher_rows_beside_images(one_line):
    data = load({**IMAGES, **TEXT, **TAUGHT})
    judged = data.on_teachers()
    assert judged.keys.tolist() == ["a", "b"] and judged.image[0].tolist() == [0, 2]
    assert judged.notes[-2:] == ("left out 1 of 3 images: they have no teacher row", TEACHER_GALLERY)
    assert len({data.sha256(), judged.sha256(), load({**IMAGES, **TEXT}).sha256()}) == 3
    one_line(load({**IMAGES, **TEXT}).on_teachers, "no teacher rows", "teacher_<language>")


@pytest.mark.parametrize(
    ("arrays", "parts"),
    [
        ({**TEXT}, ["image", "add the image rows"]),
        ({**TEXT, "teacher_en": np.eye(3)}, ["no teacher_en_keys", "give all rows keys"]),
        ({**TEXT, "teacher_en_keys": ["a"], **IMAGES}, ["teacher_en_keys has no teacher_en"]),
        ({**TEXT, **TAUGHT, "teacher_fr": np.eye(3), "teacher_fr_keys": [*"abc"]}, ["teacher_fr", "one width"]),
        ({**TEXT, **TAUGHT, "teacher_en": np.zeros((4, 2))}, ["teacher_en row 0", "all zero"]),
        ({**TEXT, **TAUGHT, "split": ["test"] * 3}, ["split has no keys", "image_keys"]),
        ({**TEXT, **TAUGHT, "split": ["test"] * 3, "image_keys": [*"ab"]}, ["split has 3 entries for 2 keys"]),
    ],
)
def test_what_is_wrong_is_one_line(arrays, parts, one_line):
    if "image" not in arrays and "teacher_en" not in arrays:
        parts = ["image"]
    one_line(lambda: load(arrays), *parts)


def test_build_needs_images_or_a_teacher(one_line):
    one_line(lambda: EmbeddingSet.build("toy", None, {"de": np.eye(2)}), "toy: image", "teacher_<language>")

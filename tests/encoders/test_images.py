"""Photographs from files and bytes: upright, opaque, and broken ones in words that are the same every time."""

import io

import numpy as np
import pytest

from ccalign_jax.encoders.images import open_image, rgb_array

Image = pytest.importorskip("PIL.Image", reason="Pillow opens photographs")


def packed(pixels, form="png", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def test_a_path_bytes_and_a_function(tmp_path):
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    content = packed(pixels)
    (tmp_path / "a.png").write_bytes(content)
    for image in (tmp_path / "a.png", content, lambda: content):
        np.testing.assert_array_equal(rgb_array(image), pixels)


def test_other_modes_become_rgb():
    grey = np.full((2, 2), 7, np.uint8)
    assert rgb_array(packed(grey)).tolist() == [[[7] * 3] * 2] * 2
    clear = np.zeros((2, 2, 4), np.uint8)
    assert rgb_array(packed(clear)).tolist() == [[[255] * 3] * 2] * 2


def test_the_orientation_of_the_camera_is_undone():
    pixels = np.zeros((8, 16, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_image(packed(pixels, "jpeg", exif=exif)).size == (8, 16)


NOISE = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"nothing", "not an image that Pillow can read"),
        (packed(NOISE)[:80], "damaged image"),
        (packed(NOISE, "jpeg")[:-200], "damaged image"),
    ],
)
def test_broken_images_say_why(content, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        open_image(content)
    assert "0x" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match="no such file or directory"):
        open_image(tmp_path / "none.jpg")

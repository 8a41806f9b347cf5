"""Copies of an image are found by their pixels, joined over shards and machines, and listed."""

import csv
import json

import numpy as np
import pytest

from ccalign_jax.data import load, nested_folds, open_shards
from ccalign_jax.extraction.image_hashes import dct_hash, hash_image

Image = pytest.importorskip("PIL.Image", reason="Pillow opens photographs")


def drawn(seed):
    """An image of a few rectangles."""
    random = np.random.default_rng(seed)
    pixels = np.full((90, 120, 3), random.integers(60, 200, 3), np.uint8)
    for _ in range(12):
        top, left = random.integers(0, 70), random.integers(0, 90)
        pixels[top : top + random.integers(10, 50), left : left + random.integers(10, 60)] = random.integers(0, 256, 3)
    return Image.fromarray(pixels)


def bits(one, other):
    return (dct_hash(one) ^ dct_hash(other)).bit_count()


def test_copies_are_near_and_other_images_are_not(tmp_path):
    image = drawn(0)
    image.save(tmp_path / "copy.jpg", quality=30)
    copies = [Image.open(tmp_path / "copy.jpg"), image.resize((40, 30)), image.resize((300, 300)), image.convert("L")]
    copies.append(Image.fromarray((np.asarray(image) * 0.8).astype(np.uint8)))
    assert max(bits(image, copy) for copy in copies) <= 4
    assert min(bits(drawn(one), drawn(other)) for one in range(8) for other in range(one)) > 8


def test_the_digest_is_of_the_pixels_whatever_the_file(tmp_path):
    image = drawn(1)
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "a.bmp")
    assert len({hash_image(Image.open(tmp_path / name).convert("RGB")) for name in ("a.png", "a.bmp")}) == 1
    assert hash_image(image).digest != hash_image(image.resize((120, 91))).digest
    assert hash_image(image.crop((0, 0, 30, 40))).digest != hash_image(image.crop((0, 0, 40, 30))).digest


def test_images_without_structure_have_no_hash():
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[::10] = 200
    assert dct_hash(Image.new("RGB", (50, 50), "red")) == dct_hash(Image.fromarray(stripes)) == 0 != dct_hash(drawn(2))


@pytest.fixture
def copied(photographs):
    """Eleven drawn images, of which 07 has the pixels of 01, and 05 and 10 are 01 and 02 in other sizes and files."""
    images = photographs / "images"
    for number in range(11):
        drawn(number).save(images / f"{number:02d}.png")
    drawn(1).save(images / "07.png", compress_level=0)
    drawn(1).resize((200, 150)).save(images / "05.png")
    drawn(2).save(images / "10.png", "jpeg", quality=60)
    return photographs


def test_copies_are_listed_and_stay_in_one_split(copied, embed, tmp_path):
    found = embed("out")
    assert found["duplicates"] == {"same_pixels": 1, "near": 2, "groups": 2, "not_joined": 0}
    with open(tmp_path / "out" / "duplicates.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["duplicate_of"], row["kind"]) for row in rows] == [
        ("05.png", "01.png", "near copy"),
        ("07.png", "01.png", "same pixels"),
        ("10.png", "02.png", "near copy"),
    ]
    assert {row["done"] for row in rows} == {"kept in one group"} and rows[1]["distance"] == "0"
    data = load(tmp_path / "out")
    groups = np.arange(11)
    groups[[5, 7]], groups[10] = 1, 2
    np.testing.assert_array_equal(data.groups, groups)
    assert "1 of 11 images have the pixels of another, 2 are near copies: all are kept, in 2 groups" in data.notes[-1]
    for fold in nested_folds(data, folds=4, inner=1, repeats=1, seed=0):
        assert not np.isin(groups[fold.test], groups[fold.train]).any()
    shards = open_shards(tmp_path / "out")
    counts = data.caption_counts().max(0)
    np.testing.assert_array_equal(shards.groups(), np.repeat(groups, counts))
    np.testing.assert_array_equal(shards.read(4, 9).groups, np.repeat(groups, counts)[4:9])


def test_groups_of_the_table_and_of_copies_are_joined(copied, embed, tmp_path, one_line):
    table = copied / "captions.jsonl"
    records = [json.loads(line) for line in table.read_text("utf-8").splitlines()]

    def regroup(group_of):
        lines = [{**record, "group": group_of(int(record["image"][:2]))} for record in records]
        table.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    regroup(lambda number: 100 if number in (2, 3, 4) else 200 + number)
    embed("out")
    data = load(tmp_path / "out")
    together = {tuple(np.flatnonzero(data.groups == group)) for group in data.groups}
    assert together == {(0,), (1, 5, 7), (2, 3, 4, 10), (6,), (8,), (9,)}
    shards = open_shards(tmp_path / "out")
    np.testing.assert_array_equal(shards.groups(), np.repeat(data.groups, data.caption_counts().max(0)))
    regroup(lambda number: number if number < 9 else None)
    one_line(lambda: embed("other"), "captions.jsonl", "2 of 11 images have no number as group")


def test_groups_reach_over_the_parts_of_several_machines(copied, embed, tmp_path, content):
    embed("whole")
    for place in (1, 2):
        embed(f"parts/{place}", part=f"{place}/2")
        embed("one", part=f"{place}/2")
    assert load(tmp_path / "parts").sha256() == load(tmp_path / "whole").sha256()
    assert content(tmp_path / "one") == content(tmp_path / "whole")


def test_broken_images_do_not_shift_the_hashes(copied, embed, tmp_path):
    (copied / "images" / "00.png").write_bytes(b"")
    (copied / "images" / "06.png").write_bytes(b"no image")
    embed("out")
    data = load(tmp_path / "out")
    again = {key: data.groups[place] for place, key in enumerate(data.keys)}
    assert again["05.png"] == again["07.png"] == again["01.png"] != again["02.png"] == again["10.png"]
    stored = json.loads((tmp_path / "out" / "embeddings.json").read_text())
    assert stored["duplicates"]["groups"] == 2 and stored["images"] == 9

"""Scenes: distinct and reproducible samples, pictures that show what is said, and the folder they are written to."""

import json
import re
import sys

import numpy as np
import pytest
from PIL import Image

from ccalign_jax.scenes import LANGUAGES, Group, Scene, describe, draw, list_objects, make_scenes, sample_scenes
from ccalign_jax.scenes.backgrounds import BACKGROUNDS
from ccalign_jax.scenes.lexicons import read_lexicon
from ccalign_jax.scenes.pictures import PICTURES
from ccalign_jax.scenes.vocabulary import COLOURS, COUNTS, NOUNS, RELATIONS, SETTINGS

MANY = sample_scenes(500, seed=5)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_is_in_every_language(language):
    words = read_lexicon(language)
    assert [list(table) for table in (words.nouns, words.colours, words.relations, words.settings)] == [
        list(table) for table in (NOUNS, COLOURS, RELATIONS, SETTINGS)
    ]
    assert list(words.numbers) == list(COUNTS[2:] if language == "ar" else COUNTS)
    for table in (words.nouns, words.colours):
        assert len(set(table.values())) == len(table)


def test_every_noun_and_setting_has_a_picture():
    assert sorted(PICTURES) == sorted(NOUNS) and list(BACKGROUNDS) == list(SETTINGS)


def test_a_larger_sample_begins_with_the_smaller_one():
    assert sample_scenes(40, seed=5) == MANY[:40] != sample_scenes(40, seed=6)


def test_a_sample_has_all_that_there_is():
    groups = [group for scene in MANY for group in scene.groups]
    assert {group.noun for group in groups} == set(NOUNS) and {group.colour for group in groups} == set(COLOURS)
    assert {group.count for group in groups} == set(COUNTS) and {scene.setting for scene in MANY} == set(SETTINGS)
    assert {scene.relation for scene in MANY} == {None, *RELATIONS}
    assert all(group.colour not in SETTINGS[scene.setting].hides for scene in MANY for group in scene.groups)


@pytest.mark.parametrize("language", LANGUAGES)
def test_captions_differ_and_are_in_one_script(language):
    captions = [caption(scene, language) for scene in MANY for caption in (describe, list_objects)]
    assert len(set(captions)) == len(captions)
    if language in ("ar", "ja", "zh"):
        assert not any(re.search("[A-Za-z0-9]", caption) for caption in captions)
    else:
        assert all(re.fullmatch(r"[^\W\d]['\w -]+\.", caption) for caption in captions)


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: Group("horse", "red"), ("noun", "'horse'", "house")),
        (lambda: Group("house", "rot"), ("colour", "'rot'", "red")),
        (lambda: Group("house", "red", 7), ("count", "7", "6, 12")),
        (lambda: Scene("moon", Group("house", "red")), ("setting", "'moon'", "night")),
        (lambda: Scene("night", Group("house", "red"), "near", Group("car", "red")), ("relation", "'near'", "left")),
        (lambda: Scene("night", Group("house", "red"), "left"), ("relation and other",)),
        (lambda: sample_scenes(0), ("--count=0", "at least 1")),
        (lambda: draw(MANY[0], 8), ("size is 8",)),
    ],
)
def test_mistakes_are_one_line(make, parts, one_line):
    one_line(make, *parts)


def test_a_scene_has_one_picture_and_its_seed_others():
    scene = Scene("beach", Group("cat", "orange", 3))
    picture = draw(scene, 48)
    assert picture.size == (48, 48) and picture.mode == "RGB"
    assert picture.tobytes() == draw(scene, 48).tobytes()
    assert picture.tobytes() != draw(Scene("beach", scene.main, seed=1), 48).tobytes()


def where(picture, colour: str) -> np.ndarray:
    """Mean x and y of the pixels near a colour, and how many there are."""
    near = np.abs(np.asarray(picture, float) - COLOURS[colour]).max(axis=2) < 25
    y, x = np.nonzero(near)
    return np.array([x.mean(), y.mean(), near.sum()])


@pytest.mark.parametrize("noun", NOUNS)
def test_objects_are_seen_in_their_colour(noun):
    setting = "sea" if "sea" in NOUNS[noun].where else "room" if "room" in NOUNS[noun].where else "snow"
    assert where(draw(Scene(setting, Group(noun, "red")), 64), "red")[2] > 0.015 * 64**2


@pytest.mark.parametrize(
    ("noun", "relation", "other", "axis", "sign"),
    [
        ("house", "left", "car", 0, -1),
        ("house", "right", "car", 0, 1),
        ("bird", "left", "star", 0, -1),
        ("plane", "above", "tree", 1, -1),
        ("tree", "below", "plane", 1, 1),
        ("cat", "on", "table", 1, -1),
    ],
)
def test_groups_stand_as_the_caption_says(noun, relation, other, axis, sign):
    for seed in range(3):
        scene = Scene("snow", Group(noun, "red", 2), relation, Group(other, "purple"), seed=seed)
        picture = draw(scene, 96)
        assert sign * (where(picture, "red") - where(picture, "purple"))[axis] > 8


def test_a_folder_of_scenes(tmp_path):
    table = make_scenes(tmp_path / "one", count=7, size=32, captions=2)
    records = [json.loads(line) for line in table.read_text("utf-8").splitlines()]
    scenes = sample_scenes(7)
    assert [record["image"] for record in records] == [f"{number:04}.png" for number in range(7)]
    assert [record["split"] for record in records] == ["train", "test", "train", "dev", "train", "train", "test"]
    for record, scene in zip(records, scenes, strict=True):
        assert record["captions"] == {
            language: [describe(scene, language), list_objects(scene, language)] for language in LANGUAGES
        }
        with Image.open(table.parent / "images" / record["image"]) as picture:
            assert picture.tobytes() == draw(scene, 32).tobytes()
    again = make_scenes(tmp_path / "two", count=2, size=32, languages=("ja",))
    first, _ = again.read_text("utf-8").splitlines()
    assert json.loads(first)["captions"] == {"ja": describe(scenes[0], "ja")}
    name = "images/0001.png"
    assert (again.parent / name).read_bytes() == (table.parent / name).read_bytes()


def test_a_folder_is_refused_before_anything_is_written(tmp_path, one_line, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    one_line(lambda: make_scenes(tmp_path / "full", count=1), "full", "exists already")
    one_line(lambda: make_scenes(tmp_path / "new", count=1, captions=3), "captions is 3")
    one_line(lambda: make_scenes(tmp_path / "new", count=1, languages=("en", "xx")), "xx")
    one_line(lambda: make_scenes(tmp_path / "new", count=1, languages=("en", "en")), "each once")
    monkeypatch.setitem(sys.modules, "PIL", None)
    one_line(lambda: make_scenes(tmp_path / "new", count=1), 'scenes needs PIL: pip install "ccalign_jax[offline]"')
    assert not (tmp_path / "new").exists() and [file.name for file in (tmp_path / "full").iterdir()] == ["mine"]


def test_only_scenes_are_replaced(tmp_path, one_line):
    out = tmp_path / "made"
    make_scenes(out, count=5, size=32)
    one_line(lambda: make_scenes(out, count=2, size=32), "made: exists already; give --overwrite, or another --out")
    table = make_scenes(out, count=2, size=32, overwrite=True)
    assert len(table.read_text("utf-8").splitlines()) == len(list((out / "images").iterdir())) == 2
    (out / "images" / "mine.png").write_bytes(b"mine")
    one_line(lambda: make_scenes(out, count=1, overwrite=True), "mine.png: is no file of these scenes; move it")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("all my work")
    one_line(lambda: make_scenes(tmp_path / "other", count=1, overwrite=True), "other: holds no scenes")
    assert len(list(out.rglob("*.png"))) == 3 and (tmp_path / "other" / "thesis.tex").exists()

import json

import numpy as np
import pytest

from ccalign_jax.checkpoints import save_checkpoint
from ccalign_jax.errors import InputError
from ccalign_jax.evaluation.held_out import find_held_out
from ccalign_jax.search import open_searcher
from ccalign_jax.search.originals import with_originals
from ccalign_jax.search.terminal import as_json, print_found


def test_the_map_brings_the_right_image_to_the_top(searcher):
    found = searcher.search("ein blaues Ding 94")
    first = found.after.images[0]
    assert found.language == "de" and (first.key, first.captions[0]) == ("094.png", ("de", "ein blaues Ding 94"))
    assert first.captions[1][0] == "en" and first.other != 1 and found.before.images[0].key != "094.png"
    assert len(found.after.images) == len(found.after.captions) == 10
    assert found.after.captions[0].text == "ein blaues Ding 94" and found.after.captions[0].score > 0.999


def test_probabilities_come_from_images_that_the_map_has_not_seen(searcher):
    assert any("60 images that the map was not trained on" in note for note in searcher.notes)
    sure, unsure = (side.image_scores for side in (searcher.after, searcher.before))
    assert sure.images == 60 and sure.scale > 3 * unsure.scale
    found = searcher.search("a white tree 111", k=5)
    after, before = ([hit.probability for hit in side.images] for side in (found.after, found.before))
    assert after == sorted(after, reverse=True) and sum(after) <= 1 and after[0] > 5 * before[0]


def test_a_query_of_the_data_is_found_by_key_and_its_image_is_marked(searcher):
    found = searcher.search_key("007.png", language="en", k=3)
    assert found.after.images[0].right and found.after.place == 1 and found.before.place != 1
    assert found.notes == (
        "the caption is: a white dog 7",
        "the map was trained on this caption: its results after alignment look better than new ones do",
    )
    assert (
        searcher.search_key("100").notes
        == searcher.search_key("100.png").notes
        == ("the caption is: ein rotes Tier 100",)
    )
    with pytest.raises(InputError, match="made has no such image; its keys are such as 000"):
        searcher.search_key("dog")
    with pytest.raises(InputError, match="it has no caption in fr, but in de, en"):
        searcher.search_key("007.png", language="fr")


def test_the_calibration_of_a_query_of_the_data_is_without_it(searcher):
    pairs = searcher.after.image_pairs
    assert pairs.calibration(without=100).queries == len(pairs.groups) - 2
    assert pairs.calibration(without=3).queries == len(pairs.groups)


def test_without_an_encoder_a_query_is_a_caption_or_a_key(learned, data):
    searcher = open_searcher(learned, data)
    assert searcher.search("Ein  blaues Ding 94").after.images[0].key == "094.png"
    assert searcher.search("100.png", language="en").language == "en"
    with pytest.raises(InputError, match="no encoder is at hand, so a query must be a caption or a key of made"):
        searcher.search("a cat")


@pytest.mark.parametrize(
    ("query", "message"),
    [("  ", "the query is empty"), ("x" * 1001, "1001 signs"), ("caf\udce9", "not text"), ("a cat", "try other words")],
)
def test_queries_that_cannot_be_read_are_refused(searcher, query, message):
    with pytest.raises(InputError, match=message):
        searcher.search(query)


def test_a_language_that_no_caption_has_is_said(searcher):
    found = searcher.search("كلب 5")
    assert found.language is None and found.notes == (
        "its language is unknown: it is mapped by what all languages share",
    )


def test_too_few_images_leave_the_cosine(learned, data):
    few = data.take(np.arange(30))
    searcher = open_searcher(learned, few)
    assert any(note.startswith("scores are cosines, without probabilities") for note in searcher.notes)
    assert searcher.search_key("003.png").after.images[0].probability is None
    assert open_searcher(learned, few, calibrate_on=data).after.image_scores.images == 60
    unknown = find_held_out(learned._replace(training_images=None), data, None)
    assert unknown == ([], "the map does not tell its training images")


def test_where_no_image_has_two_captions_captions_have_no_probability(learned, data):
    found = open_searcher(learned, data.with_languages(["en"])).search_key("100", k=2)
    assert found.after.images[0].probability > 0.1 and found.after.captions[0].probability is None


def test_texts_and_images_are_added_to_plain_data(data, tmp_path, learned):
    lines = [{"image": f"{number:03d}", "en": f"number {number}", "de": ["zwei", "Texte"]} for number in range(120)]
    (tmp_path / "captions.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    (tmp_path / "captions.csv").write_text("image,en\nother.png,a cat\n", "utf-8")
    plain = data.take(np.arange(1, 120))
    found = with_originals(plain, captions=str(tmp_path / "captions.jsonl"), images=str(tmp_path))
    hit = open_searcher(learned, found).search_key("005.png", language="en", k=1).after.images[0]
    assert hit.captions == (("en", "number 5"),)  # as many German texts as rows are not known
    with pytest.raises(InputError, match=r"names none of the images of made, such as 001.png"):
        with_originals(plain, captions=str(tmp_path / "captions.csv"))
    with pytest.raises(InputError, match="no such folder"):
        with_originals(plain, images=str(tmp_path / "none"))


@pytest.mark.parametrize("width", [160, 80])
def test_results_are_printed(searcher, width, capsys):
    found = searcher.search("ein blaues Ding 94", k=3)
    print_found(found, width=width)
    printed = capsys.readouterr().out
    assert printed.startswith("ein blaues Ding 94 (de)\n") and "images after alignment" in printed
    assert "094.png" in printed and "new" in printed and max(map(len, printed.splitlines())) <= width
    assert json.loads(json.dumps(as_json(found)))["after"]["images"][0]["key"] == "094.png"


def test_a_checkpoint_alone_has_no_folds(learned, data, tmp_path):
    save_checkpoint(tmp_path / "best", learned)
    few = data.take(np.arange(70))
    assert find_held_out(learned, few, tmp_path / "best")[0] == []

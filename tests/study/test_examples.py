"""Examples of retrieval, neighbourhoods and geometry: what `examples.json` says is what the ranks and rows say."""

import base64
import io
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ccalign_jax._names import DIRECTIONS
from ccalign_jax.metrics import Ranks
from ccalign_jax.study.examples import neighbourhoods
from ccalign_jax.study.examples.find import find_examples
from ccalign_jax.study.examples.geometry import describe_geometry
from ccalign_jax.study.examples.mapped_fold import MappedFold
from ccalign_jax.study.examples.neighbourhoods import map_neighbourhoods
from ccalign_jax.study.examples.retrieval import retrieval_examples
from ccalign_jax.study.run import run_sweep

COUNT = 6  # images of the test part made by hand


@pytest.fixture(scope="module")
def told(toy, planned, tmp_path_factory):
    """A plan on data with texts and with files of all images but one."""
    folder = tmp_path_factory.mktemp("images")
    for image in range(59):
        Image.new("RGB", (200, 100), (4 * image, 0, 0)).save(folder / f"{image:02}.png")
    texts = {language: [f"{language} {row}" for row in range(60)] for language in ("de", "en")}
    return planned(toy(captions=texts, folder=folder))


def by_hand(plan, swapped):
    """A fold on which identity ranks all right, and a map exchanges the captions of some pairs of images."""
    part = plan.part(0, "test")
    part = part._replace(
        images=part.images[:COUNT],
        captions=tuple(one[:COUNT] for one in part.captions),
        image_of=tuple(one[:COUNT] for one in part.image_of),
        captions_of=tuple(one[:COUNT] for one in part.captions_of),
    )
    order = np.arange(COUNT)
    for a, b in swapped:
        order[[a, b]] = b, a
    image = np.eye(COUNT, dtype=np.float32)

    def ranks(order):
        wrong = (order != np.arange(COUNT)).astype(np.int32)
        one = Ranks(wrong, 0 * wrong, 0 * wrong + 1, 1 / (1 + wrong), 1 / (1 + wrong), 1 / (1 + wrong))
        return tuple((one, one) for _ in part.captions)

    texts = [image[order] for _ in part.captions]
    return MappedFold(0, part, ([image] * 2, image), (texts, image), ranks(np.arange(COUNT)), ranks(order))


def test_lost_hits_are_those_of_the_map_and_name_what_is_found_instead(told):
    fold = by_hand(told, [(0, 1)])
    found = retrieval_examples(told, [fold])
    keys = told.data.keys[fold.part.images]
    for direction in DIRECTIONS:
        one = found[direction]
        assert (one["queries"], one["counts"]) == (2 * COUNT, {"gained": 0, "lost": 4})
        assert one["gained"] == [] and len(one["lost"]) == len(one["worst"]) == 2  # an image once
        assert {example["image"] for example in one["lost"]} == {keys[0], keys[1]}
        assert {example["language"] for example in one["lost"]} == {"de", "en"}
        for example in one["lost"]:
            assert (example["before"], example["after"]) == (1.0, 2.0)
            assert [near["right"] for near in example["nearest_before"]] == [True, False, False]
            other = keys[1] if example["image"] == keys[0] else keys[0]
            assert example["nearest_after"][0]["image"] == other and not example["nearest_after"][0]["right"]
    row = int(fold.part.images[0])  # one caption an image: its row is the image's
    shown = {(one["language"], one["image"]): one["caption"] for one in found["t2i"]["lost"]}
    assert all(text == f"{language} {int(key)}" for (language, key), text in shown.items())
    assert all(near["caption"].endswith(str(int(near["image"]))) for near in found["i2t"]["lost"][0]["nearest_after"])
    assert (
        set(found["thumbnails"]) <= set(keys) - {"59"} and str(keys[0]) in found["thumbnails"] and row == int(keys[0])
    )
    picture = Image.open(io.BytesIO(base64.b64decode(found["thumbnails"][str(keys[0])])))
    assert picture.size == (96, 48) and picture.format == "JPEG"


def test_images_are_improved_or_worsened_by_the_ranks_of_their_queries(told):
    worse = by_hand(told, [(0, 1)])
    better = worse._replace(
        before=worse.after, after=worse.before, ranks_before=worse.ranks_after, ranks_after=worse.ranks_before
    )
    keys = [str(key) for key in told.data.keys[worse.part.images]]
    for fold, kind, other in ((worse, "worsened", "improved"), (better, "improved", "worsened")):
        found = map_neighbourhoods(told, fold)
        assert found["counts"] == {"images": COUNT, kind: 2, other: 0}
        assert {one["image"] for one in found["images"]} == set(keys[:2])
        for one in found["images"]:
            assert one["kind"] == kind and abs(one["change"]) == 0.5 and set(one["captions"]) == {"de", "en"}
            assert one["before"] == one["after"]  # this map leaves images where they are
            near = "before" if kind == "worsened" else "after"
            assert one["captions"]["de"][near] == pytest.approx(one["before"], abs=1e-3)
    assert map_neighbourhoods(told, by_hand(told, [])) == {}


def test_umap_gets_rows_that_have_a_cosine(told, monkeypatch):
    seen = []

    class Umap:
        def __init__(self, **settings):
            assert settings["metric"] == "cosine"

        def fit_transform(self, rows):
            seen.append(rows)
            return rows[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Umap))
    monkeypatch.setattr(neighbourhoods, "find_spec", lambda name: name)
    found = map_neighbourhoods(told, by_hand(told, [(0, 1)]))
    assert found["method"] == "UMAP" and found["images"][0]["explained"] is None
    np.testing.assert_allclose(np.linalg.norm(seen[0], axis=1), 1, atol=1e-5)


def test_geometry_is_that_of_the_rows(told):
    fold = by_hand(told, [(0, 1)])
    found = describe_geometry(told, [fold])
    assert (found["fold"], found["gram_images"], found["spectrum_images"]) == (0, COUNT, COUNT)
    before, after = found["states"]["before"], found["states"]["after"]
    np.testing.assert_allclose(before["grams"]["de"], np.eye(COUNT), atol=1e-3)
    np.testing.assert_allclose(before["spectra"]["image"][:5], 1, atol=1e-3)
    assert before["hubs"] == after["hubs"] and set(after["hubs"]["t2i"]["de"]) == {"skew", "gini"}
    few = fold._replace(part=fold.part._replace(captions_of=tuple(-1 - 0 * one for one in fold.part.captions_of)))
    assert describe_geometry(told, [few]) == {}


def test_examples_of_a_sweep_agree_with_its_ranks_and_are_the_same_again(told):
    result = run_sweep(told)
    found = json.loads(json.dumps(result.examples))
    assert found == json.loads(json.dumps(find_examples(told, result.identity, result.outcomes)))
    compared = found["compared"]
    assert compared["map"] in ("selected", "best_trained") and len(compared["per_fold"]) == 2
    by_name = {outcome.name: outcome for outcome in [result.identity, *result.outcomes]}
    pairs = [(result.identity.test[fold], by_name[name].test[fold]) for fold, name in enumerate(compared["per_fold"])]
    for direction in DIRECTIONS:
        gained = lost = 0
        for before, after in pairs:
            for language in told.data.languages:
                ranks = [one.sums[direction, language].rank for one in (before, after)]
                gained += int(((ranks[0] > 1) & (ranks[1] == 1)).sum())
                lost += int(((ranks[0] == 1) & (ranks[1] > 1)).sum())
        assert found["examples"][direction]["counts"] == {"gained": gained, "lost": lost}
        for kind in ("gained", "lost", "worst"):
            for one in found["examples"][direction][kind]:
                assert (one["before"] > 1 and one["after"] == 1) if kind == "gained" else one["after"] > one["before"]
                assert one["nearest_after"][0]["right"] == (one["after"] == 1)

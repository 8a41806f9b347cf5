"""Evaluations of small data sets: each part against the function that it comes from, and what is absent said."""

import json

import jax
import numpy as np
import pytest

from ccalign_jax.aligners import make_aligner
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.fingerprints import fingerprint
from ccalign_jax.diagnostics import diagnose, diagnose_map
from ccalign_jax.errors import InputError
from ccalign_jax.evaluation import apply, evaluate, read_map, take_split
from ccalign_jax.evaluation.evaluate import retrieval_rows
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.metrics import PAIR_TASKS, Banks, csls, rank_pairs, retrieval_metrics
from ccalign_jax.study.arrays import make_part
from ccalign_jax.study.score_corrections import BANK_ROWS, take_bank

IMAGES, D = 24, 6
LANGUAGES = ("de", "en", "ja")


def made(lacking=False, d_text=D, seed=0):
    """Three languages; en has two captions an image. `lacking`: half of the images have no ja."""
    rng = np.random.default_rng(seed)
    image = rng.standard_normal((IMAGES, D)).astype(np.float32)
    keys = np.array([f"k{number:02d}" for number in range(IMAGES)])
    owners = {"de": keys, "en": np.repeat(keys, 2), "ja": keys[::2] if lacking else keys}
    rows = {lang: np.searchsorted(keys, owner) for lang, owner in owners.items()}
    wide = np.pad(image, [(0, 0), (0, max(0, d_text - D))])[:, :d_text]
    text = {lang: wide[row] + rng.standard_normal((len(row), d_text)).astype(np.float32) for lang, row in rows.items()}
    split = np.where(np.arange(IMAGES) < 14, "train", "test")
    return EmbeddingSet.build("toy", image, text, image_keys=keys, text_keys=owners, split=split)


def a_map(d_text=D, name="residual"):
    aligner = make_aligner(name, d_text, D, languages=3, hidden=4)
    params = aligner.init(jax.random.key(0))
    params = jax.tree.map(lambda leaf: leaf + 0.2 * jax.random.normal(jax.random.key(1), leaf.shape), params)
    about = {"trial": f"image/{name}", "aligner": name, "d_text": d_text, "d_image": D, "languages": list(LANGUAGES)}
    return LearnedMap(aligner, jax.tree.map(np.asarray, params), about)


@pytest.fixture(scope="module")
def found():
    data, rest = take_split(made(), "test")
    return data, rest, a_map(), evaluate(data, a_map(), bank=rest, nulls=True)


def unit(rows):
    return np.asarray(rows, np.float32) / np.linalg.norm(rows, axis=1, keepdims=True)


def test_every_estimate_is_what_its_function_gives(found):
    data, _, checkpoint, (summary, *_) = found
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    part = make_part(data, np.arange(len(data)))
    for metrics, state in ((summary["baselines"]["identity"], data), (summary["metrics"], apply(checkpoint, data))):
        assert list(metrics) == ["t2i", "i2t", "both", *PAIR_TASKS]
        assert set(metrics["t2t"]["per_language"]) == {f"{a}->{b}" for a in LANGUAGES for b in LANGUAGES if a != b}
        for place, language in enumerate(LANGUAGES):
            where = part.image_of[place], part.captions_of[place]
            ranks = rank_pairs(unit(state.text[language]), unit(state.image), *where)
            for direction, one in zip(("t2i", "i2t"), ranks, strict=True):
                figures = metrics[direction]["per_language"][language]
                for name, value in retrieval_metrics(one).items():
                    assert figures[name]["mean"] == pytest.approx(float(value), abs=1e-6), (language, name)
    for task, metrics in summary["delta"].items():
        change = summary["metrics"][task]["R@1"]["mean"] - summary["baselines"]["identity"][task]["R@1"]["mean"]
        assert metrics["R@1"]["mean"] == pytest.approx(change, abs=1e-9)
    ones = {lang: rows.text[lang] for rows in [data.first_captions()] for lang in LANGUAGES}
    told = diagnose(ones, data.image, nulls=True)
    assert summary["diagnostics"]["identity"]["macro"] == pytest.approx(told["macro"])
    for name, value in diagnose_map(np.eye(D) + checkpoint.params["delta"]).items():
        assert summary["map"][name] == pytest.approx(value, abs=1e-5), name


def walk(tree, path=()):
    """Every figure of a tree, and where it stands."""
    for key, one in tree.items():
        if isinstance(one, dict):
            yield from [((*path, key), one)] if "mean" in one else walk(one, (*path, key))


def test_every_estimate_lies_in_its_interval(found):
    summary = found[3].summary
    told = {key: summary[key] for key in ("baselines", "metrics", "delta", "scores")}
    seen = 0
    for path, figure in walk(told):
        seen += 1
        assert figure["low"] - 1e-6 <= figure["mean"] <= figure["high"] + 1e-6, (path, figure)
        assert figure["std"] is None  # of one gallery
        if "delta" in path:
            assert 0 < figure["p"] <= 1 and figure["p_folds"] is None
    assert seen > 1000
    for task, change in summary["delta"].items():
        one = change["R@1"]
        assert one["p_adjusted"] == one["p"]  # one map is one hypothesis
        sure = one["p"] < 0.05
        assert summary["verdict"][task] == ("no evidence" if not sure else "gain" if one["mean"] > 0 else "loss")
    assert summary["statistics"]["clusters"] == 10 and summary["statistics"]["flips"] == 2**10  # all of them


def test_every_estimate_is_in_the_csv_once(found):
    summary, rows = found[3].summary, list(retrieval_rows(found[3]))
    keys = [tuple(row[key] for key in ("state", "scoring", "kind", "direction", "language")) for row in rows]
    each, pairs = 1 + 3, 1 + 6
    assert len(set(keys)) == len(rows) == 4 * (3 * each + 4 * pairs) + 2 * 2 * 4 * 3 * each
    levels = summary["baselines"] | {"mapped": summary["metrics"]}
    for (state, scoring, kind, direction, language), row in zip(keys, rows, strict=True):
        scored = summary["scores"][state][scoring] if scoring not in ("", "cosine") else None
        change = (scored or summary)["delta"] if kind == "change" else None
        places = (change or scored or levels[state])[direction]
        figures = places if language == "macro" else places["per_language"][language]
        for metric, figure in figures.items():
            if metric != "per_language":
                told = {
                    "": figure["mean"],
                    **{f"_{key}": figure.get(key) for key in ("low", "high", "p", "p_adjusted")},
                }
                for ending, value in told.items():
                    assert (f"{metric}{ending}" in row) is (kind == "change" or not ending.startswith("_p"))
                    assert value is None or float(row[f"{metric}{ending}"]) == pytest.approx(value, rel=1e-5, abs=1e-9)


def test_what_was_not_computed_is_an_empty_cell():
    data = made()
    known = a_map()._replace(training_images=fingerprint(data))
    rows = list(retrieval_rows(evaluate(data, known, tasks=[], scores=False, diagnostics=False)))
    assert {(row["state"], row["scoring"]) for row in rows} == {
        ("identity", "cosine"),
        ("mapped", "cosine"),
        ("chance", ""),
    }
    [row] = [row for row in rows if (row["kind"], row["direction"], row["language"]) == ("change", "t2i", "macro")]
    assert row["R@1"] and row["R@1_low"] == row["R@1_p"] == row["R@1_p_adjusted"] == ""


def test_a_map_that_changes_nothing_changes_nothing():
    identity = a_map()._replace(params={"delta": np.zeros((D, D), np.float32)})
    summary = evaluate(made(), identity, tasks=["t2t"], scores=False, diagnostics=False).summary
    for path, figure in walk(summary["delta"]):
        assert {figure[key] for key in ("mean", "low", "high")} == {0.0} and figure["p"] == 1.0, path
    assert set(summary["verdict"].values()) == {"no evidence"}


def without_tests(tree):
    """Whether no figure of a tree has an interval or a p-value."""
    return all(figure.get(key) is None for _, figure in walk(tree) for key in ("low", "high", "p", "p_adjusted"))


def test_training_images_are_left_out_and_scored_apart_without_tests():
    data, quick = made(), {"tasks": ["t2t"], "diagnostics": False}
    known = a_map()._replace(training_images=fingerprint(data.take(np.arange(14))))
    summary = evaluate(data, known, **quick).summary
    alone = evaluate(data.take(np.arange(14, IMAGES)), a_map(), **quick).summary
    for key in ("data", "baselines", "metrics", "delta", "verdict", "scores", "pool_curves"):
        assert summary[key] == alone[key], key
    assert summary["notes"] == ["left out 14 of 24 images: they are training images of the map"]
    told = summary["training_images"]
    assert {key: told[key] for key in ("known", "images", "seen", "by_key", "by_row")} == {
        **{"known": True, "images": 24, "seen": 14, "by_key": 14, "by_row": 14}
    }
    apart = evaluate(data.take(np.arange(14)), a_map(), **quick).summary
    for mine, theirs in (("identity", apart["baselines"]["identity"]), ("metrics", apart["metrics"])):
        assert [(path, one["mean"]) for path, one in walk(told[mine])] == [(p, one["mean"]) for p, one in walk(theirs)]
    assert without_tests(told) and told["delta"].keys() == apart["delta"].keys()


def test_training_images_alone_have_no_verdict_interval_or_p():
    data = made()
    known = a_map()._replace(training_images=fingerprint(data))
    summary = evaluate(data, known, tasks=["t2t"], diagnostics=False).summary
    plain = evaluate(data, a_map(), tasks=["t2t"], diagnostics=False).summary
    assert summary["training_images"] == {"known": True, "images": 24, "seen": 24, "by_key": 24, "by_row": 24}
    assert "verdict" not in summary
    for tree in (summary["metrics"], summary["delta"], summary["scores"]["mapped"]):
        assert without_tests(tree)
    assert summary["baselines"] == plain["baselines"]  # the embeddings as they are were not trained
    assert summary["delta"]["both"]["R@1"]["mean"] == plain["delta"]["both"]["R@1"]["mean"]
    assert not without_tests(summary["scores"]["identity"]) and not without_tests(plain["delta"])


@pytest.mark.parametrize(("fresh", "measures"), [(1, {}), (2, {"tasks": [], "scores": False})])
def test_a_few_fresh_images_are_enough_to_be_scored(fresh, measures):
    data = made(lacking=True)
    known = a_map()._replace(training_images=fingerprint(data.take(np.arange(IMAGES - fresh))))
    summary = evaluate(data, known, **measures).summary
    assert summary["data"]["images"] == fresh and summary["verdict"]["both"] == "no evidence"


def test_a_map_without_fingerprints_says_that_its_training_images_are_unknown(found):
    assert found[3].summary["training_images"] == {"known": False, "images": 10, "seen": None}


def test_both_is_the_mean_of_the_two_directions(found):
    summary = found[3].summary
    for metrics in (summary["metrics"], summary["delta"], summary["scores"]["mapped"]["csls"]):
        for metric in ("R@1", "MRR", "median_rank"):
            halves = [metrics[way][metric]["mean"] for way in ("t2i", "i2t")]
            assert metrics["both"][metric]["mean"] == pytest.approx(np.mean(halves))


def test_duplicates_in_groups_are_no_more_images():
    """Each image and caption twice: told that they are one, the interval is wider by the root of two."""
    data = made()
    twice = {language: np.concatenate([data.text[language]] * 2) for language in data.languages}
    keys = {
        language: np.concatenate([np.char.add(data.keys[data.image_of[language]], end) for end in "ab"])
        for language in data.languages
    }
    widths = []
    for groups in (None, np.tile(np.arange(IMAGES), 2)):
        doubled = EmbeddingSet.build(
            "doubled",
            np.concatenate([data.image] * 2),
            twice,
            image_keys=np.concatenate([np.char.add(data.keys, end) for end in "ab"]),
            text_keys=keys,
            groups=groups,
        )
        summary = evaluate(doubled, tasks=[], scores=False, diagnostics=False).summary
        figure = summary["baselines"]["identity"]["both"]["MRR"]
        widths.append(figure["high"] - figure["low"])
        wanted = (48, "image") if groups is None else (24, "group of images")
        assert (summary["statistics"]["clusters"], summary["statistics"]["cluster"]) == wanted
    assert widths[1] / widths[0] == pytest.approx(2**0.5, rel=0.1)


def test_scores_look_at_the_bank_and_at_nothing_else(found):
    data, rest, _, (summary, *_) = found
    assert summary["scores"]["bank"] == {"images": 14, "most_rows": BANK_ROWS, "transductive": False}
    part, place = make_part(data, np.arange(len(data))), LANGUAGES.index("en")
    done = csls(unit(data.text["en"]), unit(data.image), Banks(unit(rest.text["en"]), unit(rest.image)))
    ranks = rank_pairs(*done, part.image_of[place], part.captions_of[place])
    for direction, one in zip(("t2i", "i2t"), ranks, strict=True):
        figure = summary["scores"]["identity"]["csls"][direction]["per_language"]["en"]["MRR"]["mean"]
        assert figure == pytest.approx(float(retrieval_metrics(one)["MRR"]), abs=1e-6)
        plain = summary["scores"]["mapped"]["cosine"][direction]["MRR"]["mean"]
        assert plain == pytest.approx(summary["metrics"][direction]["MRR"]["mean"], abs=1e-6)


def test_pool_curves_end_at_the_whole_gallery_and_begin_above_chance(found):
    data, _, _, (summary, *_) = found
    for direction in ("t2i", "i2t"):
        curve = summary["pool_curves"][direction]
        assert curve["sizes"] == sorted(curve["sizes"]) and curve["sizes"][-1] == len(data)
        assert all(np.diff(curve["identity"]) <= 1e-12) and all(np.diff(curve["chance"]) < 0)
    whole = summary["baselines"]["identity"]["t2i"]["R@1"]["mean"]
    assert summary["pool_curves"]["t2i"]["identity"][-1] == pytest.approx(whole, abs=1e-6)
    assert summary["pool_curves"]["t2i"]["chance"][-1] == pytest.approx(1 / len(data))


def test_histograms_are_shares_of_own_and_other_images(found):
    data, _, _, (summary, grams, *_) = found
    drawn = summary["similarities"]
    middle = (np.array(drawn["edges"][1:]) + drawn["edges"][:-1]) / 2
    for state in ("identity", "mapped"):
        for kind in ("positive", "negative"):
            assert len(drawn[state][kind]) == len(middle) and sum(drawn[state][kind]) == pytest.approx(1)
    own = np.mean(
        [np.mean(np.sum(unit(data.text[lang]) * unit(data.image)[data.image_of[lang]], axis=1)) for lang in LANGUAGES]
    )
    assert middle @ drawn["identity"]["positive"] == pytest.approx(own, abs=middle[1] - middle[0])
    assert {*grams} == {"identity", "mapped"} and {*grams["mapped"]} == {*LANGUAGES, "image"}
    np.testing.assert_allclose(grams["identity"]["image"], unit(data.image) @ unit(data.image).T, atol=1e-6)


def test_without_a_map_a_bank_or_a_wish():
    data = made()
    summary, grams, *_ = evaluate(data, tasks=["t2t"], diagnostics=False)
    assert summary["scores"]["bank"]["transductive"] is True
    assert {"metrics", "delta", "map", "diagnostics"}.isdisjoint(summary) and grams == {}
    for name in ("identity", "chance"):
        assert set(summary["baselines"][name]) == {"t2i", "i2t", "both", "t2t"}


def test_images_that_lack_a_language_are_counted():
    summary = evaluate(made(lacking=True), scores=False, tasks=[]).summary
    assert summary["diagnostics"]["identity"]["rows"] == IMAGES // 2
    assert any("12 of 24 images" in note for note in summary["notes"])
    few = made(lacking=True).take(np.arange(6))
    summary, grams, *_ = evaluate(few, scores=False, tasks=[])
    assert "diagnostics" not in summary and grams == {} and "3 of 6" in summary["notes"][0]


@pytest.mark.parametrize("d_text", [4, 9])
def test_captions_of_another_width_are_cut_or_padded(d_text):
    summary = evaluate(made(d_text=d_text), a_map(d_text), tasks=["via_image"]).summary
    assert np.isfinite(summary["delta"]["via_image"]["MRR"]["mean"])
    assert "modality_gap" not in summary["diagnostics"]["identity"]["macro"]
    assert "modality_gap" in summary["diagnostics"]["mapped"]["macro"]


def test_one_language_alone():
    summary = evaluate(made().with_languages(["en"]), a_map(name="residual_mlp")).summary
    assert set(summary["metrics"]) == {"t2i", "i2t", "both"} and summary["map"] is None


def test_a_map_a_language_is_described_a_language():
    summary = evaluate(made(), a_map(name="per_language(residual)"), tasks=[], scores=False).summary
    assert set(summary["map"]["per_language"]) == set(LANGUAGES)


def test_a_bank_is_padded_to_one_size_and_drawn_where_it_is_larger():
    small, mask = take_bank(np.ones((3, 2), np.float32), seed=0)
    assert small.shape == take_bank(np.ones((9, 2), np.float32), seed=0)[0].shape
    assert mask.sum() == 3 and small[3:].sum() == 0
    assert not take_bank(np.ones((0, 2), np.float32), seed=0)[1].any()
    large = np.arange(BANK_ROWS + 7, dtype=np.float32)[:, None]
    drawn, mask = take_bank(large, seed=0)
    assert mask.all() and len(np.unique(drawn)) == BANK_ROWS


def test_splits_leave_the_rest_as_a_bank():
    data = made()
    test, rest = take_split(data, "test")
    assert len(test) == 10 and rest is not None and len(rest) == 14
    assert take_split(data, "all") == (data, None)
    holdout, rest = take_split(data, "seed:1")
    assert len(holdout) == 5 and rest is not None and len(rest) == 19
    assert not set(holdout.keys) & set(rest.keys) and len(holdout.text["en"]) == 5
    with pytest.raises(InputError, match="seed:0 to seed:4"):
        take_split(data, "seed:5")
    with pytest.raises(InputError, match="there are test, train and all"):
        take_split(data, "dev")


def test_a_map_is_read_by_what_it_is(tmp_path):
    with pytest.raises(InputError, match=r"W_x\.pt: no such file"):
        read_map(tmp_path / "W_x.pt")
    with pytest.raises(InputError, match="best"):
        read_map(tmp_path / "best")

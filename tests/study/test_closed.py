"""Trials of closed forms: what each pivot has captions meet, the point that selects best, sweeps beside training."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from ccalign_jax import solvers
from ccalign_jax._names import CLOSED
from ccalign_jax.checkpoints import load_aligner
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.evaluation.apply import apply
from ccalign_jax.options import SweepConfig
from ccalign_jax.pivots import make_pivot
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study import fit, sweep, trained
from ccalign_jax.study.arrays import device_embeddings, make_part, train_embeddings
from ccalign_jax.study.closed import closed_aligner, closed_path, gather_pairs
from ccalign_jax.study.plan import plan_folds, plan_sweep
from ccalign_jax.study.run import run_sweep
from ccalign_jax.training import Hyper, Recipe, Space, Trial, choose_epoch, keep_epoch

LANGUAGES = ("de", "en", "fr")
SPACE = Space(4, 4, LANGUAGES)
OWNERS = {"de": [0, 0, 2, 3, 3], "en": [0, 1, 1, 3, 4], "fr": [1, 2, 4]}


def small():
    rng = np.random.default_rng(0)
    text = {language: rng.normal(size=(len(owners), 4)).astype(np.float32) for language, owners in OWNERS.items()}
    keys = {language: [str(owner) for owner in owners] for language, owners in OWNERS.items()}
    image = rng.normal(size=(5, 4)).astype(np.float32)
    return EmbeddingSet.build("small", image, text, image_keys=list("01234"), text_keys=keys)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def closed_fit(trial, space, embeddings, images, *, validation=None, stop=0):
    """The point of a closed form's path that a part picks, or one by its number."""
    run = closed_path(trial, space, embeddings, images)
    if validation is None:
        return keep_epoch(run, stop)
    return choose_epoch(closed_aligner(space, trial.aligner), run, embeddings, validation, recipe=trial.recipe)


def gathered(name, images, *, image_weight=1.0, heldout=None, data=None):
    data = data or small()
    embeddings = train_embeddings(data, heldout)
    pivot = make_pivot(name, LANGUAGES)
    return gather_pairs(pivot, SPACE, embeddings, np.asarray(images), image_weight=image_weight)


def by_hand(name, images):
    """For each language, `(caption row, place of its image, its target, its weight)` of every caption, in loops."""
    data, (kind, _, hub) = small(), name.partition(":")
    captions = {language: {i: [] for i in images} for language in LANGUAGES}
    for language in LANGUAGES:
        for row, owner in zip(data.text[language], OWNERS[language], strict=True):
            if owner in images:
                captions[language][owner].append(unit(row))
    means = {
        language: {i: unit(np.mean(rows, axis=0)) for i, rows in captions[language].items() if rows}
        for language in LANGUAGES
    }
    found = []
    for language in LANGUAGES:
        targets = {}
        for i in images:
            others = [means[other][i] for other in LANGUAGES if other != language and i in means[other]]
            if kind == "image":
                targets[i] = unit(data.image[i])
            elif kind == "text" and i in means[hub]:
                targets[i] = means[hub][i]
            elif kind == "centroid" and others:
                targets[i] = unit(np.sum(others, axis=0))
        met = [i for i in images if captions[language][i] and i in targets]
        found.append(
            [
                (row, list(images).index(i), targets[i], 1 / len(met) / len(captions[language][i]))
                for i in met
                for row in captions[language][i]
            ]
        )
    return found


def assert_pairs(found, wanted):
    for number, rows in enumerate(wanted):
        assert len(found.text[number]) == len(rows)
        if not rows:
            continue
        text, place, target, weight = (np.stack(column) for column in zip(*rows, strict=True))
        np.testing.assert_allclose(found.text[number], text, atol=1e-6)
        np.testing.assert_array_equal(found.image_of[number], place)
        np.testing.assert_allclose(found.target[number][place], target, atol=1e-6)
        np.testing.assert_allclose(found.weights[number], weight, atol=1e-7)


@pytest.mark.parametrize("images", [(0, 1, 2, 3, 4), (1, 3, 4), (0, 1)])
@pytest.mark.parametrize("pivot", ["image", "text:en", "text:fr", "centroid"])
def test_pairs_by_hand(pivot, images):
    assert_pairs(gathered(pivot, images), by_hand(pivot, images))


def test_weights_by_hand():
    """Languages weigh 1; de has 0 0 and 3 3 with an English caption, 2 without; en all its own four images."""
    found = gathered("text:en", range(5))
    np.testing.assert_allclose(found.weights[0], [1 / 4] * 4)
    np.testing.assert_allclose(found.weights[1], [1 / 4, 1 / 8, 1 / 8, 1 / 4, 1 / 4])
    np.testing.assert_allclose(found.weights[2], [1 / 2] * 2)
    assert found.image_of[2].tolist() == [1, 4]


@pytest.mark.parametrize(("weight", "like"), [(0.0, "text:en"), (1e30, "image")])
def test_auxiliary_between_its_two_ends(weight, like):
    assert_pairs(gathered("auxiliary:en", range(5), image_weight=weight), by_hand(like, range(5)))


def test_auxiliary_is_to_least_squares_both_pivots_at_once():
    """XᵀX and XᵀY of the blended targets are the weighted sums of both: nothing else enters a ridge."""

    def moments(pairs):
        each = [
            solvers.add_rows(solvers.empty_moments(4, 4), text, target[owner], weights=weights)
            for text, owner, target, weights in zip(*pairs[:4], strict=True)
        ]
        return solvers.merge(*each)

    blended = moments(gathered("auxiliary:en", range(5), image_weight=3.0))
    text, image = moments(gathered("text:en", range(5))), moments(gathered("image", range(5)))
    for name in ("text_text", "text_target", "weight"):
        wanted = 0.25 * getattr(text, name) + 0.75 * getattr(image, name)
        np.testing.assert_allclose(getattr(blended, name), wanted, atol=1e-6)


@pytest.mark.parametrize("pivot", ["symmetric", "gcca", "consensus"])
def test_views_are_caption_means_and_images(pivot):
    images = [0, 1, 3]
    found = gathered(pivot, images)
    assert_pairs(found, by_hand("image", images))
    if pivot == "symmetric":
        return
    there = [[i in OWNERS[language] for i in images] for language in LANGUAGES]
    np.testing.assert_array_equal(found.masks, [*there, [True] * 3])
    data = small()
    np.testing.assert_allclose(found.views[-1], unit(data.image[images]), atol=1e-6)
    np.testing.assert_allclose(found.views[0][0], unit(unit(data.text["de"][:2]).sum(axis=0)), atol=1e-6)
    np.testing.assert_allclose(found.views[1][2], unit(data.text["en"][3]), atol=1e-6)


@pytest.mark.parametrize("pivot", ["image", "text:en", "centroid", "auxiliary:en", "symmetric", "consensus", "gcca"])
def test_what_is_not_to_be_trained_on_is_not_looked_at(pivot):
    """Captions of other images and of a language that is held out."""
    data, images = small(), [0, 1, 3]
    kept = {language: np.isin(OWNERS[language], images) & (language != "fr") for language in LANGUAGES}
    odd = {
        language: np.where(kept[language][:, None], rows, 9.0).astype(np.float32)
        for language, rows in data.text.items()
    }
    found = [gathered(pivot, images, heldout="fr", data=given) for given in (data, dataclasses.replace(data, text=odd))]
    for one, other in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(found[0].text[2]) == 0 and (len(found[0].views) in (0, 1, 3))


def test_a_pivot_that_no_caption_reaches_is_one_line(one_line):
    one_line(lambda: gathered("text:fr", [0, 3]), "pivot text:fr", "no caption to train on has a target")


def trial_of(aligner="ridge", pivot="image", **recipe):
    return Trial(0, f"{pivot}/{aligner}", pivot, aligner, CLOSED, Hyper(), Recipe(**recipe))


def turned(count=60, d_text=8, d_image=8, *, noise=0.3, seed=0, languages=("de", "en")):
    """Captions are turned images: the identity retrieves by chance, and a few rows suffice to turn them back."""
    rng = np.random.default_rng(seed)
    image = unit(rng.normal(size=(count, d_image))).astype(np.float32)
    turn = np.linalg.qr(rng.normal(size=(max(d_text, d_image),) * 2))[0][:d_image, :d_text]
    text = {
        language: (image @ turn + noise * unit(rng.normal(size=(count, d_text)))).astype(np.float32)
        for language in languages
    }
    return EmbeddingSet.build("turned", image, text)


def first_ranks(data, params, images):
    """Text→image R@1 of every language under a map of captions, in NumPy; no ties."""
    found = []
    for language in data.languages:
        chosen = np.isin(data.image_of[language], images)
        rows = unit(data.text[language])[chosen].astype(np.float64) - params["mean"]
        mapped = rows @ (np.eye(*params["delta"].shape) + params["delta"]) + params["offset"]
        best = np.argmax(unit(mapped) @ unit(data.image[images]).T, axis=1)
        found.append(np.mean(np.asarray(images)[best] == data.image_of[language][chosen]))
    return np.mean(found)


def test_the_point_of_the_path_that_selects_best():
    data, space = turned(noise=1.0), Space(8, 8, ("de", "en"))
    train, held = np.arange(0, 60, 2), np.arange(1, 60, 2)
    embeddings, select = device_embeddings(data), make_part(data, held)
    done = closed_fit(trial_of(criterion="t2i"), space, embeddings, train, validation=select)
    pairs = gather_pairs(make_pivot("image", space.languages), space, embeddings, train, image_weight=1.0)
    path = CLOSED_FORMS["ridge"].path(pairs, penalty=1.0)
    wanted = [first_ranks(data, point, held) for point in path.points]
    np.testing.assert_allclose(done.scores[:, 0], wanted, atol=1e-6)
    assert int(done.epoch) == np.argmax(wanted) > 0 and len(set(wanted)) > 3
    np.testing.assert_array_equal(done.params["delta"], path.points[int(done.epoch)]["delta"])
    np.testing.assert_allclose(done.losses, path.losses)
    by_mean = closed_fit(trial_of(), space, embeddings, train, validation=select)
    assert int(by_mean.epoch) == np.argmax(np.mean(done.scores, axis=1))
    # Without a part that selects, the point that is asked for.
    plain = closed_fit(trial_of(), space, embeddings, train, stop=5)
    assert int(plain.epoch) == 5 and not np.any(plain.scores)
    np.testing.assert_array_equal(plain.params["delta"], path.points[5]["delta"])


@pytest.mark.optimised  # a mean of ones that is one
def test_the_identity_counts_unless_the_start_does_not():
    rows = unit(np.random.default_rng(1).normal(size=(40, 8))).astype(np.float32)
    data = EmbeddingSet.build("same", rows, {"de": rows, "en": rows})
    select = make_part(data, np.arange(20, 40))
    for counts, epoch in ((True, 0), (False, 1)):
        trial = trial_of(start_counts=counts)
        done = closed_fit(trial, Space(8, 8, data.languages), device_embeddings(data), np.arange(20), validation=select)
        assert int(done.epoch) == epoch and float(done.scores[0].mean()) == 1.0


TURNED = turned(languages=("de",))
QUICK = {"epochs": 1, "steps_per_epoch": 2, "batch_images": 8, "temperature": 0.07, "learning_rate": 1e-3}
BESIDE = {"aligners": ["residual", "ridge"], "hyper": QUICK, "folds": 2, "diagnostics": False}


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """The folder and the result of a sweep in which training is too short, and ridge finds the turn."""
    out = tmp_path_factory.mktemp("runs") / "run"
    return out, sweep(TURNED, **BESIDE, out=out)


def test_closed_forms_beside_training(beside):
    _, found = beside
    summary = found.summary
    json.dumps(summary, allow_nan=False)
    trials = {trial["aligner"]: trial for trial in summary["trials"]}
    assert list(trials) == BESIDE["aligners"]
    assert [trials[name]["loss"] for name in trials] == ["infonce", CLOSED]
    reached = {name: trial["metrics"]["t2i"]["R@1"]["mean"] for name, trial in trials.items()}
    assert reached["ridge"] > 0.6 > 0.3 > reached["residual"]
    gained = trials["ridge"]["delta"]["t2i"]["R@1"]["mean"]
    identity = summary["baselines"]["identity"]["t2i"]["R@1"]["mean"]
    assert gained == pytest.approx(reached["ridge"] - identity)


def test_what_is_solved_is_refitted_on_all_images(beside):
    out, found = beside
    name = found.summary["best"]
    best = next(outcome for outcome in found.outcomes if outcome.name == name)
    assert best.trial.aligner == "ridge"
    epoch = int(np.median(best.epochs))
    wanted = closed_fit(best.trial, found.plan.space, device_embeddings(TURNED), np.arange(60), stop=epoch)
    stored = load_aligner(out / "best")
    assert stored.about["trial"] == name and stored.about["epoch"] == epoch > 0
    jax.tree.map(np.testing.assert_array_equal, stored.params, jax.tree.map(np.asarray, wanted.params))
    mapped = apply(stored, TURNED)
    assert np.mean(np.argmax(mapped.text["de"] @ mapped.image.T, axis=1) == np.arange(60)) > 0.8


def test_a_sweep_that_was_stopped_among_closed_forms_goes_on(beside, tmp_path):
    out, found = beside

    def stop(what, done, total):
        if "ridge" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(TURNED, **BESIDE, out=tmp_path / "run", progress=stop)
    resumed = sweep(TURNED, **BESIDE, out=tmp_path / "run", resume=True)
    assert resumed.summary == found.summary
    assert (tmp_path / "run" / "summary.json").read_bytes() == (out / "summary.json").read_bytes()


def test_every_closed_form_under_every_pivot_that_allows_it():
    data = turned(40, 6, 6)
    data = dataclasses.replace(data, teachers={"en": data.image})
    config = SweepConfig(pivots=("all",), aligners=("closed",), folds=2)
    found = run_sweep(plan_sweep(data, config, plan_folds(data, config)))
    reached = {
        (trial["aligner"], trial["pivot"].partition(":")[0]): trial["metrics"]["t2i"]["R@1"]["mean"]
        for trial in found.summary["trials"]
    }
    assert set(reached) == {(name, kind) for name, form in CLOSED_FORMS.items() for kind in form.pivots}
    for (name, kind), share in reached.items():  # captions alone do not know the turn
        assert kind in ("text", "centroid", "auxiliary") or name == "centring" or share > 0.4, (name, kind, share)


def test_every_set_of_crossed_folds_is_solved_once(monkeypatch):
    solved, path = [], trained.closed_path
    monkeypatch.setattr(trained, "closed_path", lambda *given: solved.append(given[3].tolist()) or path(*given))
    data = turned(40, 6, 6)
    config = SweepConfig(aligners=("ridge",), folds=4)
    plan = plan_sweep(data, config, plan_folds(data, config))
    found = run_sweep(plan)
    assert solved == [images.tolist() for images in plan.fits.train] and len(solved) == 10
    (outcome,), embeddings = found.outcomes, device_embeddings(data)
    for number, fold in enumerate(plan.folds):
        curves = [
            closed_fit(
                outcome.trial, plan.space, embeddings, inner.train, validation=make_part(data, inner.validation)
            ).scores
            for inner in fold.inner
        ]
        np.testing.assert_allclose(outcome.curves[number], np.mean(curves, axis=0), atol=1e-6)
        epoch = int(np.argmax(np.mean(curves, axis=0).mean(axis=1)))
        assert outcome.epochs[number] == epoch
        wanted = closed_fit(outcome.trial, plan.space, embeddings, fold.train, stop=epoch)
        np.testing.assert_array_equal(outcome.params[number]["delta"], wanted.params["delta"])


@pytest.mark.parametrize("widths", [(6, 5), (5, 6)])
def test_every_closed_form_between_spaces_of_different_widths(widths):
    data = turned(40, *widths)
    space, embeddings = Space(*widths, data.languages), device_embeddings(data)
    for name, form in CLOSED_FORMS.items():
        done = closed_fit(trial_of(name, form.pivots[0]), space, embeddings, np.arange(40), stop=1)
        shapes = jax.eval_shape(space.aligner(name, Recipe()).init, jax.random.key(0))
        assert jax.tree.map(np.shape, done.params) == jax.tree.map(np.shape, shapes)


def test_one_fit_from_python():
    found = fit(turned(), aligner="procrustes")
    assert found.about["epoch"] == 1 and found.about["loss"] == CLOSED
    assert found.about["scores"]["after"]["MRR"] > 0.5 > found.about["scores"]["before"]["MRR"]
    turn = np.eye(8) + found.params["delta"]
    np.testing.assert_allclose(turn @ turn.T, np.eye(8), atol=1e-5)

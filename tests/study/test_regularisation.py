"""The regularisation path: its two ends, what grows along it, and the choice that a sweep would make."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.linalg import polar

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.options import SweepConfig
from ccalign_jax.solvers.closed_forms import RIDGE_PENALTIES
from ccalign_jax.statistics import holm
from ccalign_jax.study.curve_runs import WEAKER, plan_path
from ccalign_jax.study.curves import regularisation_path
from ccalign_jax.study.outcomes import select
from ccalign_jax.study.plan import plan_folds, plan_sweep
from ccalign_jax.study.run import run_sweep


def turned(count=96, d=8, *, seed=0):
    """Captions are images turned a little, and noise: some freedom helps, all of it does not."""
    random = np.random.default_rng(seed)
    image = random.normal(size=(count, d))
    turn = polar(np.eye(d) + 0.15 * random.normal(size=(d, d)))[0]
    text = {language: image @ turn + 0.7 * random.normal(size=(count, d)) for language in ("de", "en")}
    return EmbeddingSet.build("turned", image.astype("f4"), {name: rows.astype("f4") for name, rows in text.items()})


DATA = turned()
WAYS = ("t2i", "i2t", "both")
QUICK = ("steps_per_epoch=30", "batch_images=16")


def resampled(data):
    return draw_replicates(data.groups, seed=0, replicates=200, flips=200)


def path_of(data=DATA, **choices):
    config = SweepConfig(**{"aligners": ("ridge",), "folds": 4} | choices)
    plan = plan_path(data, config, plan_folds(data, config))
    return plan, regularisation_path(plan, resampled(data))[0]


@pytest.fixture(scope="module")
def ridge():
    """The plan and the path of ridge."""
    return path_of()


@pytest.fixture(scope="module")
def swept():
    """A sweep of ridge on the same folds, with its summary on the same replicates."""
    config = SweepConfig(aligners=("ridge",), folds=4)
    found = run_sweep(plan_sweep(DATA, config, plan_folds(DATA, config)))
    return found, dataclasses.replace(found, replicates=resampled(DATA)).summary


def means(points, *keys):
    found = []
    for point in points:
        for key in keys:
            point = point[key]
        found.append(point["mean"])
    return np.array(found)


def test_the_first_point_is_the_identity_to_the_digit(ridge, swept):
    first, baselines = ridge[1]["points"][0], swept[1]["baselines"]
    assert first["penalty"] is None
    assert first["norm"]["mean"] == first["rotation"]["mean"] == 0.0
    for way in WAYS:
        for metric, figure in first["delta"][way].items():
            assert (figure["mean"], figure["low"], figure["high"], figure["p"]) == (0.0, 0.0, 0.0, 1.0), metric
        for part, baseline in (("test", "identity"), ("train", "identity_train")):
            wanted = {key: value for key, value in baselines[baseline][way].items() if key != "per_language"}
            assert first[part][way] == wanted


def test_the_map_moves_ever_further(ridge):
    points = ridge[1]["points"]
    penalties = [point["penalty"] for point in points[1:]]
    np.testing.assert_allclose(penalties, [*RIDGE_PENALTIES, *WEAKER])
    assert (np.diff(means(points, "norm")) > 0).all()
    steps = np.diff(means(points, "norm"))
    assert steps[-1] < 1e-3 * steps.max()  # it has arrived


def unit(rows):
    return rows.astype(float) / np.linalg.norm(rows.astype(float), axis=1, keepdims=True)


def least_squares(images):
    """W of all captions of these images on their images, each a row: no penalty."""
    text = np.concatenate([unit(DATA.text[name])[images] for name in DATA.languages])
    return np.linalg.lstsq(text, np.tile(unit(DATA.image)[images], (len(DATA.languages), 1)), rcond=None)[0]


def test_the_last_point_is_least_squares(ridge):
    plan, path = ridge
    maps, last = [least_squares(fold.train) for fold in plan.folds], path["points"][-1]
    assert last["norm"]["mean"] == pytest.approx(np.mean([np.linalg.norm(one - np.eye(8)) for one in maps]), rel=1e-4)
    angles = [np.degrees(np.abs(np.angle(np.linalg.eigvals(polar(one)[0])))).mean() for one in maps]
    assert last["rotation"]["mean"] == pytest.approx(np.mean(angles), abs=0.01) and np.mean(angles) > 1
    hits = [
        np.argmax(unit(unit(DATA.text[name])[fold.test] @ one) @ unit(DATA.image)[fold.test].T, axis=1)
        == np.arange(len(fold.test))
        for fold, one in zip(plan.folds, maps, strict=True)
        for name in DATA.languages
    ]
    assert last["test"]["t2i"]["R@1"]["mean"] == pytest.approx(np.mean(hits), abs=1e-6)
    assert "100.00 % of that of least squares" in path["about"]


def test_folds_choose_as_a_sweep_does_and_not_on_their_test_parts(ridge, swept):
    path, (found, summary) = ridge[1], swept
    (outcome,) = found.outcomes
    assert path["chosen"]["points"] == outcome.epochs
    assert any(0 < epoch < len(RIDGE_PENALTIES) for epoch in outcome.epochs)
    counts = [point["chosen_in"] for point in path["points"]]
    assert counts == np.bincount(outcome.epochs, minlength=len(counts)).tolist()
    (family,) = summary["families"]
    for way in WAYS:
        for mine, theirs in (("test", "metrics"), ("train", "train_metrics"), ("delta", "delta"), ("gap", "gap")):
            wanted = {key: value for key, value in family[theirs][way].items() if key != "per_language"}
            assert path["chosen"][mine][way] == wanted
    assert path["chosen"]["verdict"] == family["verdict"]


def test_changes_are_adjusted_for_every_point_but_the_identity(ridge):
    points = ridge[1]["points"][1:]
    for way in WAYS:
        figures = [point["delta"][way]["R@1"] for point in points]
        wanted = holm(np.array([[figure["p"] for figure in figures]]))[0]
        np.testing.assert_allclose([figure["p_adjusted"] for figure in figures], wanted)
    assert any(figure["p_adjusted"] > figure["p"] for figure in figures)


def test_a_path_is_plain_numbers_with_intervals_around_them(ridge):
    json.dumps(ridge[1], allow_nan=False)
    for point in ridge[1]["points"]:
        for part in ("test", "train", "delta", "gap"):
            figure = point[part]["both"]["R@1"]
            assert figure["low"] <= figure["mean"] <= figure["high"]


def test_without_a_square_map_there_is_no_rotation():
    random = np.random.default_rng(0)
    image = random.normal(size=(40, 6)).astype(np.float32)
    text = (image @ random.normal(size=(6, 5)) + random.normal(size=(40, 5))).astype(np.float32)
    _, path = path_of(EmbeddingSet.build("wide", image, {"en": text}), folds=2)
    assert all(point["rotation"] is None for point in path["points"])
    assert path["points"][0]["norm"]["mean"] == 0.0 < path["points"][-1]["norm"]["mean"]


def test_a_trained_path_from_the_identity_to_no_penalty():
    hyper = (*QUICK, "prox=0,10,0.1")
    plan, path = path_of(aligners=("residual",), hyper=hyper)
    points = path["points"]
    assert [point["penalty"] for point in points] == [None, 10.0, 0.1, 0.0]
    assert points[0]["norm"]["mean"] == points[0]["rotation"]["mean"] == points[0]["delta"]["both"]["R@1"]["mean"] == 0
    assert (np.diff(means(points, "norm")) > 0).all() and (np.diff(means(points, "rotation")) > 0).all()
    train = means(points, "train", "both", "R@1")
    assert train[-1] > train[0]
    found = run_sweep(plan)
    assert all(epoch == 1 for outcome in found.outcomes for epoch in outcome.epochs)  # trained to the end
    picks = [one.name for one in select([found.identity, *found.outcomes], per_fold=True)]
    penalties = {"identity": None, **{one.name: one.trial.hyper.prox for one in found.outcomes}}
    assert [points[point]["penalty"] for point in path["chosen"]["points"]] == [penalties[name] for name in picks]


def test_what_is_no_path_is_one_line(one_line):
    def asked(**choices):
        config = SweepConfig(**{"aligners": ("ridge",), "folds": 2} | choices)
        return lambda: plan_path(DATA, config, plan_folds(DATA, config))

    one_line(asked(aligners=("procrustes",)), "--aligner=procrustes", "ridge", "residual")
    one_line(asked(pivots=("image", "text:en")), "one pivot", "2")
    one_line(asked(aligners=("residual",), hyper=("temperature=0.03,0.07",)), "one", "setting", "2")
    one_line(asked(pivots=("symmetric",)), "ridge", "symmetric")

"""Summaries by hand; and whole sweeps: resumed, on arrays, on a split, by another protocol."""

import dataclasses
import json

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet, Fold, nested_folds
from ccalign_jax.errors import InputError
from ccalign_jax.metrics import METRICS
from ccalign_jax.study import fit, sweep
from ccalign_jax.study.config import SweepConfig
from ccalign_jax.study.folder import RunFolder
from ccalign_jax.study.plan import plan_sweep
from ccalign_jax.study.refit import refit
from ccalign_jax.study.run import run_sweep
from ccalign_jax.study.summary import Outcome, best_of, csv_rows, make_summary, select
from ccalign_jax.study.trained import stamp
from ccalign_jax.training import Hyper, Recipe, Trial

QUICK = {"epochs": 2, "steps_per_epoch": 2, "batch_images": 8}


def figures(value):
    one = dict.fromkeys(METRICS, value)
    return {direction: {**one, "per_language": {"en": dict(one)}} for direction in ("t2i", "i2t")}


def outcome(name, report, selection, *, aligner="residual"):
    found = Outcome(
        name, None if name == "identity" else Trial(0, name, "image", aligner, "infonce", Hyper(), Recipe())
    )
    found.report, found.sample = [figures(value) for value in report], [figures(value / 2) for value in report]
    found.selection, found.epochs = list(selection), [3] * len(report)
    found.curves = [np.full((2, 3), value) for value in report]
    return found


def summarise(outcomes, *, identity, protocol="nested"):
    return make_summary(
        data={},
        protocol=protocol,
        folds=len(identity.report),
        identity=identity,
        chance=[figures(0.1)] * len(identity.report),
        outcomes=outcomes,
        best=outcomes[0],
        notes=["note"],
    )


IDENTITY = outcome("identity", [0.2, 0.4, 0.3], [0.5, 0.5, 0.5])
A = outcome("a", [0.3, 0.6, 0.3], [0.6, 0.4, 0.5])
B = outcome("b", [0.5, 0.1, 0.9], [0.3, 0.4, 0.9])
C = outcome("c", [0.0, 0.0, 0.1], [0.7, 0.1, 0.1], aligner="linear")


def test_figures_by_hand():
    trial = summarise([A, B, C], identity=IDENTITY)["trials"][0]
    expected = {"mean": pytest.approx(0.4), "std": pytest.approx(0.03**0.5), "low": None, "high": None}
    assert trial["metrics"]["t2i"]["R@1"] == expected
    assert trial["metrics"]["i2t"]["per_language"]["en"]["MRR"] == expected
    delta = trial["delta"]["t2i"]["R@1"]  # fold by fold: 0.1, 0.2, 0
    assert delta == {"mean": pytest.approx(0.1), "std": pytest.approx(0.1), "low": None, "high": None} | {
        "p": None,
        "p_adjusted": None,
    }
    assert trial["train_metrics"]["t2i"]["R@1"]["mean"] == pytest.approx(0.2)
    assert trial["curve"]["MRR"] == [0.4, 0.4]
    assert trial["epochs"] == [3, 3, 3]


def test_one_fold_has_no_spread():
    one = summarise([outcome("a", [0.3], [1.0])], identity=outcome("identity", [0.2], [0.5]))
    assert one["trials"][0]["metrics"]["t2i"]["R@1"] == {"mean": 0.3, "std": None, "low": None, "high": None}
    json.dumps(one, allow_nan=False)


def test_nested_folds_choose_for_themselves_and_may_choose_identity():
    found = summarise([A, B, C], identity=IDENTITY)
    assert found["selected"]["per_fold"] == ["c", "identity", "b"]
    assert found["selected"]["metrics"]["t2i"]["R@1"]["mean"] == pytest.approx((0.0 + 0.4 + 0.9) / 3)
    assert found["selected"]["delta"]["t2i"]["R@1"]["mean"] == pytest.approx((-0.2 + 0 + 0.6) / 3)
    families = {(one["aligner"]): one["per_fold"] for one in found["families"]}
    assert families == {"residual": ["a", "a", "b"], "linear": ["c", "c", "c"]}


def test_the_seed_protocol_takes_the_best_mean_and_no_identity():
    found = summarise([C, A, B], identity=IDENTITY, protocol="seed")
    assert found["selected"]["per_fold"] == ["b", "b", "b"]


def test_ties_go_to_the_safest():
    same = outcome("same", [0.9, 0.9, 0.9], IDENTITY.selection)
    nearly = outcome("nearly", [0.9, 0.9, 0.9], [0.5 + 3e-8] * 3)  # another program's rounding
    assert [one.name for one in select([IDENTITY, same, nearly], per_fold=True)] == ["identity"] * 3
    assert select([IDENTITY, same, nearly], per_fold=False)[0].name == "identity"
    better = outcome("better", [0.9, 0.9, 0.9], [0.5 + 1e-4] * 3)
    assert {one.name for one in select([IDENTITY, same, better], per_fold=True)} == {"better"}
    assert best_of([0.1, np.float32(0.3), 0.3, 0.2]) == 1


def test_csv_rows_by_hand():
    unmapped = outcome("b", [0.5, 0.25], [0.3, 0.4])
    unmapped.report[0]["t2i"]["per_language"]["en (unmapped)"] = dict.fromkeys(METRICS, 0.125)
    rows = list(csv_rows([outcome("identity", [0.2, 0.4], [0.5, 0.5]), unmapped], ["l2"]))
    assert len(rows) == 2 * 2 * 2 * 2 + 1
    assert rows[0] == {
        **{"trial": "identity", "pivot": "", "aligner": "identity", "loss": "", "fold": 0, "language": "macro"},
        **{"direction": "t2i", "epoch": 3, "l2": ""},
        **dict.fromkeys(METRICS, "0.200000"),
        **{f"train_{metric}": "0.100000" for metric in METRICS},
    }
    (extra,) = (row for row in rows if row["language"] == "en (unmapped)")
    assert extra["R@1"] == "0.125000" and "train_R@1" not in extra and extra["l2"] == "0.0005"
    assert rows[-1]["fold"] == 1 and rows[-1]["direction"] == "i2t" and rows[-1]["R@1"] == "0.250000"


def arrays(count=60, d_text=8, d_image=8):
    rng = np.random.default_rng(0)
    meaning = rng.standard_normal((count, 8))
    texts = {language: (meaning + rng.standard_normal((count, 8)))[:, :d_text] for language in ("de", "en")}
    image = meaning @ np.linalg.qr(rng.standard_normal((8, 8)))[0]
    return texts, image[:, :d_image]


def toy(**options):
    texts, image = arrays()
    return EmbeddingSet.build("toy", image, texts, **options)


def planned(data, *, criterion="mean", **options):
    hyper = ("epochs=2", "steps_per_epoch=2", "batch_images=8", f"criterion={criterion}", "learning_rate=0.01,0.1")
    config = SweepConfig(folds=2, aligners=("residual",), hyper=(*hyper, "temperature=0.1"), **options)
    return plan_sweep(data, config, nested_folds(data, folds=2))


@pytest.fixture(scope="module")
def whole():
    found = run_sweep(planned(toy()))
    refit(found)
    return found


class Killed(Exception):
    """Stands for SIGKILL."""


def kill_after(runs):
    def progress(what, done, total):
        if done >= runs:
            raise Killed

    return progress


def assert_same_params(one, other):
    assert one.about == other.about
    assert one.params.keys() == other.params.keys()
    for key, leaf in one.params.items():
        np.testing.assert_array_equal(leaf, other.params[key])


def test_a_killed_sweep_goes_on_where_it_was(tmp_path, whole):
    plan, folder = planned(toy()), RunFolder(tmp_path)
    with pytest.raises(Killed):
        run_sweep(plan, folder, progress=kill_after(1))
    slices = sorted((tmp_path / "slices").iterdir())
    assert len(slices) == 1
    before = slices[0].stat().st_mtime_ns
    seen = []
    found = run_sweep(plan, folder, progress=lambda *step: seen.append(step))
    assert slices[0].stat().st_mtime_ns == before  # read, not run again
    assert seen[-1][1:] == (4, 4)
    assert json.dumps(found.summary) == json.dumps(whole.summary)
    refit(found)
    assert_same_params(found.best, whole.best)
    for one, other in zip(found.outcomes, whole.outcomes, strict=True):
        for mine, theirs in zip(one.params, other.params, strict=True):
            assert all(np.array_equal(mine[key], theirs[key]) for key in theirs)


def test_slices_of_another_plan_are_not_taken(tmp_path, whole):
    """Plans given from Python are not in config.json: only their number is."""
    data, folder = toy(), RunFolder(tmp_path)
    other = planned(data)._replace(folds=nested_folds(data, folds=2, seed=5))
    with pytest.raises(Killed):
        run_sweep(other, folder, progress=kill_after(1))
    assert run_sweep(planned(data), folder).summary == whole.summary


def test_a_slice_is_stamped_with_all_that_it_follows_from(whole):
    """The blocks of a grid file may change while its name in config.json stays."""
    (group,), folds = whole.plan.groups, [fold.train for fold in whole.plan.folds]
    runs = [(group.trials[0], 0), (group.trials[0], 1)]
    made_of = stamp(group, runs, folds)
    np.testing.assert_array_equal(made_of, stamp(group, list(runs), [rows.copy() for rows in folds]))
    hotter = dataclasses.replace(group.trials[0], hyper=group.trials[0].hyper._replace(temperature=0.2))
    longer = dataclasses.replace(group, recipe=dataclasses.replace(group.recipe, epochs=3))
    for change in (
        (group, [(hotter, 0), (hotter, 1)], folds),
        (group, runs[::-1], folds),
        (group, runs[:1], folds),
        (longer, runs, folds),
        (dataclasses.replace(group, loss="mse"), runs, folds),
        (group, runs, folds[::-1]),
    ):
        assert not np.array_equal(made_of, stamp(*change))


def test_the_summary_is_of_this_sweep(whole):
    summary = whole.summary
    names = [trial["name"] for trial in summary["trials"]]
    assert len(names) == 2 and names == [one.name for one in whole.outcomes]
    assert summary["best"] in {"identity", *names} and set(summary["selected"]["per_fold"]) <= {"identity", *names}
    assert summary["baselines"]["chance"]["t2i"]["R@1"]["mean"] == pytest.approx(1 / 30)
    for trial, one in zip(summary["trials"], whole.outcomes, strict=True):
        base = [fold["t2i"]["R@1"] for fold in whole.identity.report]
        mine = [fold["t2i"]["R@1"] for fold in one.report]
        assert trial["metrics"]["t2i"]["R@1"]["mean"] == pytest.approx(np.mean(mine))
        assert trial["delta"]["t2i"]["R@1"]["mean"] == pytest.approx(np.mean(np.subtract(mine, base)))
        assert all(0 <= epoch <= 2 for epoch in one.epochs)
        # epoch 0 of a residual is identity, on the same fold
        np.testing.assert_allclose([curve[0].mean() for curve in one.curves], whole.identity.selection, atol=1e-6)


def test_trials_are_chosen_by_one_yardstick(whole):
    """A trial whose epoch was picked by t2i alone is still compared by the mean, as identity is."""
    found = run_sweep(planned(toy(), criterion="t2i"))
    for one in found.outcomes:
        for fold, epoch in enumerate(one.epochs):
            scores = one.curves[fold]
            assert epoch == np.argmax(scores[:, 0])
            assert one.selection[fold] == pytest.approx(scores[epoch].mean())


def test_a_sweep_on_arrays_writes_what_it_returns(tmp_path):
    texts, image = arrays()
    options = {"aligners": ["residual"], "hyper": {**QUICK, "learning_rate": 0.1, "temperature": 0.1}, "folds": 2}
    found = sweep(texts, image, out=tmp_path / "run", **options)
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == json.loads(json.dumps(found.summary))
    assert not (tmp_path / "run" / "slices").exists()
    with pytest.raises(InputError, match="holds a run already"):
        sweep(texts, image, out=tmp_path / "run", **options)
    with np.load(tmp_path / "run" / "ranks" / "identity.npz") as ranks:
        np.testing.assert_array_equal(np.sort(ranks["t2i/en/row"]), np.arange(60))


@pytest.mark.parametrize(("d_text", "d_image"), [(6, 8)])
def test_widths_may_differ(d_text, d_image):
    texts, image = arrays(d_text=d_text, d_image=d_image)
    found = fit(texts, image, hyper={**QUICK, "learning_rate": 0.1})
    assert found.params["delta"].shape == (d_text, d_image)
    with pytest.raises(InputError, match="text space"):
        fit(texts, image, pivot="text:en")


@pytest.mark.slow
def test_an_official_split_is_one_fold():
    data = toy(split=np.repeat(["train", "dev", "test"], [35, 10, 15]))
    found = sweep(data, split="official", aligners=["linear"], hyper={**QUICK, "temperature": 0.1})
    assert found.summary["folds"] == 1
    assert found.summary["selected"]["metrics"]["t2i"]["R@1"]["std"] is None
    assert found.summary["baselines"]["chance"]["t2i"]["R@1"]["mean"] == pytest.approx(1 / 15)


@pytest.mark.slow
def test_a_rare_language_may_be_missing_from_the_training_sample():
    texts, image = arrays()
    keys = [f"k{number:02d}" for number in range(60)]
    owners = {"de": keys, "en": [keys[0], keys[1], keys[30]]}
    text = {"de": texts["de"], "en": texts["en"][[0, 1, 30]]}
    data = EmbeddingSet.build("rare", image, text, image_keys=keys, text_keys=owners)
    rows = np.arange(60)
    train = np.setdiff1d(rows, [0, 1, *range(2, 20)])
    fold = Fold(train, np.array([0, *range(2, 10)]), np.array([1, *range(10, 20)]), np.arange(31, 42), rows)
    found = sweep(data, folds=[fold], aligners=["residual"], hyper={**QUICK, "temperature": 0.1, "learning_rate": 0.1})
    assert list(found.summary["trials"][0]["train_metrics"]["t2i"]["per_language"]) == ["de"]
    assert list(found.summary["trials"][0]["metrics"]["t2i"]["per_language"]) == ["de", "en"]
    with pytest.raises(InputError, match="no fold"):
        sweep(data, folds=[])
    with pytest.raises(InputError, match="trains on images that it selects"):
        sweep(data, folds=[dataclasses.replace(fold, train=rows[20:], select=rows[:40])])


@pytest.mark.slow
def test_the_seed_protocol_reports_where_it_selects():
    found = sweep(
        toy(),
        protocol="seed",
        folds=2,
        aligners=["residual"],
        hyper={**QUICK, "temperature": 0.1, "learning_rate": 0.1},
    )
    (only,) = found.outcomes
    assert min(only.epochs) >= 1
    for fold, report in enumerate(only.report):
        assert only.selection[fold] == pytest.approx(report["t2i"]["R@1"], abs=1e-6)
    assert found.summary["best"] == only.name and found.best.about["epoch"] >= 1


def test_fit_from_python():
    data = toy()
    one, again = (fit(data, hyper={**QUICK, "learning_rate": 0.1}, seed=4) for _ in range(2))
    assert_same_params(one, again)
    scores = one.about["scores"]
    assert np.mean(list(scores["after"].values())) >= np.mean(list(scores["before"].values()))
    with pytest.raises(InputError, match="fit trains one map"):
        fit(data, hyper={"temperature": "0.1,0.2"})
    with pytest.raises(InputError, match="fit trains one map"):
        fit(data, pivot="all", aligner="residual", hyper={"l2": "0.1,0.2"})
    with pytest.raises(InputError, match="nothing to train"):
        fit(data, aligner="identity")
    with pytest.raises(InputError, match="learning_rate"):
        fit(data, hyper={"learning_rate": -1})

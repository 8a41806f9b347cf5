"""The calls for Python users: what they accept, and what they refuse in one line."""

import numpy as np
import pytest

from ccalign_jax.data import synthetic
from ccalign_jax.errors import InputError
from ccalign_jax.study import fit, sweep
from ccalign_jax.study.outcomes import Outcome
from ccalign_jax.training import Hyper, Recipe, Trial


def test_a_name_alone_is_a_name_and_not_its_letters():
    data = synthetic(60, dimensions=8, languages=("de", "en"))
    names = {"pivots": "image", "aligners": "residual", "losses": "mse"}
    found = sweep(data, **names, hyper={"epochs": 1}, folds=2, diagnostics=False)
    assert {(trial["pivot"], trial["aligner"], trial["loss"]) for trial in found.summary["trials"]} == {
        ("image", "residual", "mse")
    }


def test_fit_takes_one_value_each():
    with pytest.raises(InputError, match="one value for temperature"):
        fit(synthetic(60, dimensions=8), hyper={"temperature": [0.01, 0.1]})


QUICK = {"epochs": 2, "steps_per_epoch": 2, "batch_images": 8, "learning_rate": 0.1}


def test_fit_from_python(toy):
    one, again = (fit(toy(), hyper=QUICK, seed=4) for _ in range(2))
    assert one.about == again.about
    for key, leaf in one.params.items():
        np.testing.assert_array_equal(leaf, again.params[key])
    scores = one.about["scores"]
    assert np.mean(list(scores["after"].values())) >= np.mean(list(scores["before"].values()))


def test_what_fit_refuses(toy):
    with pytest.raises(InputError, match="fit trains one map"):
        fit(toy(), hyper={"temperature": "0.1,0.2"})
    with pytest.raises(InputError, match="fit trains one map"):
        fit(toy(), pivot="all", aligner="residual", hyper={"l2": "0.1,0.2"})
    with pytest.raises(InputError, match="nothing to train"):
        fit(toy(), aligner="identity")
    with pytest.raises(InputError, match="learning_rate"):
        fit(toy(), hyper={"learning_rate": -1})


def test_widths_may_differ(toy_rows):
    texts, image = toy_rows(d_text=6)
    found = fit(texts, image, hyper=QUICK)
    assert found.params["delta"].shape == (6, 8)
    with pytest.raises(InputError, match="text space"):
        fit(texts, image, pivot="text:en")


@pytest.mark.parametrize("call", [sweep, fit])
def test_data_of_another_kind_are_refused_in_one_line(toy, toy_rows, one_line, call):
    texts, image = toy_rows()
    one_line(lambda: call(image), "data is of type ndarray; give a path, an EmbeddingSet, a data frame")
    one_line(lambda: call(None), "data is of type NoneType; give")
    one_line(lambda: call(image, image), "images need captions as a mapping of language to rows")
    one_line(lambda: call(toy(), image), "images need captions as a mapping")
    one_line(lambda: call({"en": texts["en"].astype(object)}, image), "text_en is object")


def test_folds_repeats_and_groups_are_asked_for_by_name(toy, one_line):
    """Everything that is wrong is said before anything is written."""
    one_line(lambda: sweep(toy(), repeats=0), "--repeats=0")
    one_line(lambda: sweep(toy(), inner_folds=0), "--inner_folds=0")
    one_line(lambda: sweep(toy(), folds=2, inner_folds=40), "--inner_folds")
    one_line(lambda: sweep(toy(), duplicate_cosine=2.0), "cosine=2.0")
    one_line(lambda: sweep(toy(), protocol="seed", repeats=2), "--protocol=seed")


@pytest.mark.parametrize("epochs, kept", [([0, 0, 0, 5, 20], True), ([0, 10, 15], False), ([0, 5], True), ([5], False)])
def test_a_map_whose_median_epoch_is_its_start_is_not_refitted(epochs, kept):
    trial = Trial(0, "image/linear/mse", "image", "linear", "mse", Hyper(), Recipe())
    assert Outcome(trial.name, trial, epochs=epochs).kept_its_start is kept
    assert not Outcome("identity", epochs=epochs).kept_its_start


def test_a_fit_may_be_spread_over_devices(toy, one_line):
    hyper = {"epochs": 2, "steps_per_epoch": 3, "batch_images": 8, "learning_rate": 0.03, "start_counts": False}
    alone, spread = fit(toy(), hyper=hyper), fit(toy(), hyper=hyper, devices=4)
    np.testing.assert_allclose(spread.params["delta"], alone.params["delta"], atol=1e-5)
    assert np.any(alone.params["delta"])
    one_line(lambda: fit(toy(), hyper=hyper, devices=3), "batches of 8 images", "3 devices")


def test_an_unknown_option_is_refused_with_the_nearest(toy):
    with pytest.raises(InputError, match=r"fold: no such option; did you mean folds\?"):
        sweep(toy(), fold=3)


def test_singular_and_plural_are_one_option(toy):
    """The mistake in its value is found, so the name was understood."""
    with pytest.raises(InputError, match=r"unknown aligner 'residul'; did you mean residual\?"):
        sweep(toy(), pivot="image", aligner="residul", loss="infonce")
    with pytest.raises(InputError, match="are the same option; give one of them"):
        sweep(toy(), pivot="image", pivots="image")

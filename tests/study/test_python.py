"""The calls for Python users: what they accept, and what they refuse in one line."""

import pytest

from ccalign_jax.data import synthetic
from ccalign_jax.errors import InputError
from ccalign_jax.study import fit, sweep
from ccalign_jax.study.summary import Outcome, kept_its_start
from ccalign_jax.training import Hyper, Recipe, Trial


def test_a_name_alone_is_a_name_and_not_its_letters():
    found = sweep(
        synthetic(60, dimensions=8), pivots="image", aligners="residual", losses="mse", hyper={"epochs": 1}, folds=2
    )
    assert {(trial["pivot"], trial["aligner"], trial["loss"]) for trial in found.summary["trials"]} == {
        ("image", "residual", "mse")
    }


def test_fit_takes_one_value_each():
    with pytest.raises(InputError, match="one value for temperature"):
        fit(synthetic(60, dimensions=8), hyper={"temperature": [0.01, 0.1]})


@pytest.mark.parametrize("epochs, kept", [([0, 0, 0, 5, 9], True), ([0, 3, 4], False), ([0, 0], True), ([1], False)])
def test_a_map_whose_median_epoch_is_its_start_is_not_refitted(epochs, kept):
    trial = Trial(0, "image/linear/mse", "image", "linear", "mse", Hyper(), Recipe())
    assert kept_its_start(Outcome(trial.name, trial, epochs=epochs)) is kept
    assert not kept_its_start(Outcome("identity", epochs=epochs))

"""The chosen map made anew: on all images of the plan, up to the epoch that folds agree on, with a key of its own."""

import dataclasses

import jax
import numpy as np
import pytest

from ccalign_jax.data import Inner
from ccalign_jax.data.fingerprints import recognise
from ccalign_jax.study import refit as made_anew
from ccalign_jax.study.refit import refit
from ccalign_jax.study.run import run_sweep
from ccalign_jax.study.summary import Summary
from ccalign_jax.training import slice_inputs


@pytest.fixture(scope="module")
def crossed(planned):
    """Two quick trials on four crossed folds, of which the second is said to be best."""
    found = run_sweep(planned(folds=4))
    found.summary["best"] = found.outcomes[1].name
    return found


def test_the_key_is_no_fits(crossed, monkeypatch):
    """Crossed folds have more fits than folds: a key counted by folds would be a fit's."""
    keys, train_one = [], made_anew.train_one
    monkeypatch.setattr(
        made_anew, "train_one", lambda *given, key, **rest: keys.append(key) or train_one(*given, key=key, **rest)
    )
    refit(crossed)
    (group,), fits = crossed.plan.groups, len(crossed.plan.fits.train)
    runs = [(trial, fit) for trial in group.trials for fit in range(fits)]
    used = slice_inputs(runs, key=jax.random.key(crossed.plan.config.seed), width=len(runs))[1]
    assert fits == 10 and len(used) == 20
    assert not (jax.random.key_data(used) == jax.random.key_data(keys[0])).all(axis=-1).any()


def test_it_is_trained_on_all_images_up_to_the_median_epoch(crossed, monkeypatch):
    best, given = crossed.outcomes[1], []
    train_one = made_anew.train_one
    monkeypatch.setattr(
        made_anew, "train_one", lambda *all, **rest: given.append((all[3], rest["stop"])) or train_one(*all, **rest)
    )
    found = refit(dataclasses.replace(crossed))
    ((images, stop),) = given
    np.testing.assert_array_equal(images, np.arange(60))
    assert stop == found.about["epoch"] == int(np.median(best.epochs)) and found.about["trial"] == best.name
    assert np.any(found.params["delta"]) == (stop > 0)


def keeping_identity(found, **changes):
    """The result with identity as its best, and with other fields."""
    changed = dataclasses.replace(found, **changes)
    changed.estimates = Summary({**found.summary, "best": "identity"}, [], {})
    return changed


def test_fingerprints_cover_refit_and_selection_images(crossed):
    plain = keeping_identity(crossed)
    assert recognise(plain.plan.data, refit(plain).training_images).images.all()
    inner = (Inner(np.arange(40, 60), np.arange(30, 35)),)  # as with an official test, which neither has
    folds = [dataclasses.replace(plain.plan.folds[0], refit=np.arange(40, 60), inner=inner)]
    found = refit(keeping_identity(crossed, plan=plain.plan._replace(folds=folds))).training_images
    np.testing.assert_array_equal(
        np.flatnonzero(recognise(plain.plan.data, found).images), [*range(30, 35), *range(40, 60)]
    )


def test_identity_is_refitted_by_doing_nothing(crossed):
    found = refit(keeping_identity(crossed))
    assert found.params == {} and found.about["aligner"] == "identity" and found.about["epoch"] == 0

"""Runs of trained groups: resumed where they were, the same however packed, stamped with what they come from."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from ccalign_jax.data import nested_folds
from ccalign_jax.runs.kinds import SWEEP_FOLDER
from ccalign_jax.runs.store import Store
from ccalign_jax.study import trained
from ccalign_jax.study.arrays import plan_fits
from ccalign_jax.study.refit import refit
from ccalign_jax.study.run import run_sweep
from ccalign_jax.study.trained import TrainedRuns, run_fingerprint


class Killed(Exception):
    """Stands for SIGKILL."""


def kill_after(jobs):
    """Kills a sweep when so many jobs are done."""
    done = []

    def progress(what, share, whole):
        done.extend([what] if what else [])  # without a name a round begins
        if len(done) >= jobs:
            raise Killed

    return progress


def assert_same_params(one, other):
    assert one.about == other.about
    assert one.params.keys() == other.params.keys()
    for key, leaf in one.params.items():
        np.testing.assert_array_equal(leaf, other.params[key])


def assert_same_outcomes(one, other):
    assert json.dumps(one.summary) == json.dumps(other.summary)
    for mine, theirs in zip(one.outcomes, other.outcomes, strict=True):
        assert mine.epochs == theirs.epochs and mine.beaten == theirs.beaten
        parts = [(each.curves, each.losses, each.params, each.ranks) for each in (mine, theirs)]  # None has no leaves
        assert jax.tree.structure(parts[0]) == jax.tree.structure(parts[1])
        for left, right in zip(*map(jax.tree.leaves, parts), strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.fixture
def trials_run(monkeypatch):
    """The names of the trials that are fitted, as they are."""
    names, runs = [], TrainedRuns._runs

    def counting(self, number, wanted, later):
        names.extend(dict.fromkeys(trial.name for trial, _ in wanted))
        return runs(self, number, wanted, later)

    monkeypatch.setattr(TrainedRuns, "_runs", counting)
    return names


def test_a_killed_sweep_goes_on_where_it_was(tmp_path, planned, whole, trials_run):
    plan, folder = planned(), Store(tmp_path, SWEEP_FOLDER)
    first, second = (trial.name for trial in plan.trials)
    with pytest.raises(Killed):
        run_sweep(plan, folder, progress=kill_after(1))
    slices = sorted((tmp_path / "unfinished" / "trials").iterdir())
    assert len(slices) == 1 and trials_run == [first, second]  # killed after the first
    before = slices[0].stat().st_mtime_ns
    trials_run.clear()
    seen = []
    found = run_sweep(plan, folder, progress=lambda *step: seen.append(step))
    assert slices[0].stat().st_mtime_ns == before and trials_run == [second]  # read, not run again
    assert seen[-1][1] == seen[-1][2]
    assert_same_outcomes(found, whole)
    refit(found)
    assert_same_params(found.best, whole.best)


def test_what_is_there_compiles_and_trains_nothing(tmp_path, planned, whole, trials_run, monkeypatch):
    folder = Store(tmp_path, SWEEP_FOLDER)
    run_sweep(planned(), folder)
    trials_run.clear()
    monkeypatch.setattr(trained, "make_program", None)
    assert_same_outcomes(run_sweep(planned(), folder), whole)
    assert trials_run == []


def test_a_damaged_trial_is_run_again(tmp_path, planned, whole, trials_run):
    plan, folder = planned(), Store(tmp_path, SWEEP_FOLDER)
    run_sweep(plan, folder)
    last = sorted((tmp_path / "unfinished" / "trials").iterdir())[-1]
    last.write_bytes(last.read_bytes()[:300])
    trials_run.clear()
    assert_same_outcomes(run_sweep(plan, folder), whole)
    assert trials_run == [plan.trials[1].name]


def test_the_packing_changes_nothing(tmp_path, planned, whole, monkeypatch):
    """Two runs a call, and a run that was killed with one a call goes on so."""
    folder = Store(tmp_path, SWEEP_FOLDER)
    with pytest.raises(Killed):
        run_sweep(planned(), folder, progress=kill_after(1))
    monkeypatch.setattr(trained, "slice_width", lambda recipe, runs, **limits: 2)
    assert_same_outcomes(run_sweep(planned()), whole)
    assert_same_outcomes(run_sweep(planned(), folder), whole)


@pytest.mark.parametrize("jobs", [1, 2, 3, 5])
def test_a_race_goes_on_in_any_round(tmp_path, planned, raced, jobs, trials_run):
    """Two trials on four crossed folds, in three rounds: scored on one part, on the others, and reported."""
    folder = Store(tmp_path, SWEEP_FOLDER)
    assert len(raced.plan.fits.train) == 10 and raced.plan.raced
    with pytest.raises(Killed):
        run_sweep(planned(folds=4), folder, progress=kill_after(jobs))
    kept = list((tmp_path / "unfinished" / "trials").iterdir())
    assert len(kept) == jobs
    assert_same_outcomes(run_sweep(planned(folds=4), folder), raced)


@pytest.fixture(scope="module")
def raced(planned):
    """A race of two trials on four crossed folds."""
    return run_sweep(planned(folds=4))


def test_a_race_drops_trials_and_changes_nothing_else(planned, raced):
    """Whatever is still reported, and chosen, is what it is without a race."""
    plain = run_sweep(planned(folds=4, race=False))
    assert not plain.plan.raced and "race" not in plain.summary
    assert raced.summary["race"]["trials"] == 2
    for mine, other in zip(raced.outcomes, plain.outcomes, strict=True):
        assert not other.beaten and other.is_whole
        for fold, report in enumerate(mine.test):
            assert report is not None or fold in mine.beaten
            if report is not None:
                assert report.values == other.test[fold].values and mine.epochs[fold] == other.epochs[fold]
                assert mine.selection[fold] == pytest.approx(other.selection[fold], abs=1e-6)
                np.testing.assert_array_equal(mine.params[fold]["delta"], other.params[fold]["delta"])


def test_trials_of_another_plan_are_not_taken(tmp_path, planned, whole, toy):
    """Plans given from Python are not in config.json: only their number is."""
    folder, folds = Store(tmp_path, SWEEP_FOLDER), nested_folds(toy(), folds=2, seed=5)
    other = planned()._replace(folds=folds, fits=plan_fits(folds))
    with pytest.raises(Killed):
        run_sweep(other, folder, progress=kill_after(1))
    assert run_sweep(planned(), folder).summary == whole.summary


def test_a_trial_is_stamped_with_all_that_it_follows_from(whole):
    """The blocks of a grid file may change while its name in config.json stays."""
    (group,), folds = whole.plan.groups, whole.plan.folds
    trial = group.trials[0]
    made_of = run_fingerprint(group, trial, folds)
    copies = [dataclasses.replace(fold, test=fold.test.copy()) for fold in folds]
    np.testing.assert_array_equal(made_of, run_fingerprint(group, dataclasses.replace(trial), copies))

    def other(**parts):
        return [dataclasses.replace(folds[0], **parts), *folds[1:]]

    inner = folds[0].inner[0]
    for change in (
        (group, group.trials[1], folds),
        (group, dataclasses.replace(trial, hyper=trial.hyper._replace(temperature=0.2)), folds),
        (group, dataclasses.replace(trial, index=7), folds),
        (dataclasses.replace(group, recipe=dataclasses.replace(group.recipe, epochs=3)), trial, folds),
        (dataclasses.replace(group, loss="mse"), trial, folds),
        (group, trial, folds[::-1]),
        (group, trial, folds[:1]),
        (group, trial, other(train=folds[0].train[1:])),
        (group, trial, other(test=folds[0].test[1:])),
        (group, trial, other(train_eval=folds[0].train_eval[1:])),
        (group, trial, other(inner=(inner, inner))),
        (group, trial, other(inner=(dataclasses.replace(inner, validation=inner.validation[1:]),))),
    ):
        assert not np.array_equal(made_of, run_fingerprint(*change))

"""Jobs over processes: two find what one finds, here as two threads with a key-value store between them."""

import dataclasses
import json
import threading
import time

import jax
import numpy as np
import pytest

from ccalign_jax.errors import InputError
from ccalign_jax.processes import Processes
from ccalign_jax.runs.kinds import SWEEP_FOLDER
from ccalign_jax.runs.store import Store
from ccalign_jax.study import workers
from ccalign_jax.study.jobs import whole_job
from ccalign_jax.study.run import run_sweep
from ccalign_jax.study.trained import TrainedRuns
from ccalign_jax.study.workers import Distributed, work
from ccalign_jax.training import make_mesh


class Board:
    """What jax's key-value store does, within this process."""

    def __init__(self):
        self.held = {}

    def key_value_set(self, key, value):
        assert key not in self.held
        self.held[key] = value

    key_value_set_bytes = key_value_set

    def key_value_delete(self, key):
        del self.held[key]

    def key_value_dir_get(self, folder):
        return [(key, value) for key, value in list(self.held.items()) if key.startswith(folder)]

    def blocking_key_value_get_bytes(self, key, milliseconds):
        until = time.monotonic() + milliseconds / 1000
        while key not in self.held:
            if time.monotonic() > until:
                raise jax.errors.JaxRuntimeError("DEADLINE_EXCEEDED: nothing came")
            time.sleep(0.01)
        return self.held[key]


@pytest.fixture
def both():
    """Process 0 and process 1."""
    store = Board()
    return Processes(2, 0, store), Processes(2, 1, store)


def assert_same_outcomes(one, other):
    assert json.dumps(one.summary) == json.dumps(other.summary)
    for mine, theirs in zip(one.outcomes, other.outcomes, strict=True):
        for left, right in zip(jax.tree.leaves(mine.params), jax.tree.leaves(theirs.params), strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.fixture
def plan(planned):
    """Two trials of a trained aligner and one closed form."""
    return planned(aligners=("residual", "ridge"), hyper=("epochs=2", "learning_rate=0.01,0.1", "temperature=0.1"))


def together(plan, path, both, *, mesh=None):
    first, second = both
    worker = threading.Thread(target=work, args=(plan, second), daemon=True)
    worker.start()
    found = run_sweep(plan, Store(path, SWEEP_FOLDER), processes=first, mesh=mesh)
    worker.join(timeout=60)
    assert not worker.is_alive()
    return found


def test_two_find_what_one_finds_and_keep_it_all(plan, tmp_path, both):
    alone = run_sweep(plan)
    assert_same_outcomes(together(plan, tmp_path, both), alone)
    assert len(list((tmp_path / "unfinished" / "trials").iterdir())) == len(plan.trials) == 3
    assert not [key for key in both[0].store.held if "results" in key]  # taken off as they came
    trained = TrainedRuns(plan, Store(tmp_path, SWEEP_FOLDER))
    assert trained.missing(whole_tasks(plan)) == []


def test_two_race_as_one_does(planned, tmp_path, both):
    plan = planned(folds=4)
    assert plan.raced
    assert_same_outcomes(together(plan, tmp_path, both), run_sweep(plan))


def test_a_run_goes_on_on_other_devices_and_processes(plan, tmp_path, both):
    """One trial is there from one device alone; the rest is spread over two devices, and over two processes."""
    alone = run_sweep(plan)
    trained = TrainedRuns(plan, Store(tmp_path, SWEEP_FOLDER))
    next(trained.results(whole_tasks(plan)))
    assert trained.missing(whole_tasks(plan)) == [1, 2]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "unfinished" / "trials").iterdir()}
    found = together(plan, tmp_path, both, mesh=make_mesh(2))
    assert all(path.stat().st_mtime_ns == when for path, when in before.items()) and len(before) == 1
    for mine, theirs in zip(found.outcomes, alone.outcomes, strict=True):
        for left, right in zip(mine.params, theirs.params, strict=True):
            for key in right:
                np.testing.assert_allclose(left[key], right[key], atol=1e-5)
        np.testing.assert_allclose(mine.selection, theirs.selection, atol=1e-4)


def test_nothing_to_do_ends_at_once(plan, both, monkeypatch):
    monkeypatch.setattr(workers, "TrainedRuns", None)
    assert Distributed(both[0], plan).assign({}, last=True) == []
    work(plan, both[1])


def test_another_plan_or_other_data_are_refused(plan, planned, toy, both, one_line):
    first, second = both
    assert Distributed(first, plan).assign(whole_tasks(plan), last=True) == [0, 2]
    one_line(Distributed(second, planned()).assigned, "process 1", "same command and the same data")
    other = plan._replace(data=dataclasses.replace(plan.data, image=-plan.data.image))
    one_line(Distributed(second, other).assigned, "process 1", "same command and the same data")
    jobs, last = Distributed(second, plan).assigned()
    assert list(jobs) == [1] and last and jobs[1].kind == "whole"


def test_who_waits_hears_that_process_0_has_ended(plan, both, one_line):
    both[0].put("ended/0")
    one_line(lambda: work(plan, both[1]), "process 1", "process 0 has ended")


def test_what_cannot_be_kept_ends_the_run(plan, tmp_path, both, monkeypatch):
    first, second = both
    monkeypatch.setattr(Store, "keep_result", refuse)
    threading.Thread(target=send_nonsense, args=(plan, second), daemon=True).start()
    with pytest.raises(OSError, match="disk is full"):
        run_sweep(plan, Store(tmp_path, SWEEP_FOLDER), processes=first)


def refuse(self, name, packed):
    if packed == b"nonsense":
        raise OSError("the disk is full")


def send_nonsense(plan, process):
    Distributed(process, plan).assigned()
    process.put("results/nonsense", b"nonsense")


def whole_tasks(plan):
    return {trial.index: whole_job(plan.fits) for trial in plan.trials}


def test_several_processes_need_a_folder(plan, both):
    with pytest.raises(ValueError, match="need a folder"):
        run_sweep(plan, processes=both[0])


def test_devices_change_no_outcome(plan):
    alone, spread = run_sweep(plan), run_sweep(plan, mesh=make_mesh(8))
    for mine, theirs in zip(spread.outcomes, alone.outcomes, strict=True):
        np.testing.assert_allclose(mine.curves, theirs.curves, atol=1e-4)
        np.testing.assert_allclose(mine.losses, theirs.losses, atol=1e-5)
        for left, right in zip(mine.params, theirs.params, strict=True):
            for key in right:
                np.testing.assert_allclose(left[key], right[key], atol=1e-5)
    with pytest.raises(InputError):
        make_mesh(99)

"""Trials dealt round among processes: each runs its share whole, and process 0 keeps what all of them find."""

from __future__ import annotations

import hashlib
import itertools
import json
import queue
import threading
import time
from collections.abc import Iterator, Sequence

import jax
from jax.sharding import Mesh
from jaxtyping import PyTree

from ccalign_jax.errors import InputError
from ccalign_jax.processes import Processes
from ccalign_jax.study.folder import RunFolder, pack_slice
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.trained import TrainedRuns, stamp
from ccalign_jax.training import RunResult, Trial

__all__ = ["Wire", "deal", "every_run", "work"]

Arrived = queue.SimpleQueue["tuple[int, int] | Exception"]
PAUSE = 0.2  # seconds between two looks at what has come


class Wire(RunFolder):
    """What the other processes have in place of a run's folder: all that is kept goes to process 0."""

    def __init__(self, processes: Processes):
        super().__init__(None)
        self.processes = processes

    def save_slice(self, group: int, number: int, result: PyTree) -> None:
        """Send the result of a trial to process 0."""
        self.processes.tell(f"trials/{group}/{number}", pack_slice(result))


def deal(processes: Processes, plan: Plan, todo: Sequence[int]) -> list[int]:
    """The trials that fall to this process; every process must call it.

    Args:
        processes: all of them.
        plan: the same in each.
        todo: the trials to run, by index; what process 0 says counts.

    Raises:
        InputError: this process has other data or another plan than process 0.
    """
    if processes.number == 0:
        processes.tell("plan", json.dumps({"plan": _digest(plan), "todo": list(todo)}).encode())
        return processes.share(todo)
    told = json.loads(processes.hear("plan"))
    if told["plan"] != _digest(plan):
        raise InputError(
            f"process {processes.number}: its flags, data, versions or kind of device are not those of process 0; "
            "start all processes with the same command and the same data"
        )
    return processes.share(told["todo"])


def work(plan: Plan, processes: Processes, mesh: Mesh | None = None) -> None:
    """The part of a process that is not 0: run its share of the trials, and send each to process 0.

    Args:
        plan: the same as that of process 0.
        processes: all of them.
        mesh: the devices of this process.

    Raises:
        InputError: see `deal`; or process 0 has ended.
    """
    share = deal(processes, plan, ())
    if not share:
        return
    with TrainedRuns.of_plan(plan, Wire(processes), mesh) as trained:
        trained.elsewhere = {trial.index for trial in plan.trials} - set(share)
        for number in range(len(plan.groups)):
            for _ in trained.of(number):
                pass


def every_run(trained: TrainedRuns, processes: Processes) -> Iterator[tuple[Trial, int, RunResult]]:
    """Deal the missing trials, and return every trial on every fold: own ones as they are done, others as they come.

    Args:
        trained: of process 0; with others, its folder must have a path.
        processes: all of them.
    """
    if processes.count == 1:
        return itertools.chain.from_iterable(map(trained.of, range(len(trained.plan.groups))))
    missing = trained.missing()
    trained.elsewhere = missing.keys() - set(deal(processes, trained.plan, sorted(missing)))
    awaited = {missing[index] for index in trained.elsewhere}
    arrived: Arrived = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(processes, trained.folder, awaited, arrived), daemon=True).start()
    return _own_and_others(trained, len(awaited), arrived)


def _own_and_others(trained: TrainedRuns, awaited: int, arrived: Arrived) -> Iterator[tuple[Trial, int, RunResult]]:
    for number in range(len(trained.plan.groups)):
        for run in trained.of(number):
            yield run
            while not arrived.empty():
                awaited -= 1
                yield from _arrived(trained, arrived)
    for _ in range(awaited):
        yield from _arrived(trained, arrived)


def _arrived(trained: TrainedRuns, arrived: Arrived) -> Iterator[tuple[Trial, int, RunResult]]:
    found = arrived.get()
    if isinstance(found, Exception):
        raise found
    yield from trained.kept(*found)


def _receive(processes: Processes, folder: RunFolder, awaited: set[tuple[int, int]], arrived: Arrived) -> None:
    """Keep in the folder what other processes send: a thread, so that all that is finished survives a loss."""
    try:
        while awaited:
            for name in processes.told("trials"):
                group, number = map(int, name.split("/")[1:])
                folder.keep_slice(group, number, processes.hear(name))
                processes.forget(name)
                awaited.discard((group, number))
                arrived.put((group, number))
            time.sleep(PAUSE)
    except Exception as error:
        arrived.put(error)


def _digest(plan: Plan) -> str:
    """What two processes must have alike to do parts of one run."""
    digest = hashlib.sha256(f"{plan.data.sha256()} {plan.config.seed} {jax.default_backend()}".encode())
    for group in plan.groups:
        for trial in group.trials:
            digest.update(stamp(group, trial, plan.folds).tobytes())
    return digest.hexdigest()

"""Tasks distributed over processes: each runs its share, and process 0 collects the results."""

from __future__ import annotations

import hashlib
import io
import queue
import threading
import time
from collections.abc import Iterator, Mapping

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import PyTree

from ccalign_jax.errors import InputError
from ccalign_jax.processes import Processes
from ccalign_jax.study.folder import RunFolder, pack_result
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.tasks import Result, Task, pack_tasks, unpack_tasks
from ccalign_jax.study.trained import TrainedRuns, stamp

__all__ = ["Distributed", "RemoteStore", "work"]

Arrived = queue.SimpleQueue["str | Exception"]
PAUSE = 0.2  # seconds between two looks at what has come


class RemoteStore(RunFolder):
    """What the other processes have in place of a run's folder: all results go to process 0."""

    def __init__(self, processes: Processes):
        super().__init__(None)
        self.processes = processes

    def save_result(self, name: str, result: PyTree) -> None:
        """Send the result of a task to process 0."""
        self.processes.tell(f"results/{name}", pack_result(result))


class Distributed:
    """Rounds of tasks, each distributed over the processes and collected by process 0, which decides on the next.

    Args:
        processes: all of them.
        plan: the same in each.
    """

    def __init__(self, processes: Processes, plan: Plan):
        self.processes, self.plan, self.number = processes, plan, 0

    def assign(self, tasks: Mapping[int, Task], *, last: bool) -> list[int]:
        """The trials whose tasks process 0 does itself; the others learn theirs.

        Args:
            tasks: of this round, by the index of their trial.
            last: whether no round follows.
        """
        about = {"plan": np.array(_digest(self.plan)), "last": np.array(last)}
        packed = io.BytesIO()
        np.savez(packed, **about, **pack_tasks(tasks))  # type: ignore[arg-type]
        self.processes.tell(f"round/{self.number}", packed.getvalue())
        self.number += 1
        return self.processes.share(sorted(tasks))

    def assigned(self) -> tuple[dict[int, Task], bool]:
        """The tasks of the next round that fall to this process, which is not 0, and whether no round follows.

        Raises:
            InputError: this process has other data or another plan than process 0, or process 0 has ended.
        """
        with np.load(io.BytesIO(self.processes.hear(f"round/{self.number}"))) as file:
            arrays = dict(file)
        self.number += 1
        if str(arrays.pop("plan")) != _digest(self.plan):
            raise InputError(
                f"process {self.processes.number}: its flags, data, versions or kind of device are not those of "
                "process 0; start all processes with the same command and the same data"
            )
        last, tasks = bool(arrays.pop("last")), unpack_tasks(arrays)
        return {index: tasks[index] for index in self.processes.share(sorted(tasks))}, last

    def results(self, trained: TrainedRuns, tasks: Mapping[int, Task], *, last: bool) -> Iterator[tuple[int, Result]]:
        """The results of a round: own ones as they are done, those of other processes as they come.

        Args:
            trained: of process 0; with other processes, its folder must have a path.
            tasks: by the index of their trial.
            last: whether no round follows.
        """
        if self.processes.count == 1:
            yield from trained.results(tasks)
            return
        missing = trained.missing(tasks)
        mine = self.assign({index: tasks[index] for index in missing}, last=last)
        awaited = {trained.name(index, tasks[index]): index for index in missing if index not in mine}
        arrived: Arrived = queue.SimpleQueue()
        inputs = (self.processes, trained.folder, set(awaited), arrived)
        threading.Thread(target=_receive, args=inputs, daemon=True).start()
        left = len(awaited)
        for result in trained.results({index: tasks[index] for index in tasks if index not in awaited.values()}):
            yield result
            while not arrived.empty():
                left -= 1
                yield _arrived(trained, tasks, awaited, arrived)
        for _ in range(left):
            yield _arrived(trained, tasks, awaited, arrived)


def work(plan: Plan, processes: Processes, mesh: Mesh | None = None) -> None:
    """The part of a process that is not 0: run its share of each round, and send the results to process 0.

    Args:
        plan: the same as that of process 0.
        processes: all of them.
        mesh: the devices of this process.

    Raises:
        InputError: see `Distributed.assigned`.
    """
    distributed = Distributed(processes, plan)
    tasks, last = distributed.assigned()
    if last and not tasks:
        return
    with TrainedRuns.of_plan(plan, RemoteStore(processes), mesh) as trained:
        while True:
            for _ in trained.results(tasks):
                pass
            if last:
                return
            tasks, last = distributed.assigned()


def _arrived(
    trained: TrainedRuns, tasks: Mapping[int, Task], awaited: Mapping[str, int], arrived: Arrived
) -> tuple[int, Result]:
    found = arrived.get()
    if isinstance(found, Exception):
        raise found
    index = awaited[found]
    return index, trained.kept(index, tasks[index])


def _receive(processes: Processes, folder: RunFolder, awaited: set[str], arrived: Arrived) -> None:
    """Keep in the folder what other processes send: a thread, so that all that is finished survives a loss."""
    try:
        while awaited:
            for name in processes.told("results"):
                result = name.removeprefix("results/")
                folder.keep_result(result, processes.hear(name))
                processes.forget(name)
                if result in awaited:
                    awaited.discard(result)
                    arrived.put(result)
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

"""Jobs distributed over processes: each runs its share, and process 0 collects the results."""

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
from ccalign_jax.runs.kinds import SWEEP_FOLDER
from ccalign_jax.runs.output import pack_tree
from ccalign_jax.runs.store import Store
from ccalign_jax.study.jobs import Job
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.trained import Result, TrainedRuns, run_fingerprint

__all__ = ["Distributed", "RemoteStore", "work"]

PAUSE = 0.2  # seconds between two looks at what has come


class RemoteStore(Store):
    """What the other processes have in place of a run's folder: all results go to process 0."""

    def __init__(self, processes: Processes):
        super().__init__(None, SWEEP_FOLDER)
        self.processes = processes

    def save_result(self, name: str, result: PyTree) -> None:
        """Send the result of a job to process 0."""
        self.processes.put(f"results/{name}", pack_tree(result))


class Distributed:
    """Rounds of jobs, each distributed over the processes and collected by process 0, which decides on the next."""

    def __init__(self, processes: Processes, plan: Plan):
        self.processes, self.plan, self.number = processes, plan, 0

    def assign(self, jobs: Mapping[int, Job], *, last: bool) -> list[int]:
        """The trials whose jobs process 0 does itself; the others learn theirs, and whether no round follows."""
        self.processes.put(f"round/{self.number}", _digest(self.plan) + _pack(jobs, last))
        self.number += 1
        return self.processes.share(sorted(jobs))

    def assigned(self) -> tuple[dict[int, Job], bool]:
        """The jobs of the next round that fall to this process, which is not 0, and whether no round follows.

        Raises:
            InputError: this process has other data or another plan than process 0, or process 0 has ended.
        """
        content, digest = self.processes.get(f"round/{self.number}"), _digest(self.plan)
        self.number += 1
        if not content.startswith(digest):
            raise InputError(
                f"process {self.processes.number}: its flags, data, versions or kind of device are not those of "
                "process 0; start all processes with the same command and the same data"
            )
        jobs, last = _unpack(content[len(digest) :])
        return {index: jobs[index] for index in self.processes.share(sorted(jobs))}, last

    def results(self, trained: TrainedRuns, jobs: Mapping[int, Job], *, last: bool) -> Iterator[tuple[int, Result]]:
        """The results of a round: own ones as they are done, those of other processes as they come.

        With other processes, the folder of `trained` must have a path.
        """
        if self.processes.count == 1:
            yield from trained.results(jobs)
            return
        missing = trained.missing(jobs)
        mine = self.assign({index: jobs[index] for index in missing}, last=last)
        awaited = {trained.name(index, jobs[index]): index for index in missing if index not in mine}
        arrived = queue.SimpleQueue[str | Exception]()
        inputs = (self.processes, trained.folder, set(awaited), arrived)
        threading.Thread(target=_receive, args=inputs, daemon=True).start()

        def next_arrived() -> tuple[int, Result]:
            found = arrived.get()
            if isinstance(found, Exception):
                raise found
            index = awaited.pop(found)
            return index, trained.kept(index, jobs[index])

        others = set(awaited.values())
        for result in trained.results({index: job for index, job in jobs.items() if index not in others}):
            yield result
            while not arrived.empty():
                yield next_arrived()
        while awaited:
            yield next_arrived()


def _pack(jobs: Mapping[int, Job], last: bool) -> bytes:
    """The jobs of a round, and whether none follows, as bytes from which no code is run."""
    arrays = {f"{index}/{name}": value for index, job in jobs.items() for name, value in job._asdict().items()}
    packed = io.BytesIO()
    np.savez(packed, last=last, indices=np.array(sorted(jobs), int), **arrays)
    return packed.getvalue()


def _unpack(content: bytes) -> tuple[dict[int, Job], bool]:
    """The jobs of `_pack`, and whether none follows."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        fields = {int(index): {name: stored[f"{index}/{name}"] for name in Job._fields} for index in stored["indices"]}
        return {index: Job(**each | {"kind": str(each["kind"])}) for index, each in fields.items()}, bool(
            stored["last"]
        )


def work(plan: Plan, processes: Processes, mesh: Mesh | None = None) -> None:
    """The part of a process that is not 0: run its share of each round, and send the results to process 0.

    Raises:
        InputError: see `Distributed.assigned`.
    """
    distributed = Distributed(processes, plan)
    jobs, last = distributed.assigned()
    if last and not jobs:
        return
    trained = TrainedRuns(plan, RemoteStore(processes), mesh)
    while True:
        for _ in trained.results(jobs):
            pass
        if last:
            return
        jobs, last = distributed.assigned()


def _receive(
    processes: Processes, folder: Store, awaited: set[str], arrived: queue.SimpleQueue[str | Exception]
) -> None:
    """Keep in the folder what other processes send: a thread, so that all that is finished survives a loss."""
    try:
        while awaited:
            for name in processes.keys("results"):
                result = name.removeprefix("results/")
                folder.keep_result(result, processes.get(name))
                processes.delete(name)
                if result in awaited:
                    awaited.discard(result)
                    arrived.put(result)
            time.sleep(PAUSE)
    except Exception as error:
        arrived.put(error)


def _digest(plan: Plan) -> bytes:
    """What two processes must have alike to do parts of one run."""
    digest = hashlib.sha256(f"{plan.data.sha256()} {plan.config.seed} {jax.default_backend()}".encode())
    for group in plan.groups:
        for trial in group.trials:
            digest.update(run_fingerprint(group, trial, plan.folds).tobytes())
    return digest.digest()

"""Which image is to be downloaded next: few at once from a host, none while the host asks to wait."""

from __future__ import annotations

import heapq
import urllib.parse
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

__all__ = ["Hosts", "Job"]


class Job(NamedTuple):
    """An image to be downloaded: its key, its address, and how often that was tried."""

    image: str
    url: str
    tried: int = 0

    @property
    def host(self) -> str:
        """Where it is, as the address says."""
        return urllib.parse.urlsplit(self.url).netloc.lower()


class _Host:
    """Jobs that wait, those that run, when the next may start, and how many in a row had no answer."""

    def __init__(self) -> None:
        self.waiting: deque[Job] = deque()
        self.running, self.ready, self.silent, self.listed = 0, 0.0, 0, False


class Hosts:
    """Jobs by host.

    Args:
        jobs: all of them.
        per_host: how many of a host may run at once.
    """

    def __init__(self, jobs: Iterable[Job], per_host: int):
        self._per_host, self._number = per_host, count()
        self._hosts: dict[str, _Host] = {}
        self._ready: list[tuple[float, int, str]] = []  # hosts that may start a job, by when
        self._later: list[tuple[float, int, Job]] = []  # jobs to be tried again, by when
        for job in jobs:
            self._put(job)

    def _put(self, job: Job) -> None:
        self._hosts.setdefault(job.host, _Host()).waiting.append(job)
        self._list(job.host)

    def _list(self, name: str) -> None:
        host = self._hosts[name]
        if host.waiting and host.running < self._per_host and not host.listed:
            host.listed = True
            heapq.heappush(self._ready, (host.ready, next(self._number), name))

    def start(self, now: float) -> Job | None:
        """The next job that may start, of the hosts in turn; None if there is none yet."""
        while self._later and self._later[0][0] <= now:
            self._put(heapq.heappop(self._later)[2])
        while self._ready and self._ready[0][0] <= now:
            *_, name = heapq.heappop(self._ready)
            host = self._hosts[name]
            host.listed = False
            if host.ready > now or not host.waiting:  # it was told to wait meanwhile, or was given up
                self._list(name)
                continue
            host.running += 1
            job = host.waiting.popleft()
            self._list(name)
            return job
        return None

    def next_start(self) -> float | None:
        """When a job may start that does not wait for another one to end; None if there is none."""
        return min((queue[0][0] for queue in (self._ready, self._later) if queue), default=None)

    def end(self, job: Job, *, answered: bool) -> int:
        """A job has ended; returns how many of its host in a row had no answer."""
        host = self._hosts[job.host]
        host.running -= 1
        host.silent = 0 if answered else host.silent + 1
        self._list(job.host)
        return host.silent

    def again(self, job: Job, when: float, *, pause: bool) -> None:
        """Try a job again, not before `when`, nor any other of its host if that is to pause."""
        heapq.heappush(self._later, (when, next(self._number), job._replace(tried=job.tried + 1)))
        if pause:
            host = self._hosts[job.host]
            host.ready = max(host.ready, when)

    def give_up(self, name: str) -> Iterator[Job]:
        """Remove the jobs of a host that wait."""
        host = self._hosts[name]
        yield from host.waiting
        host.waiting.clear()
        mine = [entry for entry in self._later if entry[2].host == name]
        yield from (job for *_, job in mine)
        self._later = [entry for entry in self._later if entry[2].host != name]
        heapq.heapify(self._later)

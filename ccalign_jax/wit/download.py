"""Images downloaded as their hosts allow: few at once, with pauses, each once, and a list of those that failed."""

from __future__ import annotations

import csv
import random
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ccalign_jax._version import __version__
from ccalign_jax.errors import InputError
from ccalign_jax.files import whole_file
from ccalign_jax.wit.addresses import Network
from ccalign_jax.wit.captions import URLS, Progress
from ccalign_jax.wit.failures import FAILURES, Failure, FailureList
from ccalign_jax.wit.fetch import FetchError, bombs_raise, fetch_image
from ccalign_jax.wit.hosts import Hosts, Job
from ccalign_jax.wit.options import DownloadConfig

__all__ = ["IMAGES", "Downloaded", "download_images", "missing_images", "read_urls", "user_agent"]

IMAGES = "images"
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 120.0  # seconds before the second try, and before any that the host does not name
MOST_SILENT = 5  # tries of a host in a row without an answer


class Downloaded(NamedTuple):
    """What is there after a download.

    Attributes:
        there: images of the data set that are there, those of earlier downloads too.
        new: images that this one has added.
        failed: numbers of images by the reason why they are not there.
    """

    there: int
    new: int
    failed: Mapping[str, int]


def user_agent(contact: str | None) -> str:
    """The user agent of requests, with whom to ask about them.

    Raises:
        InputError: no contact is given.
    """
    if contact is None:
        raise InputError("--contact must be given: your e-mail address or page, for the servers that send images")
    return f"ccalign_jax/{__version__} ({contact}) Python-http.client"


def read_urls(out: Path) -> dict[str, str]:
    """The address of each image, by its key, from `urls.tsv`."""
    with (out / URLS).open(encoding="utf-8", newline="") as file:
        return {image: url for url, image in list(csv.reader(file, delimiter="\t"))[1:]}


def missing_images(out: Path, urls: Mapping[str, str]) -> dict[str, str]:
    """Those that have no file in the folder `images` yet; what a killed download left of a file is removed."""
    for draft in (out / IMAGES).glob("*/*.draft"):
        draft.unlink()
    there = {f"{file.parent.name}/{file.stem}" for file in (out / IMAGES).glob("*/*")}
    return {image: url for image, url in urls.items() if image not in there}


def download_images(
    out: Path,
    config: DownloadConfig,
    *,
    network: Network | None = None,
    progress: Progress = lambda what, done, total: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Downloaded:
    """Download the images of `urls.tsv` that are not there, into `images`, each in a file that appears whole.

    One thread starts and ends downloads, in the order of hosts' turns. A host that is busy, or silent, is left alone
    for as long as it asks, or twice as long each time; others go on. A host that asks for more than
    `config.longest_wait`, or gives no answer several times in a row, is given up until the next call.

    Args:
        out: the folder of `urls.tsv`; `failures.csv` lists what failed.
        config: limits.
        network: how hosts are reached; None for public addresses, with the user agent of `config.contact`.
        progress: called with a rate, images done or failed, and images in all.
        clock, sleep: seconds.

    Raises:
        InputError: no contact is given, or the disk is full.
    """
    network = network or Network(user_agent(config.contact), tls=ssl.create_default_context())
    urls = read_urls(out)
    wanted = missing_images(out, urls)
    with FailureList(out / FAILURES, wanted) as failures, bombs_raise():
        final = {failure.image for failure in failures.kept}
        jobs = [Job(image, url) for image, url in wanted.items() if image not in final]
        new = _Download(out, config, network, failures, clock, sleep).run(jobs, progress)
    return Downloaded(len(urls) - len(wanted) + new, new, dict(failures.reasons.most_common()))


class _Download:
    """The state of one call of `download_images`."""

    def __init__(
        self,
        out: Path,
        config: DownloadConfig,
        network: Network,
        failures: FailureList,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
    ):
        self._images, self._config, self._network = out / IMAGES, config, network
        self._failures, self._clock, self._sleep = failures, clock, sleep
        self._jitter = random.Random(0)
        self._done = 0

    def run(self, jobs: list[Job], progress: Progress) -> int:
        """Download; returns how many images there are more."""
        self._hosts = Hosts(jobs, self._config.per_host)
        start, new = self._clock(), 0
        pool = ThreadPoolExecutor(self._config.concurrency, thread_name_prefix="download")
        running: dict[Future[None], Job] = {}
        try:
            while True:
                while len(running) < self._config.concurrency and (job := self._hosts.start(self._clock())):
                    running[pool.submit(partial(self._fetch, job))] = job
                due = self._hosts.next_start()
                if not running and due is None:
                    return new
                pause = None if due is None else max(due - self._clock(), 0.0)
                if not running:
                    self._sleep(pause or 0.0)
                    continue
                full = len(running) == self._config.concurrency
                for future in wait(running, timeout=None if full else pause, return_when=FIRST_COMPLETED).done:
                    new += self._end(running.pop(future), future)
                passed = max(self._clock() - start, 1e-9)
                failed = self._done - new
                progress(f"downloading, {new / passed:,.1f} images/s, {failed} failed", self._done, len(jobs))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, job: Job) -> None:
        """Download one image to its file."""
        image = fetch_image(job.url, network=self._network, limits=self._config)
        path = self._images / f"{job.image}{image.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, resumable=True) as file:
            file.write(image.content)

    def _end(self, job: Job, future: Future[None]) -> int:
        """Count a download that has ended, or try again; returns how many images there are more."""
        error = future.exception()
        if error is not None and not isinstance(error, FetchError):
            raise error
        silent = self._hosts.end(job, answered=error is None or not error.silent)
        if error is None:
            self._done += 1
            return 1
        pause = min(FIRST_PAUSE * 2**job.tried, LONGEST_PAUSE) * self._jitter.uniform(0.5, 1.0)
        if error.wait > self._config.longest_wait:
            self._fail(job, f"the host asks to wait {error.wait:.0f} s", final=False)
            self._give_up(job.host, f"the host asks to wait {error.wait:.0f} s")
        elif silent >= MOST_SILENT:
            self._fail(job, error.reason, final=False)
            self._give_up(job.host, f"the host gave no answer {silent} times in a row")
        elif error.again and job.tried + 1 < self._config.attempts:
            due = self._clock() + max(pause, error.wait)
            self._hosts.again(job, due, pause=error.host or error.silent)
        else:
            self._fail(job, error.reason, final=not error.again)
        return 0

    def _give_up(self, host: str, reason: str) -> None:
        for job in self._hosts.give_up(host):
            self._fail(job, reason, final=False)

    def _fail(self, job: Job, reason: str, *, final: bool) -> None:
        self._done += 1
        self._failures.add(Failure(job.image, job.url, reason, final))

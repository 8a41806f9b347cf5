"""The scripts in processes of their own, as a user runs them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
PATIENCE = 1200  # seconds, after which a script that has not ended is a failure

Ask = Callable[[Any], Any]


class Script:
    """A script that runs, with what `subprocess.Popen` offers.

    Attributes:
        returncode: its exit status, negative for a signal; None before it is known to have ended.
    """

    def __init__(
        self, ask: Ask, folder: Path, name: str, *arguments: str, cwd: Path, environment: dict[str, str], plots: bool
    ):
        paths = {stream: str(folder / stream) for stream in ("stdout", "stderr")}
        where = {"script": str(EXPERIMENTS / name), "cwd": str(cwd), "environment": environment, "plots": plots}
        self._ask, self._folder, self.returncode = ask, folder, None
        self._process = ask({**where, **paths, "arguments": arguments})

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._ask(self._process)
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self._process, signal.SIGKILL)

    def communicate(self, timeout: float = PATIENCE) -> tuple[str, str]:
        until = time.monotonic() + timeout
        while self.poll() is None:
            assert time.monotonic() < until, f"{self._folder}: no end after {timeout} seconds"
            time.sleep(0.01)
        return (self._folder / "stdout").read_text(), (self._folder / "stderr").read_text()


@pytest.fixture(scope="session")
def started(quick_environment, tmp_path_factory) -> Iterator[Callable[..., Script]]:
    """`started("sweep.py", "--folds=2", cwd=folder, **environment)` is a `Script` that runs; see `script_server`."""
    command = [sys.executable, str(Path(__file__).with_name("script_server.py"))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    streams, numbers = tmp_path_factory.mktemp("streams"), count()
    with subprocess.Popen(command, env=quick_environment, **pipes) as server:

        def ask(question: Any) -> Any:
            server.stdin.write(json.dumps(question) + "\n")
            server.stdin.flush()
            return json.loads(server.stdout.readline())

        def start(name: str, *arguments: str, cwd: Path, plots: bool = False, **environment: str) -> Script:
            folder = streams / str(next(numbers))
            folder.mkdir()
            return Script(ask, folder, name, *arguments, cwd=cwd, environment=environment, plots=plots)

        yield start
        server.stdin.close()


@pytest.fixture(scope="session")
def script(started) -> Callable[..., subprocess.CompletedProcess]:
    """`script("sweep.py", "--folds=2", cwd=folder)` runs it there, and gives its exit status and what it printed."""

    def run(name: str, *arguments: str, cwd: Path, plots: bool = False) -> subprocess.CompletedProcess:
        process = started(name, *arguments, cwd=cwd, plots=plots)
        said = process.communicate()
        return subprocess.CompletedProcess([name, *arguments], process.returncode, *said)

    return run


@pytest.fixture(scope="session")
def one_line_on_stderr() -> Callable[..., None]:
    """Checks that a script ended in one line on stderr that has these parts, nothing on stdout, and status 2."""

    def check(done: subprocess.CompletedProcess, *parts: str) -> None:
        lines = done.stderr.strip().splitlines()
        assert done.returncode == 2 and len(lines) == 1, (done.returncode, done.stderr)
        assert not done.stdout.strip()
        for part in parts:
            assert part in lines[0], lines[0]

    return check

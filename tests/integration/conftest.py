"""The scripts in processes of their own, as a user runs them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.fixture(scope="session")
def script() -> Callable[..., subprocess.CompletedProcess]:
    """`script("sweep.py", "--folds=2", cwd=folder)` runs it there, and gives its exit status and what it printed."""

    def run(name: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess:
        environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
        command = [sys.executable, str(EXPERIMENTS / name), *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)

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

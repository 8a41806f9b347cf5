"""Compiled programs are kept between runs."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from ccalign_jax.cli.compiled import default_folder, trim

SCRIPT = """
from ccalign_jax.cli.runner import run

def main():
    import jax
    hits = []
    jax.monitoring.register_event_listener(lambda event, **rest: hits.append(event.endswith("/cache_hits")))
    jax.jit(lambda x: x @ x.T)(jax.numpy.ones((3, 2)))
    print(sum(hits), "read")

run(main)
"""


@pytest.fixture
def compiles(tmp_path) -> Callable[..., tuple[int, str]]:
    """`compiles(*flags, **variables)`: how many programs a small script reads from disk, and its stderr."""

    def run(*given: str, **variables: str) -> tuple[int, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("JAX_COMP", "JAX_PERS"))}
        environment = {**kept, "XDG_CACHE_HOME": str(tmp_path / "cache"), **variables}
        command = [sys.executable, "-c", SCRIPT, *given]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
        return int(done.stdout.split()[0]), done.stderr

    return run


@pytest.mark.skipif(sys.platform != "linux", reason="the folder is that of Linux")
def test_a_second_run_reads_what_the_first_has_compiled(compiles, tmp_path):
    folder = tmp_path / "cache" / "ccalign_jax" / "compiled"
    assert compiles() == (0, "")
    [kind] = folder.iterdir()
    assert kind.stat().st_mode & 0o777 == 0o700
    programs = sorted(kind.glob("*-cache"))
    found, said = compiles()
    assert found == len(programs) > 0 and not said
    for program in programs:  # as if a process were killed while it wrote
        program.write_bytes(program.read_bytes()[:100])
    assert compiles() == (0, "")
    assert compiles("--compilation_cache=none") == (0, "")


def test_the_folder_can_be_named(compiles, tmp_path):
    compiles("--compilation_cache=here")
    assert list((tmp_path / "here").glob("*-cache"))
    compiles(JAX_COMPILATION_CACHE_DIR=str(tmp_path / "there"), JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0")
    assert list((tmp_path / "there").glob("*-cache")) and not (tmp_path / "cache").exists()


def test_a_folder_that_cannot_be_written_is_one_line(compiles, tmp_path):
    (tmp_path / "cache").touch()
    found, said = compiles()
    assert found == 0 and len(said.splitlines()) == 1
    assert said.startswith("note: compiled programs are not kept") and "--compilation_cache=PATH" in said


@pytest.mark.parametrize(
    ("system", "variable", "inside"),
    [("linux", "XDG_CACHE_HOME", "given"), ("darwin", "XDG_CACHE_HOME", "Library"), ("win32", "LOCALAPPDATA", "given")],
)
def test_the_folder_is_where_the_platform_has_it(system, variable, inside):
    assert inside in default_folder({variable: "/given"}, system).parts
    assert "ccalign_jax" in default_folder({}, system).parts


def test_what_was_used_longest_ago_is_removed(tmp_path):
    for age, name in enumerate("abcd"):
        (tmp_path / f"{name}-cache").write_bytes(bytes(10))
        os.utime(tmp_path / f"{name}-cache", (1000 - age, 1000 - age))
    (tmp_path / "other").write_bytes(bytes(99))
    trim(tmp_path, most_bytes=25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-cache", "b-cache", "other"]

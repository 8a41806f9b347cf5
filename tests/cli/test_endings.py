"""How scripts end on failed output and on signals, shown with minimal scripts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

HEAD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
from pathlib import Path
from ccalign_jax.cli import signals
from ccalign_jax.cli.runner import run

def main():
    {body}

run(main)
"""
SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
COMPUTE = (
    "import hashlib; print('ready', flush=True); hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"  # no handler runs
)
READ = "print('ready', flush=True); sys.stdin.read(); print('done')"


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., subprocess.Popen]]:
    """`start(body, shell, **options)` runs a script whose `main` is this one line, by a command of the shell."""
    started: list[subprocess.Popen] = []

    def start(body: str, shell: str = 'exec "$@"', **options) -> subprocess.Popen:
        path = tmp_path / "script.py"
        path.write_text(HEAD.format(body=body), encoding="utf-8")
        piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        command = ["sh", "-c", shell, "sh", sys.executable, str(path)]
        started.append(subprocess.Popen(command, **{**piped, **options}))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def closed_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


PRINTS = "[print('a − b' * 9999, end, flush=True, file=file) for file in (sys.stdout, sys.stderr) for end in 'xy']; "


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("what", ["closed pipe", "full", "closed"])
def test_output_that_cannot_be_written_never_ends_a_script(what, encoding, unbuffered, start, tmp_path):
    marker = tmp_path / "written"
    body = f"{PRINTS}Path({str(marker)!r}).touch(); return Path({str(marker)!r})"
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUNBUFFERED": unbuffered}
    files = {"closed pipe": closed_pipe, "full": lambda: os.open("/dev/full", os.O_WRONLY), "closed": lambda: None}
    file = files[what]()
    shell = 'exec "$@" >&- 2>&-' if what == "closed" else 'exec "$@"'
    done = start(body, shell, stdout=file, stderr=file, env=environment)
    done.communicate()
    assert done.returncode == 0 and marker.exists()


@pytest.mark.parametrize("what, status", [(closed_pipe, 0), (lambda: os.open("/dev/full", os.O_WRONLY), 2)])
def test_lost_output_is_an_error_if_results_are_only_printed(what, status, start):
    done = start("print('result')", stdout=what())
    _, said = done.communicate()
    assert done.returncode == status
    assert len(said.splitlines()) == (status > 0) and ("No space left" in said) == (status > 0)


def test_too_little_memory_is_one_line(start):
    for error in ("MemoryError('Unable to allocate 1 TiB')", "RuntimeError('RESOURCE_EXHAUSTED: 1 TiB\\nmore')"):
        done = start(f"raise {error}")
        _, said = done.communicate()
        assert done.returncode == 2 and said.startswith("error: out of memory: ") and said.count("\n") == 1
    done = start("raise RuntimeError('a fault of ours')")
    assert "Traceback" in done.communicate()[1] and done.returncode == 1


def test_characters_that_stdout_lacks_become_ascii(start):
    done = start(r"print('+.1 − .2 × \u65e5 \udcff')", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.communicate()[0] == "+.1 - .2 x ? ?\n"


def stopped(process: subprocess.Popen, *numbers: int) -> tuple[int, str, float]:
    """Exit status, stderr, and the seconds from the first signal to the end."""
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)  # what follows has begun
    clock = time.monotonic()
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    said = process.communicate(timeout=30)[1]
    return process.returncode, said, time.monotonic() - clock


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_in_one_line_with_the_resume_command(number, start):
    status, said, _ = stopped(start(f"signals.resumable('runs/my run'); {SLEEP}"), number)
    assert status == 128 + number
    assert said.startswith("stopped") and said.count("\n") == 1 and "--resume --out='runs/my run'" in said
    status, said, _ = stopped(start(SLEEP), number)
    assert (status, said) == (128 + number, "stopped\n")


def test_a_second_signal_ends_a_busy_process_at_once(start):
    status, said, seconds = stopped(start(f"signals.GRACE = 20; {COMPUTE}"), signal.SIGINT, signal.SIGINT)
    assert (status, said) == (128 + signal.SIGINT, "stopped\n") and seconds < 10


def test_one_signal_ends_a_busy_process_after_the_grace_period(start):
    status, said, seconds = stopped(start(f"signals.GRACE = 0.3; {COMPUTE}"), signal.SIGTERM)
    assert (status, said) == (128 + signal.SIGTERM, "stopped\n") and 0.3 <= seconds < 10


def test_a_signal_during_a_destructor_prints_no_traceback(start):
    body = f"""
    class Late:
        def __del__(self):
            {SLEEP}
    signals.GRACE = 0.3
    Late()
    {SLEEP}"""
    status, said, _ = stopped(start(body), signal.SIGTERM)
    assert (status, said) == (128 + signal.SIGTERM, "stopped\n")


def test_a_signal_during_an_import_raises_nothing_in_the_module(start, tmp_path):
    caught = f"try:\n    {SLEEP}\nexcept BaseException:\n    print('raised', flush=True)\n"
    (tmp_path / "slow_module.py").write_text(caught)
    process = start("import slow_module")
    assert stopped(process, signal.SIGTERM)[:2] == (128 + signal.SIGTERM, "stopped\n")


def test_signals_during_the_end_are_ignored(start):
    body = f"""
    try:
        {SLEEP}
    finally:
        time.sleep(0.5)"""
    status, said, _ = stopped(start(body), signal.SIGINT, signal.SIGTERM, signal.SIGINT)
    assert (status, said) == (128 + signal.SIGINT, "stopped\n")


def test_signals_ignored_at_the_start_stay_ignored(start):
    process = start(READ, """trap '' HUP; exec "$@" """)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    out, said = process.communicate("", timeout=30)
    assert (process.returncode, out, said) == (0, "done\n", "")

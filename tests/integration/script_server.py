"""Runs scripts in processes that begin with this one's imports: `python script_server.py`, asked through stdin.

Starting Python and importing jax takes longer than most of what the tests ask of a script. This process imports what
scripts import, starts no device and no computation, and forks for each script: that has a process, arguments, a folder,
an environment, streams and an exit status of its own, as if started by a shell.
"""

import gc
import importlib
import json
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "helpers"))

from quick_pages import without_plots

IMPORTED = (
    *(
        "ccalign_jax.processes",
        "ccalign_jax.checkpoints",
        "ccalign_jax.cli.runner",
        "ccalign_jax.diagnostics",
        "orbax.checkpoint",
        "matplotlib.figure",
        "scipy.special",
    ),
)


def become(
    script: str,
    arguments: Sequence[str],
    cwd: str,
    stdout: str,
    stderr: str,
    environment: Mapping[str, str],
    plots: bool,
) -> None:
    """Run a script in this process, to its end; with the plots of its pages or without."""
    os.chdir(cwd)
    os.environ.update(environment)
    for number, path in enumerate((os.devnull, stdout, stderr)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).parent)
    with nullcontext() if plots else without_plots():
        runpy.run_path(script, run_name="__main__")


def serve() -> None:
    """Answer each line: what `become` takes with the process that runs it, a process with its status or null."""
    os.fsync = lambda opened: None  # no test ends in a power cut
    for name in IMPORTED:
        importlib.import_module(name)
    # Else the garbage collections of every process, the last one above all, visit and so copy all that is imported.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, int):
            process, status = os.waitpid(asked, os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if process else None
        elif not (answer := os.fork()):
            become(**asked)
            return
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()

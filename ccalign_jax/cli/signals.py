"""SIGINT, SIGTERM and SIGHUP end a subcommand with one line on stderr and status 128 + signal."""

import contextlib
import os
import select
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from ccalign_jax.cli.program import command

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
GRACE = 3.0  # seconds to clean up: Python handles a signal only once a computation returns
SHOW_CURSOR = b"\n\x1b[?25h"

_line = "stopped"
_written = threading.Lock()


class Stopped(KeyboardInterrupt):
    """The subcommand is to end; `args` holds the number of the signal."""


def resumable(out: object) -> None:
    """Add to the line the command that resumes the run in `out`."""
    global _line
    _line = f"stopped; to resume: {command()} --resume --out={shlex.quote(str(out))}"


def catch() -> None:
    """Raise `Stopped` in the main thread at the first signal.

    A second one ends the process at once, and so does the first if the main thread does not within `GRACE`, or while a
    module is imported: compiled ones may crash on an exception. What is ignored, such as SIGHUP under nohup, stays
    ignored.
    """
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not received:
            received.append(number)
            if _is_importing(frame):
                _end(number)
            raise Stopped(number)

    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    _handle(stop)
    sys.unraisablehook = _report
    threading.Thread(target=_watch, args=(reader, writer), daemon=True).start()


def _report(raised: "sys.UnraisableHookArgs") -> None:
    """Print what Python cannot raise, save `Stopped` in a destructor: then the process ends after `GRACE`."""
    if not isinstance(raised.exc_value, Stopped):
        sys.__unraisablehook__(raised)


def release() -> None:
    """Restore the default handlers, once the subcommand is done."""
    signal.set_wakeup_fd(-1)
    _handle(signal.SIG_DFL)


def _handle(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def write_line() -> None:
    """Write the line to stderr, once, without blocking."""
    with contextlib.suppress(OSError, ValueError):
        if _written.acquire(blocking=False) and select.select([], [2], [], 0)[1]:
            os.write(2, os.fsencode(f"{_line}\n"))


def _watch(reader: socket.socket, writer: socket.socket) -> NoReturn:
    """Wait for signals beside the main thread; `writer` is kept open."""
    number = reader.recv(1)[0]
    select.select([reader], [], [], GRACE)
    _end(number)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _end(number: int) -> NoReturn:
    """End the process at once, as a kill would, but with the line."""
    with contextlib.suppress(OSError):
        if os.isatty(2):
            os.write(2, SHOW_CURSOR)  # a progress bar hides it
    write_line()
    os._exit(128 + number)

"""A lock that ends with the process that holds it."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

__all__ = ["lock_file"]


def lock_file(path: Path, owner: object) -> weakref.finalize:
    """Lock a file, created if missing, until the returned finalizer is called or its owner is garbage-collected.

    Where the file system or the platform has no locks, nothing is locked.

    Raises:
        BlockingIOError: another process, or another owner, has locked it.
        FileNotFoundError: its folder is not there, or its last owner removed it meanwhile; try again.
    """
    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    unlock = weakref.finalize(owner, os.close, opened)
    try:
        _flock(opened)
        if not os.path.samestat(os.fstat(opened), os.stat(path)):
            raise FileNotFoundError(path)
    except OSError:
        unlock()
        raise
    return unlock


def _flock(opened: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return

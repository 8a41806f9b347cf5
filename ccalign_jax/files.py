"""Files that appear whole or not at all, and locks of folders: every file reaches its place through this module."""

from __future__ import annotations

import errno
import hashlib
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ccalign_jax.errors import InputError

__all__ = ["file_sha256", "full_disk", "lock_file", "sync", "whole_file", "whole_path"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def whole_file(path: Path, *, resumable: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that appears at its path when it is complete; see `whole_path`."""
    with whole_path(path, resumable=resumable) as draft, draft.open("wb") as file:
        yield file


@contextmanager
def whole_path(path: Path, *, resumable: bool = False) -> Iterator[Path]:
    """A path beside this one, whose file takes its place once it is complete and on the disk.

    Raises:
        InputError: the disk is full.
    """
    draft = path.with_name(path.name + ".draft")
    try:
        with full_disk(path, resumable=resumable):
            yield draft
            sync(draft)
            draft.replace(path)
            sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file, or the list of names of a folder, is on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF):  # a file system that cannot, or Windows
            raise
    finally:
        os.close(opened)


@contextmanager
def full_disk(path: Path, *, resumable: bool = False) -> Iterator[None]:
    """Raise a full disk as a one-line error; `resumable` says that `--resume` continues the run.

    Raises:
        InputError: the disk, or the quota, is used up.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        remedy = "make room there" + ", then continue with --resume" * resumable
        raise InputError(f"{path}: not written, {os.strerror(error.errno or 0).lower()}; {remedy}") from error


def lock_file(path: Path, owner: object) -> weakref.finalize:
    """Lock a file, created if missing, until the returned finalizer is called or its owner is garbage-collected.

    Where the file system or the platform has no locks, nothing is locked.

    Raises:
        InputError: another process, or another owner, has locked it.
        FileNotFoundError: its folder is not there, or its last owner removed it meanwhile; try again.
    """
    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    unlock = weakref.finalize(owner, os.close, opened)
    try:
        _flock(opened, path)
        if not os.path.samestat(os.fstat(opened), os.stat(path)):
            raise FileNotFoundError(path)
    except (OSError, InputError):
        unlock()
        raise
    return unlock


def _flock(opened: int, path: Path) -> None:
    try:
        import fcntl

        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            f"{path.parent}: another process is writing there; wait for it, or give another --out"
        ) from None
    except (ImportError, OSError):  # Windows, or a file system without locks
        return


def file_sha256(path: Path) -> str:
    """Hexadecimal digest of the bytes of a file.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     file_sha256(Path(file.name))[:8]
        'e3b0c442'
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

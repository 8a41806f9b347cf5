"""Files that appear whole or not at all, and locks of folders: every file reaches its place through this module."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ccalign_jax.errors import InputError

__all__ = ["drafted", "file_sha256", "full_disk", "lock_file", "put", "remove", "sync", "whole_file", "whole_path"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def whole_file(path: Path, *, resumable: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that appears at its path when it is complete; see `whole_path`."""
    with whole_path(path, resumable=resumable) as draft, draft.open("wb") as file:
        yield file


@contextmanager
def whole_path(path: Path, *, resumable: bool = False) -> Iterator[Path]:
    """A path beside this one, whose file or folder takes its place once it is complete and on the disk.

    Raises:
        InputError: the disk is full.
    """
    with drafted(path, resumable=resumable) as draft:
        yield draft
        put(draft, path)


@contextmanager
def drafted(path: Path, *, resumable: bool = False) -> Iterator[Path]:
    """A path beside this one, for a file or folder that is removed in the end, unless it has been put elsewhere.

    Raises:
        InputError: the disk is full.
    """
    here = Path(os.path.abspath(path))
    draft = here.with_name(here.name + ".draft")
    remove(draft)  # of a process that was killed
    try:
        with full_disk(path, resumable=resumable):
            yield draft
    finally:
        with suppress(OSError):  # such as the one that is being raised
            remove(draft)


def put(draft: Path, path: Path) -> None:
    """Move a complete file or folder to its place, in that of an older one, once every byte of it is on the disk."""
    for each in (*draft.rglob("*"), draft):
        sync(each)
    older = path.with_name(path.name + ".older")
    if path.is_dir() and any(path.iterdir()):
        remove(older)
        path.replace(older)  # only an empty folder can be replaced
    draft.replace(path)
    sync(path.parent)
    remove(older)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


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

    Other errors of the system that name no file get this one.

    Raises:
        InputError: the disk, or the quota, is used up.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        code = _number(error)
        if code in FULL:
            remedy = "make room there" + ", then continue with --resume" * resumable
            raise InputError(f"{path}: not written, {os.strerror(code).lower()}; {remedy}") from error
        if isinstance(error, OSError) and code is not None and error.filename is None:
            raise OSError(code, error.strerror, str(path)) from error
        raise


def _number(error: BaseException | None) -> int | None:
    """The number of an error of the system, or of one that a library has turned into its own."""
    while error is not None:
        if isinstance(error, OSError):
            return error.errno
        if (code := next((code for code in FULL if os.strerror(code) in str(error)), None)) is not None:
            return code
        error = error.__cause__ or error.__context__
    return None


def lock_file(path: Path, owner: object, *, wait: bool = False) -> weakref.finalize:
    """Lock a file, created if missing, until the returned finalizer is called or its owner is garbage-collected.

    The system unlocks the files of a process that ends, however it ends. Where the file system or the platform has no
    locks, nothing is locked.

    Args:
        path: of the file; whoever has it locked may remove it.
        owner: of the lock.
        wait: until it is unlocked.

    Raises:
        InputError: another process, or another owner, has locked it.
        FileNotFoundError: its folder is not there.
    """
    while True:
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        unlock = weakref.finalize(owner, os.close, opened)
        try:
            _flock(opened, path, wait=wait)
            if os.path.samestat(os.fstat(opened), os.stat(path)):
                return unlock
        except FileNotFoundError:
            pass
        except (OSError, InputError):
            unlock()
            raise
        unlock()  # its last owner has removed it meanwhile


def _flock(opened: int, path: Path, *, wait: bool) -> None:
    try:
        import fcntl

        fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
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

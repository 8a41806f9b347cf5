"""The one exception that means "the input is wrong": scripts print it as one line and exit with status 2."""

import os
import sys

__all__ = ["InputError", "check_path", "check_text", "reason"]


class InputError(ValueError):
    """A mistake in what the user gave: names the file, the key or row, what is wrong, and how to fix it."""


def reason(error: BaseException) -> str:
    """What went wrong, as one line: the system's words, else the first line of the message, else the kind of error.

    Example:
        >>> reason(ValueError("no such model\\nlook at the hub")), reason(MemoryError())
        ('no such model', 'MemoryError')
    """
    message = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return str(message).splitlines()[0]


def check_path(flag: str, path: str | os.PathLike[str]) -> None:
    """Refuse a path that is not valid text (see `check_text`), which Orbax, JSON and plots cannot store.

    Args:
        flag: what gave the path, such as `--out=`.
        path: if relative, the working directory is checked too.

    Raises:
        InputError: as `check_text`.
    """
    check_text(flag, os.fspath(path))
    check_text(flag, os.path.abspath(path))


def check_text(flag: str, text: str) -> None:
    r"""Refuse text with undecodable bytes (surrogates), or with characters that file names cannot encode.

    Args:
        flag: what gave the text, such as `--out=`.
        text: such as a path.

    Raises:
        InputError: it is not UTF-8, or not of the encoding of file names.

    Example:
        >>> check_text("--out=", "caf\udce9")
        Traceback (most recent call last):
        ccalign_jax.errors.InputError: --out=caf\udce9: not UTF-8; rename it (or set PYTHONUTF8=1, if it is)
    """
    try:
        for encoding in ("utf-8", sys.getfilesystemencoding()):
            text.encode(encoding)
    except UnicodeEncodeError:
        shown = text.encode("ascii", "backslashreplace").decode()
        raise InputError(f"{flag}{shown}: not UTF-8; rename it (or set PYTHONUTF8=1, if it is)") from None

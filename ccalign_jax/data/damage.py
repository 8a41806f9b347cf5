"""One-line errors that name the file, for any exception that damaged bytes cause in a parser."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ccalign_jax.errors import InputError, reason

__all__ = ["reading"]


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn any exception of the body into an `InputError` that begins with `what` and ends with how to fix it.

    Parsers raise more than `ValueError` on damaged bytes: SyntaxError, MemoryError, RecursionError, zlib.error, ...

    Args:
        what: the file, the array in it, and what is wrong, such as "data.npz: image is damaged".

    Example:
        >>> with reading("rows.npy: not a whole .npy file"):
        ...     raise EOFError("the header is cut off")
        Traceback (most recent call last):
        ccalign_jax.errors.InputError: rows.npy: not a whole .npy file (the header is cut off); copy or write it again
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{what} ({reason(error)}); copy or write it again") from error

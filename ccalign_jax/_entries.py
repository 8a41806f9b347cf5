"""Checks of new registry entries, so that names of trials can be parsed and every setting is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

from ccalign_jax.errors import InputError

__all__ = ["check_entry"]

NAME = r"[A-Za-z][A-Za-z0-9_.-]*"  # no / , ( = : or space: they separate the parts of a trial's name
RESERVED = ("all", "closed", "closed_form", "list", "none")


def check_entry(
    kind: str,
    name: str,
    function: Callable[..., Any],
    summary: str,
    *,
    taken: Collection[str],
    reads: Iterable[str] = (),
    readable: Collection[str] = (),
) -> None:
    """Refuse an entry that would not work.

    Args:
        kind: what is registered, such as "loss".
        name: of the new entry.
        function: that it stands for.
        summary: one line of what it is.
        taken: names that there are.
        reads: settings that change it.
        readable: settings that this kind may read.

    Raises:
        InputError: an ill-formed, reserved or taken name, no function, no summary or one of several lines, or a
            setting that does not exist or that this kind is not given.

    Example:
        >>> check_entry("loss", "my/loss", max, "the largest", taken=())
        Traceback (most recent call last):
        ccalign_jax.errors.InputError: loss 'my/loss': a name has letters, digits, _, - and ., and begins with a letter
    """
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        raise InputError(f"{kind} {name!r}: a name has letters, digits, _, - and ., and begins with a letter")
    if name in RESERVED:
        raise InputError(f"{kind} {name!r}: {', '.join(RESERVED)} mean something else; choose another name")
    if name in taken:
        raise InputError(f"{kind} {name!r} is registered already; choose another name (or restart Python to change it)")
    if not callable(function):
        raise InputError(f"{kind} {name!r}: {type(function).__name__} is no function; give the function itself")
    if not isinstance(summary, str) or not summary.strip() or "\n" in summary:
        raise InputError(f"{kind} {name!r}: summary={summary!r}; give one line of what it is")
    if isinstance(reads, str):
        raise InputError(f"{kind} {name!r}: reads={reads!r}; give several names, such as ({reads!r},)")
    if unknown := sorted(set(reads) - set(readable)):
        raise InputError(f"{kind} {name!r}: it cannot read {unknown[0]}; a {kind} may read {', '.join(readable)}")

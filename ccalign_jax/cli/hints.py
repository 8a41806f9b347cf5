"""Hints for flags that a subcommand does not have."""

from collections.abc import Collection

from ccalign_jax.errors import nearest
from ccalign_jax.settings import SETTINGS


def hint(argument: str, known: Collection[str]) -> str:
    """One line on a flag that a subcommand does not have.

    Args:
        argument: as given, such as `--lr=0.1`.
        known: names of the flags that the subcommand has.

    Example:
        >>> hint("--lr=0.1", ["hyper", "out"])
        '--lr: no such flag; settings are given as --hyper=learning_rate=0.1 (--hyper=list)'
        >>> hint("--output", ["hyper", "out"])
        '--output: no such flag; did you mean --out?'
    """
    flag, _, value = argument.partition("=")
    name = flag.lstrip("-").lower().replace("-", "_")
    settings = list(SETTINGS) if "hyper" in known else []
    for meant in (name, nearest(name, [*known, *settings])):
        if meant in known:
            return f"{flag}: no such flag; did you mean --{meant}?"
        if meant in settings:
            return f"{flag}: no such flag; settings are given as --hyper={meant}={value or 'VALUE'} (--hyper=list)"
    return f"{flag}: no such flag (see --help)"

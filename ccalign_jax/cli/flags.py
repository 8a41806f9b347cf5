"""Flags from the options of a config, and the options that flags give."""

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from absl import flags

from ccalign_jax.aligners import list_names
from ccalign_jax.cli.lists import LISTS
from ccalign_jax.errors import InputError
from ccalign_jax.options import Options

flags.disclaim_key_flags()  # they are those of the subcommand that asks for them

MAX_BYTES = 1 << 50


class _NamesParser(flags.ListParser):
    """Splits at commas, but for those inside brackets, which are part of a name."""

    def parse(self, argument: str | list[str]) -> list[str]:
        return argument if isinstance(argument, list) else list_names(argument) if argument else []


def define(config: type[Options], names: Collection[str] | None = None, known: flags.FlagValues = flags.FLAGS) -> None:
    """Define a flag for each option of a config that has none yet.

    Args:
        config: with the options.
        names: of the fields to take; None for all.
        known: the flags that there are.
    """
    for field in dataclasses.fields(config):
        option = field.metadata["option"]
        name, kind = option.flag or field.name, str(field.type).partition(" ")[0].partition("[")[0]
        if name in known or (names is not None and field.name not in names):
            continue
        make = KINDS["repeated" if option.repeated else "bytes" if option.in_bytes else kind]
        default = None if field.default is dataclasses.MISSING else field.default
        make(name, default, option.help + "; 'list' prints all" * (name in LISTS), flag_values=known)
        if option.alias:
            flags.DEFINE_alias(option.alias, name, flag_values=known)


def _define_names(name: str, default: Sequence[str] | None, help: str, **where: Any) -> None:
    default = None if default is None else ",".join(default)
    flags.DEFINE(_NamesParser(), name, default, help, serializer=flags.ListSerializer(","), **where)


def _define_bytes(name: str, default: int, help: str, **where: Any) -> None:
    flags.DEFINE_string(name, f"{default >> 20}MiB", help, **where)


KINDS: Mapping[str, Callable[..., Any]] = {
    "str": flags.DEFINE_string,
    "Literal": flags.DEFINE_string,
    "int": flags.DEFINE_integer,
    "float": flags.DEFINE_float,
    "bool": flags.DEFINE_bool,
    "tuple": _define_names,
    "repeated": flags.DEFINE_multi_string,
    "bytes": _define_bytes,
}


def given(config: type[Options], known: flags.FlagValues = flags.FLAGS) -> dict[str, Any]:
    """The options that have a flag on the command line, by the name of their field."""
    values: dict[str, Any] = {}
    for name, option in config.options().items():
        flag = option.flag or name
        if flag in known and known[flag].present:
            value: Any = as_bytes(str(known[flag].value)) if option.in_bytes else known[flag].value
            values[name] = tuple(value) if isinstance(value, list) else value
    return values


def as_bytes(given: str) -> int:
    """1GiB and the like as a number."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(|KiB|MiB|GiB)", given)
    if match is None:
        raise InputError(f"--memory={given}: give a number of bytes, or the like of 512MiB or 4GiB")
    count = float(match[1]) * 1024 ** ("", "KiB", "MiB", "GiB").index(match[2])
    if not 1 <= count <= MAX_BYTES:
        raise InputError(f"--memory={given}: it must be from 1 byte to {MAX_BYTES >> 30}GiB")
    return int(count)

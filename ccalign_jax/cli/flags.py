"""Flags from the options of a config, what `--aligners=list` and the like print, and hints for unknown flags."""

import dataclasses
import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from absl import flags

from ccalign_jax.aligners import list_names
from ccalign_jax.errors import InputError
from ccalign_jax.options import Options
from ccalign_jax.settings import SETTINGS

Rows = Iterator[Sequence[str]]

flags.disclaim_key_flags()  # they are those of the subcommand that asks for them

MAX_BYTES = 1 << 50
# What other programs call it, and what it is called here, by the first of these that a subcommand has.
OTHER_NAMES = {
    "batch_size": ("batch", "batch_images"),
    "bs": ("batch", "batch_images"),
    "dataset": ("data",),
    "gpus": ("devices",),
    "lang": ("languages", "language"),
    "langs": ("languages", "language"),
    "lr": ("learning_rate",),
    "model": ("checkpoint", "aligner", "aligners"),
    "n_folds": ("folds",),
    "num_epochs": ("epochs",),
    "output": ("out",),
    "output_dir": ("out",),
    "outdir": ("out",),
    "tau": ("temperature",),
    "temp": ("temperature",),
    "wd": ("l2",),
    "weight_decay": ("l2",),
}
NEAR = 0.7


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
    near = difflib.get_close_matches(name, [*known, *settings], n=1, cutoff=NEAR)
    for meant in (name, *OTHER_NAMES.get(name, ()), *near):
        if meant in known:
            return f"{flag}: no such flag; did you mean --{meant}?"
        if meant in settings:
            return f"{flag}: no such flag; settings are given as --hyper={meant}={value or 'VALUE'} (--hyper=list)"
    return f"{flag}: no such flag (see --help)"


def listed() -> bool:
    """Print the lists that flags ask for; False if none does."""
    asked = dict.fromkeys(
        rows for flag, rows in LISTS.items() if flag in flags.FLAGS and flags.FLAGS[flag].value in ("list", ["list"])
    )
    for rows in asked:
        print("\n".join(aligned(list(rows()))))
    return bool(asked)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the cells of the rows below each other.

    Example:
        >>> aligned([("linear", "xW"), ("shift", "x + b")])
        ['linear  xW', 'shift   x + b']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _pivots() -> Rows:
    from ccalign_jax.pivots import PIVOTS

    for name, entry in PIVOTS.items():
        yield f"{name}:<language>" if entry.takes_language else name, entry.summary


def _aligners() -> Rows:
    from ccalign_jax.aligners import ALIGNERS, COMBINATORS

    yield from ((name, entry.summary) for name, entry in ALIGNERS.items())
    yield from COMBINATORS.items()


def _losses() -> Rows:
    from ccalign_jax.losses import LOSSES

    yield from ((name, entry.summary) for name, entry in LOSSES.items())


def _grids() -> Rows:
    from ccalign_jax.grids import GRIDS

    yield from ((name, summary) for name, (summary, _) in GRIDS.items())


def _encoders() -> Rows:
    from ccalign_jax.encoders import ENCODERS

    for name, kind in ENCODERS.items():
        yield f"{name}:NAME" if kind.named else name, " and ".join(kind.sides), kind.summary


def _formats() -> Rows:
    from ccalign_jax.exporting import FORMATS

    yield from ((name, entry.summary) for name, entry in FORMATS.items())


def _sources() -> Rows:
    from ccalign_jax.extraction import PRESETS, SOURCES

    for name, kind in SOURCES.items():
        yield f"{name}:{'NAME' if kind.fits is None else 'PATH'}", kind.summary
    yield from ((f"{name}[:PATH]" if each.hub else f"{name}:PATH", each.summary) for name, each in PRESETS.items())


def _settings() -> Rows:
    yield "setting", "default", "values", "what it is"
    for name, setting in SETTINGS.items():
        yield name, str(setting.default).lower(), setting.allowed, setting.summary


LISTS: Mapping[str, Callable[[], Rows]] = {
    "pivot": _pivots,
    "aligner": _aligners,
    "aligners": _aligners,
    "learning_aligner": _aligners,
    "loss": _losses,
    "losses": _losses,
    "grid": _grids,
    "hyper": _settings,
    "image_encoder": _encoders,
    "source": _sources,
    "text_encoder": _encoders,
    "to": _formats,
}

"""Options: each once, with default, range and help.

Flags of the scripts, arguments of functions and the config file of a run follow from the fields.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal, NamedTuple, Self, TypeVar, get_args, get_origin, get_type_hints

from ccalign_jax.errors import InputError, suggest

__all__ = ["Option", "Options", "check_names", "option", "with_options"]

Function = TypeVar("Function", bound=Callable[..., Any])


class Option(NamedTuple):
    """One option; its default is that of its field.

    Attributes:
        help: what it is, in a few words.
        flag: its name on the command line, where that is not the field's.
        alias: a second name on the command line.
        minimum, maximum: the ends of its range; None for none.
        words: those that it may be; empty for any.
        repeated: given several times on the command line, rather than once as a comma list.
        in_bytes: given on the command line as the like of 512MiB.
        is_path: tells paths among its values; None if it has none.
    """

    help: str
    flag: str = ""
    alias: str = ""
    minimum: int | None = None
    maximum: int | None = None
    words: tuple[str, ...] = ()
    repeated: bool = False
    in_bytes: bool = False
    is_path: Callable[[str], bool] | None = None


def option(default: Any, help: str, **choices: Any) -> Any:
    """A field of `Options` with this default, `dataclasses.MISSING` for none; choices are the rest of `Option`."""
    return dataclasses.field(default=default, metadata={"option": Option(help, **choices)})


@dataclasses.dataclass(frozen=True)
class Options:
    """Choices that results depend on.

    Raises:
        InputError: a value that is not allowed.
    """

    def __post_init__(self) -> None:
        for name, option in self.options().items():
            value = getattr(self, name)
            if option.words and value not in option.words:
                raise InputError(f"--{name}={value}: it must be {' or '.join(option.words)}")
            if value is None or option.minimum is None:
                continue
            if value < option.minimum or (option.maximum is not None and value > option.maximum):
                ends = (
                    f"at least {option.minimum}"
                    if option.maximum is None
                    else f"from {option.minimum} to {option.maximum}"
                )
                raise InputError(f"--{name}={value}: it must be {ends}")

    @classmethod
    def options(cls) -> dict[str, Option]:
        """Every option, by the name of its field.

        Example:
            >>> from ccalign_jax.options import SweepConfig
            >>> SweepConfig.options()["limit"].help
            'use so many images, drawn at random'
        """
        return {field.name: field.metadata["option"] for field in dataclasses.fields(cls)}

    @classmethod
    def by_field(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Values under the names of their fields, where they may have those of the command line.

        Raises:
            InputError: two names of one field.

        Example:
            >>> from ccalign_jax.options import SweepConfig
            >>> SweepConfig.by_field({"pivot": "image", "folds": 3})
            {'pivots': 'image', 'folds': 3}
        """
        fields = {name: field for field, option in cls.options().items() for name in (option.flag, option.alias)}
        found: dict[str, Any] = {}
        for name, value in given.items():
            field = fields.get(name, name)
            if field in found:
                raise InputError(f"{name} and {field} are the same option; give one of them")
            found[field] = value
        return found

    @classmethod
    def of(cls, stored: Mapping[str, Any], file: str | os.PathLike[str]) -> Self:
        """The options of a config file, in which tuples are lists; those that it lacks have their defaults.

        Raises:
            InputError: it has no options, others, or values that these cannot have.
        """
        try:
            kinds = get_type_hints(cls)
            given = {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
            for name, value in given.items():
                if name not in kinds:
                    raise InputError(f"there is no option {name!r}")
                if not _is_of(value, kinds[name]):
                    raise InputError(f"{name} is {value!r}, of another kind")
            return cls(**given)
        except InputError as error:
            problem = error.in_flags
        except (AttributeError, TypeError):  # no dict, or one that lacks an option without a default
            problem = "holds no options"
        raise InputError(f"{os.fspath(file)}: {problem}; damaged, or of another version: give another folder")

    def absolute(self) -> Self:
        """The same with absolute paths, which are right in any working directory."""
        paths = {name: option.is_path for name, option in self.options().items() if option.is_path is not None}
        return dataclasses.replace(
            self, **{name: _absolute(getattr(self, name), is_path) for name, is_path in paths.items()}
        )

    def arguments(self) -> list[str]:
        """The flags that give these options; those at their default are left out.

        Example:
            >>> from ccalign_jax.options import SweepConfig
            >>> SweepConfig(pivots=("image", "text:en"), hyper=("l2=0",), race=False).arguments()
            ['--pivot=image,text:en', '--hyper=l2=0', '--race=false']
        """
        found = []
        for field in dataclasses.fields(self):
            option, value = field.metadata["option"], getattr(self, field.name)
            if value == field.default or value is None:
                continue
            joined = [",".join(value)] if isinstance(value, tuple) and not option.repeated else value
            for one in joined if isinstance(joined, tuple | list) else [joined]:
                written = str(one).lower() if isinstance(one, bool) else one
                found.append(f"--{option.flag or field.name}={written}")
        return found

    def differences(self, other: Options) -> list[str]:
        """`name is mine, was theirs` for every option that differs."""
        mine, theirs = (dataclasses.asdict(options.absolute()) for options in (self, other))
        return [f"{name} is {mine[name]!r}, was {theirs[name]!r}" for name in mine if mine[name] != theirs[name]]


def _is_of(value: Any, kind: Any) -> bool:
    """Whether a value is of a field's annotation: a plain type, a choice of words, a tuple of one type, or a union."""
    inside = get_args(kind)
    if get_origin(kind) is Literal:
        return value in inside
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is_of(one, inside[0]) for one in value)
    if inside:
        return any(_is_of(value, one) for one in inside)
    return type(value) is kind or (kind is float and type(value) is int)


def check_names(given: Iterable[str], allowed: Collection[str]) -> None:
    """Refuse names of arguments that are no options.

    Args:
        given: the names.
        allowed: those that there are.

    Raises:
        InputError: a name that is not allowed; the nearest one is suggested.

    Example:
        >>> check_names(["fold"], ["folds", "seed"])
        Traceback (most recent call last):
        ccalign_jax.errors.InputError: fold: no such option; did you mean folds?
    """
    for name in given:
        if name not in allowed:
            raise InputError(f"{name}: no such option; {suggest(name, sorted(allowed))}")


def _absolute(value: Any, is_path: Callable[[str], bool]) -> Any:
    if isinstance(value, tuple):
        return tuple(_absolute(one, is_path) for one in value)
    return os.path.abspath(value) if is_path(value) and os.path.exists(value) else value


def with_options(config: type[Options], typed: type) -> Callable[[Function], Function]:
    """Give a function that takes `**options` their names and defaults in its signature, and their help in its own.

    Args:
        config: has an option for each name.
        typed: the `TypedDict` of `**options`.
    """

    def named(function: Function) -> Function:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        fields = [field for field in dataclasses.fields(config) if field.name in typed.__annotations__]
        kind = inspect.Parameter.KEYWORD_ONLY
        rest = [inspect.Parameter(field.name, kind, default=field.default, annotation=field.type) for field in fields]
        function.__signature__ = signature.replace(parameters=[*own, *rest])  # type: ignore[attr-defined]
        lines = "\n".join(f"        {field.name}: {field.metadata['option'].help}." for field in fields)
        function.__doc__ = (function.__doc__ or "").replace(f"        options: see `{config.__name__}`.", lines)
        return function

    return named

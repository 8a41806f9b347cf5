"""The JSON description of a map: its checks, and the aligner that it describes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from ccalign_jax.aligners import ALIGNERS, COMBINATORS, Aligner, Sizes, make_aligner, settings_read
from ccalign_jax.errors import InputError
from ccalign_jax.settings import LARGEST_SIZE

__all__ = ["ABOUT", "described_aligner"]

ABOUT = "checkpoint.json"
MAX_SHOWN = 60  # characters of a refused value


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return value is None or _is_text(value)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_SIZE


def _are_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value)) and len({*value}) == len(value)


def _are_scores(value: Any) -> bool:
    """Whether it has numbers of the same names before and after training."""
    whole = isinstance(value, dict) and {"before", "after"} <= value.keys()
    if not whole or not all(isinstance(each, dict) for each in value.values()):
        return False
    numbers = [one for each in value.values() for one in each.values()]
    return value["before"].keys() == value["after"].keys() and all(type(one) in (int, float) for one in numbers)


_KINDS: dict[str, Callable[[Any], bool]] = {  # of the entries that are read of a map's description
    "aligner": _is_text,
    "languages": _are_names,
    "d_text": lambda value: _is_size(value) and value > 0,
    "d_image": lambda value: _is_size(value) and value > 0,
    **dict.fromkeys(Sizes._fields[1:], _is_size),  # 0 where the aligner has no use for it
    **dict.fromkeys(("trial", "data", "protocol"), _is_text),
    **dict.fromkeys(("pivot", "loss"), _is_name),
    "hyper": lambda value: isinstance(value, dict),
    "modules": _are_names,
    "scores": _are_scores,
}


def described_aligner(path: str | os.PathLike[str], about: Mapping[str, Any]) -> Aligner:
    """The aligner of a map from its description.

    Args:
        path: of the map, for messages.
        about: as in `LearnedMap`.

    Raises:
        InputError: it is not registered, or the description lacks an entry, or has one of another kind.
    """
    place = f"{path}: {ABOUT}"
    _check_kinds(place, about)
    _check_registered(path, about)
    name, languages = about["aligner"], about["languages"]
    try:
        read = settings_read(name)
        sizes = {size: about[size] for size in Sizes._fields[1:] if about.get(size, 0) or size in read}
        if wrong := [size for size, value in sizes.items() if not value]:
            raise InputError(f"{wrong[0]} is 0, but {name} needs it")
        return make_aligner(name, about["d_text"], about["d_image"], languages=len(languages), **sizes)
    except InputError as error:
        raise InputError(f"{place}: {error.in_flags}; copy or save the checkpoint again") from None


def _check_kinds(place: str, about: Mapping[str, Any]) -> None:
    """Refuse a description that lacks an entry, or has one of another kind."""
    if missing := [key for key in ("aligner", "d_text", "d_image", "languages") if key not in about]:
        raise InputError(f"{place} has no {missing[0]!r}: it is not the checkpoint of one map; give RUN/best")
    wrong = [key for key, is_kind in _KINDS.items() if key in about and not is_kind(about[key])]
    if wrong:
        shown = repr(about[wrong[0]])
        shown = f"{shown[:MAX_SHOWN]}…" if len(shown) > MAX_SHOWN else shown
        raise InputError(f"{place}: {wrong[0]} is {shown}, of another kind; copy or save the checkpoint again")


def _check_registered(path: str | os.PathLike[str], about: Mapping[str, Any]) -> None:
    """Refuse an aligner that is not registered, such as one of a plugin that is not loaded."""
    parts = re.findall(r"[^(),\s]+", about["aligner"])
    unknown = [part for part in parts if part not in ALIGNERS and part not in COMBINATORS]
    if unknown:
        modules = about.get("modules") or ["MODULE"]
        given = " ".join(f"--plugin={module}" for module in modules)
        raise InputError(
            f"{path}: aligner {unknown[0]!r} is not registered here; give {given}, which defines it, or the path of "
            f"its .py file (in Python: ccalign_jax.load_plugin({modules[0]!r}))"
        )

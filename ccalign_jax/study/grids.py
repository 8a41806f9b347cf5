"""Grids checked: the numbers that a sweep crosses, built in or from a YAML file."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ccalign_jax.aligners import canonical_name
from ccalign_jax.errors import InputError
from ccalign_jax.grids import GRIDS, Block
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import PIVOTS
from ccalign_jax.settings import LARGEST, SETTINGS
from ccalign_jax.study.grid_file import NO_GRID, Setting, read_grid_file, scalar
from ccalign_jax.training import Hyper, Recipe

__all__ = ["CHOICES", "FILTERS", "NUMBERS", "SIZES", "load_grid", "parse_settings"]

NUMBERS = Hyper._fields
CHOICES = tuple(field.name for field in dataclasses.fields(Recipe) if field.name != "terms")
FILTERS = ("pivots", "aligners", "losses")
SIZES = tuple(name for name, setting in SETTINGS.items() if setting.is_size)


def load_grid(grid: str | os.PathLike[str] | Sequence[Mapping[str, Any]]) -> list[Block]:
    """The blocks of a grid, checked, every setting as a list of values.

    Args:
        grid: a name in `GRIDS`, a YAML file with a list of blocks, or the blocks themselves.

    Raises:
        InputError: an unknown grid, or a mistake in a block, by its number and key; in a file by its line, too.

    Example:
        >>> load_grid([{"temperature": 0.05, "aligners": "residual"}])
        [{'temperature': [0.05], 'aligners': ['residual']}]
    """
    if not isinstance(grid, str | os.PathLike):
        blocks = _settings("grid", grid)
    elif str(grid) in GRIDS:
        blocks = _settings(str(grid), GRIDS[str(grid)][1])
    elif Path(grid).is_file():
        blocks = read_grid_file(Path(grid))
    else:
        raise InputError(
            f"unknown grid {str(grid)!r}, and no such file; there are {', '.join(GRIDS)}, or a YAML file (--grid=list)"
        )
    return [{setting.key: _checked_values(setting) for setting in block} for block in blocks]


def parse_settings(settings: Sequence[str]) -> Block:
    """`["temperature=0.01,0.03"]` as a block that overrides every block of a grid.

    Raises:
        InputError: an unknown name or an impossible value.

    Example:
        >>> parse_settings(["temperature=0.01,0.03"])
        {'temperature': [0.01, 0.03]}
    """
    parsed: Block = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"--hyper={setting}: write NAME=VALUE or NAME=VALUE,VALUE")
        if key in FILTERS:
            raise InputError(f"--hyper={setting}: {key} are not a setting; choose them with a flag of their own")
        if key in parsed:
            raise InputError(f"--hyper={setting}: {key} is given twice; write {key}=VALUE,VALUE")
        parsed[key] = _checked_values(_setting(f"--hyper={setting}", key, [scalar(part) for part in text.split(",")]))
    return parsed


def _settings(source: str, blocks: Sequence[Mapping[str, Any]]) -> list[list[Setting]]:
    """Blocks that stand in no file."""
    blocks = list(blocks)
    if not blocks or not all(isinstance(block, Mapping) for block in blocks):
        raise InputError(f"{source}: {NO_GRID}")
    return [
        [_setting(f"{source}: block {number}", str(key), value) for key, value in block.items()]
        for number, block in enumerate(blocks, start=1)
    ]


def _setting(place: str, key: str, value: Any) -> Setting:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return Setting(key, place, values, [place] * len(values))


def _checked_values(setting: Setting) -> list[Any]:
    key = setting.key
    if key not in NUMBERS + CHOICES + FILTERS:
        known = ", ".join(NUMBERS + CHOICES)
        raise InputError(f"{setting.place}: unknown hyper-parameter {key!r}; there are {known}")
    if not setting.values:
        raise InputError(f"{setting.place}: {key} is an empty list; give at least one value")
    check = _known_name if key in FILTERS else _checked
    return [check(place, key, value) for place, value in zip(setting.places, setting.values, strict=True)]


def _known_name(source: str, key: str, value: Any) -> str:
    """A name that a block may ask for, in its one spelling; a typing error would match nothing, silently."""
    name = str(value)
    if key == "aligners":
        try:
            return canonical_name(name)
        except InputError as error:
            raise InputError(f"{source}: {error}") from None
    known: Mapping[str, Any] = PIVOTS if key == "pivots" else LOSSES
    if (name.partition(":")[0] if key == "pivots" else name) not in known:
        raise InputError(f"{source}: unknown name {name!r} among {key}; there are {', '.join(known)}")
    return name


def _checked(source: str, key: str, value: Any) -> Any:
    setting = SETTINGS[key]
    if isinstance(setting.default, bool) or setting.words:
        if not setting.takes(value):
            raise InputError(f"{source}: {key} is {value!r}; it must be {setting.allowed}")
        return value
    if isinstance(value, str):
        value = scalar(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf:
        raise InputError(f"{source}: {key} is {value!r}; it must be a finite number")
    if not setting.is_size and abs(value) > LARGEST:
        raise InputError(f"{source}: {key} is too large; it must be at most {LARGEST:g}")
    if not setting.takes(value):
        raise InputError(f"{source}: {key} is {value!r}; it must be {setting.allowed}")
    return int(value) if setting.is_size else float(value)

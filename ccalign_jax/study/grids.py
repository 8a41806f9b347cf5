"""Grids, built in or from YAML files, and their checks: the settings that a sweep crosses."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import yaml

from ccalign_jax.aligners import canonical_name
from ccalign_jax.errors import InputError, check_path, reason, suggest
from ccalign_jax.grids import GRIDS, Block
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import PIVOTS
from ccalign_jax.settings import SETTINGS, scalar
from ccalign_jax.training import Hyper, Recipe

__all__ = ["CHOICES", "FILTERS", "NUMBERS", "SIZES", "load_grid", "parse_settings"]

NUMBERS = Hyper._fields
CHOICES = tuple(field.name for field in dataclasses.fields(Recipe) if field.name != "terms")
FILTERS = ("pivots", "aligners", "losses")
SIZES = tuple(name for name, setting in SETTINGS.items() if setting.is_size)
NO_GRID = "a grid is a list of blocks, each a mapping such as 'temperature: [0.03, 0.07]'"
LIST, MAPPING, MERGE, NULL, BOOL, INT, FLOAT = (
    f"tag:yaml.org,2002:{kind}" for kind in ("seq", "map", "merge", "null", "bool", "int", "float")
)


class _Loader(yaml.SafeLoader):
    """Reads scalars as YAML 1.2 does: in 1.1, `1:30` is 90, `010` is 8 and `on` is true."""

    yaml_implicit_resolvers: ClassVar = {}


for _tag, _pattern, _first in (
    (MERGE, "<<", "<"),
    (NULL, "~|null|Null|NULL|", ["~", "n", "N", ""]),
    (BOOL, "true|True|TRUE|false|False|FALSE", "tTfF"),
    (FLOAT, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), list(_first))
for _tag in (INT, FLOAT):
    _Loader.add_constructor(_tag, lambda loader, node: scalar(node.value))


class Entry(NamedTuple):
    """One key of a block.

    Attributes:
        key: its name.
        place: where it stands, to begin a message with.
        values: one or more, as written.
        places: where each value stands.
    """

    key: str
    place: str
    values: list[Any]
    places: list[str]


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
        blocks = _entries("grid", grid)
    elif str(grid) in GRIDS:
        blocks = _entries(str(grid), GRIDS[str(grid)][1])
    else:
        check_path("--grid=", grid)
        if not Path(grid).is_file():
            raise InputError(
                f"unknown grid {str(grid)!r}, and no such YAML file; {suggest(str(grid), GRIDS)} (--grid=list)"
            )
        blocks = _read_file(Path(grid))
    return [{entry.key: _checked_values(entry) for entry in block} for block in blocks]


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
        parsed[key] = _checked_values(_entry(f"--hyper={setting}", key, [scalar(part) for part in text.split(",")]))
    return parsed


def _entries(source: str, blocks: Sequence[Mapping[str, Any]]) -> list[list[Entry]]:
    """Blocks that stand in no file."""
    blocks = list(blocks)
    if not blocks or not all(isinstance(block, Mapping) for block in blocks):
        raise InputError(f"{source}: {NO_GRID}")
    return [
        [_entry(f"{source}: block {number}", str(key), value) for key, value in block.items()]
        for number, block in enumerate(blocks, start=1)
    ]


def _entry(place: str, key: str, value: Any) -> Entry:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return Entry(key, place, values, [place] * len(values))


def _checked_values(entry: Entry) -> list[Any]:
    key = entry.key
    if key not in NUMBERS + CHOICES + FILTERS:
        raise InputError(f"{entry.place}: unknown hyper-parameter {key!r}; {suggest(key, NUMBERS + CHOICES)}")
    if not entry.values:
        raise InputError(f"{entry.place}: {key} is an empty list; give at least one value")
    each = zip(entry.places, entry.values, strict=True)
    if key in FILTERS:
        return [_known_name(place, key, value) for place, value in each]
    return [SETTINGS[key].checked(f"{place}: {key}", value) for place, value in each]


def _known_name(source: str, key: str, value: Any) -> str:
    """A name that a block may ask for, in its one spelling; a typing error would match nothing, silently."""
    name = str(value)
    if key == "aligners":
        try:
            return canonical_name(name)
        except InputError as error:
            raise InputError(f"{source}: {error.in_flags}") from None
    known: Mapping[str, Any] = PIVOTS if key == "pivots" else LOSSES
    if (name.partition(":")[0] if key == "pivots" else name) not in known:
        raise InputError(f"{source}: unknown name {name!r} among {key}; {suggest(name, known)}")
    return name


def _read_file(path: Path) -> list[list[Entry]]:
    """The blocks of a YAML file; names and numbers are not looked at.

    Raises:
        InputError: a file that cannot be read, is no YAML or no list of blocks, or a block with a key twice; by line.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}:{line}: not YAML: a byte that is not UTF-8; save the file as UTF-8") from None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.SequenceNode) or root.tag != LIST or not root.value:
            raise InputError(f"{path}{'' if root is None else f':{_line(root)}'}: {NO_GRID}")
        return [_block(loader, path, number, node) for number, node in enumerate(root.value, start=1)]
    except RecursionError:
        raise InputError(f"{path}: nested too deeply, or within itself; {NO_GRID}") from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise InputError(f"{path}:{line}: not YAML: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}" if mark is None else f"{path}:{mark.line + 1}"
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise InputError(f"{place}: not YAML: {' '.join(reason.split())}") from None


def _block(loader: yaml.SafeLoader, path: Path, number: int, block: yaml.Node) -> list[Entry]:
    def place(node: yaml.Node) -> str:
        return f"{path}:{_line(node)}: block {number}"

    found = []
    for name, (key, value) in _pairs(place, block, {}).items():
        nodes = value.value if isinstance(value, yaml.SequenceNode) and value.tag == LIST else [value]
        for node in nodes:
            if not isinstance(node, yaml.ScalarNode):
                raise InputError(f"{place(node)}: {name} has a list or a mapping for a value; give numbers or words")
        values = [_built(loader, place(node), node) for node in nodes]
        found.append(Entry(name, place(key), values, [place(node) for node in nodes]))
    return found


Pairs = dict[str, tuple[yaml.Node, yaml.Node]]


def _pairs(place: Callable[[yaml.Node], str], block: yaml.Node, known: dict[int, Pairs]) -> Pairs:
    """Key and value nodes by name; the block's own override those merged by `<<: *other`."""
    if not isinstance(block, yaml.MappingNode) or block.tag != MAPPING:
        raise InputError(f"{place(block)}: {NO_GRID}")
    if id(block) in known:
        return known[id(block)]
    own, merged = Pairs(), Pairs()
    for key, value in block.value:
        if key.tag == MERGE:
            for other in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                merged = _pairs(place, other, known) | merged
            continue
        name = key.value if isinstance(key, yaml.ScalarNode) else "[…]"
        if name in own:
            raise InputError(f"{place(key)}: {name} is given twice, first in line {_line(own[name][0])}; keep one")
        own[name] = key, value
    known[id(block)] = merged | own
    return known[id(block)]


def _built(loader: yaml.SafeLoader, place: str, node: yaml.Node) -> Any:
    try:
        return loader.construct_object(node, deep=True)
    except (ValueError, LookupError, AttributeError, TypeError) as error:  # a tag that does not suit the text
        raise InputError(f"{place}: not YAML: {reason(error)}; give numbers or words, without a tag") from None


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1

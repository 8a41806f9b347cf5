"""Grids in YAML: the blocks of a file as they stand, with the line of every value."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import yaml

from ccalign_jax.errors import InputError

__all__ = ["NO_GRID", "Setting", "read_grid_file", "scalar"]

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


class Setting(NamedTuple):
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


def read_grid_file(path: Path) -> list[list[Setting]]:
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
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise InputError(f"{place}: not YAML: {' '.join(said.split())}") from None


def scalar(text: str) -> Any:
    """A number, true or false if the text is one, else the text.

    Example:
        >>> scalar("3"), scalar("1e-3"), scalar("True"), scalar("1:30")
        (3, 0.001, True, '1:30')
    """
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            pass
    return {"true": True, "false": False}.get(text.lower(), text)


def _block(loader: yaml.SafeLoader, path: Path, number: int, block: yaml.Node) -> list[Setting]:
    def place(node: yaml.Node) -> str:
        return f"{path}:{_line(node)}: block {number}"

    found = []
    for name, (key, value) in _pairs(place, block, {}).items():
        nodes = value.value if isinstance(value, yaml.SequenceNode) and value.tag == LIST else [value]
        for node in nodes:
            if not isinstance(node, yaml.ScalarNode):
                raise InputError(f"{place(node)}: {name} has a list or a mapping for a value; give numbers or words")
        values = [_built(loader, place(node), node) for node in nodes]
        found.append(Setting(name, place(key), values, [place(node) for node in nodes]))
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
    except ValueError as error:  # a date that there is not
        raise InputError(f"{place}: not YAML: {error}") from None


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1

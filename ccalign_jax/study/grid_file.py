"""Grids in YAML: the blocks of a file as they stand, with the line of every value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ccalign_jax.errors import InputError

__all__ = ["NO_GRID", "Setting", "read_grid_file"]

NO_GRID = "a grid is a list of blocks, each a mapping such as 'temperature: [0.03, 0.07]'"
LIST, MAPPING, MERGE = (f"tag:yaml.org,2002:{kind}" for kind in ("seq", "map", "merge"))


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
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.SequenceNode) or root.tag != LIST or not root.value:
            raise InputError(f"{path}{'' if root is None else f':{_line(root)}'}: {NO_GRID}")
        return [_block(loader, path, number, node) for number, node in enumerate(root.value, start=1)]
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise InputError(f"{path}:{line}: not YAML: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}" if mark is None else f"{path}:{mark.line + 1}"
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise InputError(f"{place}: not YAML: {' '.join(said.split())}") from None


def _block(loader: yaml.SafeLoader, path: Path, number: int, block: yaml.Node) -> list[Setting]:
    if not isinstance(block, yaml.MappingNode) or block.tag != MAPPING:
        raise InputError(f"{path}:{_line(block)}: block {number}: {NO_GRID}")

    def place(node: yaml.Node) -> str:
        return f"{path}:{_line(node)}: block {number}"

    first: dict[str, int] = {}
    for key, _ in block.value:
        if key.tag != MERGE:
            name = str(_built(loader, place(key), key))
            if name in first:
                raise InputError(f"{place(key)}: {name} is given twice, first in line {first[name]}; keep one")
            first[name] = _line(key)
    loader.flatten_mapping(block)  # `<<: *other`, whose keys come first and are overridden
    found: dict[str, Setting] = {}
    for key, value in block.value:
        name = str(_built(loader, place(key), key))
        nodes = value.value if isinstance(value, yaml.SequenceNode) and value.tag == LIST else [value]
        values = [_built(loader, place(node), node) for node in nodes]
        found[name] = Setting(name, place(key), values, [place(node) for node in nodes])
    return list(found.values())


def _built(loader: yaml.SafeLoader, place: str, node: yaml.Node) -> Any:
    try:
        return loader.construct_object(node, deep=True)
    except ValueError as error:  # a date that there is not
        raise InputError(f"{place}: not YAML: {error}") from None


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1

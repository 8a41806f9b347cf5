"""Strange values, and changes of bytes, for the readers that are fuzzed."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Random = np.random.Generator
Read = Callable[[], None]
Make = Callable[[Path, Random], Read]

TEXTS = ("", "a", "en", "../../MARK", "/etc/passwd", "\x00", "ä" * 9, "\u2028", "\ud800", "1e999", "NaN", "null", "0")
TEXTS += ("-1", "x" * 3000, "%s", "{}", "a,b", '"', "\x1b[31m", "key", "٣", "9" * 5000)
VALUES: tuple[Any, ...] = (*TEXTS, None, True, 0, -1, 2**63, 1e400, float("nan"), 0.5, [], {}, [[]], [None], {"a": [1]})


class Payload:
    """Writes a file, if a pickle of it is loaded."""

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, ("MARK", "w")


def pick(random: Random, values: Sequence[Any]) -> Any:
    return values[random.integers(len(values))]


def change_bytes(content: bytes, random: Random) -> bytes:
    """Up to four pieces replaced, dropped, repeated or exchanged."""
    data = bytearray(content)
    for _ in range(random.integers(1, 5)):
        at, size = int(random.integers(len(data) + 1)), int(2 ** random.uniform(0, 6))
        kind = random.integers(5)
        if kind == 0:
            data[at : at + size] = random.bytes(size)
        elif kind == 1:
            del data[at : at + size]
        elif kind == 2:
            data[at:at] = data[at : at + size] * int(random.integers(1, 9))
        elif kind == 3:
            data[at : at + 1] = bytes([pick(random, (0, 1, 127, 128, 255, 10, 34, 44, 92))])
        else:
            del data[at:]
    return bytes(data)


def change_files(folder: Path, random: Random) -> None:
    """Change bytes of one file of the folder, in half of the cases."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    if files and random.random() < 0.5:
        file = pick(random, files)
        file.write_bytes(change_bytes(file.read_bytes(), random))


def strange(value: Any, random: Random) -> Any:
    """A nest of JSON with one value replaced."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        key = pick(random, sorted(value))
        if random.random() < 0.1:
            return {(pick(random, TEXTS) if name == key else name): each for name, each in value.items()}
        if random.random() < 0.1:
            return {name: each for name, each in value.items() if name != key}
        return {**value, key: strange(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.85:
        at = int(random.integers(len(value)))
        return [*value[:at], strange(value[at], random), *value[at + 1 :]]
    return pick(random, VALUES)


def maybe_strange(value: Any, random: Random) -> Any:
    return strange(value, random) if random.random() < 0.7 else value


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")

"""Reads random data and flags: each must be read with its own numbers, or refused in one line that names the file.

`python tests/stress/fuzz.py 100000` prints counts by reader, and ends with status 1 if any case ended otherwise: in
another exception, after more than `SECONDS`, with more than `MEMORY`, with a file written outside, or with code of the
data run. `--reader=NAME,NAME` takes readers whose names begin so, `--seed=S` other cases. The same cases come each
time. Ctrl-C prints the counts so far; `--first=N` goes on from case N, and `1 --first=N` tries that one again.
"""

import argparse
import contextlib
import json
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import fuzz_flags
import fuzz_maps
import fuzz_runs
import fuzz_sets
import fuzz_sources
import numpy as np

from ccalign_jax.errors import InputError

SECONDS, MEMORY = 20, 1 << 20  # the latter in KiB, as the system counts
LONGEST = 4000  # letters of a message
GOOD = ("read", "refused")
OUT_OF_PLACE = "MARK"  # what hostile data try to write


class Hang(BaseException):
    """A case took too long; no `except Exception` on its way catches it."""


class Reader(NamedTuple):
    """Something that reads what users give.

    Attributes:
        name: in the counts.
        make: writes a random input into an empty folder; returns what reads it and checks the result.
        names_file: whether a refusal must name the folder of the input.
    """

    name: str
    make: Callable[[Path, np.random.Generator], Callable[[], None]]
    names_file: bool = True


FILES = (fuzz_sets, fuzz_sources, fuzz_maps, fuzz_runs)
READERS = [
    *(Reader(name, make) for files in FILES for name, make in files.READERS.items()),
    *(Reader(name, make, names_file=False) for name, make in fuzz_flags.READERS.items()),
]


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raise `Hang` after some seconds."""

    def stop(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(reader: Reader, place: Path, random: np.random.Generator) -> str:
    """What one case comes to; its input stays in `place/in`."""
    folder = place / "in"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    read = reader.make(folder, random)
    before, there = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, sorted(place.rglob("*"))
    try:
        with limited():
            read()
        found = "read"
    except InputError as error:
        found = refusal(error.in_flags, folder if reader.names_file else None)
    except Hang:
        found = f"HANG: more than {SECONDS} s"
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        found = f"{type(error).__name__}: {str(error)[:200]!r} at {Path(at.filename).name}:{at.lineno}"
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before > MEMORY:
        found = f"MEMORY: after {found}"
    if sorted(place.rglob("*")) != there or Path(OUT_OF_PLACE).exists():
        found = f"WROTE: after {found}"
    return found


def refusal(message: str, folder: Path | None) -> str:
    """Whether a message is one line, and names the file."""
    if len(message.splitlines()) != 1 or not message.isprintable():
        return f"NOT ONE LINE: {message[:200]!r}"
    if len(message) > LONGEST:
        return f"LONG: {message[:200]!r}"
    return "refused" if folder is None or str(folder) in message else f"WITHOUT ITS NAME: {message[:200]!r}"


def fuzz(count: int, *, reader: str = "", seed: int = 0, first: int = 0) -> Iterator[tuple[str, str, int]]:
    """So many cases of all readers in turn, from case `first` on: reader, outcome and number of each."""
    chosen = [one for one in READERS if one.name.startswith(tuple(reader.split(",")))]
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        for number in range(first, first + count):
            one = chosen[number % len(chosen)]
            yield one.name, outcome(one, Path(place), np.random.default_rng((seed, number))), number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=100_000)
    parser.add_argument("--reader", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow's and torch's, of damaged files
    counts, earliest = Counter[tuple[str, str]](), dict[tuple[str, str], int]()
    with contextlib.suppress(KeyboardInterrupt):
        for name, found, number in fuzz(given.count, reader=given.reader, seed=given.seed, first=given.first):
            counts[name, found] += 1
            earliest.setdefault((name, found), number)
    for (name, found), times in sorted(counts.items()):
        print(f"{name:<16} {times:>7}  {found}" + ("" if found in GOOD else f"  (first: case {earliest[name, found]})"))
    bad = sum(times for (_, found), times in counts.items() if found not in GOOD)
    total = json.dumps({one: sum(times for (_, found), times in counts.items() if found == one) for one in GOOD})
    print(f"{sum(counts.values())} cases, {total}, {bad} that ended otherwise")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()

"""Random values of flags: whole ones, pieces of several, and these with letters changed."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from fuzz_changes import TEXTS, pick

from ccalign_jax.aligners import ALIGNERS, canonical_name, make_aligner, settings_read
from ccalign_jax.cli.flags import as_bytes, define, given
from ccalign_jax.data import synthetic
from ccalign_jax.errors import InputError
from ccalign_jax.grids import GRIDS
from ccalign_jax.options import AlignConfig, SweepConfig
from ccalign_jax.pivots import PIVOTS, make_pivot
from ccalign_jax.settings import SETTINGS
from ccalign_jax.study.grids import load_grid, parse_settings
from ccalign_jax.study.inputs import prepare_data, read_data
from ccalign_jax.study.plan import plan_folds

Random = np.random.Generator
PIECES = (
    "(",
    ")",
    ",",
    ":",
    "=",
    " ",
    "-",
    "dual(",
    "per_language(",
    "text:",
    "en",
    "de",
    "1e999",
    "1_0",
    "0x1",
    "inf",
)
NUMBERS = ("0", "1", "2", "3", "-1", "5", "64", "1e3", "nan", "999999999999999999999", "0.5", "1e-3", "4294967296", "")
DATA = synthetic(60, languages=("de", "en"), dimensions=8, seed=1)


def words(random: Random, known: list[str]) -> str:
    """Some of the known words, perhaps with others between them."""
    pool = (*known, *known, *PIECES, *TEXTS) if random.random() < 0.7 else known
    return "".join(pick(random, pool) for _ in range(random.integers(1, 6)))


def letters(text: str, random: Random) -> str:
    """A text with a letter changed, in a third of the cases."""
    if random.random() > 0.3 or not text:
        return text
    at = int(random.integers(len(text)))
    return text[:at] + pick(random, ("", "x", ",", "(", "\n", "é", "\x00", text[at] * 3)) + text[at + 1 :]


def read_hyper(random: Random) -> None:
    names = [*SETTINGS, "aligners", "x"]
    settings = []
    for _ in range(random.integers(1, 3)):
        values = ",".join(
            pick(random, (*NUMBERS, *TEXTS, "true", "mean", "union")) for _ in range(random.integers(1, 3))
        )
        settings.append(letters(f"{pick(random, names)}={values}", random))
    for name, several in parse_settings(settings).items():
        for value in several:
            assert SETTINGS[name].takes(value) and (isinstance(value, str) or math.isfinite(value))


def read_aligners(random: Random) -> None:
    name = letters(words(random, list(ALIGNERS)), random)
    if random.random() < 0.5:
        name = pick(random, ("dual({})", "per_language({})", "dual(per_language({}),shift)")).replace("{}", name)
    found = canonical_name(name)
    assert canonical_name(found) == found and settings_read(found) <= SETTINGS.keys()
    make_aligner(found, 4, 4, languages=2, hidden=4, rank=2, features=4, experts=2)


def read_pivot(random: Random) -> None:
    make_pivot(letters(words(random, [*PIVOTS, "text:en", "auxiliary:de"]), random), ("de", "en"))


def read_grid(random: Random) -> None:
    load_grid(letters(words(random, list(GRIDS)), random))


def read_block(random: Random) -> None:
    """A grid in memory."""
    values: tuple[Any, ...] = (*TEXTS, *NUMBERS, 1, 0.5, True, None, [], {}, [1, 2], b"x", math.nan, 10**400, (1,), {1})
    names = (*SETTINGS, "pivots", "aligners", "losses", 3, None, "")
    load_grid([{pick(random, names): pick(random, values) for _ in range(random.integers(3))} for _ in range(2)])


def read_memory(random: Random) -> None:
    text = letters(pick(random, NUMBERS) + pick(random, ("", "MiB", "GiB", "KiB", " GiB", "gib")), random)
    assert 1 <= as_bytes(text) <= 1 << 50


def flag_reader(config: type[SweepConfig] | type[AlignConfig]) -> Callable[[Random], None]:
    """Flags of a command, as it parses them; what absl refuses the command prints as one line."""

    def read(random: Random) -> None:
        known = flags.FlagValues()
        define(config, known=known)
        known.set_gnu_getopt(True)
        pool = (*NUMBERS, *TEXTS, "nested", "seed", "official", "kfold", "all", "en", "de,en", "image", "true")
        names = pick(random, (list(known), ["folds", "seed", "limit", "inner_folds", "repeats", "split", "languages"]))
        argv = ["ccalign"]
        for _ in range(random.integers(1, 4)):
            name = pick(random, [name for name in names if name in known] or list(known))
            argv.append(letters(f"--{name}={letters(pick(random, pool), random)}", random))
        try:
            known(argv)
        except flags.Error as error:
            raise InputError("; ".join(str(error).splitlines())) from None
        found = config(**{"data": "synthetic", **given(config, known)})
        if isinstance(found, SweepConfig):
            data = prepare_data(read_data(DATA, languages=found.languages), found)
            for fold in plan_folds(data, found):
                assert len(np.intersect1d(fold.train, fold.test)) == 0

    return read


def alone(read: Callable[[Random], None]) -> Callable[[Path, Random], Callable[[], None]]:
    return lambda folder, random: lambda: read(random)


READERS = {
    "--hyper": alone(read_hyper),
    "--aligners": alone(read_aligners),
    "--pivot": alone(read_pivot),
    "--grid": alone(read_grid),
    "grid=[...]": alone(read_block),
    "--memory": alone(read_memory),
    "sweep": alone(flag_reader(SweepConfig)),
    "align": alone(flag_reader(AlignConfig)),
}

"""A finished run, read back from its folder: its choices, its folds, and how its maps ranked what they report."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Int

from ccalign_jax.data.npz import read_npz
from ccalign_jax.errors import InputError
from ccalign_jax.measurement.measure import DIRECTIONS, IDENTITY, Measurement, measure
from ccalign_jax.metrics import Ranks
from ccalign_jax.study.config import SweepConfig
from ccalign_jax.study.file_names import file_name, plain_name
from ccalign_jax.study.folder import (
    CONFIG,
    SUMMARY,
    RunFolder,
    read_config,
    read_summary,
    run_digest,
)
from ccalign_jax.training import LanguageRanks, Part

__all__ = ["SELECTED", "FinishedRun", "RankedFolds", "read_run"]

SELECTED = "selected"
MAX_NAMES = 4  # trials that a mistake is answered with
FORMER_PARTS = {"report": "test", "select": "validation"}  # of folds, in folders of former versions

Arrays = Mapping[str, np.ndarray]


class RankedFolds(NamedTuple):
    """How one map, or what each fold selected, ranked the images that the folds report.

    Attributes:
        per_fold: the trial that each fold has, or "identity".
        folds: measured on the test part of each.
    """

    per_fold: list[str]
    folds: list[Measurement]


class FinishedRun(NamedTuple):
    """What a run's folder says.

    Attributes:
        path: the folder.
        config: what was asked for.
        summary: what was found.
        plan: the arrays of `folds.npz`.
        digest: of choices, data and folds, which is stored in each file of `ranks/`.
    """

    path: Path
    config: SweepConfig
    summary: dict[str, Any]
    plan: Arrays
    digest: str

    def rows(self, part: Literal["train", "test"]) -> list[Int[np.ndarray, " s"]]:
        """The images that each fold trains on or reports, ascending."""
        return [self.plan[f"{fold}/{part}"] for fold in range(self.summary["folds"])]

    @property
    def test_share(self) -> float:
        """Images that are reported over images that are fitted, the mean over folds."""
        parts = zip(self.rows("test"), self.rows("train"), strict=True)
        return float(np.mean([len(report) / len(train) for report, train in parts]))

    def per_fold(self, trial: str) -> list[str]:
        """The trial that each fold has: what it selected, or one name for all.

        Raises:
            InputError: no trial of that name.
        """
        if trial == SELECTED:
            return self.summary["selected"]["per_fold"]
        names = [one["name"] for one in self.summary["trials"]]
        if trial not in (IDENTITY, *names):
            near = difflib.get_close_matches(trial, names, n=MAX_NAMES, cutoff=0) if trial else names[:MAX_NAMES]
            some = "there are" if len(names) <= MAX_NAMES else f"of {len(names)}, all in results.csv, the nearest are"
            raise InputError(f"{self.path}: no trial {trial!r}; {some} {', '.join([*near, IDENTITY])} and {SELECTED}")
        return [trial] * self.summary["folds"]

    def holdouts(self, trial: str = SELECTED) -> RankedFolds:
        """What stands in `ranks/` of a trial, of "identity", or of what each fold selected.

        Raises:
            InputError: no trial of that name, or its file is damaged, or of another trial or run.
        """
        languages = self.summary["data"]["languages"]
        found = RankedFolds(self.per_fold(trial), [])
        files = {name: self._ranks_file(name) for name in found.per_fold}
        stored = {name: self._read_ranks(file, name) for name, file in files.items()}
        for fold, (name, images) in enumerate(zip(found.per_fold, self.rows("test"), strict=True)):
            try:
                ranks, part = _fold_ranks(stored[name], fold, images, languages)
            except (KeyError, ValueError, IndexError):
                raise _damaged(files[name]) from None
            found.folds.append(measure(ranks, part, languages))
        return found

    def _ranks_file(self, trial: str) -> Path:
        file, older = (self.path / "ranks" / f"{name}.npz" for name in (file_name(trial), plain_name(trial)))
        return older if older.is_file() and not file.is_file() else file

    def _read_ranks(self, file: Path, trial: str) -> Arrays:
        """The ranks of a trial, after a check that the file belongs to it and to this run."""
        stored = _read_arrays(file)
        if "trial" not in stored:  # an older version's
            names = [one["name"] for one in self.summary["trials"]]
            if sum(plain_name(name) == plain_name(trial) for name in names) > 1:
                raise InputError(
                    f"{file}: shared by several trials of an older version; sweep again into another --out"
                )
        elif str(stored["trial"]) != trial:
            raise InputError(f"{file}: holds the ranks of {stored['trial']}, not of {trial}; rename it")
        elif str(stored["run"]) != self.digest:
            raise _damaged(file)
        return stored


def read_run(path: str | os.PathLike[str]) -> FinishedRun:
    """Read the folder of a finished sweep.

    Args:
        path: what `--out` was.

    Raises:
        InputError: not a finished sweep's folder, one that an older version made, or a damaged one.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give the folder of a finished sweep")
    stored = path if (path / SUMMARY).is_file() else RunFolder(path).config_path.parent
    config, summary = SweepConfig.read(stored / CONFIG), read_summary(path)
    if summary is None:
        raise InputError(f"{path}: the sweep is not finished; finish it with sweep.py --out={path} --resume")
    if not (path / "folds.npz").is_file():
        raise InputError(f"{path}: no folds.npz, which older versions did not write; sweep again into another --out")
    stored_plan = _read_arrays(path / "folds.npz")
    plan = {_present_name(name): values for name, values in stored_plan.items()}
    wanted = {f"{fold}/{part}" for fold in range(summary["folds"]) for part in ("train", "test")}
    if not {"keys", "groups", *wanted} <= plan.keys():
        raise _damaged(path / "folds.npz")
    return FinishedRun(path, config, summary, plan, run_digest(read_config(path / CONFIG), stored_plan))


def _fold_ranks(
    stored: Arrays, fold: int, images: Int[np.ndarray, " s"], languages: Sequence[str]
) -> tuple[LanguageRanks, Part]:
    """The ranks of one fold as they were when its map was scored, and of its part what a tally looks at."""
    ranks, owners = [], []
    for language in languages:
        (captions, owner), (rows, place) = (
            _queries(stored, f"{direction}/{language}", fold, images) for direction in DIRECTIONS
        )
        whole = Ranks(*(np.zeros(len(images), leaf.dtype) for leaf in rows))  # images without a caption stay no queries
        for leaf, values in zip(whole, rows, strict=True):
            leaf[place] = values
        ranks.append((captions, whole))
        owners.append(owner)
    return tuple(ranks), Part(images, (), tuple(owners), ())


def _queries(stored: Arrays, where: str, fold: int, images: Int[np.ndarray, " s"]) -> tuple[Ranks, np.ndarray]:
    """The ranks of a fold's queries, and the place of each one's image among those reported."""
    here = stored[f"{where}/fold"] == fold
    rows = stored[f"{where}/image"][here]
    place = np.searchsorted(images, rows)
    if not np.array_equal(images[place], rows):
        raise ValueError("ranks of images that the fold does not report")
    return Ranks(*(stored[f"{where}/{leaf}"][here] for leaf in Ranks._fields)), place


def _present_name(name: str) -> str:
    """The name of an array of `folds.npz`; former versions called parts of a fold otherwise."""
    folder, _, part = name.rpartition("/")
    return f"{folder}/{FORMER_PARTS.get(part, part)}" if folder else name


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_npz(path)
    except InputError:
        raise _damaged(path) from None


def _damaged(path: Path) -> InputError:
    return InputError(f"{path}: missing, damaged, or of another run; sweep again into another --out")

"""A finished sweep read from its folder: its options, its folds, and the ranks of their test parts."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Int

from ccalign_jax.data.json_files import read_json
from ccalign_jax.data.npz import read_npz
from ccalign_jax.errors import InputError
from ccalign_jax.manifests import check_file
from ccalign_jax.measurement.measure import DIRECTIONS, IDENTITY, Measurement, measure
from ccalign_jax.metrics import Ranks
from ccalign_jax.options import SweepConfig
from ccalign_jax.runs.output import file_name, plain_name
from ccalign_jax.runs.kinds import SWEEP_FOLDER, read_config
from ccalign_jax.runs.store import Store
from ccalign_jax.training import LanguageRanks, Part

__all__ = [
    "EXAMPLES", "SELECTED", "FinishedRun", "data_of_run", "read_examples", "read_run", "read_summary", "run_digest",
]  # fmt: skip

SELECTED = "selected"
EXAMPLES = "examples.json"
MAX_NAMES = 4  # trials that a message names
FORMER_PARTS = {"report": "test", "select": "validation"}  # of folds, in folders of former versions

Arrays = Mapping[str, np.ndarray]


class FinishedRun(NamedTuple):
    """The content of a run's folder.

    Attributes:
        path: the folder.
        config: its options.
        summary: the content of `summary.json`.
        plan: the arrays of `folds.npz`.
        digest: of options, data and folds, which is stored in each file of `ranks/`.
    """

    path: Path
    config: SweepConfig
    summary: dict[str, Any]
    plan: Arrays
    digest: str

    def rows(self, part: Literal["train", "test"]) -> list[Int[np.ndarray, " s"]]:
        """The images that each fold trains on or tests on, ascending."""
        return [self.plan[f"{fold}/{part}"] for fold in range(self.summary["folds"])]

    @property
    def test_share(self) -> float:
        """Test images over training images, the mean over folds."""
        parts = zip(self.rows("test"), self.rows("train"), strict=True)
        return float(np.mean([len(test) / len(train) for test, train in parts]))

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

    def measured_folds(self, trial: str = SELECTED) -> list[Measurement]:
        """The test part of each fold, measured from `ranks/`: of a trial, "identity", or what each fold selected.

        Raises:
            InputError: no trial of that name, or its file is damaged, or of another trial or run.
        """
        names, found = self.per_fold(trial), []
        languages = self.summary["data"]["languages"]
        files = {name: self._ranks_file(name) for name in names}
        stored = {name: self._read_ranks(file, name) for name, file in files.items()}
        for fold, (name, images) in enumerate(zip(names, self.rows("test"), strict=True)):
            try:
                ranks, part = _fold_ranks(stored[name], fold, images, languages)
            except (KeyError, ValueError, IndexError):
                raise _damaged(files[name]) from None
            found.append(measure(ranks, part, languages))
        return found

    def _ranks_file(self, trial: str) -> Path:
        file, older = (self.path / "ranks" / f"{name}.npz" for name in (file_name(trial), plain_name(trial)))
        return older if older.is_file() and not file.is_file() else file

    def _read_ranks(self, file: Path, trial: str) -> Arrays:
        """The ranks of a trial, after a check that the file belongs to it and to this run."""
        stored = _read_arrays(self.path, f"ranks/{file.name}")
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
    """Read the folder of a finished sweep, which `--out` was.

    Raises:
        InputError: not a finished sweep's folder, one that an older version made, or a damaged one.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give the folder of a finished sweep")
    whole = (path / SWEEP_FOLDER.marker).is_file()
    config, stored = read_config(
        path / SWEEP_FOLDER.config if whole else Store(path, SWEEP_FOLDER).config_path, SWEEP_FOLDER
    )
    summary = read_summary(path)
    if summary is None:
        raise InputError(f"{path}: the sweep is not finished; finish it with ccalign sweep --out={path} --resume")
    if not (path / "folds.npz").is_file():
        raise InputError(f"{path}: no folds.npz, which older versions did not write; sweep again into another --out")
    stored_plan = _read_arrays(path, "folds.npz")
    plan = {_present_name(name): values for name, values in stored_plan.items()}
    wanted = {f"{fold}/{part}" for fold in range(summary["folds"]) for part in ("train", "test")}
    if not {"keys", "groups", *wanted} <= plan.keys():
        raise _damaged(path / "folds.npz")
    return FinishedRun(path, config, summary, plan, run_digest(stored, stored_plan))


def data_of_run(checkpoint: str) -> str:
    """The data of the run that a checkpoint lies in.

    Raises:
        InputError: no run is there.
    """
    try:
        return str(read_json(Path(checkpoint).absolute().parent / "config.json")["config"]["data"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"--data is missing: no run beside {checkpoint} tells its data") from None


def read_summary(path: Path) -> dict[str, Any] | None:
    """The summary of a finished sweep; None without one: it is put in place last.

    Raises:
        InputError: damaged, or not of a sweep.
    """
    path /= SWEEP_FOLDER.marker
    if not path.is_file():
        return None
    try:
        summary = read_json(check_file(path.parent, path.name))
    except InputError:
        raise
    except (OSError, ValueError):
        summary = None
    if not isinstance(summary, dict) or not {"families", "selected", "best"} <= summary.keys():
        raise InputError(f"{path}: damaged, or not a sweep's; remove it to resume, or --overwrite")
    return summary


def read_examples(path: Path) -> dict[str, Any]:
    """The content of `examples.json` of a finished sweep; empty without one, as of an older version.

    Raises:
        InputError: damaged.
    """
    path = check_file(path, EXAMPLES)
    if not path.is_file():
        return {}
    try:
        found = read_json(path)
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path}: damaged; remove it, and the report shows no examples")
    return found


def run_digest(config: Mapping[str, Any], folds: Arrays) -> str:
    """SHA-256 of the content of `config.json` and `folds.npz`, which is stored in each file of `ranks/`."""
    digest = hashlib.sha256(json.dumps([config["config"], config["data_sha256"]], sort_keys=True).encode())
    for key in sorted(folds):
        digest.update(f"{key} {folds[key].shape} {folds[key].dtype.str}".encode() + folds[key].tobytes())
    return digest.hexdigest()


def _fold_ranks(
    stored: Arrays, fold: int, images: Int[np.ndarray, " s"], languages: Sequence[str]
) -> tuple[LanguageRanks, Part]:
    """The ranks of one fold, and what `measure` reads of its test part."""
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
    """The ranks of a fold's queries, and the place of each one's image in the test part."""
    here = stored[f"{where}/fold"] == fold
    rows = stored[f"{where}/image"][here]
    place = np.searchsorted(images, rows)
    if not np.array_equal(images[place], rows):
        raise ValueError("ranks of images outside the test part")
    return Ranks(*(stored[f"{where}/{leaf}"][here] for leaf in Ranks._fields)), place


def _present_name(name: str) -> str:
    """The name of an array of `folds.npz`; former versions called parts of a fold otherwise."""
    folder, _, part = name.rpartition("/")
    return f"{folder}/{FORMER_PARTS.get(part, part)}" if folder else name


def _read_arrays(folder: Path, name: str) -> dict[str, np.ndarray]:
    path = check_file(folder, name)
    try:
        return read_npz(path)
    except InputError:
        raise _damaged(path) from None


def _damaged(path: Path) -> InputError:
    return InputError(f"{path}: missing, damaged, or of another run; sweep again into another --out")

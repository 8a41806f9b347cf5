"""A folder of results of any kind read back, from its JSON files alone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ccalign_jax.errors import InputError

__all__ = [
    "ADAPTER_RESULTS",
    "CURVES_RESULTS",
    "EVALUATION_RESULTS",
    "MIGRATION_RESULTS",
    "SWEEP_RESULTS",
    "Results",
    "read_results",
]

SWEEP_RESULTS, EVALUATION_RESULTS, CURVES_RESULTS = "a sweep", "an evaluation", "curves"
MIGRATION_RESULTS, ADAPTER_RESULTS = "a migration", "a query adapter"
SUMMARY, COMPARISON = "summary.json", "comparison.json"
OTHERS = {
    "curves.json": CURVES_RESULTS,
    "migration.json": MIGRATION_RESULTS,
    "adapter.json": ADAPTER_RESULTS,
}  # by file
SCHEMA = 2  # of summaries, the newest that is read
FORMER = {"where": "subgroups", "draws": "replicates", "pair_draws": "pair_replicates"}
FORMER |= {"median_draws": "median_replicates", "holdout": "test"}


class Results(NamedTuple):
    """What a folder of results holds.

    Attributes:
        path: the folder.
        kind: `a sweep`, `an evaluation`, `curves`, `a migration` or `a query adapter`.
        file: the name of the file that the summary comes from.
        summary: its content, with the present names of keys.
        config: the content of `config.json`; empty without.
        timing: the content of `timing.json`; empty without.
        extras: the content of `examples.json`, which panels show beside the summary; empty without.
    """

    path: Path
    kind: str
    file: str
    summary: dict[str, Any]
    config: dict[str, Any]
    timing: dict[str, Any]
    extras: dict[str, Any]

    @property
    def shown(self) -> dict[str, Any]:
        """What panels get."""
        return {**self.summary, **self.extras}


def read_results(path: str | os.PathLike[str]) -> Results:
    """Read the folder of finished results.

    Raises:
        InputError: it is none, not finished, damaged, or of a newer version.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give that of a finished sweep, evaluation, curves or migration")
    file = next((name for name in (SUMMARY, *OTHERS) if (path / name).is_file()), None)
    if file is None:
        if (path / COMPARISON).is_file():
            raise InputError(f"{path}: a comparison, which has tables alone; run ccalign compare again to write them")
        raise InputError(f"{path}: no {SUMMARY}, {' or '.join(OTHERS)}: not finished, or not a folder of results")
    summary = _read(path / file)
    if OTHERS.get(file) not in (MIGRATION_RESULTS, ADAPTER_RESULTS):  # which have no former names
        summary = _renamed(summary)
    if not isinstance(schema := summary.get("schema"), int) or schema > SCHEMA:
        raise InputError(f"{path / file}: schema {schema!r}, and this version reads up to {SCHEMA}; use a newer one")
    kind = OTHERS.get(file) or (SWEEP_RESULTS if "families" in summary else EVALUATION_RESULTS)
    known = {"data"} if kind == CURVES_RESULTS else {"data", "baselines"}
    if not known <= summary.keys():
        raise InputError(f"{path / file}: damaged, or not that of {kind}; give another folder")
    config, timing, extras = (
        _read(path / name) if (path / name).is_file() else {}
        for name in ("config.json", "timing.json", "examples.json")
    )
    if "grams" in extras:
        import numpy as np

        extras["grams"] = {
            state: {name: np.asarray(rows, np.float32) for name, rows in sets.items()}
            for state, sets in extras["grams"].items()
        }
    return Results(path, kind, file, summary, config, timing, extras)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path}: damaged; give another folder, or write it again")
    return found


def _renamed(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of a former version with the present names of its keys."""
    found = {FORMER.get(key, key): value for key, value in summary.items()}
    if isinstance(statistics := found.get("statistics"), Mapping):
        found["statistics"] = {FORMER.get(key, key): value for key, value in statistics.items()}
    return found

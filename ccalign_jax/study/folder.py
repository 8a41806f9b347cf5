"""A run's folder: claimed before any work, filled result by result, completed at the end."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import platform
import shutil
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from ccalign_jax.data.json_files import read_json
from ccalign_jax.data.npz import read_npz
from ccalign_jax.errors import InputError
from ccalign_jax.study.config import SweepConfig
from ccalign_jax.study.output import whole_file, write_json
from ccalign_jax.study.output_folder import OutputFolder

__all__ = ["RunFolder", "pack_result", "read_config", "read_summary", "run_digest"]

CONFIG, SUMMARY, SLICES = "config.json", "summary.json", "slices"
REQUIRED = ("results.csv", "report.html", "tables", "ranks", "best/checkpoint.json")  # of a run without a manifest
PACKAGES = ("ccalign_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


class RunFolder(OutputFolder):
    """The files of one sweep; `None` as path keeps nothing and answers as if nothing were there."""

    def __init__(self, path: str | os.PathLike[str] | None, *, new: bool = False):
        super().__init__(path, "a sweep", SUMMARY, progress=(SLICES,), new=new)

    @property
    def config_path(self) -> Path:
        """The `config.json` of the run to resume."""
        return self._newest(CONFIG)

    def claim(self, config: SweepConfig, sha256: str, *, resume: bool, overwrite: bool) -> None:
        """Lock the folder for this run; write `config.json`.

        Raises:
            InputError: another process has the folder; it holds a run and neither `resume` nor `overwrite` is given,
                holds other files, or holds a run with other choices or other data than the one to resume.
        """
        if self.path is None:
            return
        if resume and overwrite:
            raise InputError("--resume continues the run that --overwrite deletes; give one of them")
        if resume and not self.config_path.is_file():
            raise InputError(f"{self.path}: holds no run to resume; leave --resume out")
        with self._locked():
            if not resume:
                self._new_draft(overwrite=overwrite)
            else:
                changed = config.differences(SweepConfig.read(self.config_path))
                if changed:
                    raise InputError(f"{self.path}: cannot resume, {'; '.join(changed)}; give another --out")
                if read_config(self.config_path)["data_sha256"] != sha256:
                    raise InputError(f"{self.path}: cannot resume, the data have changed; give another --out")
                if self.finished() is not None:
                    shutil.rmtree(
                        self.path / SLICES, ignore_errors=True
                    )  # left by an older version that was killed at the end
                    return
                self._reopen(CONFIG)
            write_json(self.draft / CONFIG, _config_json(config, sha256))

    def finished(self) -> dict[str, Any] | None:
        """The summary of a run that is complete, or None.

        Raises:
            InputError: a file of a complete run is missing.
        """
        if self.path is None or self.draft.exists():
            return None
        summary = read_summary(self.path)
        if summary is not None:
            files = self.files() or REQUIRED
            if missing := [name for name in files if not (self.path / name).exists()]:
                raise InputError(
                    f"{self.path}: the run is complete, but {len(missing)} of its files are missing, such as "
                    f"{missing[0]}; copy them back, or remove {SUMMARY}, too, to run it again with --resume"
                )
        return summary

    def load_result(self, name: str, like: Callable[[], PyTree]) -> PyTree | None:
        """The result of a trial's task that an earlier attempt finished, or None.

        Args:
            name: of the task.
            like: makes a tree of the same structure; called only if there is a file.
        """
        path = self._result_path(name)
        if path is None or not path.is_file():
            return None
        leaves, structure = jax.tree.flatten(like())
        try:
            stored = read_npz(path)
            found = [stored[f"leaf_{index}"] for index in range(len(leaves))]
        except (InputError, KeyError):
            return None  # damaged: run it again
        return jax.tree.unflatten(structure, found)

    def save_result(self, name: str, result: PyTree) -> None:
        """Keep the result of a task, so that a killed run can go on from here."""
        if self.path is not None:
            self.keep_result(name, pack_result(result))

    def keep_result(self, name: str, packed: bytes) -> None:
        """Keep what `pack_result` has made of the result of a task, here or elsewhere."""
        path = self._result_path(name)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, resumable=True) as file:
            file.write(packed)

    def _result_path(self, name: str) -> Path | None:
        return None if self.path is None else self.draft / SLICES / f"{name}.npz"


def read_summary(path: Path) -> dict[str, Any] | None:
    """The summary of a finished sweep; None without one: it is put in place last.

    Raises:
        InputError: damaged, or not of a sweep.
    """
    if not (path / SUMMARY).is_file():
        return None
    try:
        summary = read_json(path / SUMMARY)
    except (OSError, ValueError):
        summary = None
    if not isinstance(summary, dict) or not {"families", "selected", "best"} <= summary.keys():
        raise InputError(f"{path / SUMMARY}: damaged, or not a sweep's; remove it to resume, or --overwrite")
    return summary


def pack_result(result: PyTree) -> bytes:
    """The result of a task as an `.npz`, which `RunFolder.load_result` reads."""
    packed = io.BytesIO()
    np.savez(packed, **{f"leaf_{index}": leaf for index, leaf in enumerate(jax.tree.leaves(result))})
    return packed.getvalue()


def run_digest(config: Mapping[str, Any], folds: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of a run's choices, data and folds, which is stored in each file of `ranks/`.

    Args:
        config: the content of `config.json`.
        folds: that of `folds.npz`.
    """
    digest = hashlib.sha256(json.dumps([config["config"], config["data_sha256"]], sort_keys=True).encode())
    for key in sorted(folds):
        digest.update(f"{key} {folds[key].shape} {folds[key].dtype.str}".encode() + folds[key].tobytes())
    return digest.hexdigest()


def read_config(path: Path) -> dict[str, Any]:
    """What a run's `config.json` holds."""
    try:
        stored = read_json(path)
    except (OSError, ValueError):
        stored = None
    if not isinstance(stored, dict) or not {"config", "data_sha256"} <= stored.keys():
        raise InputError(f"{path}: not a sweep's config.json, so nothing here is touched; give --out another folder")
    return stored


def _config_json(config: SweepConfig, sha256: str) -> dict[str, Any]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "config": dataclasses.asdict(config.absolute()),
        "data_sha256": sha256,
        "versions": versions,
        "backend": jax.default_backend(),
    }

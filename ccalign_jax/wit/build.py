"""The folder of a data set from WIT: its captions are made once, in steps that a killed run does not repeat."""

from __future__ import annotations

import dataclasses
import glob
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from ccalign_jax.data.json_files import read_json
from ccalign_jax.errors import InputError, check_path
from ccalign_jax.files import lock_file, remove
from ccalign_jax.runs.output import output_path, write_json
from ccalign_jax.wit.captions import CAPTIONS, URLS, Progress, write_captions
from ccalign_jax.wit.options import DownloadConfig, WitConfig
from ccalign_jax.wit.rows import import_polars, write_parts

__all__ = ["DESCRIPTION", "WitFolder", "read_build"]

DESCRIPTION, WORK, LOCK = "build.json", ".parts", ".lock"


def read_build(out: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What `build.json` says: `config`, `download`, `files` (bytes by path) and `counts`; None where there is none.

    Raises:
        InputError: it is damaged.
    """
    path = Path(out) / DESCRIPTION
    if not path.is_file():
        return None
    try:
        found = read_json(path)
        if all(isinstance(found[name], dict) for name in ("config", "download", "files")) and "counts" in found:
            WitConfig.of(found["config"], path), DownloadConfig.of(found["download"], path)
            return found
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise InputError(f"{path}: damaged; --overwrite makes it again, and keeps the images")


class WitFolder:
    """A folder with captions and images, for one process at a time; used in a `with` statement.

    Args:
        out: the folder, which need not exist.
        config: what its captions are made of.
        download: how images are downloaded, which is kept for later calls.
        resume: go on with what is there.
        overwrite: make captions again; images are kept, their names are hashes of their addresses.

    Raises:
        InputError: another process writes there, no such TSV file, or the folder holds something else.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        config: WitConfig,
        download: DownloadConfig | None = None,
        *,
        resume: bool = False,
        overwrite: bool = False,
    ):
        self.path, self.config, self._resume, self._overwrite = output_path(out), config, resume, overwrite
        self._download = download or DownloadConfig()
        if resume and overwrite:
            raise InputError("--resume goes on with the captions that --overwrite replaces; give one of them")

    def __enter__(self) -> Self:
        import_polars()
        stored = None if self._overwrite else read_build(self.path)
        if stored is None and self._resume:
            raise InputError(f"{self.path}: holds nothing to resume; leave --resume out")
        if stored is not None and not self._resume:
            raise InputError(f"{self.path}: holds a data set; --resume goes on with it, --overwrite replaces it")
        if stored is not None:
            if changed := self.config.differences(WitConfig.of(stored["config"], self.path / DESCRIPTION)):
                raise InputError(f"{self.path}: {changed[0]}; leave it out, or give another --out")
            if not stored["counts"] and _sizes(stored["files"]) != stored["files"]:
                raise InputError(f"{self.path}: the files of --tsv have changed; --overwrite makes it of these")
        files = _sizes(_files(self.config.tsv)) if stored is None else stored["files"]
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = lock_file(self.path / LOCK, self)
        try:
            self._begin(stored, files)
        except BaseException:
            self._unlock()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self._unlock()

    def _begin(self, stored: dict[str, Any] | None, files: dict[str, int]) -> None:
        """Say in `build.json` what the folder is of."""
        if not self._overwrite and read_build(self.path) != stored:
            raise InputError(f"{self.path}: another process has just written there; --resume goes on with it")
        if stored is None:
            for name in (WORK, CAPTIONS, URLS):
                remove(self.path / name)
            config = dataclasses.asdict(self.config.absolute())
            stored = {"schema": 1, "config": config, "files": files, "counts": None}
        self._stored = {**stored, "download": dataclasses.asdict(self._download)}
        write_json(self.path / DESCRIPTION, self._stored)

    def _unlock(self) -> None:
        (self.path / LOCK).unlink(missing_ok=True)
        self._lock()

    def make_captions(self, progress: Progress = lambda what, done, total: None) -> dict[str, Any]:
        """Write `captions.jsonl` and `urls.tsv`, unless they are there; returns the counts of `write_captions`.

        Args:
            progress: called with what goes on, files or parts done, and all of them.
        """
        if self._stored["counts"]:
            shutil.rmtree(self.path / WORK, ignore_errors=True)  # a killed run may have left it
            return self._stored["counts"]
        files = [Path(path) for path in self._stored["files"]]
        folders = [self.path / WORK / str(number) for number in range(len(files))]
        (self.path / WORK).mkdir(exist_ok=True)
        for number, (file, folder) in enumerate(zip(files, folders, strict=True)):
            progress(f"reading {file.name}", number, len(files))
            if not folder.is_dir():
                write_parts(file, folder, self.config)
        progress("reading", len(files), len(files))
        counts = write_captions(folders, self.path, self.config, progress)
        write_json(self.path / DESCRIPTION, {**self._stored, "counts": counts})
        shutil.rmtree(self.path / WORK)
        return counts


def _sizes(paths: Iterable[str]) -> dict[str, int]:
    """Bytes of each file; -1 for one that is not there."""
    return {path: os.path.getsize(path) if os.path.isfile(path) else -1 for path in paths}


def _files(patterns: tuple[str, ...]) -> list[str]:
    """The files that the patterns name, sorted, each once."""
    found: set[str] = set()
    for pattern in patterns:
        check_path("--tsv=", pattern)
        some = [path for path in glob.glob(pattern) if os.path.isfile(path)] or [pattern] * os.path.isfile(pattern)
        if not some:
            raise InputError(f"--tsv={pattern}: no such file")
        found.update(map(os.path.abspath, some))
    if not found:
        raise InputError("--tsv must be given: WIT's files, such as --tsv='wit_v1.train.*.tsv.gz'")
    return sorted(found)

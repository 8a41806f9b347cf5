"""The folder of a run: locked by the process that fills it, resumed from its draft, replaced once complete."""

from __future__ import annotations

import itertools
import os
import shutil
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from jaxtyping import PyTree

from ccalign_jax.data.npz import read_npz
from ccalign_jax.errors import InputError
from ccalign_jax.files import full_disk, lock_file, remove, whole_file
from ccalign_jax.manifests import MANIFEST
from ccalign_jax.options import Options
from ccalign_jax.runs.kinds import BOARD, DRAFT, LOCK, Kind, Manifest, check_same_run, write_config
from ccalign_jax.runs.output import output_path, pack_tree, tree_from

__all__ = ["Store"]


class Store:
    """The results of one program, which `acquire` locks and `writing` replaces.

    The draft is a subfolder, so that earlier results stay until the new ones are complete. `manifest.json` lists the
    files of the results; no other file is ever removed. Used in a `with` statement, whose end releases the folder.

    Args:
        path: the folder, which need not exist; None keeps nothing and answers as if nothing were there.
        kind: of the results.
        new: append `-2`, `-3` and so on to the path until no such folder exists.

    Attributes:
        path: the folder.
        damaged: files of results that `load_result` could not read.

    Raises:
        InputError: a remote path.
    """

    path: Path | None
    damaged: list[Path]

    def __init__(self, path: str | os.PathLike[str] | None, kind: Kind[Any], *, new: bool = False):
        self.path = None if path is None else output_path(path)
        self.kind, self.new, self.damaged = kind, new, []
        self._unlock: weakref.finalize | None = None
        self._made: list[Path] = []  # folders that were not there, innermost first
        self._began = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._close(error)

    @property
    def draft(self) -> Path:
        """Where files are written until they are complete."""
        return self._folder / DRAFT

    @property
    def board(self) -> Path:
        """The folder for what TensorBoard shows."""
        return self.draft / BOARD

    @property
    def config_path(self) -> Path:
        """The config file of the run to resume: that of the draft, or of the results if there is no draft."""
        draft = self.draft / self.kind.config
        return draft if draft.is_file() else self._folder / self.kind.config

    @property
    def finished(self) -> bool:
        """Whether the results are complete.

        Raises:
            InputError: they are, but some of their files are missing or damaged.
        """
        if self.path is None or self.draft.exists() or not (self.path / self.kind.marker).is_file():
            return False
        files = self._manifest.read() or self.kind.required
        if missing := [name for name in files if not (self.path / name).exists()]:
            raise InputError(
                f"{self.path}: the run is complete, but {len(missing)} of its files are missing, such as {missing[0]}; "
                f"copy them back, or remove {self.kind.marker}, too, to run it again with --resume"
            )
        self._manifest.check()
        return True

    def acquire(
        self,
        config: Options | None = None,
        digests: Mapping[str, str] = MappingProxyType({}),
        *,
        resume: bool = False,
        overwrite: bool = False,
    ) -> None:
        """Lock the folder, and make a draft or take up the one that is there.

        Args:
            config: what is asked for, which the config file then holds; None for kinds that cannot be resumed.
            digests: of the data, by name.
            resume: go on with the run that is there.
            overwrite: replace the results that are there.

        Raises:
            InputError: another process has the folder; it holds results and neither `resume` nor `overwrite` is given,
                files that are not in the manifest of such results, or a run with other options or data than the one to
                resume.
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
            elif config is not None:
                check_same_run(self.config_path, self.kind, config, digests)
                if self.finished:
                    for name in self.kind.progress:  # left by an older version that was killed at the end
                        shutil.rmtree(self.path / name, ignore_errors=True)
                    return
                self._reopen()
            if config is not None:
                write_config(self.draft / self.kind.config, config, digests)

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """The draft, to write the results into; at the end they take the place of earlier ones."""
        with full_disk(self._folder, resumable=bool(self.kind.progress)):
            yield self.draft
            self._manifest.publish()

    def load_result(self, name: str, like: Callable[[], PyTree]) -> PyTree | None:
        """The result of a job that an earlier attempt finished; None if there is none, or a damaged one, which goes.

        `like` makes a tree of the same structure, and is called only if there is a file.
        """
        path = None if self.path is None else self._result_path(name)
        if path is None or not path.is_file():
            return None
        structure = like()
        try:
            return tree_from(read_npz(path), structure)
        except (InputError, KeyError):
            self.damaged.append(path)
            path.unlink()
            return None

    def save_result(self, name: str, result: PyTree) -> None:
        """Keep the result of a job, so that a killed run can go on from here."""
        if self.path is not None:
            self.keep_result(name, pack_tree(result))

    def keep_result(self, name: str, packed: bytes) -> None:
        """Keep what `pack_tree` has made of the result of a job, here or elsewhere."""
        path = self._result_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, resumable=True) as file:
            file.write(packed)

    def _result_path(self, name: str) -> Path:
        return self.draft / self.kind.progress[0] / f"{name}.npz"

    @property
    def _folder(self) -> Path:
        if self.path is None:
            raise ValueError("no folder was given")
        return self.path

    @property
    def _manifest(self) -> Manifest:
        return Manifest(self._folder, self.kind)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the folder; release it if the body fails."""
        try:
            while self._unlock is None:
                self._make()
                with suppress(FileNotFoundError):  # the last owner of the folder has just removed it
                    self._unlock = lock_file(self._folder / LOCK, self)
            remove(self._folder / f"{MANIFEST}.draft")  # of an earlier process that was killed meanwhile, as is this:
            self._manifest.swap()
            yield
        except BaseException as error:
            self._close(error)
            raise

    def _make(self) -> None:
        base = self._folder
        for number in itertools.count(2):
            missing = [folder for folder in (self._folder, *self._folder.parents) if not folder.exists()]
            try:
                self._folder.mkdir(parents=True, exist_ok=not self.new)
            except FileExistsError:
                if not self.new:
                    raise InputError(f"{self.path}: is not a folder; give another --out") from None
                self.path = base.with_name(f"{base.name}-{number}")
                continue
            self._made, self.new = missing or self._made, False
            return

    def _new_draft(self, *, overwrite: bool) -> None:
        if self._manifest.check_replaceable(overwrite=overwrite) is None:
            self._manifest.write(())
        shutil.rmtree(self.draft, ignore_errors=True)
        self.draft.mkdir()
        self._began = True

    def _reopen(self) -> None:
        """Take up the draft of an earlier attempt: its progress, which older versions kept outside, and curves stay."""
        self.draft.mkdir(exist_ok=True)
        progress = self.draft / self.kind.progress[0]
        for place, name in itertools.product((self.draft, self._folder), self.kind.progress):
            if (place / name).exists() and not progress.exists():
                (place / name).rename(progress)
        for entry in self.draft.iterdir():
            if entry.name not in (self.kind.config, progress.name, BOARD):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def _close(self, error: BaseException | None) -> None:
        """Unlock, and remove a draft that cannot be resumed."""
        if self._unlock is None:
            return
        useless = not self.kind.progress or (
            isinstance(error, InputError) and not any((self.draft / name).exists() for name in self.kind.progress)
        )
        if self._began and useless and not (self.draft / MANIFEST).exists():  # else it is complete
            shutil.rmtree(self.draft, ignore_errors=True)
            if not self._manifest.read():
                (self._folder / MANIFEST).unlink(missing_ok=True)
        (self._folder / LOCK).unlink(missing_ok=True)
        self._unlock()
        self._unlock, self._began = None, False
        with suppress(OSError):  # not empty
            for folder in self._made:
                folder.rmdir()

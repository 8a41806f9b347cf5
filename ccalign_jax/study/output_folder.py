"""A folder of results: locked by the process that fills it, and replaced only once the new results are complete."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Self

from ccalign_jax.data.json_files import read_json
from ccalign_jax.errors import InputError, check_path
from ccalign_jax.study.file_names import file_name
from ccalign_jax.study.locks import lock_file
from ccalign_jax.study.output import full_disk, write_json

__all__ = ["OutputFolder", "default_path", "output_path"]

DRAFT, LOCK, MANIFEST = "unfinished", ".lock", "manifest.json"
REMOTE = re.compile(r"[A-Za-z][\w+.-]+:/")  # two letters or more: C:/ is a local path


def output_path(given: str | os.PathLike[str]) -> Path:
    """The local path that `--out` names.

    Raises:
        InputError: it is remote, such as `gs://bucket/run`, or not UTF-8.
    """
    check_path("--out=", given)
    if REMOTE.match(os.fspath(given)):
        raise InputError(f"--out={given}: remote paths cannot be written; give a local path, and copy it afterwards")
    return Path(given)


def default_path(name: str) -> Path:
    """`runs/NAME-TIME`, the folder of results for which no `--out` is given."""
    return Path(f"runs/{file_name(name)}-{time.strftime('%Y%m%d-%H%M%S')}")


class OutputFolder:
    """The results of one program, locked by `begin` and written in `writing`.

    The draft is a subfolder, so that earlier results stay until the new ones are complete. `manifest.json` lists the
    files of the results; no other file is ever removed. Used in a `with` statement, whose end releases the folder.

    Args:
        path: the folder, which need not exist; None writes nothing.
        kind: of results, such as "an evaluation".
        marker: the file that says that the results are complete.
        progress: entries of the draft from which `--resume` continues; empty where there is no such flag.
        new: append `-2`, `-3` and so on to the path until no such folder exists.

    Attributes:
        path: the folder.

    Raises:
        InputError: a remote path.
    """

    path: Path | None

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        kind: str,
        marker: str,
        *,
        progress: tuple[str, ...] = (),
        new: bool = False,
    ):
        self.path = None if path is None else output_path(path)
        self.kind, self.marker, self.progress, self.new = kind, marker, progress, new
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

    def begin(self, *, overwrite: bool) -> None:
        """Lock the folder and make an empty draft.

        Raises:
            InputError: another process has it, it holds results and `overwrite` is not given, or it holds files that
                are not in the manifest of such results.
        """
        with self._locked():
            self._new_draft(overwrite=overwrite)

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """The draft, to write the results into; at the end they take the place of earlier ones.

        Raises:
            InputError: the disk is full.
        """
        with full_disk(self._folder, resumable=bool(self.progress)):
            yield self.draft
            self._publish()

    def _publish(self) -> None:
        parts = (file.relative_to(self.draft) for file in self.draft.rglob("*") if file.is_file())
        files = sorted(file.as_posix() for file in parts if file.parts[0] not in (*self.progress, MANIFEST))
        write_json(self.draft / MANIFEST, {"schema": 1, "kind": self.kind, "files": files})
        self._swap()

    def files(self) -> list[str] | None:
        """The files that the manifest lists; None without a manifest.

        Raises:
            InputError: the manifest is damaged, or of results of another kind.
        """
        return self._listed(self._folder / MANIFEST)

    @property
    def _folder(self) -> Path:
        if self.path is None:
            raise ValueError("no folder was given")
        return self.path

    def _newest(self, name: str) -> Path:
        """The path of a file in the draft, or in the results if the draft has none."""
        draft = self.draft / name
        return draft if draft.is_file() else self._folder / name

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the folder; release it if the body fails."""
        try:
            self._lock()
            self._swap()  # of an earlier process that was killed meanwhile
            yield
        except BaseException as error:
            self._close(error)
            raise

    def _lock(self) -> None:
        while self._unlock is None:
            self._make()
            with suppress(FileNotFoundError):  # its last owner has just removed it
                try:
                    self._unlock = lock_file(self._folder / LOCK, self)
                except BlockingIOError:
                    raise InputError(
                        f"{self.path}: another process is writing there; wait for it, or give another --out"
                    ) from None

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
        files = self.files()
        others = self._others(files)
        if files is None and others:
            raise InputError(
                f"{self.path}: holds files, and no {MANIFEST} that says which are files of {self.kind} (older versions "
                "wrote none); give another --out, or empty the folder by hand"
            )
        if (files or (self.progress and self.draft.exists())) and not overwrite:
            resume = "--resume, " * bool(self.progress)
            raise InputError(f"{self.path}: holds {self.kind} already; give {resume}--overwrite or another --out")
        if others:
            raise InputError(
                f"{self._folder / others[0]}: is not a file of {self.kind}; move it, or give another --out"
            )
        if files is None:
            write_json(self._folder / MANIFEST, {"schema": 1, "kind": self.kind, "files": []})
        shutil.rmtree(self.draft, ignore_errors=True)
        self.draft.mkdir()
        self._began = True

    def _reopen(self, *kept: str) -> None:
        """Continue the draft of an earlier attempt: `kept` and progress stay. Older versions kept them outside it."""
        self.draft.mkdir(exist_ok=True)
        for entry in self.draft.iterdir():
            if entry.name not in (*kept, *self.progress):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        for name in self.progress:
            if (self._folder / name).exists() and not (self.draft / name).exists():
                (self._folder / name).rename(self.draft / name)

    def _swap(self) -> None:
        """Move a complete draft, one with a manifest, into place; if killed meanwhile, the next process finishes it."""
        files = self._listed(self.draft / MANIFEST)
        if files is None:
            return
        gone = set(self.files() or ()) - set(files)
        if (self.draft / self.marker).exists():
            gone.add(self.marker)  # until all is in place
        for name in sorted(gone):
            path = self._folder / name
            path.unlink(missing_ok=True)
            with suppress(OSError):  # not empty
                for folder in path.relative_to(self._folder).parents[:-1]:
                    (self._folder / folder).rmdir()
        for name in sorted(files, key=lambda name: name == self.marker):
            if (self.draft / name).exists():
                (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.draft / name).replace(self._folder / name)
        (self.draft / MANIFEST).replace(self._folder / MANIFEST)
        shutil.rmtree(self.draft)

    def _listed(self, path: Path) -> list[str] | None:
        if not path.is_file():
            return None
        try:
            stored = read_json(path)
            kind, files = stored["kind"], [PurePosixPath(name) for name in stored["files"]]
        except (OSError, ValueError, KeyError, TypeError):
            kind, files = None, []
        if kind is None or any(file.is_absolute() or ".." in file.parts or not file.parts for file in files):
            raise InputError(f"{path}: damaged, or not a list of results; give another --out")
        if kind != self.kind:
            raise InputError(f"{self.path}: holds {kind}, not {self.kind}; give another --out")
        return [str(file) for file in files]

    def _others(self, files: list[str] | None) -> list[str]:
        """Files that no manifest lists; a link to a folder counts as one."""
        known = {LOCK} if files is None else {LOCK, MANIFEST, *files}
        found = []
        for place, folders, names in os.walk(self._folder):
            here = Path(place)
            if files is not None and here == self._folder and DRAFT in folders:
                folders.remove(DRAFT)
            links = [name for name in folders if (here / name).is_symlink()]
            found += [(here / name).relative_to(self._folder).as_posix() for name in (*names, *links)]
        return sorted(set(found) - known)

    def _close(self, error: BaseException | None) -> None:
        """Unlock, and remove a draft that cannot be resumed."""
        if self._unlock is None:
            return
        useless = not self.progress or (
            isinstance(error, InputError) and not any((self.draft / name).exists() for name in self.progress)
        )
        if self._began and useless and not (self.draft / MANIFEST).exists():  # else it is complete
            shutil.rmtree(self.draft, ignore_errors=True)
            if not self.files():
                (self._folder / MANIFEST).unlink(missing_ok=True)
        (self._folder / LOCK).unlink(missing_ok=True)
        self._unlock()
        self._unlock, self._began = None, False
        with suppress(OSError):  # not empty
            for folder in self._made:
                folder.rmdir()

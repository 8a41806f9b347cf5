"""What a folder of results holds: its kind, the config file of its run, and the list of its files."""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import jax

from ccalign_jax.data.json_files import read_json
from ccalign_jax.errors import InputError
from ccalign_jax.files import sync
from ccalign_jax.manifests import MANIFEST, check_file, read_manifest, write_manifest
from ccalign_jax.options import AlignConfig, Options, SweepConfig
from ccalign_jax.runs.output import write_json

__all__ = [
    "CALIBRATION_FOLDER",
    "ADAPTER_FOLDER",
    "COMPARISON_FOLDER",
    "CURVES_FOLDER",
    "EVALUATION_FOLDER",
    "MAP_FOLDER",
    "MIGRATION_FOLDER",
    "REPORT_FOLDER",
    "SHORTENING_FOLDER",
    "SWEEP_FOLDER",
    "Kind",
    "Manifest",
    "check_same_run",
    "read_config",
    "write_config",
]

DRAFT, LOCK = "unfinished", ".lock"
BOARD = "tensorboard"  # of the draft, like progress
PACKAGES = ("ccalign_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")

Chosen = TypeVar("Chosen", bound=Options)


class Kind(NamedTuple, Generic[Chosen]):
    """One kind of results.

    Attributes:
        name: in messages and in the manifest.
        marker: the file that says that the results are complete.
        config: the file with what was asked for; none, as the following, for results without `--resume`.
        options: what that file holds.
        progress: the entry of the draft from which `--resume` continues, and its former names.
        required: files of complete results that an older version wrote, without a manifest.
    """

    name: str
    marker: str
    config: str = ""
    options: type[Chosen] | None = None
    progress: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


SWEEP_FOLDER = Kind(
    *("a sweep", "summary.json", "config.json", SweepConfig, ("trials", "slices")),
    required=("results.csv", "report.html", "tables", "ranks", "best/checkpoint.json"),
)
MAP_FOLDER = Kind("a map", "best/checkpoint.json", "align.json", AlignConfig, ("passed.npz",))
EVALUATION_FOLDER: Kind[Options] = Kind("an evaluation", "summary.json")
COMPARISON_FOLDER: Kind[Options] = Kind("a comparison", "comparison.json")
CURVES_FOLDER: Kind[Options] = Kind("curves", "curves.json")
REPORT_FOLDER: Kind[Options] = Kind("a report", "report.json")
CALIBRATION_FOLDER: Kind[Options] = Kind("a calibration", "calibration.json")
SHORTENING_FOLDER: Kind[Options] = Kind("a shortening", "shortening.json")
MIGRATION_FOLDER: Kind[Options] = Kind("a migration", "migration.json")
ADAPTER_FOLDER: Kind[Options] = Kind("a query adapter", "adapter.json")


def read_config(path: Path, kind: Kind[Chosen]) -> tuple[Chosen, dict[str, Any]]:
    """The options that the config file of a run holds, and all of its content.

    Raises:
        InputError: missing, damaged, or not of a run of this kind.
    """
    assert kind.options is not None
    try:
        stored = read_json(check_file(path.parent, path.name))
        if "data_sha256" in stored:
            return kind.options.of(stored["config"], path), stored
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise InputError(f"{path}: missing, damaged, or not that of {kind.name}; give another folder")


def write_config(path: Path, config: Options, digests: Mapping[str, str]) -> None:
    """Write the config file of a run: its options, digests of its data by name, versions and the kind of device."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    options = dataclasses.asdict(config.absolute())
    write_json(path, {"config": options, **digests, "versions": versions, "backend": jax.default_backend()})


def check_same_run(path: Path, kind: Kind[Any], config: Options, digests: Mapping[str, str]) -> None:
    """Check that a run with these options, on these data, goes on with the one of this config file.

    Raises:
        InputError: options or data differ, or the file is damaged.
    """
    stored, content = read_config(path, kind)
    folder = path.parent.parent if path.parent.name == DRAFT else path.parent
    if changed := config.differences(stored):
        raise InputError(f"{folder}: cannot resume, {'; '.join(changed)}; give another --out")
    if any(content[name] != digest for name, digest in digests.items() if name in content):
        raise InputError(f"{folder}: cannot resume, the data have changed; give another --out")


class Manifest(NamedTuple):
    """The list of the files of some results with their SHA-256, `manifest.json` in their folder."""

    folder: Path
    kind: Kind[Any]

    def write(self, files: Iterable[str]) -> None:
        """List these files of the folder, which are on the disk from then on."""
        write_manifest(self.folder, self.kind.name, files)

    def read(self) -> dict[str, str | None] | None:
        """The digest of each file that is listed, None of older manifests; None without a manifest.

        Raises:
            InputError: the manifest is damaged, or of results of another kind.
        """
        path = self.folder / MANIFEST
        if not path.is_file():
            return None
        kind, files = read_manifest(path)
        if kind != self.kind.name:
            where = self.folder.parent if self.folder.name == DRAFT else self.folder
            raise InputError(f"{where}: holds {kind}, not {self.kind.name}; give another --out")
        return files

    def check(self) -> None:
        """Compare every file that is there with its digest.

        Raises:
            InputError: one differs.
        """
        for name in self.read() or ():
            check_file(self.folder, name)

    def publish(self) -> None:
        """Move the complete draft into place, the marker last and without what only a resumed run needs."""
        draft, left = self.folder / DRAFT, (*self.kind.progress, MANIFEST)
        parts = (file.relative_to(draft) for file in draft.rglob("*") if file.is_file())
        Manifest(draft, self.kind).write([file.as_posix() for file in parts if file.parts[0] not in left])
        self.swap()

    def swap(self) -> None:
        """Move a complete draft, one with a manifest, into place; if killed meanwhile, the next process finishes it."""
        draft, marker = self.folder / DRAFT, self.kind.marker
        files = Manifest(draft, self.kind).read()
        if files is None:
            return
        gone = set(self.read() or ()) - set(files)
        if (draft / marker).exists():
            gone.add(marker)  # until all is in place
        for name in sorted(gone):
            path = self.folder / name
            path.unlink(missing_ok=True)
            with suppress(OSError):  # not empty
                for parent in path.relative_to(self.folder).parents[:-1]:
                    (self.folder / parent).rmdir()
        for name in sorted(files, key=lambda name: name == marker):
            if (draft / name).exists():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (draft / name).replace(self.folder / name)
        for folder in {(self.folder / name).parent for name in files}:
            sync(folder)
        (draft / MANIFEST).replace(self.folder / MANIFEST)
        sync(self.folder)
        shutil.rmtree(draft)

    def check_replaceable(self, *, overwrite: bool) -> Collection[str] | None:
        """The files of the results that new ones may replace; None without a manifest.

        Raises:
            InputError: there are results and `overwrite` is not given, or files that are not in their manifest.
        """
        folder, kind, files = self.folder, self.kind, self.read()
        others = self._others(files)
        if files is None and others:
            raise InputError(
                f"{folder}: holds files, and no {MANIFEST} that says which are files of {kind.name} (older versions "
                "wrote none); give another --out, or empty the folder by hand"
            )
        begun = kind.progress and any((folder / DRAFT / name).exists() for name in (kind.config, *kind.progress))
        if (files or begun) and not overwrite:
            resume = "--resume, " * bool(kind.progress)
            raise InputError(f"{folder}: holds {kind.name} already; give {resume}--overwrite or another --out")
        if others:
            raise InputError(f"{folder / others[0]}: is not a file of {kind.name}; move it, or give another --out")
        return files

    def _others(self, files: Collection[str] | None) -> list[str]:
        """Files that are not listed; a link to a folder counts as one, and without a manifest any draft."""
        known = {LOCK} if files is None else {LOCK, MANIFEST, *files}
        found = []
        for place, folders, names in os.walk(self.folder):
            here = Path(place)
            if files is not None and here == self.folder and DRAFT in folders:
                folders.remove(DRAFT)
            links = [name for name in folders if (here / name).is_symlink()]
            found += [(here / name).relative_to(self.folder).as_posix() for name in (*names, *links)]
        return sorted(set(found) - known)

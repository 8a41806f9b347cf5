"""The folder of a run over shards: what was asked for, how far it is, and the map in the end."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

from ccalign_jax.aligners import Params
from ccalign_jax.checkpoints import ABOUT, Checkpoint, save_checkpoint
from ccalign_jax.data.json_files import read_json
from ccalign_jax.data.npz import read_npz
from ccalign_jax.data.streaming import MEMORY
from ccalign_jax.errors import InputError
from ccalign_jax.study.config import absolute, absolute_plugins
from ccalign_jax.study.output import whole_file, write_json
from ccalign_jax.study.output_folder import OutputFolder
from ccalign_jax.training import StreamPoint, TrainState

__all__ = ["AlignConfig", "AlignFolder", "Passed"]

CONFIG, PASSED, BEST = "align.json", "passed.npz", "best"


@dataclasses.dataclass(frozen=True)
class AlignConfig:
    """Every choice that the map depends on; `align.json` holds it.

    Attributes:
        data: a folder of shards, or one.
        pivot, aligner, loss: names.
        hyper: settings such as "temperature=0.03".
        batch: pairs a step.
        epochs: passes over the pairs.
        seed: of training, of the order of the pairs, and of which are held out.
        held: pairs that choose the epoch or the penalty, at most a fifth; 0 keeps the last.
        memory: bytes for the rows that are held and shuffled together.
        languages: a subset to use; None for all.
        plugins: modules or `.py` files that register what is named; see `load_plugin`.
    """

    data: str
    pivot: str = "image"
    aligner: str = "residual"
    loss: str = "infonce"
    hyper: tuple[str, ...] = ()
    batch: int = 1024
    epochs: int = 1
    seed: int = 0
    held: int = 2000
    memory: int = MEMORY
    languages: tuple[str, ...] | None = None
    plugins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise InputError(f"--seed={self.seed}: it must be between 0 and {2**32 - 1}")
        for name, least in (("batch", 1), ("epochs", 1), ("held", 0), ("memory", 1)):
            if getattr(self, name) < least:
                raise InputError(f"--{name}={getattr(self, name)}: it must be at least {least}")

    def absolute(self) -> AlignConfig:
        """The same with absolute paths, which are right in any working directory."""
        return dataclasses.replace(self, data=absolute(self.data), plugins=absolute_plugins(self.plugins))

    @classmethod
    def read(cls, path: Path) -> AlignConfig:
        """The config that a run's `align.json` holds."""
        return _stored(path)[0]


class Passed(NamedTuple):
    """How far a training run is.

    Attributes:
        state: of the optimiser.
        maps: parameters at the start and after each epoch that is complete.
        losses: mean objective of the steps of each of these epochs, and last, of those since; the mean objective
            between two points and how many steps it is over, of the epoch that is not complete.
    """

    state: TrainState
    maps: list[Params]
    losses: list[float]
    since: tuple[float, int] = (0.0, 0)

    def go_on(self, point: StreamPoint, *, steps_per_epoch: int) -> Passed:
        """The same at the next point, which is at the end of an epoch or before it."""
        steps = int(point.state.steps) - int(self.state.steps)
        total, count = self.since[0] + point.loss * steps, self.since[1] + steps
        if int(point.state.steps) % steps_per_epoch:
            return Passed(point.state, self.maps, self.losses, (total, count))
        return Passed(point.state, [*self.maps, point.state.params.map], [*self.losses, total / count])


class AlignFolder(OutputFolder):
    """The files of one run."""

    def __init__(self, path: str | os.PathLike[str] | None, *, new: bool = False):
        super().__init__(path, "a map", f"{BEST}/{ABOUT}", progress=(PASSED,), new=new)

    @property
    def config_path(self) -> Path:
        """The `align.json` of the run to resume."""
        return self._newest(CONFIG)

    def claim(self, config: AlignConfig, digests: Mapping[str, str], *, resume: bool, overwrite: bool) -> None:
        """Lock the folder for this run; write `align.json`.

        Args:
            config: of the run.
            digests: of its data, see `Shards.digests`.
            resume: go on with the run that is there.
            overwrite: delete the run that is there.

        Raises:
            InputError: the folder holds other files, or a run and neither `resume` nor `overwrite` is given, or
                there is no run to resume, or one with other choices or other data.
        """
        if resume and overwrite:
            raise InputError("--resume continues the run that --overwrite deletes; give one of them")
        if resume:
            _stored(self.config_path)
        with self._locked():
            if resume:
                self._check(config, digests)
                if self.finished:
                    return
                self._reopen(CONFIG)
            else:
                self._new_draft(overwrite=overwrite)
            write_json(self.draft / CONFIG, {"config": dataclasses.asdict(config.absolute()), **digests})

    def _check(self, config: AlignConfig, digests: Mapping[str, str]) -> None:
        stored, known = _stored(self.config_path)
        new, old = dataclasses.asdict(config.absolute()), dataclasses.asdict(stored.absolute())
        if changed := [f"{key} is {new[key]!r}, was {old[key]!r}" for key in new if new[key] != old[key]]:
            raise InputError(f"{self.path}: cannot resume, {'; '.join(changed)}; give another --out")
        if any(known[key] != digest for key, digest in digests.items() if key in known):
            raise InputError(f"{self.path}: cannot resume, the data have changed; give another --out")

    @property
    def finished(self) -> bool:
        """Whether the map is complete."""
        files = self.files() or (self.marker,)
        return not self.draft.exists() and all((self._folder / name).is_file() for name in files)

    def finish(self, found: Checkpoint) -> None:
        """Write the map, and remove what only a run that goes on needs.

        Raises:
            InputError: the disk is full.
        """
        with self.writing() as path:
            save_checkpoint(path / BEST, found)

    def save_passed(self, passed: Passed, place: dict[str, Any]) -> None:
        """Keep how far a run is, whole or not at all.

        Args:
            passed: the run.
            place: of the batches, at the same time.
        """
        said = {"place": place, "losses": passed.losses, "since": passed.since, "epochs": len(passed.maps) - 1}
        leaves = _leaves("state", passed.state)
        for number, params in enumerate(passed.maps):
            leaves |= _leaves(f"map_{number}", params)
        self.draft.mkdir(parents=True, exist_ok=True)
        with whole_file(self.draft / PASSED, resumable=True) as file:
            np.savez(file, said=np.array(json.dumps(said)), **leaves)
            file.flush()
            os.fsync(file.fileno())

    def load_passed(self, *, like: Passed) -> tuple[Passed, dict[str, Any]] | None:
        """How far an earlier attempt came, and the place of its batches; None if nothing was kept.

        Args:
            like: the same run at its start.

        Raises:
            InputError: the file is damaged.
        """
        path = self.draft / PASSED
        if not path.is_file():
            return None
        try:
            stored = read_npz(path)
            said = json.loads(str(stored["said"]))
            state = _tree("state", like.state, stored)
            maps = [_tree(f"map_{number}", like.maps[0], stored) for number in range(said["epochs"] + 1)]
        except (ValueError, KeyError, TypeError):  # an InputError is a ValueError
            raise InputError(f"{path}: damaged; remove it to begin anew with --resume, or --overwrite") from None
        return Passed(state, maps, said["losses"], tuple(said["since"])), said["place"]


def _leaves(name: str, tree: PyTree) -> dict[str, Any]:
    return {f"{name}/{number}": np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(tree))}


def _tree(name: str, like: PyTree, stored: Any) -> PyTree:
    leaves, structure = jax.tree.flatten(like)
    found = [stored[f"{name}/{number}"] for number in range(len(leaves))]
    for leaf, old in zip(leaves, found, strict=True):
        if np.shape(leaf) != old.shape:
            raise ValueError(f"{name} has another shape")
    return jax.tree.unflatten(structure, found)


def _stored(path: Path) -> tuple[AlignConfig, dict[str, str]]:
    """Choices and data digests of a run's `align.json`; older versions wrote `data_sha256` alone."""
    if not path.is_file():
        raise InputError(f"{path.parent}: holds no run over shards to resume; leave --resume out")
    try:
        stored = read_json(path)
        choices: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in stored["config"].items()
        }
        digests = {key: value for key, value in stored.items() if key.endswith("_sha256")}
        return AlignConfig(**choices), {"data_sha256": stored["data_sha256"], **digests}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: damaged, or not a run's over shards; give another --out") from None

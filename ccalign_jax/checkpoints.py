"""Checkpoints of parameters: an Orbax tree, with a JSON description and its SHA-256 beside it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from ccalign_jax.data.fingerprints import Fingerprints
from ccalign_jax.data.json_files import read_json
from ccalign_jax.descriptions import ABOUT, described_aligner
from ccalign_jax.errors import InputError, check_path
from ccalign_jax.files import whole_path
from ccalign_jax.learned_map import LearnedMap

__all__ = ["load_aligner", "load_tree", "save_checkpoint", "save_tree"]

TREE = "tree"
TRAINING_IMAGES = "training_images.npz"
SCHEMA = 1


def save_checkpoint(path: str | os.PathLike[str], checkpoint: LearnedMap) -> None:
    """Write a map for `load_aligner`, with the fingerprints of its training images; as `save_tree` otherwise."""
    save_tree(path, checkpoint.params, checkpoint.about, training_images=checkpoint.training_images)


def save_tree(
    path: str | os.PathLike[str],
    tree: PyTree[np.ndarray],
    about: Mapping[str, Any],
    *,
    training_images: Fingerprints | None = None,
) -> None:
    """Write a tree of arrays and what it is; the folder appears at once, whole, in place of an older one.

    Args:
        path: folder.
        tree: nested dicts of arrays; may be empty.
        about: JSON values; `sha256`, `leaves` and `schema` are added.
        training_images: fingerprints of the images that the tree was fitted on.

    Raises:
        InputError: a parameter is NaN or infinite, or the disk is full; nothing is written.
        OSError: it cannot be written.
    """
    check_path("", path)
    path = Path(path).absolute()
    _check_finite(path, tree)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_path(path) as draft:
        draft.mkdir()
        tree = jax.tree.map(np.asarray, tree)
        if jax.tree.leaves(tree):
            with _system_errors(path), _checkpointer() as checkpointer:
                checkpointer.save(draft / TREE, tree)
        if training_images is not None:
            np.savez(draft / TRAINING_IMAGES, **training_images._asdict())
        described = {**about, "schema": SCHEMA, "leaves": _leaves(tree)}
        described["sha256"] = _sha256(draft, described)
        (draft / ABOUT).write_text(json.dumps(described, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load_tree(path: str | os.PathLike[str]) -> tuple[PyTree[np.ndarray], dict[str, Any]]:
    """Read what `save_tree` wrote, and check that every byte is as it was.

    Raises:
        InputError: no checkpoint there, a file missing or damaged, a SHA-256 that differs, or a parameter that is NaN
            or infinite.
    """
    check_path("", path)
    path = Path(path).absolute()
    if not (path / ABOUT).is_file():
        best = path / "best"
        remedy = f"did you mean {best}?" if (best / ABOUT).is_file() else "give a folder such as RUN/best"
        missing = f"no checkpoint here ({ABOUT} is missing)" if path.is_dir() else "no such folder"
        raise InputError(f"{path}: {missing}; {remedy}")
    try:
        about = read_json(path / ABOUT)
        leaves, expected = about["leaves"], about["sha256"]
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{path / ABOUT}: damaged, or not a checkpoint's description; save the checkpoint again"
        ) from None
    # Before Orbax looks at them: it reads some damaged files silently wrong, and prints pages on others.
    if _sha256(path, about) != expected:
        raise InputError(f"{path}: SHA-256 differs from {ABOUT}: a file is damaged or missing; copy or train it again")
    tree: PyTree[np.ndarray] = {}
    if leaves:
        with _checkpointer() as checkpointer:
            tree = jax.tree.map(np.asarray, checkpointer.restore(path / TREE))
    if _leaves(tree) != leaves:
        raise InputError(f"{path}: the parameters are not those that {ABOUT} lists; copy or train it again")
    _check_finite(path, tree)
    return tree, about


def load_aligner(path: str | os.PathLike[str]) -> LearnedMap:
    """A checkpoint as an aligner and its parameters.

    Raises:
        InputError: as `load_tree`, an aligner that is not registered, or parameters that do not fit it.
    """
    params, about = load_tree(path)
    aligner = described_aligner(path, about)
    shapes = jax.eval_shape(aligner.init, jax.random.key(0))
    if _leaves(shapes) != _leaves(params):
        raise InputError(f"{path}: the parameters are not those of {about['aligner']}; save the checkpoint again")
    return LearnedMap(aligner, params, about, _load_training_images(Path(path) / TRAINING_IMAGES))


def _load_training_images(file: Path) -> Fingerprints | None:
    if not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as stored:
        return Fingerprints(**stored)


@contextmanager
def _system_errors(path: Path) -> Iterator[None]:
    """Raise `OSError` where Orbax cannot write, in place of its `ValueError` and long log messages."""
    logger = logging.getLogger("absl")
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    except ValueError as error:
        number = re.search(r"os_error_code='(\d+)'", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from None
    finally:
        logger.disabled = disabled


def _checkpointer() -> Any:
    """Orbax, writing and reading for this process alone: it would wait for all others of a run."""
    import orbax.checkpoint as ocp  # 0.9 s to import, which only checkpoints should pay

    if jax.process_count() == 1:
        return ocp.StandardCheckpointer()
    here = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(
        primary_host=here, active_processes={here}, barrier_sync_key_prefix=f"process_{here}"
    )
    return ocp.StandardCheckpointer(multiprocessing_options=alone)


def _sha256(folder: Path, about: Mapping[str, Any]) -> str:
    """Hexadecimal digest over the names and bytes of all files of a checkpoint, and its description."""
    described = {key: value for key, value in about.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    files = sorted(file for file in (folder / TREE).rglob("*") if file.is_file())
    for file in [*files, *folder.glob(TRAINING_IMAGES)]:
        name, content = Path(os.path.relpath(file, folder / TREE)).as_posix(), file.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _check_finite(path: Path, tree: PyTree[np.ndarray]) -> None:
    for place, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if not np.isfinite(leaf).all():
            name = jax.tree_util.keystr(place)
            raise InputError(f"{path}: {name} is NaN or infinite: training diverged; train with a lower learning_rate")


def _leaves(tree: PyTree) -> dict[str, str]:
    """Path to `float32[2, 3]` of every leaf."""
    return {
        jax.tree_util.keystr(path): f"{np.dtype(leaf.dtype)}{list(leaf.shape)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }

"""Write a learned map in the format of another program."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ccalign_jax._version import __version__
from ccalign_jax.data.json_files import read_json
from ccalign_jax.errors import InputError, check_path, suggest
from ccalign_jax.exporting.card import CARD, write_card
from ccalign_jax.exporting.facts import read_facts
from ccalign_jax.exporting.job import ROWS, Job, check_features, make_job
from ccalign_jax.exporting.registry import FORMATS, Format
from ccalign_jax.exporting.results import write_results
from ccalign_jax.files import drafted, put, whole_path
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.seed_maps import read_map

__all__ = ["Exported", "export"]


class Exported(NamedTuple):
    """What an export wrote.

    Attributes:
        path: the folder, or the file.
        files: paths of the files.
        notes: what the user of the files must know, in lines.
        card: path of `README.md`, beside which `results/` may be; None for formats of one file.
    """

    path: Path
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    card: Path | None = None


def export(
    checkpoint: LearnedMap | str | os.PathLike[str],
    *,
    to: str,
    out: str | os.PathLike[str],
    language: str | None = None,
    side: str | None = None,
    overwrite: bool = False,
    data: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Exported:
    """Write a learned map in a format of other programs; it appears at once, whole.

    What is written maps rows as the map does: scaled to unit length, mapped, scaled to unit length.

    Args:
        checkpoint: the map, the folder of one such as `RUN/best`, or a `.pt` of the seed study.
        to: name of a format, of `exporting.FORMATS`.
        out: folder to write, or the file for formats of one file.
        language: of captions; None writes the maps of all languages where the format can.
        side: `captions` or `images`; None writes both where the format can.
        overwrite: replace what an earlier export wrote there.
        data: the folder of the extraction that the map was learned from, which names the encoders; None for that of
            the run.
        options: further arguments that the format reads.

    Raises:
        InputError: a checkpoint that cannot be read, an unknown format, a map that the format cannot hold (the formats
            that can are named), or `out` that exists. Nothing is written.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from ccalign_jax.aligners import residual
        >>> about = {"aligner": "residual", "d_text": 2, "d_image": 2, "languages": ["de"]}
        >>> learned = LearnedMap(residual(2, 2), {"delta": np.ones((2, 2), np.float32)}, about)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     done = export(learned, to="numpy", out=f"{folder}/map")
        ...     weight = np.load(f"{folder}/map/model.npz")["W"]
        >>> weight.tolist(), [file.name for file in done.files]
        ([[2.0, 1.0], [1.0, 2.0]], ['config.json', 'model.npz'])
    """
    if to not in FORMATS:
        raise InputError(f"--to={to}: no such format; {suggest(to, FORMATS)} (--to=list)")
    check_path("--out=", out)
    format_, path = FORMATS[to], Path(out)
    options = {name: value for name, value in options.items() if value is not None}
    if unknown := [name for name in options if name not in format_.options]:
        readers = [name for name, other in FORMATS.items() if unknown[0] in other.options]
        raise InputError(f"--{unknown[0]}: {to} does not read it; {', '.join(readers) or 'no format'} does")
    if format_.suffix and path.suffix != format_.suffix:
        raise InputError(f"--out={path}: {to} is one file; the name must end in {format_.suffix}")
    old = _old_files(path, format_, overwrite)
    learned = read_map(checkpoint)
    options |= {} if data is None else {"data": data}
    job = make_job(learned, to, language=language, side=side, options=options)
    job = job._replace(source=None if isinstance(checkpoint, LearnedMap) else Path(checkpoint))
    check_features(job)
    done = _write(job, format_, path, old)
    known = learned.about["languages"]
    if language not in (None, *known):
        note = f"{language} was not in training ({', '.join(known)}): what all languages share is written"
        done = done._replace(notes=(*done.notes, note))
    return done


def _old_files(path: Path, format_: Format, overwrite: bool) -> list[Path]:
    """The files of an earlier export, which alone are replaced."""
    if not os.path.lexists(path):
        return []
    if not overwrite:
        raise InputError(f"--out={path}: exists already; give --overwrite or another --out")
    if format_.suffix:
        if path.is_dir():
            raise InputError(f"--out={path}: is a folder; give the name of a file")
        return [path]
    for description in dict.fromkeys(other.description for other in FORMATS.values()):
        try:
            content = read_json(path / description)
            if "ccalign_jax" in content["made_by"]:
                names = [Path(name) for name in content["files"]]
                return [path / name for name in names if not name.is_absolute() and ".." not in name.parts]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    if path.is_dir() and not any(path.iterdir()):
        return []
    raise InputError(f"--out={path}: holds no export, and is not replaced; give another --out")


def _write(job: Job, format_: Format, path: Path, old: list[Path]) -> Exported:
    path.parent.mkdir(parents=True, exist_ok=True)
    if format_.suffix:
        with whole_path(path) as draft:
            notes = format_.write(job, draft)
        return Exported(path, (path,), tuple(notes))
    with drafted(path) as draft:
        draft.mkdir()
        notes = format_.write(job, draft)
        names = sorted({*_names(draft), format_.description})
        facts = read_facts(job)
        write_card(job, facts, draft, notes)
        write_results(job, facts, draft)
        written = sorted({*names, *_names(draft)})
        described = json.dumps(_description(job, written), indent=1, ensure_ascii=False)
        (draft / format_.description).write_text(described + "\n", encoding="utf-8")
        _place(draft, path, written, old, last=format_.description)
    return Exported(path, tuple(path / name for name in names), tuple(notes), path / CARD)


def _place(draft: Path, path: Path, names: Sequence[str], old: Sequence[Path], *, last: str) -> None:
    """Move the files of a draft into a folder, all at once where it has none; others' files stay.

    The description comes last, and until then the older one lists what may be replaced.
    """
    if not any(file.is_file() for file in path.rglob("*")):
        put(draft, path)
        return
    for name in sorted(names, key=lambda name: name == last):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        put(draft / name, path / name)
    _remove_files([file for file in old if file.relative_to(path).as_posix() not in names], path)


def _names(draft: Path) -> list[str]:
    return [file.relative_to(draft).as_posix() for file in draft.rglob("*") if file.is_file()]


def _remove_files(old: Sequence[Path], path: Path) -> None:
    """Remove files, and the folders below `path` that are then empty."""
    for file in old:
        file.unlink(missing_ok=True)
    for folder in sorted({parent for file in old for parent in file.parents if path in parent.parents}, reverse=True):
        with suppress(OSError):
            folder.rmdir()


def _description(job: Job, names: list[str]) -> dict[str, Any]:
    parts = {part.name: {"language": part.language, "d_in": part.d_in, "d_out": job.d_out} for part in job.parts}
    return {
        "made_by": f"ccalign_jax {__version__}",
        "format": job.to,
        "rows": ROWS,
        "parts": parts,
        "map": {key: value for key, value in job.learned.about.items() if key != "leaves"},
        "files": names,
    }

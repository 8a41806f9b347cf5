"""Files that TensorBoard shows: scalars, hyper-parameters with their metrics, and points of its projector."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from ccalign_jax._libraries import import_library

__all__ = ["BoardFiles", "Scalar"]

Value = str | float


class Scalar(NamedTuple):
    """One point of a curve; curves whose tags have the same part before the slash share a section."""

    tag: str
    step: int
    value: float


class BoardFiles:
    """Runs of TensorBoard, each a folder with a file of events. Needs its package, and no TensorFlow.

    Every call appends whole events and closes the file. A new object begins new files, so that an event which a killed
    process has written in part ends its own file alone.

    Args:
        folder: of the runs.

    Raises:
        InputError: TensorBoard is not installed.

    Example:
        >>> import pytest, tempfile
        >>> _ = pytest.importorskip("tensorboard")
        >>> from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     BoardFiles(Path(folder)).add_scalars("linear", [Scalar("loss/fold 0", 1, 0.5)])
        ...     found = EventAccumulator(f"{folder}/linear").Reload()
        >>> found.Tags()["scalars"]
        ['loss/fold 0']
    """

    def __init__(self, folder: Path):
        self._events, self._records = (
            _import(f"tensorboard.{name}") for name in ("compat.proto.event_pb2", "summary.writer.record_writer")
        )
        self._summaries = _import("tensorboard.compat.proto.summary_pb2")
        self.folder = folder
        self._name = f"events.out.tfevents.{int(time.time()):010d}.{os.getpid()}"

    def add_scalars(self, run: str, scalars: Iterable[Scalar]) -> None:
        """Append points of curves."""
        each = [
            (one.step, self._summaries.Summary.Value(tag=one.tag, simple_value=float(one.value))) for one in scalars
        ]
        self._append(run, [(step, self._summaries.Summary(value=[value])) for step, value in each])

    def add_hparams(self, runs: Mapping[str, Mapping[str, Value]], metrics: Sequence[str]) -> None:
        """A row of the table of hyper-parameters for each run, with those metrics that `add_scalars` has given it.

        Args:
            runs: hyper-parameters by run, text or numbers; numbers that are the same in all runs have no column.
            metrics: tags of scalars.
        """
        api = _import("tensorboard.plugins.hparams.summary_v2")
        values: dict[str, set[Value]] = {}
        for given in runs.values():
            for name, value in given.items():
                values.setdefault(name, set()).add(value)
        values = {name: some for name, some in values.items() if len(some) > 1 or isinstance(min(some), str)}
        columns = [api.HParam(name, api.Discrete(sorted(found))) for name, found in values.items()]
        self._append("", [(0, api.hparams_config_pb(columns, [api.Metric(name) for name in metrics]))])
        for run, given in runs.items():
            varied = {name: value for name, value in given.items() if name in values}
            self._append(run, [(0, api.hparams_pb(varied, trial_id=run))])

    def add_points(
        self,
        run: str,
        tensors: Mapping[str, Float[np.ndarray, "n _"]],
        columns: Sequence[str],
        labels: Sequence[Sequence[str]],
        pictures: UInt8[np.ndarray, "n p p 3"] | None = None,
    ) -> None:
        """Points for the projector: tensors of the same rows, such as before and after a map.

        Args:
            run: replaced if it is there.
            tensors: `[n, d]` by name.
            columns: what is known of each row.
            labels: `[n]` rows of these columns.
            pictures: of each row.
        """
        config = _import("tensorboard.plugins.projector.projector_config_pb2").ProjectorConfig()
        folder = self.folder / run
        self._append(run, [])
        if pictures is not None:
            _import("PIL.Image").fromarray(_sprite(pictures)).save(folder / "pictures.png")
        lines = ["\t".join(" ".join(cell.split()) for cell in row) for row in (columns, *labels)]
        (folder / "metadata.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for number, (name, rows) in enumerate(tensors.items()):
            file = f"rows_{number}.bytes"
            (folder / file).write_bytes(np.ascontiguousarray(rows, "<f4").tobytes())
            shown = config.embeddings.add(
                tensor_name=name, tensor_path=file, tensor_shape=rows.shape, metadata_path="metadata.tsv"
            )
            if pictures is not None:
                shown.sprite.image_path = "pictures.png"
                shown.sprite.single_image_dim.extend(pictures.shape[1:3])
        (folder / "projector_config.pbtxt").write_text(str(config), encoding="utf-8")

    def _append(self, run: str, summaries: Sequence[tuple[int, Any]]) -> None:
        path = self.folder / run / self._name
        path.parent.mkdir(parents=True, exist_ok=True)
        now, new = time.time(), not path.exists()
        events = [self._events.Event(wall_time=now, file_version="brain.Event:2")] if new else []
        events += [self._events.Event(wall_time=now, step=step, summary=summary) for step, summary in summaries]
        with path.open("ab") as file:
            writer = self._records.RecordWriter(file)
            for event in events:
                writer.write(event.SerializeToString())


def _sprite(pictures: UInt8[np.ndarray, "n p p 3"]) -> UInt8[np.ndarray, "s s 3"]:
    """All pictures in one square, row by row.

    Example:
        >>> _sprite(np.zeros((5, 2, 2, 3), np.uint8)).shape
        (6, 6, 3)
    """
    count, height, width, _ = pictures.shape
    side = math.ceil(math.sqrt(count))
    cells = np.full((side * side, height, width, 3), 255, np.uint8)
    cells[:count] = pictures
    return cells.reshape(side, side, height, width, 3).swapaxes(1, 2).reshape(side * height, side * width, 3)


def _import(name: str) -> Any:
    return import_library("--tensorboard", name, "tensorboard")

"""What the folder of a run says of its map: test estimates, options, and the encoders behind its embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ccalign_jax.data.extracted import DESCRIPTION, read_description
from ccalign_jax.data.json_files import read_json
from ccalign_jax.data.npz import read_npz
from ccalign_jax.errors import InputError
from ccalign_jax.exporting.job import Job

__all__ = ["MACRO", "METRICS", "TASKS", "Estimate", "Facts", "estimate", "groups", "read_facts"]

TASKS = ("t2i", "i2t")
METRICS = ("R@1", "R@5", "R@10", "MRR", "mAP", "nDCG@10")
MACRO = "macro"  # the mean over languages

Estimate = Mapping[str, float | None]


class Facts(NamedTuple):
    """What is known of how a map came about.

    Attributes:
        summary: of the sweep that chose it; None where there is none, and so no test estimates.
        config: options of the run; empty if unknown.
        extraction: the description of the embeddings that it was learned from; None if unknown.
        galleries: fewest and most test images of a fold; None if unknown.
    """

    summary: Mapping[str, Any] | None = None
    config: Mapping[str, Any] = {}
    extraction: Mapping[str, Any] | None = None
    galleries: tuple[int, int] | None = None

    def encoder(self, side: str) -> Mapping[str, Any]:
        """What the extraction recorded of an encoder; empty if unknown."""
        return {} if self.extraction is None else self.extraction["encoders"][side]

    def encoder_name(self, side: str) -> str | None:
        """The name of an encoder, as an extraction takes it."""
        return None if self.extraction is None else self.extraction.get("config", {}).get(f"{side}_encoder")


def read_facts(job: Job) -> Facts:
    """What is known of the map of a job: from `RUN/summary.json` beside its folder `RUN/best`, and from the embeddings.

    The option `data` names the embeddings; else those that the run names are looked at.

    Raises:
        InputError: `data` is no folder of an extraction, or its description is damaged.
    """
    run = None if job.source is None else job.source.absolute().parent
    summary = _json(run, "summary.json")
    if summary is not None and (summary.get("best") != job.learned.about.get("trial") or "selected" not in summary):
        summary = None  # of another map
    config = (_json(run, "config.json") or {}).get("config") or {}
    given = job.options.get("data")
    extraction = _extraction(Path(given or config["data"])) if given or config.get("data") else None
    if given and extraction is None:
        raise InputError(f"--data={given}: no folder of an extraction ({DESCRIPTION} is missing); give --text_encoder")
    galleries = None if run is None or summary is None else _galleries(run / "folds.npz", summary["folds"])
    return Facts(summary, config, extraction, galleries)


def _json(run: Path | None, name: str) -> dict[str, Any] | None:
    if run is None or not (run / name).is_file():
        return None
    try:
        found = read_json(run / name)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _extraction(data: Path) -> dict[str, Any] | None:
    if not data.is_dir():
        return None
    folders = [data, *(path.parent for path in sorted(data.glob(f"*/{DESCRIPTION}")))]  # parts have their own
    return next((found for folder in folders if (found := read_description(folder)) is not None), None)


def _galleries(path: Path, folds: int) -> tuple[int, int] | None:
    if not path.is_file():
        return None
    stored = read_npz(path)
    sizes = [len(stored[f"{fold}/test"]) for fold in range(folds) if f"{fold}/test" in stored]
    return (min(sizes), max(sizes)) if sizes else None


def estimate(metrics: Mapping[str, Any], task: str, metric: str, group: str = MACRO) -> Estimate | None:
    """One estimate of a summary's `metrics` or `delta`; None where there is none."""
    found = metrics.get(task, {})
    return (found if group == MACRO else found.get("per_language", {}).get(group, {})).get(metric)


def groups(metrics: Mapping[str, Any], task: str) -> Iterator[str]:
    """The mean over languages, then each language."""
    yield MACRO
    yield from metrics.get(task, {}).get("per_language", {})

"""Golden summaries: what small sweeps of three data sets find. `python tests/golden/summaries.py` writes them anew."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax.data import EmbeddingSet, load, synthetic
from ccalign_jax.study import SweepResult, sweep

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
REAL = {"flickr8k5": "flickr8k5.npz", "coco500": "coco500_clip.npz"}
LANGUAGES = {"synthetic": ("de", "en"), "flickr8k5": ("de", "en"), "coco500": ("en",)}
IMAGES = 160
METRICS = ("R@1", "R@10", "MRR")
OPTIONS: dict[str, Any] = {
    "hyper": {"epochs": 2, "learning_rate": 0.003, "temperature": 0.05},
    "folds": 2,
    "inner_folds": 1,
    "race": False,
    "diagnostics": False,
}
ALIGNERS = {"synthetic": ("ridge", "procrustes", "residual")}  # training is the same program for all data
CLOSED = ("ridge", "procrustes")
# Products differ in their last digits between CPUs, and so do the ranks of near ties.
EXACT, RANKED, TRAINED = 1e-9, 2e-3, 1e-2


def small(name: str, data: Path) -> EmbeddingSet:
    """The first images of a data set, in two languages at most."""
    languages = LANGUAGES[name]
    whole = load(data / REAL[name], languages=languages) if name in REAL else synthetic(IMAGES, languages=languages)
    return whole.take(np.arange(IMAGES))


def find(name: str, data: Path) -> dict[str, float | str]:
    """The numbers of one data set, and what its folds test on, by their place in the summary."""
    rows = small(name, data)
    result = sweep(rows, aligners=ALIGNERS.get(name, CLOSED), **OPTIONS)
    tests = [",".join(map(str, rows.keys[fold.test][:5])) for fold in result.plan.folds]
    return {"rows": rows.sha256(), "tests": " ".join(tests), **dict(numbers(result))}


def numbers(result: SweepResult) -> Iterator[tuple[str, float]]:
    """Means, and the intervals of changes, of the baselines and every trial."""
    summary = result.summary
    for arm, part in (*summary["baselines"].items(), *((trial["name"], trial) for trial in summary["trials"])):
        parts: Mapping[str, Any] = {"": part["metrics"], "change ": part["delta"]} if "metrics" in part else {"": part}
        for kind, metrics in parts.items():
            for task in ("t2i", "i2t"):
                for metric in METRICS:
                    estimate = metrics[task][metric]
                    for end in ("mean", "low", "high") if kind else ("mean",):
                        yield f"{arm}: {kind}{task} {metric} {end}", round(float(estimate[end]), 6)


def tolerance(name: str) -> float:
    """How far a number may be from the golden one."""
    arm = name.partition(":")[0]
    return EXACT if arm == "chance" else TRAINED if "residual" in arm or "change" in name else RANKED


def main() -> None:
    data = Path(os.environ.get("CCALIGN_DATA", ROOT.parent / "shared" / "data"))
    for name in ("synthetic", *REAL):
        if name in REAL and not (data / REAL[name]).exists():
            print(f"{name}: left as it is, {data / REAL[name]} is not there", file=sys.stderr)
            continue
        (FOLDER / f"{name}.json").write_text(json.dumps(find(name, data), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

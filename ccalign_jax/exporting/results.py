"""Test estimates in the shape of CLIP_benchmark's and MTEB's files, named as what they are: our own folds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ccalign_jax._version import __version__
from ccalign_jax.exporting.facts import TASKS, Facts, estimate
from ccalign_jax.exporting.job import Job
from ccalign_jax.exporting.stock_modules import write_json_file

__all__ = ["NOTE", "write_results"]

NOTE = (
    "Estimates on folds of ccalign_jax's own (mean over test folds of what each fold selected), not an entry of a "
    "benchmark: split, gallery and captions differ. Not comparable with results of the benchmark's own data."
)
CUTS = (1, 5, 10)
CLIP_NAMES = {"t2i": "image_retrieval_recall", "i2t": "text_retrieval_recall"}
MTEB_NAMES = {"t2i": "T2IRetrieval", "i2t": "I2TRetrieval"}
MTEB_METRICS = {
    "ndcg_at_10": "nDCG@10",
    "recall_at_1": "R@1",
    "recall_at_5": "R@5",
    "recall_at_10": "R@10",
    "mrr": "MRR",
    "map": "mAP",
}


def write_results(job: Job, facts: Facts, folder: Path) -> None:
    """Write `results/clip_benchmark/` and `results/mteb/`; nothing where no test estimates are known."""
    if facts.summary is None:
        return
    about = job.learned.about
    data = _plain(f"{facts.summary['data']['name']}-own-folds")
    model, name = (
        _plain(str(facts.encoder("text").get("name") or "unknown-encoder")),
        _plain(f"ccalign_jax-{_map(about)}"),
    )
    clip = folder / "results" / "clip_benchmark"
    clip.mkdir(parents=True)
    for language, content in _clip_benchmark(facts.summary, data, model, name).items():
        file = f"{data}_{name}_{model}_{_plain(language)}_zeroshot_retrieval.json"
        write_json_file(clip / file, content)
    revision = str(about.get("sha256") or "unknown")[:12]
    mteb = folder / "results" / "mteb" / f"ccalign_jax__{model}-{name}" / revision
    mteb.mkdir(parents=True)
    for task, content in _mteb(facts.summary, data).items():
        write_json_file(mteb / f"{task}.json", content)
    write_json_file(
        mteb / "model_meta.json",
        {"name": f"ccalign_jax/{model}-{name}", "revision": revision, "languages": [*about["languages"]], "note": NOTE},
    )


def _map(about: Mapping[str, Any]) -> str:
    return "-".join(str(about[key]) for key in ("pivot", "aligner", "loss") if about.get(key))


def _plain(name: str) -> str:
    """A part of a file's name: letters, digits, dots and dashes."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.").replace("_", "-")


def _clip_benchmark(summary: Mapping[str, Any], data: str, model: str, name: str) -> dict[str, dict[str, Any]]:
    """The content of the file of each language."""
    metrics, found = summary["selected"]["metrics"], {}
    for language in summary["data"]["languages"]:
        values = {
            f"{CLIP_NAMES[task]}@{cut}": one["mean"]
            for task in TASKS
            for cut in CUTS
            if (one := estimate(metrics, task, f"R@{cut}", language)) is not None
        }
        found[language] = {
            "dataset": data,
            "model": model,
            "pretrained": name,
            "task": "zeroshot_retrieval",
            "metrics": values,
            "language": language,
            "note": NOTE,
        }
    return found


def _mteb(summary: Mapping[str, Any], data: str) -> dict[str, dict[str, Any]]:
    """The content of the file of each direction."""
    metrics, found = summary["selected"]["metrics"], {}
    for task in TASKS:
        rows = []
        for language in summary["data"]["languages"]:
            values = {
                key: one["mean"]
                for key, metric in MTEB_METRICS.items()
                if (one := estimate(metrics, task, metric, language)) is not None
            }
            rows.append(
                {"main_score": values.get("ndcg_at_10"), "hf_subset": language, "languages": [language], **values}
            )
        name = f"{data}-{MTEB_NAMES[task]}"
        found[name] = {
            "dataset_revision": summary["data"]["sha256"],
            "task_name": name,
            "mteb_version": f"none: written by ccalign_jax {__version__}",
            "scores": {"test": rows},
            "evaluation_time": None,
            "kg_co2_emissions": None,
            "note": NOTE,
        }
    return found

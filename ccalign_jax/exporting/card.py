"""The card of an exported map: what it is, how it was chosen, its test estimates, and where it loses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ccalign_jax._names import IDENTITY
from ccalign_jax._version import __version__
from ccalign_jax.aligners import ALIGNERS, maps_unseen_languages, parse_name
from ccalign_jax.exporting.card_results import language_table, losses, overall_table
from ccalign_jax.exporting.facts import MACRO, METRICS, TASKS, Facts, estimate
from ccalign_jax.exporting.job import Job
from ccalign_jax.exporting.licences import hub_name, licence
from ccalign_jax.exporting.usage import usage

__all__ = ["CARD", "front_matter", "make_card", "write_card"]

CARD = "README.md"
UNKNOWN = "unknown"
LIBRARIES = {"sentence-transformers": "sentence-transformers", "onnx": "onnx", "faiss": "faiss"}
METRIC_TYPES = dict(
    zip(METRICS, ("recall_at_1", "recall_at_5", "recall_at_10", "mrr", "map", "ndcg_at_10"), strict=True)
)
DIRECTIONS = {"t2i": "caption to image (t2i)", "i2t": "image to caption (i2t)"}


def write_card(job: Job, facts: Facts, folder: Path, notes: Sequence[str]) -> None:
    """Write `README.md`; see `make_card`."""
    (folder / CARD).write_text(make_card(job, facts, folder, notes), encoding="utf-8")


def make_card(job: Job, facts: Facts, folder: Path, notes: Sequence[str]) -> str:
    """The card, Markdown after YAML front matter.

    Args:
        job: what was exported.
        facts: what is known of the map's run.
        folder: with the files of the format.
        notes: what the format says to its user.
    """
    head = yaml.safe_dump(front_matter(job, facts), sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{head}---\n\n" + "\n".join(_body(job, facts, folder, notes)) + "\n"


def front_matter(job: Job, facts: Facts) -> dict[str, Any]:
    """What model hubs read; estimates are those of the summary, to the last digit."""
    about = job.learned.about
    encoders = [facts.encoder(side) for side in ("text", "image")]
    bases = {name: encoder.get("revision") or UNKNOWN for encoder in encoders if (name := hub_name(encoder))}
    found: dict[str, Any] = {"library_name": LIBRARIES.get(job.to, "ccalign_jax")}
    if bases:
        found |= {"base_model": [*bases], "base_model_relation": "adapter", "base_model_revision": [*bases.values()]}
    found |= {
        "language": [*about["languages"]],
        "license": _licence(job, facts),
        "tags": ["ccalign_jax", "image-text-retrieval", "multilingual", "embedding-alignment", about["aligner"]],
        "pipeline_tag": "sentence-similarity" if job.to == "sentence-transformers" else "feature-extraction",
    }
    if facts.summary is not None:
        results = [_model_index(facts, task, group) for task, group in _measured(facts.summary)]
        found["model-index"] = [{"name": _title(job), "results": results}]
    return found


def _licence(job: Job, facts: Facts) -> str:
    """That of the encoders, where they are in the folder and agree."""
    sides = [facts.encoder(side) for side in ("text", "image") if facts.encoder(side)]
    known = {licence(encoder) for encoder in sides} if job.to == "sentence-transformers" else set()
    return (known.pop() or UNKNOWN) if len(known) == 1 else UNKNOWN


def _measured(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((task, group) for task in TASKS for group in (MACRO, *summary["data"]["languages"]))


def _model_index(facts: Facts, task: str, group: str) -> dict[str, Any]:
    assert facts.summary is not None
    metrics = facts.summary["selected"]["metrics"]
    values = [
        {"type": METRIC_TYPES[metric], "value": found["mean"], "name": f"{task} {metric}"}
        for metric in METRICS
        if (found := estimate(metrics, task, metric, group)) is not None and found["mean"] is not None
    ]
    return {
        "task": {"type": "information-retrieval", "name": f"{DIRECTIONS[task]}, {_group(group)}"},
        "dataset": {"type": "own-folds", "name": dataset_name(facts), "split": "test"},
        "metrics": values,
    }


def dataset_name(facts: Facts) -> str:
    """A name that cannot be taken for a benchmark's."""
    assert facts.summary is not None
    return f"{facts.summary['data']['name']}, own folds of ccalign_jax (no benchmark)"


def _group(group: str) -> str:
    return "mean over languages" if group == MACRO else group


def _title(job: Job) -> str:
    about = job.learned.about
    pivot = f", pivot {about['pivot']}" if about.get("pivot") else ""
    return f"Map of captions to the space of images: {about['aligner']}{pivot}"


def _body(job: Job, facts: Facts, folder: Path, notes: Sequence[str]) -> Iterator[str]:
    about = job.learned.about
    yield from (f"# {_title(job)}", "", what_it_is(job), "")
    yield from ("## Use", "", "```python", *usage(job, folder), "```", "")
    yield from (*(f"- {note}" for note in notes), *([""] if notes else []))
    yield from ("## How it was chosen", "", *_choice(job, facts), "")
    yield from ("## Test estimates", "")
    if facts.summary is None:
        yield "No test figures are known: the map was not exported from the folder of a sweep (`RUN/best`)."
    else:
        yield from (_setting(facts), "", *overall_table(facts.summary), "", *language_table(facts.summary), "")
        yield from ("## Where it loses", "", *losses(facts.summary))
    yield from ("", "## Limits", "")
    seen = ", ".join(about["languages"])
    unseen = maps_unseen_languages(about["aligner"])
    others = "other languages take the shared part, untested" if unseen else "it has no map for other languages"
    yield f"- Learned from {seen} alone; {others}."
    if held := facts.config.get("heldout_language"):
        yield f"- {held} was held out of training."
    yield "- Fitted to rows of the encoders below; it is wrong for rows of another encoder, or of another revision."
    yield "- A threshold on scores that was set before must be set again: the map moves all scores."
    yield from ("", "## Encoders, data and licences", "", *_sources(facts, about))
    yield from ("", f"Made by ccalign_jax {__version__}; `{about.get('trial') or about['aligner']}`.")


def what_it_is(job: Job) -> str:
    """One sentence with the formula of the map."""
    about = job.learned.about
    part = job.parts[0]
    side = "image" if part.name == "images" else "caption"
    one = "for each language a map of its own, " if sum(one.name != "images" for one in job.parts) > 1 else ""
    if about["aligner"] == IDENTITY:
        return (
            f"The untouched {side} embeddings `[{part.d_in}]`, scaled to unit length: no map that was tried was chosen "
            "over them."
        )
    if part.layers is None:
        parsed = parse_name(about["aligner"])
        formula = f"y = unit(f(x)), f: {ALIGNERS[parsed.text].summary}"
    elif len(part.layers) == 2:
        formula = "y = unit(W₂ GELU(W₁ x + b₁) + b₂)"
    else:
        formula = "y = unit(W x + b)" if part.layers[0].bias.any() else "y = unit(W x)"
    return (
        f"A map of frozen {side} embeddings into a shared space of width {job.d_out}: {one}`{formula}`, where x is the "
        f"embedding `[{part.d_in}]` scaled to unit length, and unit scales to unit length."
        + (" Images are mapped, too." if job.learned.aligner.trains_image else " Images stay as they are.")
    )


def _choice(job: Job, facts: Facts) -> Iterator[str]:
    about, summary = job.learned.about, facts.summary
    yield f"- Aligner `{about['aligner']}`, pivot `{about.get('pivot')}`, loss `{about.get('loss')}`."
    if about.get("epoch") is not None:
        yield f"- Trial `{about.get('trial')}`, epoch (of a closed form: place on its path) {about['epoch']}."
    if summary is None:
        return
    trials = (summary.get("race") or {}).get("trials") or len(summary["trials"])
    count = f"{trials} trial" + "s" * (trials != 1)
    if summary["protocol"] == "seed":
        yield (
            f"- {count}, protocol seed: epochs and trials are chosen **on the folds that are reported**: "
            "the figures below are optimistic."
        )
    else:
        yield (
            f"- {count} and the untouched embeddings, nested protocol: {summary['folds']} test folds; in each, "
            f"trial and epoch are chosen by inner parts ({summary.get('inner', UNKNOWN)}), never by the test part."
        )
    yield (
        "- The estimates are of this procedure, fold by fold (`selected`). The map in this folder is the best trial, "
        "fitted again on all images; it has no test images of its own."
    )
    yield from (f"- Note of the run: {note}{'' if note.endswith('?') else '.'}" for note in summary["notes"])


def _setting(facts: Facts) -> str:
    assert facts.summary is not None
    data, source = facts.summary["data"], (facts.extraction or {}).get("source", {})
    gallery = "unknown"
    if facts.galleries is not None:
        low, high = facts.galleries
        gallery = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    captions = ", ".join(f"{language} {count:,}" for language, count in data["captions"].items())
    policy = source.get("captions")
    return (
        f"Data `{data['name']}`: {data['images']:,} images; captions: {captions}. Split: "
        f"{facts.config.get('split', UNKNOWN)}, {facts.summary['folds']} test parts. Gallery: the whole test part, "
        f"{gallery} images; R@k of other gallery sizes is not comparable. Every caption is a query (t2i), every image "
        f"is one among the captions of a language (i2t, any of its own counts). Captions used of an image: "
        f"{policy or 'all in the data'}. In brackets: 95 % intervals over images."
    )


def _sources(facts: Facts, about: Mapping[str, Any]) -> Iterator[str]:
    for side in ("text", "image"):
        encoder = facts.encoder(side)
        if not encoder:
            yield f"- {side.capitalize()} encoder: {UNKNOWN}; its licence: {UNKNOWN}."
            continue
        name = hub_name(encoder) or Path(str(encoder["name"])).name
        yield (
            f"- {side.capitalize()} encoder: `{name}`, revision {encoder.get('revision') or UNKNOWN}, SHA-256 of the "
            f"weights `{encoder.get('weights_sha256')}`; its licence: {licence(encoder) or UNKNOWN}."
        )
    for fact in (facts.extraction or {}).get("source", {}).get("facts", ()):
        yield f"- {fact}"
    yield f"- Data: `{about.get('data', UNKNOWN)}`; their licence: {UNKNOWN}. It may bind the map, too."

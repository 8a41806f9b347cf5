"""Tables for papers: one compact table of the main result, and those of the seed study with its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ccalign_jax._names import BOTH, DIRECTIONS, IDENTITY
from ccalign_jax.reporting.family_names import (
    by_pivot,
    choice_words,
    family_key,
    family_labels,
    setting_words,
    shown_families,
    shown_note,
    state_name,
)
from ccalign_jax.reporting.format import (
    Summary,
    change_heading,
    clusters,
    count_words,
    find,
    identity_part,
    is_tested,
    plain,
)
from ccalign_jax.reporting.names import Family
from ccalign_jax.reporting.pages import Panel
from ccalign_jax.reporting.scope import gallery_size
from ccalign_jax.reporting.table import Column, Table, fill_table
from ccalign_jax.reporting.verdicts import is_optimistic

__all__ = ["PAPER", "compact_table", "retrieval_table"]

COLUMNS = ("R@1", "R@5", "R@10", "MRR")  # of the seed study
MAX_COLUMNS = 12  # of languages
TASKS = {"t2i": "Text to image", "i2t": "Image to text", "via_image": "Captions of another language via an image"}
# Of each diagnostic its heading, decimals, and place below a state.
DIAGNOSTICS: dict[str, tuple[int, tuple[str, ...]]] = {
    "effect.\nrank": (1, ("macro", "effective_rank")),
    "PCA\n90 %": (1, ("macro", "pca90_components")),
    "mean\ncosine": (3, ("macro", "mean_pairwise_cosine")),
    "PoZ": (3, ("macro", "PoZ")),
    "entropy": (3, ("macro", "entropy")),
    "Gram\ncorr.": (3, ("between_languages", "gram_correlation", "mean")),
    "neighb.\noverlap": (3, ("between_languages", "neighbour_jaccard", "mean")),
    "hub\nskew": (2, ("macro", "hub_skew")),
    "hub\nratio": (3, ("macro", "hub_ratio_1pct")),
    "lang.\nID": (3, ("probe", "seed", "accuracy")),
}


def compact_table(summary: Summary) -> Table:
    """R@1 of text to image, image to text and their mean, with the change against identity; narrow enough for a page.

    Rows are those of the main table: identity, the families shown, and what was selected.
    """
    change = change_heading(summary)
    columns = [Column.names("aligner")]
    for task, words in {**dict.fromkeys(DIRECTIONS), BOTH: "mean"}.items():
        columns.append(Column.estimate(f"{words or task}\nR@1", "metrics", task, "R@1"))
        columns.append(Column.estimate(change, "delta", task, "R@1"))
    families, images = shown_families(summary), count_words(gallery_size(summary), "test image")
    return fill_table(
        f"{summary['data']['name']}: R@1 on {images}{setting_words(families)}",
        columns,
        [
            ("", [(IDENTITY, _levels(identity_part(summary)))]),
            *_groups(families),
            ("", [("selected", _levels(summary["selected"]))]),
        ],
        notes=_compact_notes(summary),
    )


def _levels(part: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the compact table: its levels go without the interval, which that of the change makes up for."""
    levels = {task: {"R@1": {"mean": part["metrics"][task]["R@1"]["mean"]}} for task in (*DIRECTIONS, BOTH)}
    return {key: part[key] for key in ("delta",) if key in part} | {"metrics": levels}


def _groups(families: list[Family]) -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    for pivot, members in by_pivot(families).items():
        yield pivot, [(name, _levels(family)) for name, family in members]


def _compact_notes(summary: Summary) -> Iterator[str]:
    folds = summary["folds"]
    over = f"Means over languages{f' and {folds} folds' if folds > 1 else ''}; mean: of both directions."
    against = "change: against identity, the embeddings as they are, on the same queries"
    if is_tested(summary):
        against += (
            f", with its 95 % interval over {clusters(summary)}; p: paired sign flips, adjusted (Holm) for "
            f"{len(summary['families'])} pivots × aligners × losses; selected is one hypothesis"
        )
    elif folds > 1:
        against += ", ± its standard deviation over folds"
    yield f"{over} {against}."
    part = "the very folds that are reported, which flatters it" if is_optimistic(summary) else "inner folds"
    yield f"selected: chosen on {part}: {choice_words(summary, summary['selected']['per_fold'])}."
    yield from shown_note(summary)


def retrieval_table(summary: Summary, *, task: str) -> Table | None:
    """R@1, R@5, R@10 and MRR of one retrieval task, before and after each family, as in the seed study."""
    if task not in summary["baselines"][IDENTITY]:
        return None
    families = shown_families(summary)
    rows = [("before", summary["baselines"][IDENTITY]), *_after(families)]
    return fill_table(
        f"{TASKS[task]}{setting_words(families)}",
        [
            Column.names("map"),
            *(Column(metric, partial(_mean, path=(task, metric))) for metric in COLUMNS),
        ],
        [("", rows)],
        notes=_notes(summary, "pairs of languages" if task == "via_image" else "languages"),
    )


def languages_table(summary: Summary) -> Table | None:
    """R@1 of text to image in each language, before and after each family, as in the seed study."""
    languages = list(summary["baselines"][IDENTITY]["t2i"]["per_language"])
    if not 1 < len(languages) <= MAX_COLUMNS:
        return None
    families = shown_families(summary)
    return fill_table(
        f"Text to image, R@1 of each language{setting_words(families)}",
        [
            Column.names("map"),
            *(Column(name, partial(_mean, path=("t2i", "per_language", name, "R@1"))) for name in languages),
        ],
        [("", [("before", summary["baselines"][IDENTITY]), *_after(families)])],
        notes=_notes(summary, "captions"),
    )


def diagnostics_table(summary: Summary) -> Table | None:
    """The diagnostics of captions that the seed study gives, before and after each family."""
    found = summary.get("diagnostics")
    if found is None:
        return None
    families = shown_families(summary)
    known = dict(zip(map(family_key, families), family_labels(families), strict=True))
    rows = [("before" if key == IDENTITY else known.get(key) or state_name(summary, key), found[key]) for key in found]
    return fill_table(
        f"Geometry of captions{setting_words(families)}",
        [
            Column.names("map"),
            *(
                Column(heading, partial(_diagnostic, places=places, path=path))
                for heading, (places, path) in DIAGNOSTICS.items()
            ),
        ],
        [("", rows)],
        notes=(
            f"Mean over languages, or pairs of them, on {count_words(round(found[IDENTITY]['rows']), 'test image')}; "
            "before: the embeddings as they are. PoZ: entries near zero; hub ratio: share of the top 1 % of captions "
            "among the ten nearest neighbours; lang. ID: accuracy of a probe of the language.",
        ),
    )


def _diagnostic(name: str, state: Mapping[str, Any], places: int, path: tuple[str, ...]) -> str:
    value = find(state, *path)
    return "" if value is None else plain(value, places)


def _after(families: list[Family]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(label, family["metrics"]) for label, family in zip(family_labels(families), families, strict=True)]


def _mean(name: str, metrics: Mapping[str, Any], path: tuple[str, ...]) -> str:
    return plain(find(metrics, *path, "mean"))


def _notes(summary: Summary, over: str) -> Iterator[str]:
    folds = summary["folds"]
    spread = f" and {folds} folds" if folds > 1 else ""
    yield (
        f"Means over {over}{spread}, a gallery of about {count_words(gallery_size(summary), 'image')}; before: the "
        "embeddings as they are."
    )
    yield from shown_note(summary)


PAPER = [
    Panel("compact", "", compact_table),
    *(Panel(f"seed_{task}", "", partial(retrieval_table, task=task)) for task in ("t2i", "i2t")),
    Panel("seed_pivot", "", partial(retrieval_table, task="via_image")),
    Panel("seed_languages", "", languages_table),
    Panel("seed_diagnostics", "", diagnostics_table),
]

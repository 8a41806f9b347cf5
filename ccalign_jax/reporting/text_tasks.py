"""Retrieval between languages: the tasks of a sweep's families and of an evaluation, and every pair of languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ccalign_jax._names import IDENTITY, PAIR_TASKS, split_pair
from ccalign_jax.reporting.format import NOTHING, Estimate, Summary, changed, find, has_interval, level, plain, signed
from ccalign_jax.reporting.measures import TASKS, by_chance, changes, compared, headings, states
from ccalign_jax.reporting.names import family_labels, setting_words, shown_families
from ccalign_jax.reporting.results import shown_note
from ccalign_jax.reporting.table import Table, make_table
from ccalign_jax.reporting.verdicts import cell_note, change_heading

Pairs = Mapping[tuple[str, str], Estimate]

METRICS = ("R@1", "R@10", "MRR", "mAP")
MAX_MATRIX = 12  # languages; more than that are summarised
NOTE = (
    "A caption looks for the captions of its image in another language. Via an image: the image nearest to the "
    "caption is the query in its place; the right image shows what a perfect first step would give."
)


def text_tasks(summary: Summary) -> list[str]:
    """The tasks between languages that were measured."""
    return [task for task in PAIR_TASKS if task in summary["baselines"][IDENTITY]]


def text_to_text_table(summary: Summary) -> Table | None:
    """Captions of one language as queries for those of another, directly and through the images: means over pairs."""
    if not text_tasks(summary):
        return None
    return _families_table(summary) if "families" in summary else _tasks_table(summary)


def _families_table(summary: Summary) -> Table:
    """Of a sweep: a row a family, R@1 of each task."""
    families, tasks, change = shown_families(summary), text_tasks(summary), change_heading(summary)
    identity = summary["baselines"][IDENTITY]
    rows = [["identity", *(cell for task in tasks for cell in (level(identity[task]["R@1"]), ""))]]
    for label, family in zip(family_labels(families), families, strict=True):
        cells = [
            show(find(family[part], task, "R@1"))
            for task in tasks
            for part, show in (("metrics", level), ("delta", changed))
        ]
        rows.append([label, *cells])
    heads = [TASKS[task].replace(" image", "\nimage") for task in tasks]
    return make_table(
        f"Text to text, R@1 on the test part, mean over ordered pairs of languages{setting_words(families)}",
        ("aligner", *(name for head in heads for name in (head, change))),
        [("", rows[:1]), ("", rows[1:])],
        notes=(NOTE, *filter(None, [cell_note(summary)]), *shown_note(summary)),
    )


def _tasks_table(summary: Summary) -> Table:
    """Of an evaluation: a row a task, several metrics before and after the map."""
    rows = [
        [TASKS[task], *(cell for metric in METRICS for cell in compared(summary, task, metric))]
        for task in text_tasks(summary)
    ]
    chance = []
    if "t2t" in summary["baselines"]["chance"]:
        chance = [["chance", *(cell for metric in METRICS for cell in by_chance(summary, "t2t", metric))]]
    return make_table(
        "Text to text, mean over ordered pairs of languages",
        ("task", *(name for metric in METRICS for name in headings(summary, metric))),
        [("", rows), ("", chance)],
        notes=(NOTE,),
    )


def pairs_direct_table(summary: Summary) -> Table | None:
    """R@1 of every ordered pair of languages, captions as queries for captions."""
    return _pairs_table(summary, "t2t")


def pairs_through_image_table(summary: Summary) -> Table | None:
    """R@1 of every ordered pair of languages through the nearest image."""
    return _pairs_table(summary, "via_image")


def _pairs_table(summary: Summary, task: str) -> Table | None:
    """R@1 of every ordered pair of languages; of more than twelve languages the mean, lowest and highest of each."""
    if task not in summary["baselines"][IDENTITY]:
        return None
    blocks = {state: _pairs(metrics[task]) for state, metrics in states(summary).items()}
    if delta := changes(summary):
        blocks["change"] = _pairs(delta[task])
    languages = list(dict.fromkeys(language for pair in blocks[IDENTITY] for language in pair))
    build = _matrices if len(languages) <= MAX_MATRIX else _extremes
    return build(f"R@1 by pair of languages, {TASKS[task]}", languages, blocks)


def _pairs(metrics: Mapping[str, Any]) -> dict[tuple[str, str], Estimate]:
    """R@1 by language of the query and of the gallery."""
    return {split_pair(pair): found["R@1"] for pair, found in metrics["per_language"].items()}


def _matrices(title: str, languages: Sequence[str], blocks: Mapping[str, Pairs]) -> Table:
    """A row a language of the query and a column a language of the gallery: each state, and the change."""
    written = []
    for state, pairs in blocks.items():
        show, show_mean = (changed, signed) if state == "change" else (level, plain)
        rows = []
        for query in languages:
            cells = [show(pairs[query, gallery]) if (query, gallery) in pairs else "" for gallery in languages]
            rows.append([query, *cells, show_mean(_mean(_others(pairs, 0, query)))])
        means = [_mean(_others(pairs, 1, gallery)) for gallery in languages]
        rows.append(["mean", *map(show_mean, [*means, _mean(pairs)])])
        written.append((state if len(blocks) > 1 else "", rows))
    notes = ["Rows: the language of the query; columns: the language of the gallery."]
    if has_interval(next(iter(blocks[IDENTITY].values()))):
        notes.append(
            "[ ]: 95 % interval. p: paired sign flips over images, not adjusted for the number of pairs. Means of rows "
            "and columns have neither; that of all pairs has both in the table of text to text."
        )
    return make_table(title, ("query", *languages, "mean"), written, notes=notes)


def _extremes(title: str, languages: Sequence[str], blocks: Mapping[str, Pairs]) -> Table:
    """A row a language: its mean in each state, and with which other it does worst and best in the last."""
    names = list(blocks) if len(blocks) > 1 else ["mean"]
    last = [state for state in blocks if state != "change"][-1]
    columns = []
    for role in ("query", "gallery"):
        columns += [name if name == "change" else f"{role}\n{name}" for name in names] + ["lowest", "highest"]
    rows = []
    for language in languages:
        cells: list[str] = []
        for side in (0, 1):
            others = {state: _others(pairs, side, language) for state, pairs in blocks.items()}
            cells += [(signed if state == "change" else plain)(_mean(each)) for state, each in others.items()]
            for end in (min, max):
                name = end(others[last], key=lambda other: others[last][other]["mean"], default=None)
                cells.append(NOTHING if name is None else f"{name} {level(others[last][name])}")
        rows.append([language, *cells])
    note = (
        f"{len(languages)} languages, hence no matrix (every pair is in the CSV): of each, the mean over "
        f"the others as the language of the query, and as that of the gallery; lowest and highest, {last}: with which "
        "other language."
    )
    return make_table(title, ("language", *columns), [("", rows)], notes=[note])


def _others(pairs: Pairs, side: int, language: str) -> dict[str, Estimate]:
    """The estimates of a language with each other one, as that of the query (side 0) or of the gallery (1)."""
    return {pair[1 - side]: estimate for pair, estimate in pairs.items() if pair[side] == language}


def _mean(estimates: Mapping[Any, Estimate]) -> float | None:
    return sum(one["mean"] for one in estimates.values()) / len(estimates) if estimates else None

"""Results by subgroup: each language, pairs of languages, the disparity of languages, and groups of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import DIRECTIONS, IDENTITY, UNMAPPED, split_pair
from ccalign_jax.reporting.family_names import choice_words
from ccalign_jax.reporting.forest import changes_figure
from ccalign_jax.reporting.format import (
    CHANGE,
    INTERVAL_NOTE,
    NOTHING,
    Estimate,
    Summary,
    changed,
    clusters,
    count_words,
    find,
    has_interval,
    is_tested,
    level,
    plain,
    signed,
)
from ccalign_jax.reporting.names import DIRECTION_WORDS
from ccalign_jax.reporting.panels.retrieval import TASKS, changes, language_rows, languages_of, mean_rows, states
from ccalign_jax.reporting.table import Column, Table, fill_table, make_table
from ccalign_jax.reporting.verdicts import verdict_notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Pairs = Mapping[tuple[str, str], Estimate]  # R@1 by language of the query and of the gallery

MANY = 12  # languages; more than that get thinner rows, and no matrix of pairs
GROUPINGS = {"difficulty": "by difficulty of the image", "captions": "by number of captions"}


def languages_table(summary: Summary) -> Table:
    """R@1 of each language under identity and under the choice of a sweep."""
    notes = [f"selected: {choice_words(summary, summary['selected']['per_fold'])}."]
    if is_tested(summary):
        notes.append("[ ]: 95 % interval. p: paired sign flips over images, not adjusted for the number of languages.")
    elif summary["folds"] > 1:
        notes.append("± is the standard deviation over folds, not a confidence interval.")
    if any(name.endswith(UNMAPPED) for name in languages_of(summary)):
        notes.append("unmapped: the pivot's captions as they are, among images as they are; no part of the mean.")
    paths = [(task, "R@1") for task in DIRECTIONS]
    columns = [f"{task}\n{name}" for task in DIRECTIONS for name in (*states(summary), "change")]
    blocks = [("", language_rows(summary, paths)), ("", mean_rows(summary, paths))]
    return make_table("Each language, R@1 on the test part", ("language", *columns), blocks, notes=notes)


def disparity_table(summary: Summary) -> Table | None:
    """The best and the worst language of each direction, under identity and under the choice."""
    disparity = find(summary, "subgroups", "disparity")
    if not disparity:
        return None
    metrics = {"before": summary["baselines"][IDENTITY], "after": summary["selected"]["metrics"]}
    rows = []
    for task, found in disparity.items():
        cells = [DIRECTION_WORDS[task]]
        for state, known in metrics.items():
            for language in (found[state]["best"], found[state]["worst"]):
                cells.append(f"{language} {plain(find(known, task, 'per_language', language, 'R@1', 'mean'))}")
            cells.append(level(found[state]["difference"]))
        rows.append([*cells, changed(found["change"])])
    columns = [f"{name}\n{state}" for state in metrics for name in ("best", "worst", "difference")]
    return make_table(
        "Disparity of languages: R@1 of the best less that of the worst, on the test part",
        ("direction", *columns, "change of the\ndifference"),
        [("", rows)],
        notes=(
            "before: identity; after: selected. A change below zero brings the languages together. Best and worst are "
            "determined anew before and after, so that some difference would remain between languages that are alike.",
            "[ ]: 95 % interval. p: from the same replicates of images, adjusted (Holm) for both directions.",
        ),
    )


def subgroups_table(summary: Summary, grouping: str) -> Table | None:
    """R@1 under identity and its change, by `difficulty` or number of `captions` of the image."""
    found = find(summary, "subgroups", grouping)
    if not found or not found.get("bins"):
        return None
    number = Column("number", lambda name, each: str(each["images"]))
    levels = Column.directions("{task} R@1\nidentity", CHANGE, key="identity")
    adjusted = f"adjusted (Holm) for the number of rows ({len(found['bins'])})"
    return fill_table(
        f"Subgroups {GROUPINGS[grouping]}: R@1 on the test part, selected against identity",
        [Column.names("images"), number, *Column.both(CHANGE), *levels],
        [("", [(each["name"], each) for each in found["bins"]])],
        notes=(
            f"{found['what'].removesuffix('.')}.",
            INTERVAL_NOTE.format(clusters(summary), adjusted),
            *verdict_notes(summary),
        ),
    )


def subgroups_plot(summary: Summary) -> Figure | None:
    """Change of R@1 against identity in each group of images: both directions, and their mean."""
    rows: list[tuple[str, Mapping[str, Any] | None]] = []
    for grouping, words in GROUPINGS.items():
        found = find(summary, "subgroups", grouping, "bins")
        rows += [(words, None)] if found else []
        rows += [(f"{each['name']} ({count_words(each['images'], 'image')})", each["delta"]) for each in found or ()]
    return changes_figure("subgroups", rows) if rows else None


def pairs_table(summary: Summary, task: str) -> Table | None:
    """R@1 of every ordered pair of languages, `t2t` or `via_image`; of more than twelve, a summary of each."""
    if task not in summary["baselines"][IDENTITY]:
        return None
    found = {state: metrics[task] for state, metrics in states(summary).items()}
    if delta := changes(summary):
        found["change"] = delta[task]
    blocks = {
        state: {split_pair(pair): one["R@1"] for pair, one in metrics["per_language"].items()}
        for state, metrics in found.items()
    }
    languages = list(dict.fromkeys(language for pair in blocks[IDENTITY] for language in pair))
    build = _matrices if len(languages) <= MANY else _extremes
    return build(f"R@1 by pair of languages, {TASKS[task]}", languages, blocks)


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
    last = [state for state in blocks if state != "change"][-1]

    def mean(state: str, side: int) -> Column:
        show = signed if state == "change" else plain
        head = "mean" if len(blocks) == 1 else state
        head = head if state == "change" else f"{'gallery' if side else 'query'}\n{head}"
        return Column(head, lambda language, _: show(_mean(_others(blocks[state], side, language))))

    def extreme(heading: str, end: Any, side: int) -> Column:
        def cell(language: str, _: Any) -> str:
            others = _others(blocks[last], side, language)
            name = end(others, key=lambda other: others[other]["mean"], default=None)
            return NOTHING if name is None else f"{name} {level(others[name])}"

        return Column(heading, cell)

    columns = [Column.names("language")]
    for side in (0, 1):
        columns += [mean(state, side) for state in blocks]
        columns += [extreme("lowest", min, side), extreme("highest", max, side)]
    note = (
        f"{len(languages)} languages, hence no matrix (every pair is in the CSV): of each, the mean over "
        f"the others as the language of the query, and as that of the gallery; lowest and highest, {last}: with which "
        "other language."
    )
    return fill_table(title, columns, [("", [(language, {}) for language in languages])], notes=[note])


def _others(pairs: Pairs, side: int, language: str) -> dict[str, Estimate]:
    """The estimates of a language with each other one, as that of the query (side 0) or of the gallery (1)."""
    return {pair[1 - side]: estimate for pair, estimate in pairs.items() if pair[side] == language}


def _mean(estimates: Mapping[Any, Estimate]) -> float | None:
    return sum(one["mean"] for one in estimates.values()) / len(estimates) if estimates else None

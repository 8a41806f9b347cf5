"""Text to text in tables: the ways from one language to another, and every pair of languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ccalign_jax.reporting.evaluation_words import by_chance, compared, headings, states
from ccalign_jax.reporting.figure_names import TASKS
from ccalign_jax.reporting.tables import Table
from ccalign_jax.reporting.wording import NOTHING, changed, has_interval, level, plain, signed

__all__ = ["TEXT_TASKS", "pair_table", "text_table"]

Summary = Mapping[str, Any]
Figure = Mapping[str, Any]
Pairs = Mapping[tuple[str, str], Figure]

TEXT_METRICS = ("R@1", "R@10", "MRR", "mAP")
TEXT_TASKS = ("t2t", "via_image", "via_image_soft", "via_image_oracle")
WIDEST_MATRIX = 12  # languages; more than that are summarised


def text_table(summary: Summary) -> Table:
    """Captions of one language looking for those of another, directly and through the images: means over pairs.

    Args:
        summary: of an evaluation in two languages or more.
    """
    identity, chance = summary["baselines"]["identity"], summary["baselines"]["chance"]
    tasks = [task for task in TEXT_TASKS if task in identity]
    rows = [(TASKS[task], *(cell for m in TEXT_METRICS for cell in compared(summary, task, m))) for task in tasks]
    if "t2t" in chance:
        rows.append(("chance", *(cell for metric in TEXT_METRICS for cell in by_chance(summary, "t2t", metric))))
    columns = [name for metric in TEXT_METRICS for name in headings(summary, metric)]
    return Table(
        title="Text to text, mean over ordered pairs of languages",
        columns=("way", *columns),
        rows=tuple(rows),
        alignment="l" + "r" * len(columns),
        notes=(
            "A caption looks for the captions of its image in another language. Via an image: the image that the "
            "caption leads to looks in its place; the right image is what a perfect first step would give.",
        ),
        rules=(len(tasks),),
    )


def pair_table(summary: Summary, task: str = "t2t") -> Table:
    """R@1 of every ordered pair of languages; of more than twelve languages the mean, lowest and highest of each.

    Args:
        summary: of an evaluation in two languages or more.
        task: `t2t`, or one of the ways through an image.
    """
    blocks = {state: _pairs(metrics[task]) for state, metrics in states(summary).items()}
    if len(blocks) > 1:
        blocks["change"] = _pairs(summary["delta"][task])
    languages = list(dict.fromkeys(language for pair in blocks["identity"] for language in pair))
    build = _matrices if len(languages) <= WIDEST_MATRIX else _extremes
    return build(f"R@1 by pair of languages, {TASKS[task]}", languages, blocks)


def _pairs(metrics: Mapping[str, Any]) -> dict[tuple[str, str], Figure]:
    """R@1 by language of the query and of the gallery."""
    found = {}
    for pair, figures in metrics["per_language"].items():
        query, _, gallery = pair.partition("->")
        found[query, gallery] = figures["R@1"]
    return found


def _matrices(title: str, languages: Sequence[str], blocks: Mapping[str, Pairs]) -> Table:
    """A row a language of the query and a column a language of the gallery: each state, and the change."""
    rows: list[tuple[str, ...]] = []
    rules = []
    for state, pairs in blocks.items():
        show, show_mean = (changed, signed) if state == "change" else (level, plain)
        rules.append(len(rows))
        rows += [(state, *[""] * (len(languages) + 1))] if len(blocks) > 1 else []
        for query in languages:
            cells = [show(pairs[query, among]) if (query, among) in pairs else "" for among in languages]
            rows.append((query, *cells, show_mean(_mean(_others(pairs, 0, query)))))
        means = [_mean(_others(pairs, 1, among)) for among in languages]
        rows.append(("mean", *map(show_mean, [*means, _mean(pairs)])))
    notes = ["Rows: the language of the query; columns: the language of the captions it looks among."]
    if has_interval(next(iter(blocks["identity"].values()))):
        notes.append(
            "[ ]: 95 % interval. p: paired sign flips over images, not adjusted for the number of pairs. Means of rows "
            "and columns have neither; that of all pairs has both in the table of text to text."
        )
    return Table(
        title=title,
        columns=("query", *languages, "mean"),
        rows=tuple(rows),
        alignment="l" + "r" * (len(languages) + 1),
        notes=tuple(notes),
        rules=tuple(rules),
    )


def _extremes(title: str, languages: Sequence[str], blocks: Mapping[str, Pairs]) -> Table:
    """A row a language: its mean in each state, and with which other it does worst and best in the last."""
    names = list(blocks) if len(blocks) > 1 else ["mean"]
    last = "mapped" if "mapped" in blocks else "identity"
    columns = []
    for role in ("query", "among"):
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
        rows.append((language, *cells))
    return Table(
        title=title,
        columns=("language", *columns),
        rows=tuple(rows),
        alignment="l" + "r" * len(columns),
        notes=(
            f"{len(languages)} languages, hence no matrix (every pair is in the CSV): of each, the mean over "
            "the others as the language of the query, and as that of the captions it looks among; lowest and highest, "
            f"{last}: with which other language.",
        ),
    )


def _others(pairs: Pairs, side: int, language: str) -> dict[str, Figure]:
    """What a language has with each other one, as that of the query (side 0) or of the gallery (1)."""
    return {pair[1 - side]: figure for pair, figure in pairs.items() if pair[side] == language}


def _mean(figures: Mapping[Any, Figure]) -> float | None:
    return sum(figure["mean"] for figure in figures.values()) / len(figures) if figures else None

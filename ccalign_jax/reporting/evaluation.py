"""The tables of one evaluated data set: as it is ("identity"), and through a map where there is one ("mapped")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccalign_jax.reporting.evaluation_diagnostics import (
    calibration_table,
    diagnostics_by_language_table,
    diagnostics_table,
    map_table,
)
from ccalign_jax.reporting.evaluation_pairs import TEXT_TASKS, pair_table, text_table
from ccalign_jax.reporting.evaluation_words import (
    by_chance,
    compared,
    evaluation_place,
    headings,
    interval_note,
    maps,
    states,
    training_words,
)
from ccalign_jax.reporting.evidence import CHANGE, VERDICT_NOTE, verdict_cell
from ccalign_jax.reporting.figure_names import main_metrics, scoring_name
from ccalign_jax.reporting.metrics_table import metrics_table
from ccalign_jax.reporting.notes import DIRECTION_NOTE
from ccalign_jax.reporting.tables import Table
from ccalign_jax.reporting.wording import DIRECTIONS, both_figure, changed, count_words, find, has_interval, level

__all__ = ["evaluation_table", "evaluation_tables", "scores_table"]

Summary = Mapping[str, Any]

SCORES_P = "p: paired sign flips over images, adjusted (Holm) for all scores on all states."
CELLS = "[ ]: such an interval; p: paired sign flips over images."


def evaluation_tables(summary: Summary) -> dict[str, Table]:
    """Every table that the summary has the figures for, by the name of its file.

    Args:
        summary: of an evaluation.
    """
    tables = {"retrieval": evaluation_table(summary), "metrics": metrics_table(summary)}
    if "scores" in summary:
        tables["scores"] = scores_table(summary)
    identity = summary["baselines"]["identity"]
    if identity.keys() & set(TEXT_TASKS):
        tables["text_to_text"] = text_table(summary)
    if "t2t" in identity:
        tables["pairs_direct"] = pair_table(summary, "t2t")
    if "via_image" in identity:
        tables["pairs_through_image"] = pair_table(summary, "via_image")
    if "diagnostics" in summary:
        tables["diagnostics"] = diagnostics_table(summary)
        if find(summary, "diagnostics", "identity", "nulls") is not None:
            tables["calibration"] = calibration_table(summary)
        tables["diagnostics_by_language"] = diagnostics_by_language_table(summary)
    if maps(summary):
        tables["map"] = map_table(summary)
    return tables


def evaluation_table(summary: Summary) -> Table:
    """Both directions for each language: R@1 and mAP, and without a map R@5 and R@10 too.

    Args:
        summary: of an evaluation; `data` and `baselines`, and with a map `name`, `metrics` and `delta`.
    """
    metrics = main_metrics(summary)
    if "metrics" not in summary:
        metrics[1:1] = ["R@5", "R@10"]
    paths = [(direction, metric) for metric in metrics for direction in DIRECTIONS]
    rows = []
    for language in summary["baselines"]["identity"]["t2i"]["per_language"]:
        named = [(direction, "per_language", language, metric) for direction, metric in paths]
        rows.append((language, *(cell for path in named for cell in compared(summary, *path))))
    rows.append(("mean", *(cell for path in paths for cell in compared(summary, *path))))
    rows.append(("chance", *(cell for path in paths for cell in by_chance(summary, *path))))
    notes = [DIRECTION_NOTE, f"The gallery is all {_images(summary['data'])} scored: R@k falls as it grows."]
    if "metrics" in summary:
        notes.append(
            f"mapped: {summary['name']}; identity: the embeddings as they are; change: mapped minus identity, on the "
            "same queries."
        )
        notes.append(training_words(summary))
        known = has_interval(summary["delta"]["t2i"]["R@1"])
        notes.append(f"{interval_note(summary)} {CELLS}" if known else interval_note(summary))
    if summary["data"]["d_text"] != summary["data"]["d_image"]:
        notes.append("Captions and images differ in width: identity cuts or pads, and is near chance.")
    columns = [name for path in paths for name in headings(summary, " ".join(path))]
    return Table(
        title=f"Retrieval on {evaluation_place(summary)}",
        columns=("language", *columns),
        rows=tuple(rows),
        alignment="l" + "r" * len(columns),
        notes=tuple(notes),
        rules=(len(rows) - 2,),
    )


def scores_table(summary: Summary) -> Table:
    """Scores without parameters on top of each state: what a trained map has to beat.

    Args:
        summary: of an evaluation with `scores`.
    """
    scores, identity = summary["scores"], summary["baselines"]["identity"]
    rows: list[tuple[str, ...]] = []
    rules = []
    for state in states(summary):
        rules.append(len(rows))
        rows.append((state, *[""] * 9))
        for scoring, metrics in scores[state].items():
            delta = metrics.get("delta") or _minus(metrics, identity)
            pairs = [(both_figure(metrics), both_figure(delta))]
            pairs += [(metrics[direction]["R@1"], delta[direction]["R@1"]) for direction in DIRECTIONS]
            cells = [cell for value, moved in pairs for cell in (level(value), changed(moved))]
            cells += [level(metrics[direction]["mAP"]) for direction in DIRECTIONS]
            rows.append((scoring_name(summary, scoring), verdict_cell(metrics), *cells))
    bank, known = scores["bank"], any(row[1] for row in rows)
    seen = (
        "the very rows that are scored (transductive): what a query gets depends on the other queries"
        if bank["transductive"]
        else "other rows of the data, none of those scored"
    )
    most = f" (at most {bank['most_rows']} rows of each language)" if "most_rows" in bank else ""
    columns = [name for head in ("mean of\nboth", *DIRECTIONS) for name in (head, CHANGE if known else "change")]
    return Table(
        title="Scores without parameters on top, R@1, mean over languages",
        columns=("score", "verdict", *columns, *(f"{direction}\nmAP" for direction in DIRECTIONS)),
        rows=tuple(rows),
        alignment="ll" + "r" * 8,
        notes=(
            "change: against identity under the cosine. A trained map has to beat what a score earns without training.",
            f"All but the cosine look at a bank, {_images(bank)} and their captions{most}: {seen}.",
            "To pick the best row of this table would be to choose on the images that are reported.",
            *((f"[ ]: 95 % interval. {SCORES_P}", VERDICT_NOTE) if known else ()),
        ),
        rules=tuple(rules),
    ).filled()


def _minus(metrics: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, Any]:
    """What scores change, of summaries that do not say."""
    ways = {way: metrics[way]["R@1"]["mean"] - identity[way]["R@1"]["mean"] for way in DIRECTIONS}
    return {way: {"R@1": {"mean": change}} for way, change in ways.items()}


def _images(part: Mapping[str, Any]) -> str:
    return count_words(part["images"], "image")

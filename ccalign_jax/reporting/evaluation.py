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
from ccalign_jax.reporting.evaluation_pairs import TEXT_ROUTES, pair_table, text_table
from ccalign_jax.reporting.evaluation_words import (
    by_chance,
    compared,
    evaluation_place,
    headings,
    interval,
    maps,
    states,
)
from ccalign_jax.reporting.figure_names import amount, change, figure_name, scoring_name
from ccalign_jax.reporting.notes import DIRECTION_NOTE
from ccalign_jax.reporting.results import MAIN_METRICS
from ccalign_jax.reporting.tables import Table
from ccalign_jax.reporting.wording import DIRECTIONS, both_directions, count_words, find

__all__ = ["evaluation_table", "evaluation_tables", "metrics_table", "scores_table"]

Summary = Mapping[str, Any]

ALL_METRICS = ("R@1", "R@5", "R@10", "MRR", "mAP", "median_rank", "nDCG@10")


def evaluation_tables(summary: Summary) -> dict[str, Table]:
    """Every table that the summary has the figures for, by the name of its file.

    Args:
        summary: of an evaluation.
    """
    tables = {"retrieval": evaluation_table(summary), "metrics": metrics_table(summary)}
    if "scores" in summary:
        tables["scores"] = scores_table(summary)
    identity = summary["baselines"]["identity"]
    if identity.keys() & set(TEXT_ROUTES):
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
    metrics = MAIN_METRICS if "metrics" in summary else ("R@1", "R@5", "R@10", "mAP")
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
        notes.append("On images that the map was trained on, the change is partly what it learnt by heart.")
        if not interval(summary["delta"]["t2i"]["R@1"]):
            notes.append("No interval is computed yet.")
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


def metrics_table(summary: Summary) -> Table:
    """Every metric in both directions, the mean over languages, beside chance.

    Args:
        summary: of an evaluation.
    """
    known = "metrics" in summary and bool(interval(summary["delta"]["t2i"]["R@1"]))
    columns = ["metric"]
    for direction in DIRECTIONS:
        columns += headings(summary, direction) + ["95 %\ninterval"] * known + [f"{direction}\nchance"]
    rows = []
    for metric in ALL_METRICS:
        name = figure_name(metric)
        cells = [name.words]
        for direction in DIRECTIONS:
            cells += compared(summary, direction, metric)
            cells += [interval(summary["delta"][direction][metric], name.places)] if known else []
            cells.append(by_chance(summary, direction, metric)[0])
        rows.append(tuple(cells))
    return Table(
        title="Every metric, mean over languages",
        columns=tuple(columns),
        rows=tuple(rows),
        alignment="l" + "r" * (len(columns) - 1),
        notes=(
            "A caption has one image, so that t2i mAP is MRR. An image may have several captions: R@k, MRR and median "
            "rank take the best of them, mAP and nDCG all. The lower the median rank, the better.",
        ),
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
        rows.append((state, *[""] * 8))
        for scoring, metrics in scores[state].items():
            pairs = [
                (identity[direction]["R@1"]["mean"], metrics[direction]["R@1"]["mean"]) for direction in DIRECTIONS
            ]
            pairs.append((both_directions(identity), both_directions(metrics)))
            cells = [cell for base, value in pairs for cell in (amount(value), change(base, value))]
            cells += [amount(metrics[direction]["mAP"]["mean"]) for direction in DIRECTIONS]
            rows.append((scoring_name(summary, scoring), *cells))
    bank = scores["bank"]
    seen = (
        "the very rows that are scored (transductive): what a query gets depends on the other queries"
        if bank["transductive"]
        else "other rows of the data, none of those scored"
    )
    most = f" (at most {bank['most_rows']} rows of each language)" if "most_rows" in bank else ""
    columns = [name for head in (*DIRECTIONS, "mean of\nboth") for name in (head, "change")]
    return Table(
        title="Scores without parameters on top, R@1, mean over languages",
        columns=("score", *columns, *(f"{direction}\nmAP" for direction in DIRECTIONS)),
        rows=tuple(rows),
        alignment="l" + "r" * 8,
        notes=(
            "change: against identity under the cosine. A trained map has to beat what a score earns without training.",
            f"All but the cosine look at a bank, {_images(bank)} and their captions{most}: {seen}.",
            "To pick the best row of this table would be to choose on the images that are reported.",
        ),
        rules=tuple(rules),
    )


def _images(part: Mapping[str, Any]) -> str:
    return count_words(part["images"], "image")

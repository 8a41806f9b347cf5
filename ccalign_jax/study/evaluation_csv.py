"""One evaluation as rows for CSV files: every retrieval metric, every diagnostic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ccalign_jax.reporting.diagnostics import maps, probe_accuracies
from ccalign_jax.reporting.retrieval import states

__all__ = ["diagnostics_rows", "retrieval_rows"]

Summary = Mapping[str, Any]
Row = dict[str, Any]

NULL_COLUMNS = {
    "null_value": "value",
    "null_mean": "null_mean",
    "null_std": "null_std",
    "p": "p",
    "calibrated": "calibrated",
}


def retrieval_rows(summary: Summary) -> Iterator[Row]:
    """A row a state × scoring × `figure` × direction × language: `macro`, a language, or a pair such as `ar->de`.

    Args:
        summary: of an evaluation.

    Yields:
        `state` (`identity`, `mapped` or `chance`); `scoring`; `figure` (`level`, or `change` against identity under the
        cosine); `direction`; `language`; and of each metric its mean under its own name, `…_low` and `…_high`, and in
        changes `…_p` and `…_p_adjusted`.

    Example:
        >>> metrics = {"t2i": {"R@1": {"mean": 0.5}, "per_language": {"de": {"R@1": {"mean": 0.5}}}}}
        >>> [row["language"] for row in retrieval_rows({"baselines": {"identity": metrics, "chance": {}}})]
        ['macro', 'de']
    """
    for state, metrics in states(summary).items():
        yield from _metric_rows(state, "cosine", "level", metrics)
        if state == "mapped":
            yield from _metric_rows(state, "cosine", "change", summary["delta"])
        for scoring, scored in summary.get("scores", {}).get(state, {}).items():
            if scoring != "cosine":  # which stands above, with more directions
                yield from _metric_rows(state, scoring, "level", scored)
                yield from _metric_rows(state, scoring, "change", scored.get("delta", {}))
    yield from _metric_rows("chance", "", "level", summary["baselines"]["chance"])


def diagnostics_rows(summary: Summary) -> Iterator[Row]:
    """A row a state × group × diagnostic; empty where the summary has neither diagnostics nor a linear map.

    Args:
        summary: of an evaluation.

    Yields:
        `state`; `group` (`captions/de`, `captions/macro`, `image`, `between_languages/de|en`, `with_image/de`, the
        last two with `/mean` too, `probe`, and for a map `map`, or `map/de` for one of each language); `name`;
        `value`; and where a null was drawn `null_value` (the same diagnostic on the rows of the null), `null_mean`,
        `null_std`, `p` and `calibrated`.
    """
    for state, found in summary.get("diagnostics", {}).items():
        for language, figures in {**found["per_language"], "macro": found["macro"]}.items():
            yield from _figure_rows(state, f"captions/{language}", figures)
        yield from _figure_rows(state, "image", found.get("image", {}))
        yield from _between_rows(state, found)
        yield from _with_image_rows(state, found)
        yield from _figure_rows(state, "probe", probe_accuracies(found))
    for language, figures in maps(summary).items():
        single = {key: value for key, value in figures.items() if not isinstance(value, list | tuple)}
        shared = "per_language" not in summary["map"]
        yield from _figure_rows("mapped", "map" if shared else f"map/{language}", single)


def _metric_rows(state: str, scoring: str, figure: str, metrics: Mapping[str, Any]) -> Iterator[Row]:
    head = {"state": state, "scoring": scoring, "figure": figure}
    for direction, figures in metrics.items():
        if direction in ("delta", "verdict"):  # of a score; its changes have rows of their own
            continue
        each = {"macro": {key: one for key, one in figures.items() if key != "per_language"}}
        for language, part in {**each, **figures.get("per_language", {})}.items():
            values = [pair for metric, one in part.items() for pair in _columns(metric, one, figure)]
            yield {**head, "direction": direction, "language": language, **dict(values)}


def _columns(metric: str, figure: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    yield metric, _written(figure["mean"])
    for key in ("low", "high", *(("p", "p_adjusted") if kind == "change" else ())):
        yield f"{metric}_{key}", _written(figure.get(key))


def _figure_rows(state: str, group: str, figures: Mapping[str, Any]) -> Iterator[Row]:
    for name, value in figures.items():
        yield _row(state, group, name, value, None)


def _between_rows(state: str, found: Mapping[str, Any]) -> Iterator[Row]:
    languages, nulls = found["languages"], found.get("nulls", {}).get("between_languages", {})
    for name, figures in found["between_languages"].items():
        for i, first in enumerate(languages):
            for j in range(i + 1, len(languages)):
                pair = f"{first}|{languages[j]}"
                null = nulls.get(name, {}).get(pair)
                yield _row(state, f"between_languages/{pair}", name, figures["matrix"][i][j], null)
        if figures["mean"] is not None:
            yield _row(state, "between_languages/mean", name, figures["mean"], None)


def _with_image_rows(state: str, found: Mapping[str, Any]) -> Iterator[Row]:
    nulls = found.get("nulls", {}).get("with_image", {})
    for name, figures in found.get("with_image", {}).items():
        for language, value in figures["per_language"].items():
            yield _row(state, f"with_image/{language}", name, value, nulls.get(name, {}).get(language))
        yield _row(state, "with_image/mean", name, figures["mean"], None)


def _row(state: str, group: str, name: str, value: float | None, null: Mapping[str, float] | None) -> Row:
    calibrated = {column: "" if null is None else _written(null[field]) for column, field in NULL_COLUMNS.items()}
    return {"state": state, "group": group, "name": name, "value": _written(value), **calibrated}


def _written(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"

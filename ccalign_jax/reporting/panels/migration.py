"""Recovery of re-embedding: tables, a plot, and the verdict in a few sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.format import CHANGE, level, plain
from ccalign_jax.reporting.plots import CYCLE, INK, make_subplots, styled
from ccalign_jax.reporting.table import Column, Table, fill_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MAP_WORDS", "curve_table", "maps_table", "migration_words", "recovery_plot"]

Summary = Mapping[str, Any]  # the content of a migration.json

MAP_WORDS = {
    "identity": "identity",
    "shift": "shift of means",
    "procrustes": "Procrustes",
    "scaled_procrustes": "Procrustes, then a scale for each dimension",
    "low_rank": "low rank",
    "ridge": "ridge",
    "clusters": "ridge by cluster",
}
METRICS = ("R@1", "R@10", "nDCG@10")
NOTES = (
    "recovery: the metric of the map over that of the reference, the same queries; [ ]: its 95 % interval, queries "
    "resampled (clusters of one relevant document together).",
    "Maps and settings were chosen on the pairs alone, by cross-validation; no query had a part in it.",
)


def curve_table(summary: Summary) -> Table:
    """The recovery of the chosen map by the number of pairs."""
    rows = [(f"{point['pairs']:,}", point) for point in summary["curve"]]
    return fill_table(
        f"Recovery of {_reference(summary)} by the number of pairs",
        [Column.names("pairs", "r"), *_columns(), Column("chosen", lambda name, point: _chosen(point), "l")],
        [("", rows)],
        notes=(f"Means over {summary['draws']} samples of each size; of all pairs there is one.", *NOTES),
    )


def maps_table(summary: Summary) -> Table:
    """The recovery of each kind of map, fitted on all pairs."""
    rows = [(MAP_WORDS[name], values) for name, values in summary["maps"].items()]
    levels = [(name, {"metrics": metrics}) for name, metrics in summary["baselines"].items()]
    columns = [Column.names("map"), *_columns(), Column.estimate(f"R@1\n{CHANGE}", "delta", "R@1")]
    return fill_table(
        f"Recovery of {_reference(summary)} by map, fitted on {summary['data']['pairs']:,} pairs",
        columns,
        [("", rows), ("", levels)],
        notes=(*NOTES, f"change: against {_reference(summary)}; p: paired sign flips, adjusted (Holm) for the maps."),
    )


@styled
def recovery_plot(summary: Summary) -> Figure:
    """Recovery of R@1, R@10 and nDCG@10 against the number of pairs, with intervals."""
    figure, (axes,) = make_subplots("recovery by pairs", 1, height=3.6)
    pairs = [point["pairs"] for point in summary["curve"]]
    ends = [summary["curve"][-1]["recovery"][metric]["mean"] for metric in METRICS]
    for colour, metric in zip(CYCLE, METRICS, strict=False):
        shares = [point["recovery"][metric] for point in summary["curve"]]
        means = [share["mean"] for share in shares]
        axes.plot(pairs, means, "o-", color=colour, markersize=5)
        axes.fill_between(
            pairs, [share["low"] for share in shares], [share["high"] for share in shares], color=colour, alpha=0.15
        )
        up = 10 * sorted(ends).index(means[-1]) - 10  # ends may lie on each other
        axes.annotate(metric, (pairs[-1], means[-1]), (8, up), textcoords="offset points", color=colour, va="center")
    axes.axhline(1.0, color=INK, linewidth=1)
    axes.axhline(summary["enough"], color=INK, linewidth=1, linestyle=":")
    axes.set_xscale("log")
    axes.set_xticks(pairs, [f"{count:,}" for count in pairs])
    axes.minorticks_off()
    axes.margins(x=0.12)
    axes.grid(axis="y")
    axes.set(xlabel="pairs that the map is fitted on", ylabel=f"share of {_reference(summary)}")
    return figure


def migration_words(summary: Summary) -> tuple[str, ...]:
    """Whether to map or to embed again, with the recovery that says so."""
    last, best = summary["curve"][-1], summary["best"]
    share, enough = last["recovery"]["R@10"], _percent(summary["enough"])
    ends = f"95 % interval {_percent(share['low'])} to {_percent(share['high'])}"
    which = "queries into the old index" if summary["direction"] == "queries" else "the old index to the new encoder"
    found = (
        f"A map of {which} ({MAP_WORDS[best['map']]}, {last['pairs']:,} pairs) reaches {_percent(share['mean'])} of "
        f"the R@10 of {_reference(summary)} ({ends})."
    )
    verdict = {
        "map": f"The map suffices: all of the interval is at {enough} or above.",
        "re-embed": f"Re-embed instead: all of the interval is below {enough}.",
        "undecided": f"Undecided: the interval holds {enough}; more queries would narrow it.",
    }
    sentences = [found, verdict[summary["verdict"]]]
    if summary["held_out"]:
        sentences.append(
            "The queries are documents held out of the pairs, and right is the document that the new encoder has "
            "nearest: the figures say how far searches agree, not how good they are. Give queries and relevant "
            "documents to learn that."
        )
    return tuple(sentences)


def _columns() -> list[Column]:
    columns = [Column("R@1", lambda name, values: level(values["metrics"]["R@1"]))]
    for metric in METRICS:
        columns.append(
            Column(
                f"recovery\n{metric}",
                lambda name, values, metric=metric: level(values["recovery"][metric]) if "recovery" in values else "",
            )
        )
    return columns


def _chosen(point: Mapping[str, Any]) -> str:
    return ", ".join(dict.fromkeys(name.replace("/", ", ").replace("_", " ") for name in point["chosen"]))


def _reference(summary: Summary) -> str:
    return "the re-embedded index" if summary["reference"] == "re-embedded" else "the old encoder"


def _percent(share: float) -> str:
    return f"{plain(100 * share, 1)} %"

"""What maps of queries earn: a table, a plot, and the verdict in a few sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.forest import changes_range, draw_change
from ccalign_jax.reporting.format import CHANGE, change_words, plain, signed
from ccalign_jax.reporting.panels.migration import MAP_WORDS
from ccalign_jax.reporting.plots import CYCLE, INK, make_subplots, name_rows, styled, write_column
from ccalign_jax.reporting.table import Column, Table, fill_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["adapter_plot", "adapter_table", "adapter_words"]

Summary = Mapping[str, Any]  # the content of an adapter.json
LEVELS = ("R@1", "R@10", "MRR", "nDCG@10")
SELECTED, IDENTITY = "selected", "identity"


def adapter_table(summary: Summary) -> Table:
    """Levels and changes of every kind of map, of the choice, and of the queries as they are."""
    base = (IDENTITY, {"metrics": summary["baselines"][IDENTITY]})
    rows = [(family_words(name), values) for name, values in summary["families"].items()]
    columns = [Column.names("map"), Column("verdict", lambda name, values: values.get("verdict", ""), "l")]
    columns += [Column.estimate(metric, "metrics", metric) for metric in LEVELS]
    columns += [Column.estimate(f"{metric}\n{CHANGE}", "delta", metric) for metric in ("R@1", "nDCG@10")]
    about = summary["data"]
    return fill_table(
        f"{about['queries']:,} queries among {about['documents']:,} documents",
        columns,
        [("", [base]), ("", rows), ("", [(SELECTED, summary["selected"])])],
        notes=(
            "[ ]: 95 % interval, queries resampled (those that share a document together); change: against identity; "
            "p: paired sign flips, adjusted (Holm) for the kinds of maps; selected is one hypothesis.",
            "Each query was searched by the map of a fold that had seen neither it nor its documents; selected is what "
            "the folds chose on further queries.",
            "verdict: on R@1: a gain or a loss where its adjusted p is below .05, else no evidence.",
        ),
    )


@styled
def adapter_plot(summary: Summary) -> Figure:
    """Change of R@1 of every kind of map, and of the choice, with intervals."""
    rows = [(family_words(name), one["delta"]["R@1"]) for name, one in summary["families"].items()]
    rows.append((SELECTED, summary["selected"]["delta"]["R@1"]))
    figure, (axes,) = make_subplots("change of R@1 of queries", 1, height=1.25 + 0.27 * len(rows))
    ends = changes_range([change for _, change in rows])
    for row, (name, change) in enumerate(rows):
        draw_change(axes, row, change, CYCLE[0], "D" if name == SELECTED else "o", ends=ends)
    axes.axvline(0, color=INK, linewidth=1, zorder=1)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(*ends)
    axes.set(xlabel="change of R@1")
    write_column(axes, [signed(change["mean"]) for _, change in rows])
    name_rows(axes, [name for name, _ in rows])
    return figure


def adapter_words(summary: Summary) -> tuple[str, ...]:
    """What the choice earns, against queries as they are and against the best closed form, and which map is kept."""
    before, chosen = summary["baselines"][IDENTITY]["R@1"], summary["selected"]
    after, change, closed = chosen["metrics"]["R@1"], chosen["delta"]["R@1"], chosen["delta_closed"]["R@1"]
    said = f"The chosen map of queries changes R@1 from {plain(before['mean'])} to {plain(after['mean'])}"
    advice = {
        "gain": "The first hit is right more often than with queries as they are.",
        "no evidence": "No evidence that the first hit is right more often; more pairs may show it.",
        "loss": "The first hit is right less often: leave the queries as they are.",
    }
    best = family_words(summary["best"]["name"].removeprefix("queries/"))
    return (
        f"{said} ({change_words(change)}).",
        advice[summary["verdict"]],
        f"nDCG@10: {change_words(chosen['delta']['nDCG@10'])}.",
        f"Against the best closed form, identity among them: {change_words(closed)}.",
        f"best/ is {best}, fitted on all pairs.",
    )


def family_words(name: str) -> str:
    """A kind of map, or one of its settings, in words.

    Example:
        >>> family_words("ridge/penalty 0.1"), family_words("residual/infonce with hard negatives")
        ('ridge, penalty 0.1', 'residual, infonce with hard negatives')
    """
    first, *others = name.split("/")
    return ", ".join([MAP_WORDS.get(first, first), *others])

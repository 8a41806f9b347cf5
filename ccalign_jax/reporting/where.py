"""Where the gain of what was selected lies: between languages, by difficulty of the images, by number of captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.evidence import CHANGE, clusters, verdict_cell, verdict_notes
from ccalign_jax.reporting.panels import BLUE, CYCLE, ORANGE, draw_changes, make_panels, name_rows, styled
from ccalign_jax.reporting.tables import Table
from ccalign_jax.reporting.wording import DIRECTION_WORDS, DIRECTIONS, changed, count_words, find, level, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["GROUPINGS", "bins_plot", "bins_table", "disparity_table", "where_tables"]

Summary = Mapping[str, Any]

GROUPINGS = {"difficulty": "by difficulty of the image", "captions": "by number of captions"}
WAYS = (*DIRECTIONS, "both")


def where_tables(summary: Summary) -> dict[str, Table]:
    """The tables that `summary["where"]` has the figures for, by the name of their file.

    Args:
        summary: the content of `summary.json`.
    """
    where = summary.get("where", {})
    tables = {"disparity": disparity_table(summary)} if where.get("disparity") else {}
    return tables | {name: bins_table(summary, name) for name in GROUPINGS if find(where, name, "bins")}


def disparity_table(summary: Summary) -> Table:
    """The best and the worst language of each direction, as the embeddings are and after what was selected.

    Args:
        summary: the content of `summary.json`, with `where` and its `disparity`.
    """
    metrics = {"before": summary["baselines"]["identity"], "after": summary["selected"]["metrics"]}
    rows = []
    for way, found in summary["where"]["disparity"].items():
        cells: list[str] = []
        for state, figures in metrics.items():
            each = found[state]
            cells += [_named(figures, way, each["best"]), _named(figures, way, each["worst"])]
            cells.append(level(each["difference"]))
        rows.append((DIRECTION_WORDS[way], *cells, changed(found["change"])))
    columns = [f"{name}\n{state}" for state in metrics for name in ("best", "worst", "difference")]
    return Table(
        title="Disparity of languages: R@1 of the best less that of the worst, on the holdout",
        columns=("direction", *columns, "change of the\ndifference"),
        rows=tuple(rows),
        alignment="l" + "r" * (len(columns) + 1),
        notes=(
            "before: identity; after: selected. A change below zero brings the languages together. Best and worst are "
            "picked anew in each state, so that some difference would remain between languages that are alike.",
            "[ ]: 95 % interval. p: from the same replicates of images, adjusted (Holm) for both directions.",
        ),
    )


def bins_table(summary: Summary, grouping: str) -> Table:
    """R@1 under identity and its change, for each group of images.

    Args:
        summary: the content of `summary.json`, with `where`.
        grouping: `difficulty` or `captions`.
    """
    found = summary["where"][grouping]
    rows = []
    for each in found["bins"]:
        cells = [changed(find(each["delta"], "both", "R@1"))]
        for way in DIRECTIONS:
            cells += [level(each["identity"][way]["R@1"]), changed(each["delta"][way]["R@1"])]
        rows.append((each["name"], str(each["images"]), verdict_cell(each), *cells))
    columns = [name for way in DIRECTIONS for name in (f"{way} R@1\nidentity", CHANGE)]
    return Table(
        title=f"Where the gain lies, {GROUPINGS[grouping]}: R@1 on the holdout, selected against identity",
        columns=("images", "number", "verdict", f"mean of both\n{CHANGE}", *columns),
        rows=tuple(rows),
        alignment="lrl" + "r" * (len(columns) + 1),
        notes=(
            _sentence(found["what"]),
            f"[ ]: 95 % interval. p: paired sign flips over {clusters(summary)}, adjusted (Holm) for the number of "
            f"rows ({len(found['bins'])}).",
            *verdict_notes(summary),
        ),
    ).filled()


@styled
def bins_plot(summary: Summary) -> Figure:
    """Change of R@1 against identity in each group of images: both directions, and their mean.

    Args:
        summary: the content of `summary.json`, with `where`.
    """
    names, bins = _plotted(summary["where"])
    figure, panels = make_panels("where the gain lies", 3, height=1.3 + 0.34 * len(names), sharey=True)
    titles = [*(DIRECTION_WORDS[way] for way in DIRECTIONS), "mean of both"]
    for axes, title, way, colour in zip(panels, titles, WAYS, (BLUE, ORANGE, CYCLE[2]), strict=True):
        draw_changes(axes, [find(each, "delta", way, "R@1") for each in bins], colour, ticks=3, room=0.45)
        axes.set(title=title, xlabel="change of R@1")
    name_rows(panels[0], names)
    for each, label in zip(bins, panels[0].get_yticklabels(), strict=True):
        if each is None:
            label.set_fontweight("bold")
    return figure


def _plotted(where: Mapping[str, Any]) -> tuple[list[str], list[Mapping[str, Any] | None]]:
    """Names and groups of images, row by row; a name without a group heads those below."""
    rows: list[tuple[str, Mapping[str, Any] | None]] = []
    for grouping, words in GROUPINGS.items():
        found: Sequence[Mapping[str, Any]] = find(where, grouping, "bins") or ()
        named = [(f"{each['name']} ({count_words(each['images'], 'image')})", each) for each in found]
        rows += [(words, None), *named] if found else []
    names, bins = zip(*rows, strict=True)
    return list(names), list(bins)


def _named(metrics: Mapping[str, Any], way: str, language: str) -> str:
    """A language and its figure."""
    return f"{language} {plain(find(metrics, way, 'per_language', language, 'R@1', 'mean'))}"


def _sentence(what: str) -> str:
    return what if what.endswith(".") else f"{what}."

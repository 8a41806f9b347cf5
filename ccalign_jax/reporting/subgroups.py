"""Changes by subgroup: the disparity of languages, and groups of images by difficulty or number of captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import DIRECTIONS, IDENTITY
from ccalign_jax.reporting.format import Summary, changed, count_words, find, level, plain
from ccalign_jax.reporting.measures import DIRECTION_WORDS
from ccalign_jax.reporting.panels import changes_figure
from ccalign_jax.reporting.table import Table, make_table
from ccalign_jax.reporting.verdicts import CHANGE, INTERVAL_NOTE, clusters, verdict_cell, verdict_notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GROUPINGS = {"difficulty": "by difficulty of the image", "captions": "by number of captions"}


def disparity_table(summary: Summary) -> Table | None:
    """The best and the worst language of each direction, under identity and under the choice."""
    disparity = find(summary, "where", "disparity")
    if not disparity:
        return None
    metrics = {"before": summary["baselines"][IDENTITY], "after": summary["selected"]["metrics"]}

    def named(state: str, way: str, language: str) -> str:
        return f"{language} {plain(find(metrics[state], way, 'per_language', language, 'R@1', 'mean'))}"

    rows = []
    for way, found in disparity.items():
        cells: list[str] = []
        for state in metrics:
            each = found[state]
            cells += [named(state, way, each["best"]), named(state, way, each["worst"]), level(each["difference"])]
        rows.append([DIRECTION_WORDS[way], *cells, changed(found["change"])])
    columns = [f"{name}\n{state}" for state in metrics for name in ("best", "worst", "difference")]
    return make_table(
        "Disparity of languages: R@1 of the best less that of the worst, on the test part",
        ("direction", *columns, "change of the\ndifference"),
        [("", rows)],
        notes=(
            "before: identity; after: selected. A change below zero brings the languages together. Best and worst are "
            "picked anew in each state, so that some difference would remain between languages that are alike.",
            "[ ]: 95 % interval. p: from the same replicates of images, adjusted (Holm) for both directions.",
        ),
    )


def difficulty_table(summary: Summary) -> Table | None:
    """R@1 under identity and its change, by difficulty of the image."""
    return _groups_table(summary, "difficulty")


def captions_table(summary: Summary) -> Table | None:
    """R@1 under identity and its change, by number of captions of the image."""
    return _groups_table(summary, "captions")


def subgroups_plot(summary: Summary) -> Figure | None:
    """Change of R@1 against identity in each group of images: both directions, and their mean."""
    rows: list[tuple[str, Mapping[str, Any] | None]] = []
    for grouping, words in GROUPINGS.items():
        found = find(summary, "where", grouping, "bins")
        rows += [(words, None)] if found else []
        rows += [(f"{each['name']} ({count_words(each['images'], 'image')})", each["delta"]) for each in found or ()]
    return changes_figure("subgroups", rows) if rows else None


def _groups_table(summary: Summary, grouping: str) -> Table | None:
    found = find(summary, "where", grouping)
    if not found or not found.get("bins"):
        return None
    rows = []
    for each in found["bins"]:
        cells = [each["name"], str(each["images"]), verdict_cell(each), changed(find(each["delta"], "both", "R@1"))]
        for way in DIRECTIONS:
            cells += [level(each["identity"][way]["R@1"]), changed(each["delta"][way]["R@1"])]
        rows.append(cells)
    columns = [name for way in DIRECTIONS for name in (f"{way} R@1\nidentity", CHANGE)]
    return make_table(
        f"Subgroups {GROUPINGS[grouping]}: R@1 on the test part, selected against identity",
        ("images", "number", "verdict", f"mean of both\n{CHANGE}", *columns),
        [("", rows)],
        alignment="lrl",
        notes=(
            f"{found['what'].removesuffix('.')}.",
            INTERVAL_NOTE.format(clusters(summary), f"adjusted (Holm) for the number of rows ({len(rows)})"),
            *verdict_notes(summary),
        ),
    )

"""The diagnostics of one evaluation in tables: before and after, against chance, by language, and of the map itself."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from ccalign_jax.reporting.evaluation_words import maps
from ccalign_jax.reporting.figure_names import GROUPS, amount, change, figure_name
from ccalign_jax.reporting.names import state_name
from ccalign_jax.reporting.tables import Table
from ccalign_jax.reporting.wording import count_words

__all__ = ["calibration_table", "diagnostics_by_language_table", "diagnostics_table", "map_table", "probe_figures"]

Summary = Mapping[str, Any]

SINGLE = (
    *("effective_rank", "pca90_components", "iso_score", "mean_pairwise_cosine", "PoZ", "entropy", "hub_skew"),
    *("hub_ratio_1pct", "modality_gap"),
)
HEADING_WIDTH = 14
WITH_IMAGE = ("gram_correlation", "unbiased_cka", "mutual_neighbours")
MAP_FIGURES = (
    *("deviation", "relative_deviation", "orthogonality", "condition", "effective_rank", "rotation_mean"),
    "rotation_max",
)


def diagnostics_table(summary: Summary) -> Table:
    """Every diagnostic, its change where there are two states, and which side is better.

    Args:
        summary: of an evaluation, or of a sweep, with `diagnostics`: a state each.
    """
    found = summary["diagnostics"]
    states = ["\n".join(textwrap.wrap(state_name(summary, state), HEADING_WIDTH)) for state in found]
    columns = (*states, *["change"] * (len(found) == 2), "better") if len(found) > 1 else ("value", "better")
    rows: list[tuple[str, ...]] = []
    rules = []
    for group, heading in GROUPS.items():
        parts = [_group(state, group) for state in found.values()]
        if not parts[0]:
            continue
        rules.append(len(rows))
        rows.append((heading, *[""] * len(columns)))
        for key in parts[0]:
            name, values = figure_name(key), [part.get(key) for part in parts]
            cells = [amount(value, name.places) for value in values]
            cells += [change(values[0], values[-1], name.places)] if len(values) == 2 else []
            rows.append((name.words, *cells, name.better))
    return Table(
        title="Diagnostics",
        columns=("figure", *columns),
        rows=tuple(rows),
        alignment="l" + "r" * (len(columns) - 1) + "l",
        notes=tuple(_diagnostics_notes(found["identity"])),
        rules=tuple(rules),
    )


def calibration_table(summary: Summary) -> Table:
    """The paired diagnostics beside what chance alone reads on rows that do not belong together.

    Args:
        summary: of an evaluation with `diagnostics` that have `nulls`.
    """
    found = {state: one["nulls"] for state, one in summary["diagnostics"].items()}
    first = found["identity"]
    rows: list[tuple[str, ...]] = []
    rules = []
    for group in ("between_languages", "with_image"):
        if not any(first.get(group, {}).values()):
            continue
        rules.append(len(rows))
        rows.append((GROUPS[group], *[""] * (4 * len(found))))
        for key in first[group]:
            cells = []
            for nulls in found.values():
                each = list(nulls[group][key].values())
                value, chance, calibrated = (
                    sum(one[field] for one in each) / len(each) for field in ("value", "null_mean", "calibrated")
                )
                cells += [amount(value), amount(chance), amount(calibrated), amount(max(one["p"] for one in each))]
            rows.append((figure_name(key).words, *cells))
    columns = tuple(f"{state}\n{what}" for state in found for what in ("value", "by chance", "calibrated", "largest p"))
    return Table(
        title="Paired diagnostics against chance",
        columns=("figure", *(columns if len(found) > 1 else (name.partition("\n")[2] for name in columns))),
        rows=tuple(rows),
        alignment="l" + "r" * len(columns),
        notes=(
            f"by chance: the mean over {count_words(first['permutations'], 'permutation')} of the rows, "
            f"{count_words(first['rows'], 'image')}; the value is read on the same images.",
            "calibrated: 0 is no more than chance, 1 is perfect. largest p: of all pairs or languages, the one that "
            f"stands out least; no p is below 1/{first['permutations'] + 1}.",
        ),
        rules=tuple(rules),
    )


def diagnostics_by_language_table(summary: Summary) -> Table:
    """The diagnostics most looked at, for each language and for the images.

    Args:
        summary: of an evaluation with `diagnostics`.
    """
    found = summary["diagnostics"]
    first = found["identity"]
    single = [key for key in SINGLE if key in first["macro"]]
    paired = [key for key in WITH_IMAGE if key in first.get("with_image", {})]
    rows: list[tuple[str, ...]] = []
    rules = []
    for state, one in found.items():
        rules.append(len(rows))
        rows += [(state, *[""] * len([*single, *paired]))] if len(found) > 1 else []
        sets = {**one["per_language"], **({"images": one["image"]} if "image" in one else {})}
        for name, figures in sets.items():
            cells = [amount(figures[key], figure_name(key).places) if key in figures else "" for key in single]
            for key in paired:
                value = one["with_image"][key]["per_language"].get(name)
                cells.append("" if value is None else amount(value, figure_name(key).places))
            rows.append((name, *cells))
    notes = [f"{count_words(first['rows'], 'image')} with every language, one caption each."]
    if paired:
        notes.append("Gram correlation, CKA, mutual k-NN: with the images.")
    return Table(
        title="Diagnostics of each language",
        columns=("captions", *(figure_name(key).heading or figure_name(key).words for key in (*single, *paired))),
        rows=tuple(rows),
        alignment="l" + "r" * len([*single, *paired]),
        notes=tuple(notes),
        rules=tuple(rules),
    )


def map_table(summary: Summary) -> Table:
    """What a linear map W does: how far it is from the identity E, how evenly it stretches, how far it turns.

    Args:
        summary: of an evaluation with a linear `map`, or one for each language.
    """
    names = [figure_name("map_effective_rank" if key == "effective_rank" else key) for key in MAP_FIGURES]
    rows = []
    for language, one in maps(summary).items():
        ends = [amount(one["singular_values"][place], 2) for place in (0, -1)]
        cells = [amount(one[key], name.places) for key, name in zip(MAP_FIGURES, names, strict=True)]
        rows.append((language, *cells, *ends))
    return Table(
        title=f"The map {summary['name']}",
        columns=("map of", *(name.heading or name.words for name in names), "largest\nstretch", "smallest\nstretch"),
        rows=tuple(rows),
        alignment="l" + "r" * (len(MAP_FIGURES) + 2),
        notes=(
            "Rows act as x W. ‖W − E‖ over ‖E‖: 0 leaves all as it is. Distance from orthogonal: 0 turns, without "
            "stretching. Rotation: angles of the nearest orthogonal map, for a square W. Stretch: singular values.",
        ),
    )


def probe_figures(diagnostics: Mapping[str, Any]) -> dict[str, float]:
    """Accuracies of the language probes under names of their own; empty where none was fitted."""
    probe = diagnostics.get("probe")
    if not probe:
        return {}
    by_image = probe["by_image"]
    return {
        "by_image": by_image["accuracy"],
        **({} if by_image["shuffled"] is None else {"shuffled": by_image["shuffled"]}),
        "seed": probe["seed"]["accuracy"],
        "chance": by_image["chance"],
    }


def _group(diagnostics: Mapping[str, Any], group: str) -> dict[str, float]:
    """The figures of one group by name."""
    if group == "probe":
        return probe_figures(diagnostics)
    figures = diagnostics.get(group, {})
    if group in ("between_languages", "with_image"):
        return {name: one["mean"] for name, one in figures.items() if one["mean"] is not None}
    return dict(figures)


def _diagnostics_notes(first: Mapping[str, Any]) -> Iterator[str]:
    rows, some, near = (round(first[key]) for key in ("rows", "sampled_rows", "neighbours"))  # of folds, their means
    sampled = f"; what compares pairs of rows is read on {some} of them" if some < rows else ""
    yield f"{count_words(rows, 'image')} with every language, one caption each{sampled}. Neighbours: {near} nearest."
    yield (
        "at equal n, depends on n: changes with the number of rows alone, so that only figures of equally many rows "
        "compare. neither: no side is better in itself."
    )
    if first.get("probe"):
        yield (
            "language probe: how well a linear classifier tells the language of a caption; near chance, the languages "
            "share one space. Labels shuffled: what the same protocol reads where there is nothing to find."
        )

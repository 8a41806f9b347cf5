"""Tables of diagnostics: before and after a map, against chance, by language, and of the map itself."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from ccalign_jax._names import IDENTITY
from ccalign_jax.reporting.format import Summary, count_words, difference, find, plain
from ccalign_jax.reporting.measures import GROUPS, measure_name
from ccalign_jax.reporting.names import state_name
from ccalign_jax.reporting.table import Table, make_table

SINGLE = (
    *("effective_rank", "pca90_components", "iso_score", "mean_pairwise_cosine", "PoZ", "entropy", "hub_skew"),
    *("hub_ratio_1pct", "modality_gap"),
)
WITH_IMAGE = ("gram_correlation", "unbiased_cka", "mutual_neighbours")
OF_MAP = (
    *("deviation", "relative_deviation", "orthogonality", "condition", "effective_rank", "rotation_mean"),
    "rotation_max",
)
HEADING_WIDTH = 14


def diagnostics_table(summary: Summary) -> Table | None:
    """Every diagnostic of each state, its change where there are two, and which side is better."""
    found = summary.get("diagnostics")
    if found is None:
        return None
    states = ["\n".join(textwrap.wrap(state_name(summary, state), HEADING_WIDTH)) for state in found]
    columns = [*states, *["change"] * (len(found) == 2)] if len(found) > 1 else ["value"]
    blocks = []
    for group, heading in GROUPS.items():
        first, *others = (_values(state, group) for state in found.values())
        rows = []
        for key in first:
            shown = measure_name(key)
            values = [first[key], *(other.get(key) for other in others)]
            cells = [plain(value, shown.places) for value in values]
            cells += [difference(values[0], values[1], shown.places)] if len(values) == 2 else []
            rows.append([shown.words, *cells, shown.better])
        blocks += [(heading, rows)] if rows else []
    return make_table(
        "Diagnostics",
        ("diagnostic", *columns, "better"),
        blocks,
        alignment="l" + "r" * len(columns) + "l",
        notes=_notes(found[IDENTITY]),
    )


def calibration_table(summary: Summary) -> Table | None:
    """The paired diagnostics beside their values by chance, on rows that do not belong together."""
    if find(summary, "diagnostics", IDENTITY, "nulls") is None:
        return None
    found = {state: one["nulls"] for state, one in summary["diagnostics"].items()}
    first = found[IDENTITY]
    blocks = []
    for group in ("between_languages", "with_image"):
        rows = []
        for key in first.get(group, {}) if any(first.get(group, {}).values()) else ():
            cells = []
            for nulls in found.values():
                each = list(nulls[group][key].values())
                means = (sum(one[field] for one in each) / len(each) for field in ("value", "null_mean", "calibrated"))
                cells += [*map(plain, means), plain(max(one["p"] for one in each))]
            rows.append([measure_name(key).words, *cells])
        blocks += [(GROUPS[group], rows)] if rows else []
    heads = [(state, what) for state in found for what in ("value", "by chance", "calibrated", "largest p")]
    return make_table(
        "Paired diagnostics against chance",
        ("diagnostic", *(f"{state}\n{what}" if len(found) > 1 else what for state, what in heads)),
        blocks,
        notes=(
            f"by chance: the mean over {count_words(first['permutations'], 'permutation')} of the rows, "
            f"{count_words(first['rows'], 'image')}; the value is read on the same images.",
            "calibrated: 0 is no more than chance, 1 is perfect. largest p: of all pairs or languages, the one that "
            f"stands out least; no p is below 1/{first['permutations'] + 1}.",
        ),
    )


def diagnostics_by_language_table(summary: Summary) -> Table | None:
    """The main diagnostics of each language and of the images."""
    found = summary.get("diagnostics")
    if found is None:
        return None
    first = found[IDENTITY]
    single = [key for key in SINGLE if key in first["macro"]]
    paired = [key for key in WITH_IMAGE if key in first.get("with_image", {})]
    blocks = []
    for state, one in found.items():
        rows = []
        for name, values in {**one["per_language"], **({"images": one["image"]} if "image" in one else {})}.items():
            each = {key: values.get(key) for key in single}
            each |= {key: one["with_image"][key]["per_language"].get(name) for key in paired}
            cells = ["" if value is None else plain(value, measure_name(key).places) for key, value in each.items()]
            rows.append([name, *cells])
        blocks.append((state if len(found) > 1 else "", rows))
    notes = [f"{count_words(first['rows'], 'image')} with every language, one caption each."]
    notes += ["Gram correlation, CKA, mutual k-NN: with the images."] if paired else []
    names = [measure_name(key) for key in (*single, *paired)]
    return make_table(
        "Diagnostics of each language",
        ("captions", *(name.heading or name.words for name in names)),
        blocks,
        notes=notes,
    )


def map_table(summary: Summary) -> Table | None:
    """The distance of a linear map W from the identity E, how evenly it stretches, and how far it turns."""
    if not maps(summary):
        return None
    names = [measure_name("map_effective_rank" if key == "effective_rank" else key) for key in OF_MAP]
    rows = []
    for language, one in maps(summary).items():
        ends = [plain(one["singular_values"][place], 2) for place in (0, -1)]
        rows.append([language, *(plain(one[key], name.places) for key, name in zip(OF_MAP, names, strict=True)), *ends])
    return make_table(
        f"The map {summary['name']}",
        ("map of", *(name.heading or name.words for name in names), "largest\nstretch", "smallest\nstretch"),
        [("", rows)],
        notes=(
            "Rows act as x W. ‖W − E‖ over ‖E‖: 0 leaves all as it is. Distance from orthogonal: 0 turns, without "
            "stretching. Rotation: angles of the nearest orthogonal map, for a square W. Stretch: singular values.",
        ),
    )


def maps(summary: Summary) -> dict[str, Mapping[str, Any]]:
    """Diagnostics of the linear map, or of each language's; empty where the map is none.

    Example:
        >>> maps({"map": None}), maps({"map": {"per_language": {"de": {"condition": 1.0}}}})
        ({}, {'de': {'condition': 1.0}})
    """
    found = summary.get("map") or {}
    return dict(found["per_language"]) if "per_language" in found else {"all languages": found} if found else {}


def probe_accuracies(diagnostics: Mapping[str, Any]) -> dict[str, float]:
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


def _values(diagnostics: Mapping[str, Any], group: str) -> dict[str, float]:
    """The diagnostics of one group by name."""
    if group == "probe":
        return probe_accuracies(diagnostics)
    found = diagnostics.get(group, {})
    if group in ("between_languages", "with_image"):
        return {name: one["mean"] for name, one in found.items() if one["mean"] is not None}
    return dict(found)


def _notes(first: Mapping[str, Any]) -> Iterator[str]:
    rows, some, near = (round(first[key]) for key in ("rows", "sampled_rows", "neighbours"))  # of folds, their means
    sampled = f"; what compares pairs of rows is read on {some} of them" if some < rows else ""
    yield f"{count_words(rows, 'image')} with every language, one caption each{sampled}. Neighbours: {near} nearest."
    yield (
        "at equal n, depends on n: changes with the number of rows alone, so that only values of equally many rows "
        "compare. neither: no side is better in itself."
    )
    if first.get("probe"):
        yield (
            "language probe: how well a linear classifier tells the language of a caption; near chance, the languages "
            "share one space. Labels shuffled: the accuracy of the same protocol where there is nothing to find."
        )

"""Tables of diagnostics: before and after a map, against chance, by language, and of the map itself."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ccalign_jax._names import IDENTITY
from ccalign_jax.reporting.family_names import state_name
from ccalign_jax.reporting.format import Summary, count_words, difference, find, plain
from ccalign_jax.reporting.table import Column, Table, fill_table, make_table

HIGHER, LOWER, NEITHER, DEPENDS = "higher", "lower", "neither", "depends on n"
HIGHER_AT_N, LOWER_AT_N = "higher, at equal n", "lower, at equal n"  # of equally many rows; others do not compare


class Measure(NamedTuple):
    """How a diagnostic is shown: name in a row, better side, decimals, and name above a column if that is shorter."""

    words: str
    better: str = HIGHER
    places: int = 3
    heading: str = ""


MEASURES = {
    # one set of rows
    "effective_rank": Measure("effective rank, of the variances", DEPENDS, 1, "effective\nrank"),
    "effective_rank_roy_vetterli": Measure("effective rank, of the singular values", DEPENDS, 1),
    "pca90_components": Measure("components for 90 % of the variance", DEPENDS, 1, "PCA\n90 %"),
    "iso_score": Measure("IsoScore", HIGHER_AT_N, 3, "Iso-\nScore"),
    "mean_pairwise_cosine": Measure("mean pairwise cosine", NEITHER, 3, "mean\ncosine"),
    "PoZ": Measure("entries near zero, below .001", LOWER, 3, "near\nzero"),
    "PoZ_relative": Measure("entries near zero, relative to the width", LOWER),
    "entropy": Measure("entropy of a dimension, nats", HIGHER, 3, "entropy"),
    "entropy_relative": Measure("entropy of a dimension, relative to the width", HIGHER),
    "hub_skew": Measure("hubs within the set, skew", LOWER_AT_N, 2, "hub\nskew"),
    "hub_ratio_1pct": Measure("hubs within the set, share of the top 1 %", LOWER_AT_N, 3, "top 1 %\nhubs"),
    "hub_skew_ties_shared": Measure("hubs within the set, skew, ties shared", LOWER_AT_N, 2),
    "hub_ratio_1pct_ties_shared": Measure("hubs within the set, share of the top 1 %, ties shared", LOWER_AT_N),
    "hub_skew_t2i": Measure("hubs among the images, text to image, skew", LOWER_AT_N, 2),
    "hub_ratio_1pct_t2i": Measure("hubs among the images, text to image, share of the top 1 %", LOWER_AT_N),
    "hub_skew_i2t": Measure("hubs among the captions, image to text, skew", LOWER_AT_N, 2),
    "hub_ratio_1pct_i2t": Measure("hubs among the captions, image to text, share of the top 1 %", LOWER_AT_N),
    "modality_gap": Measure("modality gap, distance of the means", NEITHER, 3, "modality\ngap"),
    # two sets whose rows are aligned
    "gram_correlation": Measure("Gram correlation, Pearson", HIGHER, 3, "Gram\ncorr."),
    "gram_rank_correlation": Measure("Gram correlation, Spearman"),
    "biased_cka": Measure("CKA, biased", DEPENDS),
    "unbiased_cka": Measure("CKA, unbiased", HIGHER, 3, "unbiased\nCKA"),
    "neighbour_jaccard": Measure("neighbours in common, Jaccard", HIGHER_AT_N),
    "mutual_neighbours": Measure("neighbours in common, share of k", HIGHER_AT_N, 3, "mutual\nk-NN"),
    "cknna": Measure("CKNNA", HIGHER_AT_N),
    # the language probe
    "by_image": Measure("accuracy, images split", LOWER),
    "shuffled": Measure("accuracy, images split, labels shuffled", NEITHER),
    "seed": Measure("accuracy, rows split (seed study)", LOWER),
    "chance": Measure("chance", NEITHER),
}
OF_MAP = {
    "deviation": Measure("‖W − E‖", NEITHER, 2),
    "relative_deviation": Measure("‖W − E‖\nover ‖E‖", NEITHER),
    "orthogonality": Measure("distance from\northogonal", NEITHER),
    "condition": Measure("condition\nnumber", LOWER, 1),
    "effective_rank": Measure("effective\nrank", NEITHER, 1),
    "rotation_mean": Measure("mean rotation\n(degrees)", NEITHER, 1),
    "rotation_max": Measure("largest rotation\n(degrees)", NEITHER, 1),
}
GROUPS = {
    "macro": "captions, mean over languages",
    "image": "images",
    "between_languages": "between languages, mean over pairs",
    "with_image": "captions with images, mean over languages",
    "probe": "language probe",
}
SINGLE = (
    *("effective_rank", "pca90_components", "iso_score", "mean_pairwise_cosine", "PoZ", "entropy", "hub_skew"),
    *("hub_ratio_1pct", "modality_gap"),
)
WITH_IMAGE = ("gram_correlation", "unbiased_cka", "mutual_neighbours")
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
            shown, values = MEASURES[key], [first[key], *(other.get(key) for other in others)]
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


def calibration_table(summary: Summary) -> Table | None:
    """The paired diagnostics beside their values by chance, on rows that do not belong together."""
    first = find(summary, "diagnostics", IDENTITY, "nulls")
    if first is None:
        return None
    found = {state: one["nulls"] for state, one in summary["diagnostics"].items()}
    blocks = []
    for group in ("between_languages", "with_image"):
        rows = []
        for key in first.get(group, {}) if any(first.get(group, {}).values()) else ():
            cells = []
            for nulls in found.values():
                each = list(nulls[group][key].values())
                means = (sum(one[field] for one in each) / len(each) for field in ("value", "null_mean", "calibrated"))
                cells += [*map(plain, means), plain(max(one["p"] for one in each))]
            rows.append([MEASURES[key].words, *cells])
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
    paired = [key for key in WITH_IMAGE if key in first.get("with_image", {})]
    keys = [*(key for key in SINGLE if key in first["macro"]), *paired]

    def rows(one: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for language, values in one["per_language"].items():
            beside = {key: one["with_image"][key]["per_language"][language] for key in paired}
            yield language, {**values, **beside}
        if "image" in one:
            yield "images", one["image"]

    notes = [f"{count_words(first['rows'], 'image')} with every language, one caption each."]
    notes += ["Gram correlation, CKA, mutual k-NN: with the images."] if paired else []
    return fill_table(
        "Diagnostics of each language",
        [Column.names("captions"), *(_value_column(key, MEASURES[key]) for key in keys)],
        [(state if len(found) > 1 else "", rows(one)) for state, one in found.items()],
        notes=notes,
    )


def _value_column(key: str, shown: Measure) -> Column:
    """A value of each row; empty where the row lacks it."""
    heading = shown.heading or shown.words
    return Column(heading, lambda name, values: plain(values[key], shown.places) if key in values else "")


def map_table(summary: Summary) -> Table | None:
    """The distance of a linear map W from the identity E, how evenly it stretches, and how far it turns."""
    if not maps(summary):
        return None
    return fill_table(
        f"The map {summary['name']}",
        [
            Column.names("map of"),
            *(_value_column(key, shown) for key, shown in OF_MAP.items()),
            Column("largest\nstretch", lambda name, one: plain(one["singular_values"][0], 2)),
            Column("smallest\nstretch", lambda name, one: plain(one["singular_values"][-1], 2)),
        ],
        [("", maps(summary).items())],
        notes=(
            "Rows act as x W. ‖W − E‖ over ‖E‖: 0 is the identity. Distance from orthogonal: 0 is a pure "
            "rotation. Rotation: angles of the nearest orthogonal map, for a square W. Stretch: singular values.",
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
    image = probe["by_image"]
    shuffled = {} if image["shuffled"] is None else {"shuffled": image["shuffled"]}
    return {"by_image": image["accuracy"], **shuffled, "seed": probe["seed"]["accuracy"], "chance": image["chance"]}

"""Measurements: the metrics of one arm on the images of one fold, and the per-image sums that they are means of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from ccalign_jax._names import BOTH, DIRECTIONS, IDENTITY, UNMAPPED, pair_name
from ccalign_jax.metrics import (
    METRICS,
    PAIR_TASKS,
    Ranks,
    all_tied,
    expected_rank,
    macro,
    mean_metrics,
    ordered_pairs,
    retrieval_metrics,
)
from ccalign_jax.training import LanguageRanks, Part

__all__ = [
    "BOTH",
    "DIRECTIONS",
    "IDENTITY",
    "MEDIAN",
    "UNMAPPED",
    "ImageSums",
    "Measurement",
    "Place",
    "add_measurement",
    "by_task",
    "chance_measurement",
    "is_macro",
    "is_pair",
    "measure",
    "measure_pairs",
    "nest_values",
    "pair_names",
    "subgroup",
]

MEDIAN = "median_rank"

Place = tuple[str, str | None]  # a retrieval task, and a language or ordered pair of it; None is their macro mean
Values = dict[str, float]  # by metric


class ImageSums(NamedTuple):
    """Per-image sums of each retrieval metric over the queries of one language, or pair of languages, on one task.

    Attributes:
        sums: `[n, means]`, for each image the sum over its queries of each of `mean_metrics()`.
        counts: `[n]`, queries of each image.
        rank: `[q]`, the expected rank of each query, for medians.
        owner: `[q]`, the image of each query.
    """

    sums: Float[np.ndarray, "n means"]
    counts: Float[np.ndarray, " n"]
    rank: Float[np.ndarray, " q"]
    owner: Int[np.ndarray, " q"]


class Measurement(NamedTuple):
    """How one arm retrieves among the images of one fold. Languages and pairs without a query are left out.

    Attributes:
        values: the metrics of each place.
        sums: the per-image sums of each place but macro means and means of directions.
        images: `[n]`, rows of the data.
    """

    values: dict[Place, Values]
    sums: dict[Place, ImageSums]
    images: Int[np.ndarray, " n"]


def measure(ranks: LanguageRanks, part: Part, languages: Sequence[str]) -> Measurement:
    """Both directions between captions and images, and their mean, from the ranks of each language on a part."""
    count = len(part.images)
    queries = []
    for number, direction in enumerate(DIRECTIONS):
        for name, owner, pair in zip(languages, part.image_of, ranks, strict=True):
            owners = np.asarray(owner) if direction == "t2i" else np.arange(count)
            queries.append(((direction, name), pair[number], owners))
    found = _measure(queries, part.images)
    return found._replace(values=_with_both(found.values))


def measure_pairs(tasks: Mapping[str, Sequence[Ranks]], part: Part, languages: Sequence[str]) -> Measurement:
    """Retrieval tasks between languages, of each the ranks of all `ordered_pairs`.

    A caption of the first language of a pair is its image's query.
    """
    queries = [
        ((task, name), one, np.asarray(part.image_of[a]))
        for task, ranks in tasks.items()
        for name, one, (a, _) in zip(pair_names(languages), ranks, ordered_pairs(len(languages)), strict=True)
    ]
    return _measure(queries, part.images)


def measure_search(ranks: Ranks, cluster_of: Int[np.ndarray, " q"], task: str) -> Measurement:
    """A search with one sort of queries, from their ranks; clusters, numbered from 0, stand for images."""
    clusters = np.arange(int(cluster_of.max()) + 1)
    return _measure([((task, "queries"), ranks, cluster_of)], clusters)


def add_measurement(one: Measurement, other: Measurement) -> Measurement:
    """The same images on the tasks of both."""
    return one._replace(values=one.values | other.values, sums=one.sums | other.sums)


def chance_measurement(part: Part, languages: Sequence[str], *, tasks: Sequence[str] = ()) -> Measurement:
    """The expected metrics of a score that is the same for all items, on a part and on tasks between languages."""
    owners = [np.asarray(owner) for owner in part.image_of]
    golds = [np.asarray(gold) for gold in part.captions_of]
    images = int((np.asarray(part.images) >= 0).sum())
    ranks: dict[Place, Ranks] = {}
    ranks |= {("t2i", name): all_tied(owner[:, None], images) for name, owner in zip(languages, owners, strict=True)}
    for name, owner, gold in zip(languages, owners, golds, strict=True):
        ranks["i2t", name] = all_tied(gold, int((owner >= 0).sum()))
    values = _with_both(_values(ranks))
    if tasks and len(languages) > 1:
        pairs: dict[Place, Ranks] = {}
        for name, (a, b) in zip(pair_names(languages), ordered_pairs(len(languages)), strict=True):
            gold = np.where((owners[a] >= 0)[:, None], golds[b][owners[a]], -1)
            pairs["", name] = all_tied(gold, int((owners[b] >= 0).sum()))
        between = _values(pairs)
        values |= {(task, name): each for task in tasks for (_, name), each in between.items()}
    return Measurement(values, {}, np.maximum(np.asarray(part.images), 0))


def subgroup(measurement: Measurement, images: Bool[np.ndarray, " n"]) -> Measurement:
    """Both directions of some of the images, in the gallery of all: metrics that are means over queries."""
    place = np.cumsum(images) - 1
    sums: dict[Place, ImageSums] = {}
    for at, each in measurement.sums.items():
        kept = images[each.owner]
        if at[0] in DIRECTIONS and kept.any():
            rows = each.sums[images], each.counts[images]
            sums[at] = ImageSums(*rows, each.rank[kept], place[each.owner[kept]])
    means = mean_metrics()
    values = {
        at: dict(zip(means, (each.sums.sum(axis=0) / each.counts.sum()).tolist(), strict=True))
        for at, each in sums.items()
    }
    return Measurement(_with_both(_with_macro(values)), sums, measurement.images[images])


def by_task(places: Iterable[Place]) -> dict[str, list[Place]]:
    """The places of each task, its macro mean first.

    Example:
        >>> by_task([("t2i", "en"), ("i2t", None), ("t2i", None)])
        {'t2i': [('t2i', None), ('t2i', 'en')], 'i2t': [('i2t', None)]}
    """
    found: dict[str, list[Place]] = {}
    for place in places:
        found.setdefault(place[0], []).append(place)
    return {task: sorted(each, key=lambda place: place[1] is not None) for task, each in found.items()}


def nest_values(values: Mapping[Place, Any]) -> dict[str, dict[str, Any]]:
    """Places nested as in a summary: by task, those of languages or pairs under `per_language`.

    Example:
        >>> nest_values({("t2i", None): {"R@1": 0.5}, ("t2i", "en"): {"R@1": 0.5}})
        {'t2i': {'R@1': 0.5, 'per_language': {'en': {'R@1': 0.5}}}}
    """
    found: dict[str, dict[str, Any]] = {}
    for task, places in by_task(values).items():
        found[task] = {}
        for place in places:
            if place[1] is None:
                found[task] |= values[place]
            else:
                found[task].setdefault("per_language", {})[place[1]] = values[place]
    return found


def pair_names(languages: Sequence[str]) -> list[str]:
    """What summaries call the ordered pairs.

    Example:
        >>> pair_names(["de", "en"])
        ['de->en', 'en->de']
    """
    return [pair_name(languages[a], languages[b]) for a, b in ordered_pairs(len(languages))]


def is_pair(place: Place) -> bool:
    """Whether the place is an ordered pair of languages.

    Example:
        >>> is_pair(("t2t", "de->en")), is_pair(("t2t", None)), is_pair(("t2i", "en"))
        (True, False, False)
    """
    return place[0] in PAIR_TASKS and place[1] is not None


def is_macro(place: Place) -> bool:
    """Whether the place is a mean over languages, or over pairs of languages."""
    return place[1] is None


def _measure(queries: Iterable[tuple[Place, Ranks, np.ndarray]], images: ArrayLike) -> Measurement:
    """Metrics and per-image sums of the queries of each place, given their ranks and the image of each."""
    ranks: dict[Place, Ranks] = {}
    sums: dict[Place, ImageSums] = {}
    for place, one, owner in queries:
        known = np.asarray(one.tied)[: len(owner)] > 0  # the rest is padding
        if known.any():
            ranks[place] = Ranks(*(np.asarray(leaf)[: len(owner)][known] for leaf in one))
            sums[place] = _image_sums(ranks[place], owner[known], len(np.asarray(images)))
    return Measurement(_values(ranks), sums, np.maximum(np.asarray(images), 0))  # padding has no queries


def _image_sums(ranks: Ranks, owner: Int[np.ndarray, " q"], images: int) -> ImageSums:
    values = [METRICS[name].per_query(ranks) for name in mean_metrics()]
    sums = np.stack([np.bincount(owner, each, minlength=images) for each in values], axis=1)
    return ImageSums(sums, np.bincount(owner, minlength=images).astype(float), expected_rank(ranks), owner)


def _values(ranks: Mapping[Place, Ranks]) -> dict[Place, Values]:
    """The metrics of each place, and task by task the macro mean; a place without a query has none."""
    asked = {place: one for place, one in ranks.items() if (np.asarray(one.tied) > 0).any()}
    return _with_macro({place: retrieval_metrics(one) for place, one in asked.items()})


def _with_macro(values: Mapping[Place, Values]) -> dict[Place, Values]:
    found: dict[Place, Values] = {}
    for task in dict.fromkeys(task for task, _ in values):
        each = {place: one for place, one in values.items() if place[0] == task}
        found |= {(task, None): macro(list(each.values())), **each}
    return found


def _with_both(values: Mapping[Place, Values]) -> dict[Place, Values]:
    """The values, and the means of the two directions."""
    found = dict(values)
    for direction, name in values:
        if direction == "t2i" and ("i2t", name) in values:
            found[BOTH, name] = macro([values["t2i", name], values["i2t", name]])
    return found

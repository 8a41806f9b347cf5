"""How much of re-embedding a map recovers, by the number of pairs that it is fitted on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.errors import InputError
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.measurement.estimates import Entry
from ccalign_jax.measurement.inference import Arm, Inference, adjust
from ccalign_jax.measurement.measure import Measurement, Place, measure_search
from ccalign_jax.measurement.metric_replicates import describe_statistics, replicate_metrics
from ccalign_jax.measurement.records import ArmEntry
from ccalign_jax.measurement.replicates import Replicates, draw_replicates
from ccalign_jax.metrics import mean_metrics
from ccalign_jax.migration.choice import best_of_family, choose, search, solve
from ccalign_jax.migration.maps import EQUAL_WIDTHS, MAPS, Candidate
from ccalign_jax.migration.task import DIRECTIONS, Direction, Task
from ccalign_jax.options import ARRAYS
from ccalign_jax.statistics import percentile_interval

__all__ = ["Migration", "migrate"]

TASK: Place = ("search", None)
SIZES, LEAST = 5, 50  # points of the learning curve, each twice as large as the one before
METRICS = ("R@1", "R@10", "nDCG@10")  # whose recovery is said


class Migration(NamedTuple):
    """What `migrate` finds.

    Attributes:
        summary: the content of `migration.json`; docs/migration.md lists its keys.
        arms: all estimates in it, of `records.csv`.
        best: the chosen map, fitted on all pairs: of queries into the old space, or of documents into the new one.
    """

    summary: dict[str, Any]
    arms: list[ArmEntry]
    best: LearnedMap


def migrate(
    task: Task,
    *,
    direction: Direction = "queries",
    maps: Collection[str] = tuple(MAPS),
    draws: int = 3,
    enough: float = 0.95,
    seed: int = 0,
    name: str = ARRAYS,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Migration:
    """Fit maps on growing samples of the pairs, choose by cross-validation within each, and search with them.

    Args:
        task: from `make_task`.
        direction: `queries` maps queries of the new encoder into the old index, which stays as it is; `documents` maps
            the index into the new space.
        maps: kinds of maps to choose among, of `MAPS`.
        draws: samples of each size; estimates are means over them.
        enough: the recovery of R@10 from which on a map is said to do.
        seed: of samples, folds and bootstrap replicates.
        name: of the rows, on the page.
        progress: called with what was done, how much, and of how much.

    Raises:
        InputError: an unknown direction or kind of map, or none that goes with these widths.
    """
    if direction not in DIRECTIONS:
        raise InputError(f"direction {direction!r}: there are {' and '.join(DIRECTIONS)}")
    if unknown := [name for name in maps if name not in MAPS]:
        raise InputError(f"maps: {unknown[0]!r} is none of {', '.join(MAPS)}")
    if not set(maps) - (EQUAL_WIDTHS if task.pairs_old.shape[1] != task.pairs_new.shape[1] else set()):
        raise InputError("maps: none is left, for identity and shift need equal widths; give procrustes or another")
    _, clusters = np.unique(task.relevant[:, 0], return_inverse=True)
    replicates = draw_replicates(np.arange(int(clusters.max()) + 1), seed=seed)

    def measured(found: Candidate | None) -> Measurement:
        return measure_search(search(task, found, direction), clusters, TASK[0])

    reference = measured(None)
    sizes, whole = sample_sizes(len(task.pairs_old)), len(task.pairs_old)
    curve, families, picks = [], {}, []
    for number, size in enumerate(sizes):
        each = []
        for draw in range(draws if size < whole else 1):
            rows = np.random.default_rng([seed, number, draw]).permutation(whole)[:size]
            old, new = task.pairs_old[rows], task.pairs_new[rows]
            scores, found = choose(old, new, direction, maps, seed=seed + draw), solve(old, new, direction, maps)
            pick = found[int(np.argmax(scores))]
            each.append(measured(pick))
            picks.append((size, pick.family, pick.setting))
            if size == whole:
                for family, place in best_of_family(found, scores).items():
                    families[family] = [measured(found[place])] * draws
            progress(f"{size} pairs", number * draws + draw + 1, (len(sizes) - 1) * draws + 1)
        curve.append(each * (draws // len(each)))  # there is one sample of all pairs
    inference = Inference(Arm((task.reference,), [reference] * draws), replicates)
    points = [inference.entry(Arm(("size", str(size)), each)) for size, each in zip(sizes, curve, strict=True)]
    rows_of = {family: inference.entry(Arm(("map", family), each)) for family, each in families.items()}
    adjust(points)
    adjust(list(rows_of.values()))
    base = [reference] * draws
    nested = [
        {"pairs": size, **_nest(entry, recovery(each, base, replicates)), "chosen": _chosen(picks, size)}
        for size, entry, each in zip(sizes, points, curve, strict=True)
    ]
    trial = "/".join(filter(None, ("migration", direction, pick.family, pick.setting)))
    learned = pick.learned(trial=trial, direction=direction, pairs=whole)  # the last one was fitted on all pairs
    summary = {
        "schema": 1,
        "direction": direction,
        "reference": task.reference,
        "held_out": task.held_out,
        "data": {"name": name, **_describe(task)},
        "draws": draws,
        "enough": enough,
        "statistics": describe_statistics(replicates),
        "baselines": {task.reference: inference.levels().nest()[TASK[0]], **_old(task, clusters, inference)},
        "curve": nested,
        "maps": {family: _nest(rows_of[family], recovery(each, base, replicates)) for family, each in families.items()},
        "best": {"map": pick.family, "setting": pick.setting, "pairs": whole},
        "verdict": judge(nested[-1]["recovery"]["R@10"], enough),
    }
    arms = [ArmEntry("baseline", task.reference, Entry(inference.levels()))]
    arms += [ArmEntry("size", str(size), entry, task.reference) for size, entry in zip(sizes, points, strict=True)]
    arms += [ArmEntry("map", family, entry, task.reference) for family, entry in rows_of.items()]
    return Migration(summary, arms, learned)


def sample_sizes(pairs: int) -> list[int]:
    """Numbers of pairs that maps are fitted on: all, a half, a quarter, …

    Example:
        >>> sample_sizes(4000), sample_sizes(120)
        ([250, 500, 1000, 2000, 4000], [60, 120])
    """
    sizes = [pairs // 2**halving for halving in range(SIZES)]
    return sorted(size for size in sizes if size >= LEAST)


def recovery(
    mine: Sequence[Measurement], base: Sequence[Measurement], replicates: Replicates
) -> dict[str, dict[str, float]]:
    """The share of the reference's metric that a map reaches, and its 95 % interval.

    Both are resampled together, query by query. Where the reference is 0 in a replicate, the share has no value there.
    """
    one, other = (replicate_metrics(folds, replicates)[TASK] for folds in (mine, base))
    found = {}
    for row, name in enumerate(mean_metrics()):
        if name not in METRICS:
            continue
        top, bottom = one.means[row], other.means[row]
        shares = np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)
        level, of = one.shares[row].sum(), other.shares[row].sum()
        low, high = (float(end) for end in percentile_interval(shares))
        found[name] = {"mean": float(level / of) if of else float("nan"), "low": low, "high": high}
    return found


def judge(recovered: Mapping[str, float], enough: float) -> str:
    """`map`, `re-embed` or `undecided`: whether the interval of a recovery is above or below what is enough.

    Example:
        >>> [judge({"low": low, "high": low + 0.1}, 0.95) for low in (0.96, 0.8, 0.9)]
        ['map', 're-embed', 'undecided']
    """
    if recovered["low"] >= enough:
        return "map"
    return "re-embed" if recovered["high"] < enough else "undecided"


def _nest(entry: Entry, recovered: Mapping[str, Any]) -> dict[str, Any]:
    nested = entry.nest()
    return {"metrics": nested["metrics"][TASK[0]], "delta": nested["delta"][TASK[0]], "recovery": dict(recovered)}


def _chosen(picks: Sequence[tuple[int, str, str]], size: int) -> list[str]:
    return ["/".join(filter(None, (family, setting))) for pairs, family, setting in picks if pairs == size]


def _old(task: Task, clusters: np.ndarray, inference: Inference) -> dict[str, Any]:
    """The old encoder's own search, where its queries are at hand and it is not the reference itself."""
    if task.queries_old is None or task.index_new is None:
        return {}
    ranks = search(task._replace(index_new=None), None, "queries")
    return {"old encoder": inference.levels([measure_search(ranks, clusters, TASK[0])]).nest()[TASK[0]]}


def _describe(task: Task) -> dict[str, Any]:
    return {
        "pairs": len(task.pairs_old),
        "documents": len(task.index_old),
        "queries": len(task.queries_new),
        "d_old": task.pairs_old.shape[1],
        "d_new": task.pairs_new.shape[1],
    }

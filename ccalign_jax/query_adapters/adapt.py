"""What maps of queries earn on queries that were kept out, and the one to use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.aligners import ALIGNERS
from ccalign_jax.errors import InputError
from ccalign_jax.grids import Block
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.measurement.estimates import Entry
from ccalign_jax.measurement.inference import Arm, Inference, adjust
from ccalign_jax.measurement.measure import Place, measure_search
from ccalign_jax.measurement.metric_replicates import describe_statistics
from ccalign_jax.measurement.records import ArmEntry
from ccalign_jax.measurement.replicates import Replicates, draw_replicates
from ccalign_jax.metrics import Ranks
from ccalign_jax.migration.maps import MAPS
from ccalign_jax.options import ARRAYS
from ccalign_jax.query_adapters.fold_maps import (
    HARD,
    IDENTITY,
    FoldMap,
    Trainer,
    closed_maps,
    closed_name,
    make_trainer,
    mine,
    search_documents,
    solve_closed,
    trained_maps,
    trial_name,
)
from ccalign_jax.query_adapters.task import QueryTask, assign_folds
from ccalign_jax.study.families import Families
from ccalign_jax.study.grids import load_grid, parse_settings
from ccalign_jax.study.trials import make_trials
from ccalign_jax.training import Space, Trial

__all__ = ["Adapted", "adapt_queries", "query_trials"]

TASK: Place = ("search", None)
SELECTED = "selected"
MIN_FOLDS = 3
DEFAULT: Block = {"temperature": [0.03]}


class Adapted(NamedTuple):
    """What `adapt_queries` finds.

    Attributes:
        summary: the content of `adapter.json`; docs/query_adapters.md lists its keys.
        arms: all estimates in it, of `records.csv`.
        best: the chosen map, fitted on all pairs: a function of query rows.
    """

    summary: dict[str, Any]
    arms: list[ArmEntry]
    best: LearnedMap


def query_trials(
    task: QueryTask,
    aligners: Sequence[str] | None = None,
    losses: Sequence[str] = ("infonce",),
    hyper: Sequence[str] = (),
) -> tuple[Space, list[Trial]]:
    """The trials of trained maps.

    Args:
        task: whose widths they have.
        aligners: names; by default `residual`, between different widths `linear`.
        losses: names.
        hyper: settings such as `learning_rate=0.001,0.0003`.

    Raises:
        InputError: an unknown name or setting, or a combination that makes no sense.
    """
    widths = task.queries.shape[1], task.documents.shape[1]
    names = aligners or (["residual"] if widths[0] == widths[1] else ["linear"])
    for one in names:
        entry = ALIGNERS.get(one)
        if "(" in one or one in ("all", "closed") or (entry is not None and (entry.closed or entry.two_sided)):
            raise InputError(
                f"--aligners={one}: give maps of queries that are trained, such as residual or residual_mlp; documents "
                "are not mapped, and closed forms are always compared"
            )
    space = Space(*widths, ("queries",))
    settings = parse_settings(hyper)
    families = Families(space, ["image"], names, losses)
    found = make_trials(families, blocks=load_grid([DEFAULT]), settings=settings)
    if found.skipped:
        raise InputError(f"--aligners, --losses: {found.skipped[0]}")
    return space, found.trials


def adapt_queries(
    task: QueryTask,
    *,
    aligners: Sequence[str] | None = None,
    losses: Sequence[str] = ("infonce",),
    hyper: Sequence[str] = (),
    negatives: int = 4,
    folds: int = 5,
    seed: int = 0,
    name: str = ARRAYS,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Adapted:
    """Learn maps of queries, choose one in each fold on validation queries, and measure it on test queries.

    Every fold solves closed forms and trains on some clusters of queries, chooses on those of one other fold, and
    searches all documents for its own. Whole clusters are kept out, so that no document of a test query was seen.

    Args:
        task: from `make_query_task`.
        aligners, losses, hyper: of trained maps, as for `query_trials`.
        negatives: hard negatives of each document in a batch; trials are trained with and without. 0: without alone.
        folds: at least 3.
        seed: of folds, training and bootstrap replicates.
        name: of the rows, on the page.
        progress: called with what was done, how much, and of how much.

    Raises:
        InputError: fewer than 3 folds, or as for `query_trials`.
    """
    clusters = int(task.cluster.max()) + 1
    if not MIN_FOLDS <= folds <= clusters // 3:
        raise InputError(f"folds: {folds}; give {MIN_FOLDS} to {clusters // 3}, a third of the clusters of queries")
    space, trials = query_trials(task, aligners, losses, hyper)
    fold_of = assign_folds(task, folds, seed=seed)
    trainer = make_trainer(task, space, fold_of, seed=seed)
    found: list[list[FoldMap]] = []
    for fold in range(folds):
        validation = fold_of == (fold + 1) % folds
        train = ~validation & (fold_of != fold)
        closed = list(closed_maps(task, train, validation))
        hard = mine(task, closed, train, negatives)
        trained = trained_maps(trainer, trials, train, validation, negatives=hard, number=fold)
        found.append([*closed, *trained])
        progress("folds", fold + 1, folds)
    best = _refit(trainer, trials, found, negatives)
    compared, arms = _compare(task, fold_of, found, draw_replicates(np.arange(clusters), seed=seed))
    summary = {
        "schema": 1,
        "data": {"name": name, **_describe(task)},
        "folds": folds,
        "hard_negatives": negatives,
        **compared,
        "candidates": [{"name": each, "score": score} for each, score in _scores(found).items()],
        "best": {"name": best.about["trial"], "epoch": best.about["epoch"]},
        "verdict": compared["selected"]["verdict"],
    }
    return Adapted(summary, arms, best)


def _compare(
    task: QueryTask, fold_of: np.ndarray, found: Sequence[Sequence[FoldMap]], replicates: Replicates
) -> tuple[dict[str, Any], list[ArmEntry]]:
    """Estimates of every family, and of what each fold chose, against identity and the chosen closed form."""

    def chosen(families: Collection[str]) -> list[FoldMap]:
        """Of each fold, the map with the best validation score."""
        return [max((one for one in maps if one.family in families), key=lambda one: one.score) for maps in found]

    def arm(name: str, maps: Sequence[FoldMap]) -> Arm:
        """Every test query, searched by the map of its fold."""
        folds = [fold_of == fold for fold in range(len(maps))]
        parts = [search_documents(task, one.learned, mine) for one, mine in zip(maps, folds, strict=True)]
        ranks = Ranks(*(np.concatenate(leaves) for leaves in zip(*parts, strict=True)))
        owner = np.concatenate([task.cluster[mine] for mine in folds])
        return Arm((name,), [measure_search(ranks, owner, TASK[0])])

    names = list(dict.fromkeys(one.family for one in found[0]))
    picks = chosen(names)
    inference = Inference(arm(IDENTITY, chosen([IDENTITY])), replicates)
    entries = {name: inference.entry(arm(name, chosen([name]))) for name in names if name != IDENTITY}
    selected = inference.entry(arm(SELECTED, picks))
    closed = Inference(arm("closed form", chosen(MAPS)), replicates).entry(arm(SELECTED, picks))
    for hypotheses in (list(entries.values()), [selected], [closed]):
        adjust(hypotheses)
    against = _nest(closed)
    compared = {
        "statistics": describe_statistics(replicates),
        "baselines": {IDENTITY: inference.levels().nest()[TASK[0]]},
        "families": {name: _nest(entry) for name, entry in entries.items()},
        "selected": {
            "per_fold": [one.name for one in picks],
            **_nest(selected),
            "delta_closed": {**against["delta"], "verdict": against["verdict"]},
        },
    }
    arms = [ArmEntry("baseline", IDENTITY, Entry(inference.levels()))]
    arms += [ArmEntry("family", name, entry, IDENTITY) for name, entry in entries.items()]
    return compared, [*arms, ArmEntry(SELECTED, SELECTED, selected, IDENTITY)]


def _scores(found: Sequence[Sequence[FoldMap]]) -> dict[str, float]:
    """The mean validation score of each map over the folds, the best first."""
    scores = {one.name: float(np.mean([maps[place].score for maps in found])) for place, one in enumerate(found[0])}
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def _refit(trainer: Trainer, trials: Sequence[Trial], found: Sequence[Sequence[FoldMap]], negatives: int) -> LearnedMap:
    """The map with the best mean validation score, fitted on all pairs, for the median of its best epochs."""
    best, *_ = _scores(found)
    task, everything = trainer.task, np.ones(len(trainer.task.queries), bool)
    about: dict[str, Any] = {"trial": f"queries/{best}", "epoch": 0, "pairs": len(task.pairs)}
    solved = {closed_name(one): one for one in solve_closed(task, everything)}
    if best in solved:
        return solved[best].learned(**about)
    (trial,) = (one for one in trials if best in (trial_name(one, hard=False), trial_name(one, hard=True)))
    mined = None
    if best.endswith(HARD):
        closed = next(each for each in _scores(found) if each in solved)
        mined = mine(task, [FoldMap("", closed, 0.0, 0, solved[closed].learned())], everything, negatives)
    wanted = np.median([one.epoch for maps in found for one in maps if one.name == best])
    run = trainer.fit(trial, everything, mined, len(found))
    finite = np.flatnonzero(np.asarray(run.diverged) == 0)
    point = int(finite[np.abs(np.asarray(run.epochs)[finite] - wanted).argmin()])
    learned = trainer.learned(trial, run.at(point))
    return learned._replace(about=learned.about | about | {"epoch": int(run.epochs[point])})


def _nest(entry: Entry) -> dict[str, Any]:
    nested: Mapping[str, Any] = entry.nest()
    return {
        "metrics": nested["metrics"][TASK[0]],
        "delta": nested["delta"][TASK[0]],
        "verdict": (entry.verdict or {})[TASK[0]],
    }


def _describe(task: QueryTask) -> dict[str, int]:
    return {
        "queries": len(task.queries),
        "documents": len(task.documents),
        "pairs": len(task.pairs),
        "clusters": int(task.cluster.max()) + 1,
        "d_query": task.queries.shape[1],
        "d_document": task.documents.shape[1],
    }

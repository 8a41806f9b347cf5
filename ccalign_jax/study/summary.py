"""From ranks to the figures of `summary.json` and the rows of `results.csv`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.metrics import METRICS, PAIR_ROUTES, Ranks, Routes, all_tied, macro, ordered_pairs, retrieval_metrics
from ccalign_jax.training import LanguageRanks, Part, Trial

__all__ = [
    "DIRECTIONS",
    "Outcome",
    "best_of",
    "chance_metrics",
    "csv_rows",
    "describe_data",
    "figures_of",
    "fold_metrics",
    "kept_its_start",
    "make_summary",
    "minus",
    "pair_names",
    "route_metrics",
    "select",
]

DIRECTIONS = ("t2i", "i2t")
IDENTITY = "identity"
ROUNDING = 1e-6

FoldMetrics = dict[str, dict[str, Any]]
Figures = dict[str, Any]


@dataclasses.dataclass
class Outcome:
    """One trial, or a baseline, on every fold.

    Attributes:
        name: of the trial.
        trial: None for a baseline.
        report, sample: metrics of the report part and of the training sample, a fold each.
        selection: what a trial is chosen by, a fold each: the protocol's criterion on the selection part.
        epochs: the best epoch of each fold.
        curves: `[folds, epochs + 1, 3]` selection scores; empty for a baseline.
        losses: `[folds, epochs]`; empty for a baseline.
        ranks: of the report part, a fold each.
        params: of the best epoch, a fold each.
    """

    name: str
    trial: Trial | None = None
    report: list[FoldMetrics] = dataclasses.field(default_factory=list)
    sample: list[FoldMetrics] = dataclasses.field(default_factory=list)
    selection: list[float] = dataclasses.field(default_factory=list)
    epochs: list[int] = dataclasses.field(default_factory=list)
    curves: list[np.ndarray] = dataclasses.field(default_factory=list)
    losses: list[np.ndarray] = dataclasses.field(default_factory=list)
    ranks: list[LanguageRanks] = dataclasses.field(default_factory=list)
    params: list[Any] = dataclasses.field(default_factory=list)

    @property
    def family(self) -> tuple[str, ...]:
        """Pivot, aligner and loss: trials of one family differ in settings alone."""
        return (self.trial.pivot, self.trial.aligner, self.trial.loss) if self.trial else (self.name,)


def describe_data(data: EmbeddingSet) -> dict[str, Any]:
    """The `data` entry of a summary."""
    return {
        "name": data.name,
        "sha256": data.sha256(),
        "images": len(data),
        "languages": list(data.languages),
        "captions": {language: len(data.text[language]) for language in data.languages},
        "d_text": data.d_text,
        "d_image": data.d_image,
    }


def fold_metrics(ranks: LanguageRanks, languages: Sequence[str]) -> FoldMetrics:
    """Both directions: the macro mean over languages, and each language; one without a query is left out."""
    return {
        direction: _with_macro({name: pair[number] for name, pair in zip(languages, ranks, strict=True)})
        for number, direction in enumerate(DIRECTIONS)
    }


def route_metrics(routes: Routes, languages: Sequence[str]) -> FoldMetrics:
    """Every route that was taken: the macro mean over languages or ordered pairs (`ar->de`), and each of them.

    A route on which no query has an answer is left out: languages without an image in common have no pairs.
    """
    named: dict[str, Sequence[str]] = dict.fromkeys(DIRECTIONS, languages)
    named |= dict.fromkeys(PAIR_ROUTES, pair_names(languages))
    taken = {route: ranks for route, ranks in routes._asdict().items() if ranks}
    asked = {route: ranks for route, ranks in taken.items() if any((np.asarray(one.tied) > 0).any() for one in ranks)}
    return {route: _with_macro(dict(zip(named[route], ranks, strict=True))) for route, ranks in asked.items()}


def pair_names(languages: Sequence[str]) -> list[str]:
    """What summaries call the ordered pairs.

    Example:
        >>> pair_names(["de", "en"])
        ['de->en', 'en->de']
    """
    return [f"{languages[a]}->{languages[b]}" for a, b in ordered_pairs(len(languages))]


def chance_metrics(parts: Sequence[Part], languages: Sequence[str], *, routes: Sequence[str] = ()) -> list[FoldMetrics]:
    """What a score that tells nothing gets on each part, and on these routes between languages."""
    found = []
    for part in parts:
        owners = [np.asarray(owner) for owner in part.image_of]
        golds = [np.asarray(gold) for gold in part.captions_of]
        images = int((np.asarray(part.images) >= 0).sum())
        pairs = tuple(
            (all_tied(owner[:, None], images), all_tied(gold, int((owner >= 0).sum())))
            for owner, gold in zip(owners, golds, strict=True)
        )
        figures = fold_metrics(pairs, languages)
        if routes and len(languages) > 1:
            between = {
                name: all_tied(
                    np.where((owners[a] >= 0)[:, None], golds[b][owners[a]], -1), int((owners[b] >= 0).sum())
                )
                for name, (a, b) in zip(pair_names(languages), ordered_pairs(len(languages)), strict=True)
            }
            if any((one.tied > 0).any() for one in between.values()):
                figures |= dict.fromkeys(routes, _with_macro(between))
        found.append(figures)
    return found


def _with_macro(ranks: Mapping[str, Ranks]) -> dict[str, Any]:
    each = {name: retrieval_metrics(one) for name, one in ranks.items() if (np.asarray(one.tied) > 0).any()}
    return {**macro(list(each.values())), "per_language": each}


def select(outcomes: Sequence[Outcome], *, per_fold: bool) -> list[Outcome]:
    """For each fold the outcome with the best selection score; ties (see `best_of`) go to the earlier one.

    Args:
        outcomes: candidates, the safest first.
        per_fold: each fold chooses by its own inner part; otherwise all take the best mean, as the seed study does.
    """
    scores = np.array([outcome.selection for outcome in outcomes])
    if not per_fold:
        scores = np.broadcast_to(scores.mean(1, keepdims=True), scores.shape)
    return [outcomes[best_of(column)] for column in scores.T]


def best_of(scores: Sequence[float] | np.ndarray) -> int:
    """The place of the largest, or the first that is within rounding of it.

    The same ranks, averaged by two compiled programs, give means that differ in their last bits.

    Example:
        >>> best_of([0.25, 0.5, 0.5 + 1e-8])
        1
    """
    scores = np.asarray(scores, np.float64)
    return int(np.argmax(scores >= scores.max() - ROUNDING))


def kept_its_start(outcome: Outcome) -> bool:
    """Whether a refit up to the median of the best epochs would train nothing: the map would be its random start."""
    return outcome.trial is not None and int(np.median(outcome.epochs)) == 0


def make_summary(
    *,
    data: Mapping[str, Any],
    protocol: str,
    folds: int,
    identity: Outcome,
    chance: Sequence[FoldMetrics],
    outcomes: Sequence[Outcome],
    best: Outcome,
    notes: Sequence[str],
) -> dict[str, Any]:
    """`summary.json` as a dict; see `docs/results.md` for its keys."""
    per_fold = protocol == "nested"
    families: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        families.setdefault(outcome.family, []).append(outcome)
    candidates = [identity, *outcomes] if per_fold else list(outcomes)
    selected = select(candidates, per_fold=per_fold)
    return {
        "schema": 1,
        "data": dict(data),
        "protocol": protocol,
        "folds": folds,
        "notes": list(notes),
        "baselines": {
            IDENTITY: figures_of(identity.report),
            "chance": figures_of(chance),
            "identity_train": figures_of(identity.sample),
        },
        "trials": [_trial_summary(outcome, identity) for outcome in outcomes],
        "families": [
            {
                "pivot": family[0],
                "aligner": family[1],
                "loss": family[2],
                **_chosen_summary(select(members, per_fold=per_fold), identity),
            }
            for family, members in families.items()
        ],
        "selected": _chosen_summary(selected, identity),
        "best": best.name,
    }


def csv_rows(outcomes: Sequence[Outcome], settings: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A row a trial × fold × language or pair (and `macro`) × direction or route.

    Args:
        outcomes: the identity first.
        settings: hyper-parameters to give a column.
    """
    for outcome in outcomes:
        trial = outcome.trial
        head = {"trial": outcome.name, "pivot": "", "aligner": IDENTITY, "loss": ""}
        if trial is not None:
            head = {"trial": outcome.name, "pivot": trial.pivot, "aligner": trial.aligner, "loss": trial.loss}
        read = {} if trial is None else {key: getattr(trial.hyper, key) for key in trial.reads if key in settings}
        values = {key: f"{read[key]:g}" if key in read else "" for key in settings}
        for fold, (report, sample) in enumerate(zip(outcome.report, outcome.sample, strict=True)):
            for direction, figures in report.items():
                for language in ("macro", *figures["per_language"]):
                    one, train = (
                        each if language == "macro" else each.get("per_language", {}).get(language, {})
                        for each in (figures, sample.get(direction, {}))
                    )
                    yield {
                        **head,
                        "fold": fold,
                        "language": language,
                        "direction": direction,
                        **{metric: f"{one[metric]:.6f}" for metric in METRICS},
                        **{f"train_{metric}": f"{train[metric]:.6f}" for metric in METRICS if train},
                        "epoch": outcome.epochs[fold],
                        **values,
                    }


def _trial_summary(outcome: Outcome, identity: Outcome) -> dict[str, Any]:
    assert outcome.trial is not None
    curve = np.mean(outcome.curves, axis=0)
    return {
        "name": outcome.name,
        "pivot": outcome.trial.pivot,
        "aligner": outcome.trial.aligner,
        "loss": outcome.trial.loss,
        "hyper": {key: value for key, value in outcome.trial.hyper._asdict().items() if key in outcome.trial.reads},
        **_chosen_summary([outcome] * len(outcome.report), identity),
        "curve": {
            key: [round(float(v), 6) for v in curve[:, k]] for k, key in enumerate(("t2i_R@1", "i2t_R@1", "MRR"))
        },
    }


def _chosen_summary(chosen: Sequence[Outcome], identity: Outcome) -> dict[str, Any]:
    """The figures of the outcome chosen in each fold."""
    report = [outcome.report[fold] for fold, outcome in enumerate(chosen)]
    return {
        "per_fold": [outcome.name for outcome in chosen],
        "epochs": [outcome.epochs[fold] for fold, outcome in enumerate(chosen)],
        "selection": _figure([outcome.selection[fold] for fold, outcome in enumerate(chosen)]),
        "metrics": figures_of(report),
        "delta": figures_of(
            [minus(mine, base) for mine, base in zip(report, identity.report, strict=True)], delta=True
        ),
        "train_metrics": figures_of([outcome.sample[fold] for fold, outcome in enumerate(chosen)]),
    }


def minus(mine: Any, base: Any) -> Any:
    """Nested numbers less those of the same name."""
    if isinstance(mine, Mapping):
        return {key: minus(value, base[key]) for key, value in mine.items() if key in base}
    return mine - base


def figures_of(folds: Sequence[Any], *, delta: bool = False) -> Figures:
    """Folds of nested numbers as nested figures."""
    if isinstance(folds[0], Mapping):
        shared = [key for key in folds[0] if all(key in fold for fold in folds)]
        return {key: figures_of([fold[key] for fold in folds], delta=delta) for key in shared}
    return {**_figure(folds), **({"p": None, "p_adjusted": None} if delta else {})}


def _figure(values: Sequence[float]) -> dict[str, float | None]:
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "std": std, "low": None, "high": None}

"""The maps that one fold chooses among: closed forms and trained ones, each scored on its validation queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from ccalign_jax.aligners import Aligner
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.losses import LOSSES, LossEntry
from ccalign_jax.metrics import Ranks, retrieval_metrics
from ccalign_jax.migration.choice import CRITERION, rank_search
from ccalign_jax.migration.maps import Candidate, candidates
from ccalign_jax.pivots import Pivot, make_pivot
from ccalign_jax.query_adapters.negatives import mine_negatives
from ccalign_jax.query_adapters.task import QueryTask, task_embeddings
from ccalign_jax.solvers.paths import affine_params
from ccalign_jax.training import Embeddings, Hyper, Recipe, Space, Trajectory, Trial, fit, fitting_recipe

__all__ = ["HARD", "IDENTITY", "FoldMap", "Trainer", "closed_maps", "search_documents", "trained_maps"]

IDENTITY, HARD = "identity", " with hard negatives"


class FoldMap(NamedTuple):
    """A map, and how well it finds the documents of the validation queries.

    Attributes:
        family: of the kinds that are compared.
        name: the same in every fold.
        score: mean reciprocal rank on the validation queries, among all documents.
        epoch: of a trained map, the best by that score; 0 is its start.
        learned: the map.
    """

    family: str
    name: str
    score: float
    epoch: int
    learned: LearnedMap


class Trainer(NamedTuple):
    """What all fits of a task share, so that each trial is compiled once.

    Attributes:
        task: of the queries.
        space: widths.
        embeddings: of `task_embeddings`.
        pivot: documents in the place of images.
        smallest: documents with queries in the smallest training part.
        seed: of training.
    """

    task: QueryTask
    space: Space
    embeddings: Embeddings
    pivot: Pivot
    smallest: int
    seed: int

    def fit(self, trial: Trial, train: Bool[np.ndarray, " q"], negatives: np.ndarray | None, number: int) -> Trajectory:
        """The epochs of one trial on the training queries; `number` is that of the fit."""
        asked = np.unique(self.task.pairs[:, 1])
        mine = np.unique(self.task.pairs[train[self.task.pairs[:, 0]], 1])
        images = np.concatenate([mine, np.full(len(asked) - len(mine), mine[0])]).astype(np.int32)
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(self.seed), trial.index), number)
        return _fit(
            self.space.aligner(trial.aligner, trial.recipe),
            self.pivot,
            LOSSES[trial.loss],
            fitting_recipe(trial.recipe, self.smallest),
            self.smallest,
            trial.hyper,
            key,
            self.embeddings._replace(negatives=negatives),
            images,
            len(mine),
        )

    def learned(self, trial: Trial, params: Any) -> LearnedMap:
        """The map of a trial with these parameters."""
        sizes = {name: getattr(trial.recipe, name) for name in ("hidden", "rank", "features", "experts")}
        about = {"aligner": trial.aligner, "d_text": self.space.d_text, "d_image": self.space.d_image, "languages": []}
        aligner = self.space.aligner(trial.aligner, trial.recipe)
        return LearnedMap(aligner, jax.tree.map(np.asarray, params), about | sizes)


def make_trainer(task: QueryTask, space: Space, fold_of: Int[np.ndarray, " q"], *, seed: int) -> Trainer:
    """The trainer of a task whose folds each keep two parts out: for tests, and for validation."""
    folds = int(fold_of.max()) + 1
    owner = fold_of[task.pairs[:, 0]]
    kept = [task.pairs[(owner != fold) & (owner != (fold + 1) % folds), 1] for fold in range(folds)]
    smallest = min(len(np.unique(each)) for each in kept)
    return Trainer(task, space, task_embeddings(task), make_pivot("image", space.languages), smallest, seed)


@partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _fit(
    aligner: Aligner,
    pivot: Pivot,
    loss: LossEntry,
    recipe: Recipe,
    smallest: int,
    hyper: Hyper,
    key: Array,
    embeddings: Embeddings,
    images: Int[Array, " t"],
    count: int,
) -> Trajectory:
    hyper = jax.tree.map(jnp.float32, hyper)
    return fit(*(aligner, pivot, loss, hyper, key, embeddings, images, count), recipe=recipe, min_train_size=smallest)


def search_documents(task: QueryTask, learned: LearnedMap, queries: Bool[np.ndarray, " q"]) -> Ranks:
    """Ranks of the documents that answer these queries, among all."""
    return rank_search(learned(task.queries[queries]), task.documents, task.relevant[queries])


def closed_maps(
    task: QueryTask, train: Bool[np.ndarray, " q"], validation: Bool[np.ndarray, " q"]
) -> Iterator[FoldMap]:
    """Identity and every closed form, solved on the pairs of the training queries."""
    for found in solve_closed(task, train):
        score = _score(task, found.learned(), validation)
        yield FoldMap(found.family, closed_name(found), score, 0, found.learned())


def solve_closed(task: QueryTask, train: Bool[np.ndarray, " q"]) -> Iterator[Candidate]:
    """Identity first, rows cut or padded where widths differ, and every closed form."""
    query, document = task.pairs[train[task.pairs[:, 0]]].T
    d_query, d_document = task.queries.shape[1], task.documents.shape[1]
    yield Candidate(IDENTITY, "", affine_params(np.zeros((d_query, d_document))))
    found = candidates(task.queries[query], task.documents[document])
    yield from (one for one in found if one.family != IDENTITY)


def closed_name(found: Candidate) -> str:
    """Of a closed form and its setting."""
    return "/".join(filter(None, (found.family, found.setting)))


def trained_maps(
    trainer: Trainer,
    trials: Sequence[Trial],
    train: Bool[np.ndarray, " q"],
    validation: Bool[np.ndarray, " q"],
    *,
    negatives: np.ndarray | None,
    number: int,
) -> Iterator[FoldMap]:
    """The best epoch of each trial; without and, where they are given, with hard negatives."""
    for trial in trials:
        for mined in (None, negatives) if negatives is not None else (None,):
            run = trainer.fit(trial, train, mined, number)
            finite = [point for point, step in enumerate(np.asarray(run.diverged)) if step == 0]
            maps = [trainer.learned(trial, run.at(point)) for point in finite]
            scores = [_score(trainer.task, one, validation) for one in maps]
            best = int(np.argmax(scores))
            family = f"{trial.aligner}/{trial.loss}" + HARD * (mined is not None)
            name = trial_name(trial, hard=mined is not None)
            yield FoldMap(family, name, scores[best], int(run.epochs[finite[best]]), maps[best])


def trial_name(trial: Trial, *, hard: bool) -> str:
    """Aligner, loss and what tells the trial from others."""
    return trial.name.partition("/")[2] + HARD * hard


def mine(task: QueryTask, closed: Sequence[FoldMap], train: Bool[np.ndarray, " q"], count: int) -> np.ndarray | None:
    """Hard negatives by the closed form with the best score; None where none are asked for."""
    if not count:
        return None
    return mine_negatives(task, max(closed, key=lambda one: one.score).learned(task.queries), train, count)


def _score(task: QueryTask, learned: LearnedMap, validation: Bool[np.ndarray, " q"]) -> float:
    return float(retrieval_metrics(search_documents(task, learned, validation))[CRITERION])

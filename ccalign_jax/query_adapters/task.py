"""Queries, documents, and which documents answer which query."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ccalign_jax.errors import InputError
from ccalign_jax.migration.task import unit_rows_of
from ccalign_jax.numerics import AnyArray
from ccalign_jax.training import Embeddings

__all__ = ["QueryTask", "assign_folds", "make_query_task", "task_embeddings"]

MIN_CLUSTERS = 15


class QueryTask(NamedTuple):
    """Rows of unit length, float32, and clusters: queries that share a document, and all documents of these.

    Attributes:
        queries: `[q, d_query]`, each with at least one relevant document.
        documents: `[n, d_document]`.
        relevant: `[q, k]`, rows of documents, -1 for none.
        cluster: `[q]`, of each query, numbered from 0.
        document_cluster: `[n]`, of each document; those that answer no query have numbers of their own.
    """

    queries: Float[np.ndarray, "q d_query"]
    documents: Float[np.ndarray, "n d_document"]
    relevant: Int[np.ndarray, "q k"]
    cluster: Int[np.ndarray, " q"]
    document_cluster: Int[np.ndarray, " n"]

    @property
    def pairs(self) -> Int[np.ndarray, "p 2"]:
        """Every query with each of its documents."""
        query, place = np.nonzero(self.relevant >= 0)
        return np.stack([query, self.relevant[query, place]], axis=1)


def make_query_task(
    queries: Float[AnyArray, "q d_query"], documents: Float[AnyArray, "n d_document"], relevant: Int[AnyArray, "q k"]
) -> QueryTask:
    """Check rows, leave queries without a document out, and find the clusters.

    Args:
        queries: of any float dtype.
        documents: those that are searched; their width may be another one.
        relevant: rows of documents that answer each query, -1 for none.

    Raises:
        InputError: rows that do not go together, or too few clusters to learn and to test on.

    Example:
        >>> rows = np.eye(40, dtype=np.float32)
        >>> task = make_query_task(rows[:38], rows, np.arange(38) // 2)
        >>> task.cluster[:4].tolist(), len(task.pairs)
        ([0, 0, 1, 1], 38)
    """
    rows, searched = unit_rows_of("queries", queries), unit_rows_of("documents", documents)
    gold = np.asarray(relevant)
    gold = gold[:, None] if gold.ndim == 1 else gold
    if gold.ndim != 2 or gold.dtype.kind not in "iu" or len(gold) != len(rows) or gold.max(initial=-1) >= len(searched):
        raise InputError(
            f"relevant: shape {gold.shape}, largest row {gold.max(initial=-1)}; give integers [{len(rows)}, k], rows "
            f"of the {len(searched)} documents, counted from 0, -1 for none"
        )
    asked = (gold >= 0).any(axis=1)
    rows, gold = rows[asked], gold[asked]
    query, place = np.nonzero(gold >= 0)
    count = len(rows)
    edges = csr_array((np.ones(len(query)), (query, count + gold[query, place])), shape=(count + len(searched),) * 2)
    _, found = connected_components(edges, directed=False)
    order = {number: place for place, number in enumerate(dict.fromkeys(found.tolist()))}  # those of queries first
    found = np.array([order[number] for number in found.tolist()])
    if (clusters := len(np.unique(found[:count]))) < MIN_CLUSTERS:
        raise InputError(
            f"relevant: {count} queries in {clusters} clusters of queries that share documents; give at least "
            f"{MIN_CLUSTERS}, for whole clusters are kept out to test on"
        )
    return QueryTask(rows, searched, gold, found[:count], found[count:])


def assign_folds(task: QueryTask, folds: int, *, seed: int) -> Int[np.ndarray, " q"]:
    """The fold of each query; a cluster is in one."""
    clusters = int(task.cluster.max()) + 1
    fold_of = np.empty(clusters, int)
    fold_of[np.random.default_rng(seed).permutation(clusters)] = np.arange(clusters) % folds
    return fold_of[task.cluster]


def task_embeddings(task: QueryTask) -> Embeddings:
    """The task as training sees it: documents in the place of images, queries as their captions in one language.

    Documents of one cluster are in one group, so that none is a negative of a query that another one answers.
    """
    pairs = task.pairs[np.argsort(task.pairs[:, 1], kind="stable")]
    counts = np.bincount(pairs[:, 1], minlength=len(task.documents))
    rows = np.zeros((len(task.documents), counts.max()), np.int32)
    first = np.cumsum(counts) - counts
    rows[pairs[:, 1], np.arange(len(pairs)) - first[pairs[:, 1]]] = pairs[:, 0]
    groups = task.document_cluster.astype(np.int32)
    return Embeddings(task.queries, task.documents, rows[None], counts[None].astype(np.int32), groups)

"""Hard negatives: documents near to a query that do not answer it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from ccalign_jax.metrics.ranks import tile_rows
from ccalign_jax.query_adapters.task import QueryTask

__all__ = ["mine_negatives"]

MARGIN = 0.05


def mine_negatives(
    task: QueryTask, mapped: Float[np.ndarray, "q d_document"], train: Bool[np.ndarray, " q"], count: int
) -> Int[np.ndarray, "n h"]:
    """For each document with a training query, the `count` nearest documents that answer none of its cluster.

    Left out are documents that answer a query outside the training part, and those nearly as near as the document
    itself (within 5 % of its cosine), which may well be answers that nobody has marked (positive-aware mining, arXiv
    2407.15831). Places without such a document hold the document itself, which is no negative of its own.

    Args:
        task: whose documents are mined.
        mapped: queries in the space of the documents, unit rows.
        train: which queries are in the training part.
        count: how many.
    """
    pairs = task.pairs[train[task.pairs[:, 0]]]
    targets = np.unique(pairs[:, 1])
    place = np.searchsorted(targets, pairs[:, 1])
    means = np.zeros((len(targets), mapped.shape[1]), np.float32)
    np.add.at(means, place, mapped[pairs[:, 0]])
    held = np.isin(task.document_cluster, np.unique(task.cluster[~train]))
    found = np.repeat(np.arange(len(task.documents))[:, None], count, axis=1)
    width = min(count, len(task.documents))
    size = tile_rows(len(task.documents))
    for start in range(0, len(targets), size):
        rows = targets[start : start + size]
        scores = means[start : start + size] @ task.documents.T
        own = scores[np.arange(len(rows)), rows][:, None]
        same = task.document_cluster[rows][:, None] == task.document_cluster
        scores[same | held | (scores > own - MARGIN * np.abs(own))] = -np.inf
        best = np.argpartition(-scores, width - 1, axis=1)[:, :width]
        there = np.isfinite(np.take_along_axis(scores, best, axis=1))
        found[rows, :width] = np.where(there, best, rows[:, None])
    return found.astype(np.int32)

"""Bootstrap replicates and sign flips of the images of a study."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from ccalign_jax.metrics import mean_metrics
from ccalign_jax.statistics import FLIPS, MEDIAN_REPLICATES, REPLICATES, bootstrap_weights, sign_flips

__all__ = ["Replicates", "draw_replicates"]


class Replicates(NamedTuple):
    """The same for every metric of a study, so that all differences are paired.

    Attributes:
        cluster_of: `[n]`, the cluster of each image of the data: itself, or its group.
        weights: `[replicates, clusters]`, how often each cluster is drawn.
        signs: `[flips, clusters]`, ±1.
        medians: how many of the replicates medians are taken in; 0 leaves their intervals open.
        only: the means that are replicated; None for all of `mean_metrics()`.
    """

    cluster_of: Int[np.ndarray, " n"]
    weights: Int[np.ndarray, "replicates clusters"]
    signs: Int[np.ndarray, "flips clusters"]
    medians: int = MEDIAN_REPLICATES
    only: tuple[str, ...] | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the means that are replicated."""
        return tuple(mean_metrics()) if self.only is None else self.only


def draw_replicates(
    groups: Int[np.ndarray, " n"], *, seed: int, replicates: int = REPLICATES, flips: int = FLIPS
) -> Replicates:
    """Replicates of the clusters of a data set.

    Args:
        groups: `[n]`, equal numbers for images that move together.
        seed: of both kinds.
        replicates: bootstrap replicates.
        flips: assignments of signs.
    """
    _, cluster_of = np.unique(groups, return_inverse=True)
    clusters = int(cluster_of.max()) + 1
    return Replicates(
        cluster_of,
        bootstrap_weights(clusters, replicates=replicates, seed=seed),
        sign_flips(clusters, flips=flips, seed=seed),
    )

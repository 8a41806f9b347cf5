"""A map for each cluster of rows, shrunk to the map of all of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from scipy.cluster.vq import kmeans2
from scipy.linalg import solve

from ccalign_jax.aligners import Params
from ccalign_jax.solvers.moments import Moments, add_rows, empty_moments
from ccalign_jax.solvers.ridge import ridge_map, ridge_path

__all__ = ["cluster_maps"]

CLUSTERS = (4, 16)
PENALTY, OWN_PENALTY = 1e-2, 3e-2  # of the map of all rows, and of what a cluster adds; over the mean eigenvalue of all
SHARPNESS = 100.0  # of the gates: 1 is a softmax of half the squared distances to the centres
MOST = 20000  # rows, each once, that the centres are sought among


def cluster_maps(
    source: Float[np.ndarray, "n d_in"], target: Float[np.ndarray, "n d_out"], moments: Moments
) -> Iterator[tuple[str, Params]]:
    """Maps x ↦ x(W + Σ g_k(x) R_k) as parameters of `aligners.mixture`, for 4 and for 16 clusters.

    W is ridge regression on all pairs, without centring; R_k is that of what it leaves over, on the pairs whose source
    row k-means puts into cluster k, so that a cluster of few pairs stays near W. The gates g are a sharp softmax of
    the distances to the centres.

    Args:
        source, target: pairs of rows of unit length.
        moments: theirs.

    References:
        one map a cluster: Drift-Adapter, arXiv 2509.23471; k-means++: Arthur & Vassilvitskii, SODA 2007
    """
    path = ridge_path(moments, to_identity=False)
    whole = ridge_map(path, PENALTY * path.mean_eigenvalue).delta
    d_in, d_out = whole.shape  # W less the identity
    rest = target - source @ (whole + np.eye(d_in, d_out)).astype(np.float32)
    shown = np.unique(source[np.random.default_rng(0).permutation(len(source))[:MOST]], axis=0)
    for wanted in CLUSTERS:
        count = min(wanted, len(shown))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a cluster without rows has the map of all
            centres, _ = kmeans2(shown, count, minit="++", seed=0)
        bias = -0.5 * (centres**2).sum(axis=1)
        nearest = (source @ centres.T + bias).argmax(axis=1)
        delta = np.empty((count, d_in, d_out), np.float32)
        for number in range(count):
            mine = nearest == number
            own = add_rows(empty_moments(d_in, d_out), source[mine], rest[mine])
            penalty = OWN_PENALTY * path.mean_eigenvalue * np.eye(d_in)
            delta[number] = whole + solve(own.text_text + penalty, own.text_target, assume_a="pos")
        gate, bias = (SHARPNESS * each.astype(np.float32) for each in (centres.T, bias))
        yield f"{wanted} clusters", {"delta": delta, "gate": gate, "bias": bias}

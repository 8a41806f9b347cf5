"""Probabilities in place of cosines: a softmax over the nearest candidates, fitted on pairs that are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ccalign_jax.calibration.likelihood import maximise
from ccalign_jax.calibration.reliability import calibration_error, first_half

__all__ = ["CANDIDATES", "LEAST_IMAGES", "SoftmaxCalibration", "fit_softmax"]

CANDIDATES = 100  # nearest images that a probability is shared among; the rest of a gallery has one share
LEAST_IMAGES = 50  # below, a bin of the measured error would hold a handful of results
RESULTS = 10  # of a query, by which the error is measured


class SoftmaxCalibration(NamedTuple):
    """From cosines of the nearest candidates of a query to the probability of each that it is the right one.

    p_i = exp(scale s_i) / (Σ_j exp(scale s_j) + m exp(rest)), over the candidates j and the m images that are none.

    Attributes:
        scale: of the cosines; 1 / temperature.
        rest: log weight of an image that is no candidate.
        candidates: how many images are candidates.
        queries, images: that it was fitted on.
        error: expected calibration error of the first ten results: the difference between probability and share of
            right results, in bins of equal size, of queries that a fit on the other half of the images had not seen.

    Example:
        >>> found = SoftmaxCalibration(10.0, 0.0, 3, 0, 0, np.nan).probabilities(np.array([[0.5, 0.4, -np.inf]]), 2)
        >>> found.round(2).tolist()
        [[0.73, 0.27, 0.0]]
    """

    scale: float
    rest: float
    candidates: int
    queries: int
    images: int
    error: float

    def probabilities(
        self, scores: Float[np.ndarray, "q k"], size: int | Int[np.ndarray, " q"]
    ) -> Float[np.ndarray, "q k"]:
        """Of each candidate, `[q, k]`, in a gallery of `size` images, one of which is right.

        -inf marks no candidate. What is missing to 1 is the probability that the right image is no candidate.
        """
        near, more = scores[:, : self.candidates], scores[:, self.candidates :]
        logits = self.scale * _finite(near) + _offsets(near, size, self.rest)
        total = _log_sum(logits)[:, None]
        others = np.where(np.isfinite(more), np.exp(self.rest - total), 0.0)
        return np.concatenate([np.exp(logits[:, :-1] - total), others], axis=1)


def fit_softmax(
    scores: Float[np.ndarray, "q k"],
    right: Bool[np.ndarray, "q k"],
    images: Int[np.ndarray, " q"],
    size: int | Int[np.ndarray, " q"],
) -> SoftmaxCalibration | None:
    """The calibration of largest likelihood, and its error; None for fewer than `LEAST_IMAGES` images.

    Args:
        scores: cosines of the candidates of each query; -inf for none.
        right: which of them are right; none where the right one is no candidate.
        images: of each query; those of one image stay together.
        size: images in the gallery of each query.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> scores = rng.uniform(0, 1, (400, 5))
        >>> gumbel = 8 * scores + rng.gumbel(size=scores.shape)
        >>> found = fit_softmax(scores, gumbel == gumbel.max(1, keepdims=True), np.arange(400), 5)
        >>> bool(6 < found.scale < 10 and found.error < 0.06)
        True
    """
    groups, sizes = np.unique(images), np.broadcast_to(np.asarray(size), len(scores))
    most = scores.shape[1]
    if len(groups) < LEAST_IMAGES:
        return None
    first = first_half(images)
    given = np.empty(scores.shape, np.float64)
    for fitted, kept in ((first, ~first), (~first, first)):
        part = SoftmaxCalibration(*_fit(scores[fitted], right[fitted], sizes[fitted]), most, 0, 0, np.nan)
        given[kept] = part.probabilities(scores[kept], sizes[kept])
    shown = np.isfinite(scores[:, :RESULTS])
    error = calibration_error(given[:, :RESULTS][shown], right[:, :RESULTS][shown])
    return SoftmaxCalibration(*_fit(scores, right, sizes), most, len(scores), len(groups), error)


def _fit(scores: np.ndarray, right: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """`scale` and `rest` of the largest mean log likelihood."""
    correct = np.concatenate([right, ~right.any(axis=1, keepdims=True)], axis=1)
    offsets = _offsets(scores, sizes, 0.0)
    possible = np.asarray((correct & np.isfinite(offsets)).any(axis=1))
    correct, offsets = correct[possible], offsets[possible]
    known = scores[possible][np.isfinite(scores[possible])]
    middle, spread = (float(known.mean()), float(known.std()) or 1.0) if len(known) else (0.0, 1.0)
    features = _finite((scores[possible] - middle) / spread)

    def likelihood(values: np.ndarray) -> tuple[float, np.ndarray]:
        logits = values[0] * features + offsets
        logits[:, -1] += values[1]
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        among = np.where(correct, weights, 0.0)
        total, inside = weights.sum(axis=1, keepdims=True), among.sum(axis=1, keepdims=True)
        beyond = among / inside - weights / total
        gradient = np.array([(beyond * features).sum(), beyond[:, -1].sum()]) / len(logits)
        return float(np.log(inside / total).mean()), gradient

    scale, rest = maximise(likelihood, np.array([1.0, 0.0]), least=(0.0, -np.inf))
    return float(scale / spread), float(rest + scale * middle / spread)


def _finite(scores: np.ndarray) -> np.ndarray:
    """Scores, zero where there is none, and a zero for all that is no candidate."""
    return np.concatenate([np.where(np.isfinite(scores), scores, 0.0), np.zeros((len(scores), 1))], axis=1)


def _offsets(scores: np.ndarray, size: int | np.ndarray, rest: float) -> np.ndarray:
    """What is added to the logits: -inf where there is no candidate, and the log weight of all others at the end."""
    known = np.isfinite(scores)
    others = np.maximum(np.asarray(size) - known.sum(axis=1), 0)
    with np.errstate(divide="ignore"):
        last = rest + np.log(others)
    return np.concatenate([np.where(known, 0.0, -np.inf), last[:, None]], axis=1)


def _log_sum(logits: np.ndarray) -> np.ndarray:
    top = logits.max(axis=1)
    return top + np.log(np.exp(logits - top[:, None]).sum(axis=1))

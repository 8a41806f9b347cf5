"""Probabilities in place of cosines: a softmax over the nearest candidates, fitted on pairs that are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["CANDIDATES", "LEAST_IMAGES", "Calibration", "calibration_error", "collapse", "fit_calibration"]

CANDIDATES = 100  # nearest images that a probability is shared among; the rest of a gallery has one share
LEAST_IMAGES = 50  # below, a bin of the measured error would hold a handful of results
BINS = 10
RESULTS = 10  # of a query, by which the error is measured
STEPS, HALVINGS = 60, 30  # of Newton's method, which needs some ten, and of a step


class Calibration(NamedTuple):
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
        >>> found = Calibration(10.0, 0.0, 3, 0, 0, np.nan).probabilities(np.array([[0.5, 0.4, -np.inf]]), 2)
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


def fit_calibration(
    scores: Float[np.ndarray, "q k"],
    right: Bool[np.ndarray, "q k"],
    images: Int[np.ndarray, " q"],
    size: int | Int[np.ndarray, " q"],
) -> Calibration | None:
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
        >>> found = fit_calibration(scores, gumbel == gumbel.max(1, keepdims=True), np.arange(400), 5)
        >>> bool(6 < found.scale < 10 and found.error < 0.06)
        True
    """
    groups, sizes = np.unique(images), np.broadcast_to(np.asarray(size), len(scores))
    most = scores.shape[1]
    if len(groups) < LEAST_IMAGES:
        return None
    first = np.asarray(np.isin(images, np.random.default_rng(0).permutation(groups)[::2]))
    given = np.empty(scores.shape, np.float64)
    for fitted, kept in ((first, ~first), (~first, first)):
        part = Calibration(*_fit(scores[fitted], right[fitted], sizes[fitted]), most, 0, 0, np.nan)
        given[kept] = part.probabilities(scores[kept], sizes[kept])
    shown = np.isfinite(scores[:, :RESULTS])
    error = calibration_error(given[:, :RESULTS][shown], right[:, :RESULTS][shown])
    return Calibration(*_fit(scores, right, sizes), most, len(scores), len(groups), error)


def calibration_error(probabilities: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]) -> float:
    """Expected calibration error: mean difference of probability and share of right ones, over bins of equal size.

    Example:
        >>> calibration_error(np.full(40, 0.75), np.arange(40) % 2 == 0)
        0.25
    """
    order = np.argsort(probabilities, kind="stable")
    bins = [each for each in np.array_split(order, BINS) if len(each)]
    differences = [abs(probabilities[each].mean() - right[each].mean()) * len(each) for each in bins]
    return float(sum(differences) / len(order))


def collapse(
    owners: Int[np.ndarray, "q m"], scores: Float[np.ndarray, "q m"], count: int
) -> tuple[Int[np.ndarray, "q k"], Float[np.ndarray, "q k"]]:
    """The first of each owner in lists that are sorted by score, at most `count`; -1 and -inf behind.

    Example:
        >>> collapse(np.array([[4, 4, 2]]), np.array([[0.9, 0.8, 0.7]]), 3)[0].tolist()
        [[4, 2, -1]]
    """
    found = np.full((len(owners), count), -1, np.int64)
    values = np.full((len(owners), count), -np.inf)
    for number, each in enumerate(owners):
        there = np.flatnonzero(np.isfinite(scores[number]))
        first = there[np.sort(np.unique(each[there], return_index=True)[1])][:count]
        found[number, : len(first)], values[number, : len(first)] = each[first], scores[number, first]
    return found, values


def _fit(scores: np.ndarray, right: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """`scale` and `rest` by Newton's method on the mean log likelihood."""
    correct = np.concatenate([right, ~right.any(axis=1, keepdims=True)], axis=1)
    offsets = _offsets(scores, sizes, 0.0)
    possible = np.asarray((correct & np.isfinite(offsets)).any(axis=1))
    correct, offsets = correct[possible], offsets[possible]
    features = np.stack([_finite(scores)[possible], np.zeros(offsets.shape)])
    features[1, :, -1] = 1.0
    values = np.array([10.0, 10.0 * float(np.median(features[0, :, :-1]))])

    def objective(values: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        logits = np.tensordot(values, features, 1) + offsets
        model, among = _softmax(logits), np.where(correct, logits, -np.inf)
        likelihood = _log_sum(among) - _log_sum(logits)
        mean = np.einsum("aqk,qk->aq", features, model)
        gradient = (np.einsum("aqk,qk->aq", features, _softmax(among)) - mean).mean(axis=1)
        second = (np.einsum("aqk,bqk,qk->ab", features, features, model) - mean @ mean.T) / len(logits)
        return float(likelihood.mean()), gradient, second

    level, gradient, second = objective(values)
    for _ in range(STEPS):
        step = np.linalg.solve(second + 1e-9 * np.eye(2), gradient)
        for _ in range(HALVINGS):  # until it helps
            moved = values + step
            moved[0] = max(moved[0], 0.0)
            new = objective(moved)
            if new[0] >= level:
                break
            step = step / 2
        done = new[0] - level < 1e-9
        if new[0] >= level:
            values, (level, gradient, second) = moved, new
        if done:
            break
    return float(values[0]), float(values[1])


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


def _softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits - _log_sum(logits)[:, None])

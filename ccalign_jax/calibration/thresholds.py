"""What a threshold returns, the threshold of a precision, and a threshold taken from one score to another."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from ccalign_jax.calibration.counts import ScoreCounts

__all__ = ["Keep", "OperatingPoints", "operating_points", "threshold_at_precision", "translate_threshold"]

Keep = Literal["results", "recall", "precision"]


class OperatingPoints(NamedTuple):
    """Pairs that score at or above each threshold.

    Attributes:
        thresholds: `[k]`, ascending.
        results: `[k]`, pairs of that score or more.
        recall: `[k]`, the share of all right pairs that are among them.
        precision: `[k]`, the share of them that is right.
    """

    thresholds: Float[np.ndarray, " k"]
    results: Float[np.ndarray, " k"]
    recall: Float[np.ndarray, " k"]
    precision: Float[np.ndarray, " k"]

    def at(self, threshold: float) -> tuple[float, float, float]:
        """Results, recall and precision of any threshold; above all scores 0, 0 and NaN."""
        place = int(np.searchsorted(self.thresholds, threshold))
        if place == len(self.thresholds):
            return 0.0, 0.0, float("nan")
        return float(self.results[place]), float(self.recall[place]), float(self.precision[place])


def operating_points(counts: ScoreCounts) -> OperatingPoints:
    """What each score that occurs returns as a threshold.

    Example:
        >>> from ccalign_jax.calibration import count_scores
        >>> found = operating_points(count_scores(np.array([0.1, 0.4, 0.6]), np.array([False, True, False])))
        >>> found.results.tolist(), found.recall.tolist(), found.precision.round(2).tolist()
        ([3.0, 2.0, 1.0], [1.0, 1.0, 0.0], [0.33, 0.5, 0.0])
    """
    there = counts.total > 0
    right, results = (np.cumsum(part[there][::-1])[::-1] for part in (counts.right, counts.total))
    return OperatingPoints(counts.scores[there], results, right / max(counts.right.sum(), 1e-300), right / results)


def threshold_at_precision(points: OperatingPoints, precision: float) -> float:
    """The lowest threshold at which the results have a precision, or more; infinity if there is none.

    It is fitted to the pairs: measure its precision on others.

    Example:
        >>> from ccalign_jax.calibration import count_scores
        >>> counts = count_scores(np.array([0.1, 0.4, 0.6, 0.7]), np.array([False, True, False, True]))
        >>> [threshold_at_precision(operating_points(counts), share) for share in (0.6, 0.9)]
        [0.4, 0.7]
    """
    enough = np.flatnonzero(points.precision >= precision - 1e-12)
    return float(points.thresholds[enough[0]]) if len(enough) else float("inf")


def translate_threshold(before: OperatingPoints, after: OperatingPoints, threshold: float, *, keep: Keep) -> float:
    """The threshold of one score that does what a threshold does of another score of the same pairs.

    Args:
        before: of the score that the threshold is known of.
        after: of the other score, such as that of a learned map.
        threshold: of the first score.
        keep: what stays as it was, or is the first to be more: the number of `results`, the `recall`, or the
            `precision`.

    Returns:
        The highest threshold that returns as many results, or as large a share of the right pairs; for the precision
        the lowest; infinity if there is none.

    Example:
        >>> from ccalign_jax.calibration import count_scores
        >>> right = np.array([False, True, False, True])
        >>> old = operating_points(count_scores(np.array([0.1, 0.2, 0.3, 0.4]), right))
        >>> new = operating_points(count_scores(np.array([0.3, 0.7, 0.4, 0.9]), right))
        >>> [translate_threshold(old, new, 0.2, keep=keep) for keep in ("results", "recall", "precision")]
        [0.4, 0.7, 0.4]
    """
    results, recall, precision = before.at(threshold)
    if keep == "precision":
        return threshold_at_precision(after, precision)
    old, new = (results, after.results) if keep == "results" else (recall, after.recall)
    enough = np.flatnonzero(new >= old * (1 - 1e-12))
    if old == 0:
        return float("inf")
    return float(after.thresholds[enough[-1]]) if len(enough) else float(after.thresholds[0])

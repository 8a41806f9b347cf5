"""Calibrated scores of a data set, as it is and through a map: probabilities, thresholds, conformal sets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ccalign_jax.calibration import (
    Isotonic,
    OperatingPoints,
    Platt,
    first_half,
    operating_points,
    translate_threshold,
)
from ccalign_jax.calibration.softmax import LEAST_IMAGES
from ccalign_jax.calibration.thresholds import Keep
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.json_files import read_json
from ccalign_jax.errors import InputError
from ccalign_jax.evaluation.apply import apply
from ccalign_jax.evaluation.calibrated_set import describe_scores
from ccalign_jax.evaluation.evaluate import MAPPED
from ccalign_jax.evaluation.evaluated_set import unit_sets
from ccalign_jax.evaluation.held_out import find_held_out
from ccalign_jax.evaluation.pair_scores import Gallery, join, score_pairs
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.measurement.measure import IDENTITY
from ccalign_jax.seed_maps import read_map
from ccalign_jax.study.inputs import read_data
from ccalign_jax.study.summary import describe_data

if TYPE_CHECKING:
    from ccalign_jax.data.objects import Source

__all__ = ["ALL", "ScoreCalibration", "calibrate", "read_calibration"]

ALL = "all"  # captions of all languages
CAPTIONS = 5000  # of a language, at most
RECALLS = (0.95, 0.8, 0.5)  # of the old thresholds that are translated, where none are named
KEEPS: tuple[Keep, ...] = ("results", "recall", "precision")


class ScoreCalibration(NamedTuple):
    """What `calibrate` finds.

    Attributes:
        summary: the content of `calibration.json`; `docs/calibration.md` explains it.
    """

    summary: dict[str, Any]

    def probabilities(
        self, scores: Float[np.ndarray, "*shape"], language: str | None = None, *, mapped: bool = True
    ) -> Float[np.ndarray, "*shape"]:
        """The probability that a pair of each score is a match, in a gallery of the size that was calibrated for.

        Args:
            scores: cosines.
            language: of the captions; None for the calibration of all.
            mapped: cosines after the map; False for those before it.

        Raises:
            InputError: no such language, or no map.
        """
        found = self._find(language, mapped)
        fitted = found[found["chosen"]]
        if found["chosen"] == "platt":
            return Platt(fitted["scale"], fitted["offset"]).probabilities(scores)
        return Isotonic(np.array(fitted["scores"]), np.array(fitted["shares"])).probabilities(scores)

    def _find(self, language: str | None, mapped: bool) -> dict[str, Any]:
        states = self.summary["scores"]
        if mapped and MAPPED not in states:
            raise InputError("the calibration is of data without a map; give mapped=False")
        languages = states[MAPPED if mapped else IDENTITY]
        if (name := ALL if language is None else language) not in languages:
            raise InputError(f"no calibration of {name}; there are {', '.join(languages)}")
        return languages[name]


def read_calibration(path: str | os.PathLike[str]) -> ScoreCalibration:
    """The calibration in a folder of `ccalign calibrate`, or in its `calibration.json`.

    Raises:
        InputError: missing, or damaged.
    """
    file = Path(path)
    file = file / "calibration.json" if file.is_dir() else file
    try:
        summary = read_json(file)
        if "scores" in summary and "gallery" in summary:
            return ScoreCalibration(summary)
    except (OSError, ValueError, TypeError):
        pass
    raise InputError(f"{file}: missing, or no calibration; give a folder of ccalign calibrate")


def calibrate(
    data: Source | EmbeddingSet,
    checkpoint: LearnedMap | str | os.PathLike[str] | None = None,
    *,
    precision: float = 0.5,
    coverage: float = 0.9,
    thresholds: Sequence[float] = (),
    gallery: int | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> ScoreCalibration:
    """Probabilities of a match, thresholds and conformal sets, on images that the map was not trained on.

    Args:
        data: pairs; the training images of the map are left out. If hardly others remain, the test images of the
            folds of its sweep are taken, each with the map of its fold.
        checkpoint: the map, or its folder such as `RUN/best`; None for the data alone.
        precision: of the results at or above the threshold that is looked for.
        coverage: of the retrieval sets.
        thresholds: of scores before the map, to translate; empty for those with a recall of 95, 80 and 50 %.
        gallery: images that will be searched; None for those of the data. The others are supposed to be like these.
        progress: called with what goes on, steps done, and steps in all.

    Raises:
        InputError: data or a map that cannot be read, or too few images that it was not trained on.

    Example:
        >>> from ccalign_jax.data import synthetic
        >>> found = calibrate(synthetic(60, languages=("de",), dimensions=8), gallery=1000)
        >>> few, more = found.probabilities(np.array([0.5, 0.9]), mapped=False)
        >>> bool(few < more)
        True
    """
    for name, share in (("precision", precision), ("coverage", coverage)):
        if not 0 < share < 1:
            raise InputError(f"--{name}={share}: give a number between 0 and 1")
    data = read_data(data)
    size = len(data) if gallery is None else gallery
    if size < 2:
        raise InputError(f"--gallery={size}: give 2 or more images")
    states, trial, words = _held_out(data, checkpoint)
    scores: dict[str, dict[str, Any]] = {}
    points: dict[str, dict[str, OperatingPoints]] = {}
    for number, (state, sets) in enumerate(states.items()):
        progress("scoring pairs", number, len(states))
        galleries = _galleries(sets)
        scores[state], points[state] = {}, {}
        for language, several in {ALL: [one for each in galleries.values() for one in each], **galleries}.items():
            pairs = join([score_pairs(one, size) for one in several])
            points[state][language] = operating_points(pairs.both)
            scores[state][language] = describe_scores(pairs, several, size, precision=precision, coverage=coverage)
    progress("scoring pairs", len(states), len(states))
    summary = {
        "schema": 1,
        "data": describe_data(data),
        "map": trial,
        "held_out": words,
        "gallery": size,
        "searched": round(float(np.mean([len(one) for one in states[IDENTITY]]))),
        "precision": precision,
        "coverage": coverage,
        "scores": scores,
    }
    if len(states) > 1:
        summary["thresholds"] = {
            language: [_translate(before, points[MAPPED][language], old) for old in thresholds or _olds(before)]
            for language, before in points[IDENTITY].items()
        }
    return ScoreCalibration(summary)


def _held_out(
    data: EmbeddingSet, checkpoint: LearnedMap | str | os.PathLike[str] | None
) -> tuple[dict[str, list[EmbeddingSet]], str | None, str]:
    """Sets that the map was not trained on, before and after it; its name; and where they come from, in words."""
    if checkpoint is None:
        if len(data) < LEAST_IMAGES:
            raise InputError(f"{data.name}: {len(data)} images; {LEAST_IMAGES} are needed to calibrate scores")
        return {IDENTITY: [data]}, None, f"{len(data)} images of {data.name}"
    learned = read_map(checkpoint)
    learned.check_widths(data.name, d_text=data.d_text, d_image=data.d_image)
    held, words = find_held_out(learned, data, None if isinstance(checkpoint, LearnedMap) else checkpoint)
    if not held:
        raise InputError(f"{data.name}: {words}; give other data")
    states = {IDENTITY: [one.data for one in held], MAPPED: [apply(one.learned, one.data) for one in held]}
    return states, learned.about.get("trial", learned.about["aligner"]), words


def _galleries(sets: Sequence[EmbeddingSet]) -> dict[str, list[Gallery]]:
    """Of each language, captions and images of every set."""
    groups = np.unique(np.concatenate([data.groups for data in sets]))
    first = first_half(groups)
    found: dict[str, list[Gallery]] = {}
    random = np.random.default_rng(0)
    for data in sets:
        text, image = unit_sets(data, data.languages)
        half = first[np.searchsorted(groups, data.groups)]
        for language, rows in zip(data.languages, text, strict=True):
            chosen = np.sort(random.permutation(len(rows))[:CAPTIONS])
            owner = data.image_of[language][chosen].astype(np.int64)
            found.setdefault(language, []).append(Gallery(rows[chosen], image, owner, data.groups, half))
    return dict(sorted(found.items()))


def _olds(points: OperatingPoints) -> list[float]:
    return [float(points.thresholds[np.flatnonzero(points.recall >= share)[-1]]) for share in RECALLS]


def _translate(before: OperatingPoints, after: OperatingPoints, threshold: float) -> dict[str, Any]:
    found: dict[str, Any] = {"before": _point(before, threshold)}
    for keep in KEEPS:
        found[keep] = _point(after, translate_threshold(before, after, threshold, keep=keep))
    return found


def _point(points: OperatingPoints, threshold: float) -> dict[str, float | None]:
    values: Mapping[str, float] = dict(zip(("results", "recall", "precision"), points.at(threshold), strict=True))
    found = {"threshold": threshold, **values}
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}

"""A searcher of a data set and a map: rows mapped and indexed, scores calibrated on both sides alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ccalign_jax._names import IDENTITY
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.encoders import Encoder
from ccalign_jax.evaluation.held_out import find_held_out
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.search.exported import identity_map
from ccalign_jax.search.searcher import Searcher
from ccalign_jax.search.sides import Pairs, Side, held_out_pairs, open_side

__all__ = ["open_searcher"]

MAX_CAPTIONS = 2_000_000  # of more, captions are not indexed, but images alone


def open_searcher(
    learned: LearnedMap,
    data: EmbeddingSet,
    *,
    encoder: Encoder | None = None,
    checkpoint: str | None = None,
    calibrate_on: EmbeddingSet | None = None,
    faiss: bool | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Searcher:
    """Index a data set before and after a map, and calibrate both on the same held-out captions.

    Args:
        learned: the map.
        data: what is searched.
        encoder: of queries.
        checkpoint: where the map was read: the folds of its sweep are looked for beside it.
        calibrate_on: pairs that the map was not trained on.
        faiss: as in `SearchIndex`.
        progress: called with what goes on, steps done, and steps in all.

    Raises:
        InputError: widths that are not those of the map, or a language that it has no part for.

    Example:
        >>> import numpy as np
        >>> from ccalign_jax.aligners import residual
        >>> data = EmbeddingSet.build("toy", np.eye(3), {"de": np.eye(3)}, image_keys=["a", "b", "c"])
        >>> turn = np.roll(np.eye(3, dtype=np.float32), 1, axis=1) - np.eye(3, dtype=np.float32)
        >>> learned = LearnedMap(residual(3, 3), {"delta": turn}, {"aligner": "residual", "d_text": 3, "d_image": 3,
        ...     "languages": ["de"]})
        >>> found = open_searcher(learned, data).search_key("a", k=1)
        >>> found.before.images[0].key, found.after.images[0].key
        ('a', 'b')
    """
    learned.check_widths(data.name, d_text=data.d_text, d_image=data.d_image)
    for language in data.languages:
        learned.language_number(language)
    captions = sum(map(len, data.text.values())) <= MAX_CAPTIONS
    notes = [] if captions else [f"captions are not searched: there are more than {MAX_CAPTIONS}"]
    progress("reading rows before alignment", 0, 4)
    before = open_side(identity_map(learned), data, captions=captions, faiss=faiss)
    progress("mapping rows", 1, 4)
    after = open_side(learned, data, before, captions=captions, faiss=faiss)
    held, words = find_held_out(learned, data, checkpoint, calibrate_on)
    progress("calibrating scores", 2, 4)
    if held:
        before = _calibrated(before, *held_out_pairs(held, before=True, captions=captions))
        progress("calibrating scores", 3, 4)
        after = _calibrated(after, *held_out_pairs(held, before=False, captions=captions))
    progress("ready", 4, 4)
    if after.image_scores is None or before.image_scores is None:
        others = "; --calibrate_on=DATA names others" * (calibrate_on is None)
        why = "too few held-out images" if held else f"{words}{others}"
        notes.append(f"scores are cosines, without probabilities: {why}")
    else:
        notes.append(
            "probabilities that an image is the right one, if exactly one is, from "
            f"{after.image_scores.queries} captions of {words}; calibration error "
            f"{before.image_scores.error:.3f} before, {after.image_scores.error:.3f} after"
        )
    if data.d_text != data.d_image:
        notes.append(
            f"before alignment captions ({data.d_text} numbers) and images ({data.d_image}) share no space: its "
            "images are there by chance"
        )
    if learned.about["aligner"] == IDENTITY:
        notes.append("the map is the identity: nothing gained on validation, so both sides are the same")
    return Searcher(data, before, after, encoder, tuple(notes))


def _calibrated(side: Side, images: Pairs, captions: Pairs | None) -> Side:
    return dataclasses.replace(
        side,
        image_pairs=images,
        caption_pairs=captions,
        image_scores=images.calibration(),
        caption_scores=None if captions is None else captions.calibration(),
    )

"""The test part of a fold under identity and under a map: rows, ranks, and the queries that both rank."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ccalign_jax._names import DIRECTIONS
from ccalign_jax.metrics import Ranks, expected_rank
from ccalign_jax.training import LanguageRanks, Part

__all__ = ["MappedFold", "Queries", "first_captions"]

Rows = tuple[list[np.ndarray], np.ndarray]  # unit rows of the captions of each language, and of the images


class Queries(NamedTuple):
    """The queries of one direction and language on a test part.

    Attributes:
        row: within the captions of the language (t2i), or within the images (i2t), of the part.
        image: of each query, within the images of the part.
        before, after: the expected rank of its best gold answer.
        gain: what the map adds to its reciprocal rank.
    """

    row: Int[np.ndarray, " q"]
    image: Int[np.ndarray, " q"]
    before: Float[np.ndarray, " q"]
    after: Float[np.ndarray, " q"]
    gain: Float[np.ndarray, " q"]


class MappedFold(NamedTuple):
    """The test part of one fold.

    Attributes:
        number: of the fold.
        part: its images and captions, without padding.
        before, after: rows under identity, and under the map.
        ranks_before, ranks_after: likewise, a pair of directions for each language.
    """

    number: int
    part: Part
    before: Rows
    after: Rows
    ranks_before: LanguageRanks
    ranks_after: LanguageRanks

    @property
    def states(self) -> dict[str, Rows]:
        """Rows before and after, by the names of `examples.json`."""
        return {"before": self.before, "after": self.after}

    def queries(self, direction: str, language: int) -> Queries:
        """The queries of a direction and a language that have an answer."""
        owner = self.part.image_of[language] if direction == "t2i" else np.arange(len(self.part.images))
        owner = np.asarray(owner)
        place = DIRECTIONS.index(direction)
        both = [one[language][place] for one in (self.ranks_before, self.ranks_after)]
        before, after = (Ranks(*(np.asarray(leaf)[: len(owner)] for leaf in one)) for one in both)
        rows = np.flatnonzero(before.tied > 0)
        gain = np.subtract(after.reciprocal_rank, before.reciprocal_rank, dtype=float)
        return Queries(rows, owner[rows], expected_rank(before)[rows], expected_rank(after)[rows], gain[rows])

    def all_queries(self) -> Iterator[Queries]:
        """The queries of both directions and all languages."""
        for direction in DIRECTIONS:
            for language in range(len(self.part.image_of)):
                yield self.queries(direction, language)


def first_captions(part: Part) -> Int[np.ndarray, "languages s"]:
    """The first caption of each image in each language, within the captions of the part; −1 where there is none."""
    return np.stack([np.asarray(gold)[:, 0] for gold in part.captions_of])

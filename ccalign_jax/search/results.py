"""What a query finds: images and captions of each side, with scores, probabilities, and their places on the other."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CaptionHit", "Found", "ImageHit", "Results"]


class ImageHit(NamedTuple):
    """An image among the results.

    Attributes:
        image: row of the data, and `key` its name.
        score: cosine.
        probability: that it is the right one; None where scores are not calibrated.
        other: place on the other side, from 1; None beyond the candidates there.
        right: the query is a caption of it.
        captions: language and text, that of the query first.
    """

    image: int
    key: str
    score: float
    probability: float | None
    other: int | None
    right: bool
    captions: tuple[tuple[str, str], ...]


class CaptionHit(NamedTuple):
    """A caption among the results; `text` is None where only its image is known."""

    image: int
    key: str
    language: str
    text: str | None
    score: float
    probability: float | None


class Results(NamedTuple):
    """The nearest of one side, the nearest first; `place` of the right image, where it is known."""

    images: tuple[ImageHit, ...]
    captions: tuple[CaptionHit, ...]
    place: int | None = None


class Found(NamedTuple):
    """What a query finds.

    Attributes:
        query: its text, or the key of its image.
        language: that it was taken to be in; None if unknown.
        before, after: alignment.
        notes: what to know, one sentence each.
    """

    query: str
    language: str | None
    before: Results
    after: Results
    notes: tuple[str, ...] = ()

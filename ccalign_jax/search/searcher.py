"""Queries answered twice, before and after alignment: the nearest images and captions, with probabilities."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Literal

import numpy as np

from ccalign_jax.calibration import SoftmaxCalibration
from ccalign_jax.calibration.softmax import CANDIDATES
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.fingerprints import recognise
from ccalign_jax.data.originals import caption_text
from ccalign_jax.encoders import Encoder
from ccalign_jax.errors import InputError
from ccalign_jax.search.languages import LanguageGuess
from ccalign_jax.search.queries import clean_query, encode_text
from ccalign_jax.search.results import CaptionHit, Found, ImageHit, Results
from ccalign_jax.search.sides import CAPTIONS, CaptionRows, Side, caption_rows, collapse

__all__ = ["Searcher"]

GUESSED = 5000  # captions of a language that its guess is made from


@dataclasses.dataclass(frozen=True, eq=False)
class Searcher:
    """Embeddings searched by captions, as they are and through a map.

    Attributes:
        data: what is searched, with texts and image files as far as they are known.
        before, after: indices and calibrations.
        encoder: of queries; None where they can only be captions of the data.
        notes: what to know of all results, one sentence each.
    """

    data: EmbeddingSet
    before: Side
    after: Side
    encoder: Encoder | None = None
    notes: tuple[str, ...] = ()
    _lock: threading.Lock = dataclasses.field(
        default_factory=threading.Lock, repr=False
    )  # encoders are not for threads

    def search(self, query: str, *, language: str | None = None, k: int = 10) -> Found:
        """The nearest images and captions of a text.

        Args:
            query: a caption; without an encoder one whose text is in the data.
            language: of the query; None guesses it from the captions of the data.
            k: results of each kind, 1 to `CANDIDATES`.

        Raises:
            InputError: an empty or too long query, a language that the map has no part for, or without an encoder a
                text that is not in the data.
        """
        text = clean_query(query)
        if self.encoder is None:
            return self._search_row(text, *self._find_text(text, language), k)
        notes = []
        if language is None:
            language = self._guess(text)
            if language is None:
                notes.append("its language is unknown: it is mapped by what all languages share")
        with self._lock:
            row = encode_text(self.encoder, text)
        self.after.learned.check_widths("--text_encoder", d_text=row.shape[1])
        return self._search(text, row, language, k, None, notes)

    def search_key(self, key: str, *, language: str | None = None, k: int = 10) -> Found:
        """The nearest images and captions of the first caption of an image that is in the data.

        Args:
            key: of the image, with or without the suffix of its file.
            language: of the caption; None for the first that the image has.
            k: as in `search`.

        Raises:
            InputError: no such image, or no such caption of it.
        """
        at = self._image_of_key(key)
        if at is None:
            some = ", ".join(self.data.keys[:3].tolist())
            raise InputError(f"--query_key={key}: {self.data.name} has no such image; its keys are such as {some}")
        has = [lang for lang in self.data.languages if (self.data.image_of[lang] == at).any()]
        if language is not None and language not in has:
            raise InputError(f"--query_key={key}: it has no caption in {language}, but in {', '.join(has)}")
        language = language or has[0]
        return self._search_row(key, language, int(np.searchsorted(self.data.image_of[language], at)), k)

    def _search_row(self, query: str, language: str, row: int, k: int) -> Found:
        """By a caption of the data: the one of this row within its language."""
        own = int(self.data.image_of[language][row])
        notes = []
        text = self._text(language, row)
        if text is not None and text != query:
            notes.append(f"the caption is: {text}")
        if self._trained_on(own):
            notes.append(
                "the map was trained on this caption: its results after alignment look better than new ones do"
            )
        rows = np.asarray(self.data.text[language][row : row + 1], np.float32)
        return self._search(query, rows, language, k, own, notes)

    def _search(
        self, query: str, row: np.ndarray, language: str | None, k: int, own: int | None, notes: Sequence[str]
    ) -> Found:
        if not 1 <= k <= CANDIDATES:
            raise InputError(f"k is {k}; give 1 to {CANDIDATES}")
        sides = self.before, self.after
        near = [side.images.search(side.learned(row, language), CANDIDATES) for side in sides]
        places = [{image: place for place, image in enumerate(one.rows[0].tolist(), 1)} for one in near]
        results = []
        for number, side in enumerate(sides):
            images = near[number].rows[0, :k].tolist()
            shares = self._probabilities(side, "image", near[number].scores, own)
            other = places[1 - number]
            hits = tuple(
                ImageHit(
                    image,
                    str(self.data.keys[image]),
                    float(near[number].scores[0, place]),
                    None if shares is None else float(shares[0, place]),
                    other.get(image),
                    image == own,
                    self._captions(image, language),
                )
                for place, image in enumerate(images)
            )
            captions = self._caption_hits(side, row, language, k, own)
            results.append(Results(hits, captions, None if own is None else places[number].get(own)))
        return Found(query, language, results[0], results[1], tuple(notes))

    def _caption_hits(
        self, side: Side, row: np.ndarray, language: str | None, k: int, own: int | None
    ) -> tuple[CaptionHit, ...]:
        if side.captions is None:
            return ()
        near = side.captions.search(side.caption_query(row, language), CAPTIONS)
        where, rows = self._where, near.rows[0]
        owners, scores = collapse(where.image[near.rows], near.scores, CANDIDATES)
        shares = self._probabilities(side, "caption", scores, own)
        share = {} if shares is None else dict(zip(owners[0].tolist(), shares[0].tolist(), strict=True))
        hits = []
        for place in range(min(k, len(rows))):
            image, lang = int(where.image[rows[place]]), where.languages[where.language[rows[place]]]
            text = self._text(lang, int(where.row[rows[place]]))
            key = str(self.data.keys[image])
            hits.append(CaptionHit(image, key, lang, text, float(near.scores[0, place]), share.get(image)))
        return tuple(hits)

    def _probabilities(self, side: Side, kind: Literal["image", "caption"], scores: np.ndarray, own: int | None):
        found: SoftmaxCalibration | None = getattr(side, f"{kind}_scores")
        pairs = getattr(side, f"{kind}_pairs")
        if own is not None and pairs is not None:  # by pairs that are apart from the query
            found = pairs.calibration(without=int(self.data.groups[own]))
        return None if found is None else found.probabilities(scores.astype(np.float64), len(self.data))

    def _trained_on(self, image: int) -> bool:
        known = self.after.learned.training_images
        return known is not None and bool(recognise(self.data.take(np.array([image])), known).images[0])

    def _captions(self, image: int, language: str | None) -> tuple[tuple[str, str], ...]:
        """The first caption of each language, that of the query first."""
        found = []
        for lang in sorted(self.data.languages, key=lambda lang: (lang != language, lang)):
            row = int(np.searchsorted(self.data.image_of[lang], image))
            if row < len(self.data.image_of[lang]) and self.data.image_of[lang][row] == image:
                text = self._text(lang, row)
                found += [] if text is None else [(lang, text)]
        return tuple(found)

    def _text(self, language: str, row: int) -> str | None:
        return caption_text(self.data, language, row) or None

    @cached_property
    def _where(self) -> CaptionRows:
        return caption_rows(self.data)

    @cached_property
    def _guess(self) -> Callable[[str], str | None]:
        texts = self.data.originals.captions
        return LanguageGuess({lang: texts[lang][:GUESSED].tolist() for lang in texts})

    @cached_property
    def _by_text(self) -> Mapping[str, tuple[str, int]]:
        found: dict[str, tuple[str, int]] = {}
        for language in self.data.originals.captions:
            for row in range(len(self.data.text[language])):
                if text := self._text(language, row):
                    found.setdefault(" ".join(text.split()).casefold(), (language, row))
        return found

    def _image_of_key(self, key: str) -> int | None:
        """The row of an image by its key, with or without the suffix of a file where one image has it."""
        keys = self.data.keys
        at = int(np.searchsorted(keys, key))
        if at < len(keys) and keys[at] == key:
            return at
        first, last = np.searchsorted(keys, [f"{key}.", f"{key}/"])  # the next sign
        return int(first) if last - first == 1 else None

    def _find_text(self, text: str, language: str | None) -> tuple[str, int]:
        """Language and row of the caption with a text, or of the first of the image with a key."""
        if (found := self._by_text.get(text.casefold())) is not None:
            return found
        if (at := self._image_of_key(text)) is not None:
            has = [lang for lang in self.data.languages if (self.data.image_of[lang] == at).any()]
            chosen = language if language in has else has[0]
            return chosen, int(np.searchsorted(self.data.image_of[chosen], at))
        some = next(iter(self._by_text), None) or str(self.data.keys[0])
        raise InputError(
            f"no encoder is at hand, so a query must be a caption or a key of {self.data.name}, such as {some!r}; "
            "--text_encoder=NAME reads others"
        )

"""Queries answered twice, before and after alignment: the nearest images and captions, with probabilities."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from ccalign_jax._names import IDENTITY
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.fingerprints import recognise
from ccalign_jax.encoders import Encoder
from ccalign_jax.errors import InputError
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.search.calibration import CANDIDATES, Calibration, collapse
from ccalign_jax.search.catalogue import Catalogue
from ccalign_jax.search.exported import identity_map
from ccalign_jax.search.held_out import find_held_out
from ccalign_jax.search.languages import LanguageGuess
from ccalign_jax.search.queries import clean_query, encode_text
from ccalign_jax.search.sides import CAPTIONS, CaptionRows, Side, caption_rows, held_out_pairs, open_side

__all__ = ["CaptionHit", "Found", "ImageHit", "Results", "Searcher", "open_searcher"]

MAX_CAPTIONS = 2_000_000  # of more, captions are not indexed, but images alone


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


@dataclasses.dataclass(frozen=True, eq=False)
class Searcher:
    """Embeddings searched by captions, as they are and through a map.

    Attributes:
        data: what is searched.
        catalogue: texts and pictures.
        before, after: indices and calibrations.
        encoder: of queries; None where they can only be captions of the data.
        notes: what to know of all results, one sentence each.
    """

    data: EmbeddingSet
    catalogue: Catalogue
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
            key, language, place = self._find_text(text, language)
            return self._search_row(text, key, language, place, k)
        notes = []
        if language is None:
            language = self._guess(text)
            known = self.after.learned.about["languages"]
            if language is None:
                notes.append("the language of the query is none of the data's: what all languages share is used")
            elif len(known) > 1:
                notes.append(f"read as {language}")
        with self._lock:
            row = encode_text(self.encoder, text)
        self.after.learned.check_widths("--text_encoder", d_text=row.shape[1])
        return self._search(text, row, language, k, None, notes)

    def search_key(self, key: str, *, language: str | None = None, k: int = 10) -> Found:
        """The nearest images and captions of the first caption of an image that is in the data.

        Args:
            key: of the image.
            language: of the caption; None for the first that the image has.
            k: as in `search`.

        Raises:
            InputError: no such image, or no such caption of it.
        """
        at = int(np.searchsorted(self.data.keys, key))
        if at == len(self.data) or self.data.keys[at] != key:
            some = ", ".join(self.data.keys[:3].tolist())
            raise InputError(f"--query_key={key}: {self.data.name} has no such image; its keys are such as {some}")
        has = [lang for lang in self.data.languages if (self.data.image_of[lang] == at).any()]
        if language is not None and language not in has:
            raise InputError(f"--query_key={key}: it has no caption in {language}, but in {', '.join(has)}")
        return self._search_row(key, key, language or has[0], 0, k)

    def _search_row(self, query: str, key: str, language: str, place: int, k: int) -> Found:
        own = int(np.searchsorted(self.data.keys, key))
        row = int(np.flatnonzero(self.data.image_of[language] == own)[place])
        notes = []
        text = self._text(own, language, place)
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
        return Found(query, language, *results, tuple(notes))

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
            start = int(np.searchsorted(self.data.image_of[lang], image))
            text = self._text(image, lang, int(where.row[rows[place]]) - start)
            key = str(self.data.keys[image])
            hits.append(CaptionHit(image, key, lang, text, float(near.scores[0, place]), share.get(image)))
        return tuple(hits)

    def _probabilities(self, side: Side, kind: Literal["image", "caption"], scores: np.ndarray, own: int | None):
        found: Calibration | None = getattr(side, f"{kind}_scores")
        pairs = getattr(side, f"{kind}_pairs")
        if own is not None and pairs is not None:  # by pairs that are apart from the query
            found = pairs.calibration(without=int(self.data.groups[own]))
        return None if found is None else found.probabilities(scores.astype(np.float64), len(self.data))

    def _trained_on(self, image: int) -> bool:
        known = self.after.learned.training_images
        return known is not None and bool(recognise(self.data.take(np.array([image])), known).images[0])

    def _captions(self, image: int, language: str | None) -> tuple[tuple[str, str], ...]:
        """The first caption of each language, that of the query first."""
        texts = self.catalogue.texts(str(self.data.keys[image]))
        order = sorted(texts, key=lambda lang: (lang != language, lang))
        return tuple((lang, texts[lang][0]) for lang in order if texts[lang])

    def _text(self, image: int, language: str, place: int) -> str | None:
        count = int(np.diff(np.searchsorted(self.data.image_of[language], [image, image + 1]))[0])
        return self.catalogue.text(str(self.data.keys[image]), language, place, count)

    @cached_property
    def _where(self) -> CaptionRows:
        return caption_rows(self.data)

    @cached_property
    def _guess(self) -> Callable[[str], str | None]:
        captions: dict[str, list[str]] = {language: [] for language in self.data.languages}
        for texts in self.catalogue.captions.values():
            for language, several in texts.items():
                if language in captions:
                    captions[language] += several
        return LanguageGuess(captions)

    @cached_property
    def _by_text(self) -> Mapping[str, tuple[str, str, int]]:
        found: dict[str, tuple[str, str, int]] = {}
        for key, texts in self.catalogue.captions.items():
            image = int(np.searchsorted(self.data.keys, key))
            for language, several in texts.items():
                for place, text in enumerate(several if language in self.data.text else ()):
                    if self._text(image, language, place) is not None:
                        found.setdefault(" ".join(text.split()).casefold(), (key, language, place))
        return found

    def _find_text(self, text: str, language: str | None) -> tuple[str, str, int]:
        """Key, language and place of the caption with a text."""
        found = self._by_text.get(text.casefold())
        if found is None and text in self.data.keys:
            at = int(np.searchsorted(self.data.keys, text))
            has = [lang for lang in self.data.languages if (self.data.image_of[lang] == at).any()]
            return text, language if language in has else has[0], 0
        if found is None:
            some = next((texts for texts in self._by_text), None) or str(self.data.keys[0])
            raise InputError(
                f"no encoder is at hand, so a query must be a caption or a key of {self.data.name}, such as {some!r}; "
                "--text_encoder=NAME reads others"
            )
        return found


def open_searcher(
    learned: LearnedMap,
    data: EmbeddingSet,
    *,
    catalogue: Catalogue | None = None,
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
        catalogue: its texts and pictures.
        encoder: of queries.
        checkpoint: where the map was read: the folds of its sweep are looked for beside it.
        calibrate_on: pairs that the map was not trained on.
        faiss: as in `SearchIndex`.
        progress: called with what goes on, steps done, and steps in all.

    Raises:
        InputError: widths that are not those of the map, or a language that it has no part for.

    Example:
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
        notes.append(f"scores are cosines, without probabilities: {words if not held else 'too few held-out images'}")
    else:
        notes.append(
            f"probabilities that an image is the right one, if exactly one is; fitted on {words} "
            f"({after.image_scores.queries} captions); calibration error {before.image_scores.error:.3f} before, "
            f"{after.image_scores.error:.3f} after"
        )
    if data.d_text != data.d_image:
        notes.append(
            f"before alignment captions ({data.d_text} numbers) and images ({data.d_image}) share no space: its images are "
            "by chance"
        )
    if learned.about["aligner"] == IDENTITY:
        notes.append("the map is the identity: nothing gained on validation, so both sides are the same")
    return Searcher(data, catalogue or Catalogue(), before, after, encoder, (*notes, *(catalogue or Catalogue()).notes))


def _calibrated(side: Side, images, captions) -> Side:
    return dataclasses.replace(
        side,
        image_pairs=images,
        caption_pairs=captions,
        image_scores=images.calibration(),
        caption_scores=None if captions is None else captions.calibration(),
    )

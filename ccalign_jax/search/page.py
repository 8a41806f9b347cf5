"""What the local page of a search is made of: the document, answers as JSON, and thumbnails."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ccalign_jax.data.originals import caption_text
from ccalign_jax.encoders.images import open_image
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.pictures import Pictures
from ccalign_jax.reporting.names import aligner_name, key_words
from ccalign_jax.search.results import Results
from ccalign_jax.search.searcher import Searcher
from ccalign_jax.search.terminal import change_words, share_words

__all__ = ["SearchPage"]

SIZE = 256  # pixels of the longer side of a thumbnail
KEPT = 512  # thumbnails
CAPTIONS = 3  # of an image that are shown


class SearchPage:
    """Answers to the requests of one page.

    Args:
        searcher: what is searched.
        language: of all queries; None guesses it.
        top: images and captions to show.
    """

    def __init__(self, searcher: Searcher, *, language: str | None = None, top: int = 10):
        self.searcher, self.language, self.top = searcher, language, top
        self.pictures = Pictures(searcher.data)
        self.thumbnail = functools.lru_cache(KEPT)(self._thumbnail)

    def document(self, nonce: str) -> bytes:
        """The page; `nonce` marks the script and the style that belong to it."""
        import jinja2

        loader = jinja2.FileSystemLoader(Path(__file__).parent)
        template = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
        data, about = self.searcher.data, self.searcher.after.learned.about
        shared = "as embedded" if data.d_text == data.d_image else "as embedded, in two spaces: images are by chance"
        return (
            template.get_template("page.html")
            .render(
                nonce=nonce,
                name=data.name,
                before=shared,
                after=f"through {_map_words(about)}",
                calibrated=self.searcher.after.caption_scores is not None,
                images=len(data),
                captions=sum(map(len, data.text.values())),
                languages=data.languages,
                language=self.language,
                notes=self.searcher.notes,
                examples=self._examples(),
                any_text=self.searcher.encoder is not None,
            )
            .encode()
        )

    def answer(self, query: str, language: str | None) -> dict[str, Any]:
        """The results of a query, as the page shows them.

        Raises:
            InputError: as `Searcher.search`.
        """
        if language is not None and language not in self.searcher.data.languages:
            raise InputError(
                f"{language}: no language of the data; there are {', '.join(self.searcher.data.languages)}"
            )
        found = self.searcher.search(query, language=language or self.language, k=self.top)
        sides = {"before": self._side(found.before, after=False), "after": self._side(found.after, after=True)}
        return {"query": found.query, "language": found.language, "notes": found.notes, **sides}

    def _side(self, results: Results, *, after: bool) -> Mapping[str, Any]:
        shown = len(results.images)
        images = [
            {
                "id": hit.image if self.pictures.find(hit.image) else None,
                "key": hit.key,
                "score": f"{hit.score:.3f}",
                "share": hit.probability,
                "words": share_words(hit.probability),
                "change": change_words(hit, place, shown, after=after),
                "right": hit.right,
                "captions": hit.captions[:CAPTIONS],
            }
            for place, hit in enumerate(results.images, 1)
        ]
        captions = [
            {
                "id": hit.image if self.pictures.find(hit.image) else None,
                "key": hit.key,
                "language": hit.language,
                "text": hit.text,
                "score": f"{hit.score:.3f}",
                "words": share_words(hit.probability),
            }
            for hit in results.captions
        ]
        return {"images": images, "captions": captions, "place": results.place}

    def _thumbnail(self, image: int) -> bytes | None:
        """A small JPEG of an image, by its number; None where there is none."""
        found = self.pictures.find(image) if 0 <= image < len(self.searcher.data) else None
        if found is None:
            return None
        try:
            picture = open_image(found)
        except ValueError:
            return None
        picture.thumbnail((SIZE, SIZE))
        picture.save(content := io.BytesIO(), "JPEG", quality=85)
        return content.getvalue()

    def _examples(self) -> Sequence[tuple[str, str]]:
        """A caption of each language, to try; or keys, where no texts are known."""
        data = self.searcher.data
        found = [(lang, text) for at, lang in enumerate(data.languages) if (text := self._example(lang, at))]
        return found or [("", str(key)) for key in data.keys[:5]]

    def _example(self, language: str, at: int) -> str | None:
        rows = len(self.searcher.data.text[language])
        return caption_text(self.searcher.data, language, (rows // 3 + 7 * at) % rows)


def _map_words(about: Mapping[str, Any]) -> str:
    """The name of a map: of its aligner, pivot and loss as far as they are known."""
    if not about.get("pivot") or not about.get("loss"):
        return aligner_name(about["aligner"])
    return key_words(f"{about['pivot']}/{about['aligner']}/{about['loss']}")


def to_json(content: Any) -> bytes:
    """JSON in UTF-8."""
    return json.dumps(content, ensure_ascii=False).encode()

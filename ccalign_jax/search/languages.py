"""The language of a query, from the captions that are known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

__all__ = ["LanguageGuess"]

LENGTH = 3  # signs of a piece
LEAST_KNOWN = 0.5  # share of the query's signs that occur in some caption


class LanguageGuess:
    """Naive Bayes over pieces of three signs.

    Args:
        captions: some of each language.

    Example:
        >>> guess = LanguageGuess({"de": ["ein roter Kreis, ein Quadrat"], "en": ["a red circle, the square"]})
        >>> guess("ein rotes Quadrat"), guess("the red square"), guess("赤い丸")
        ('de', 'en', None)
    """

    def __init__(self, captions: Mapping[str, Iterable[str]]):
        self._counts = {
            language: Counter(piece for caption in texts for piece in _pieces(caption))
            for language, texts in sorted(captions.items())
        }
        self._known = {piece for counts in self._counts.values() for piece in counts}
        self._totals = {language: sum(counts.values()) for language, counts in self._counts.items()}

    def __call__(self, query: str) -> str | None:
        """The likeliest language; None where few of the query's signs occur in any caption."""
        pieces = _pieces(query)
        signs = [piece for piece in pieces if len(piece) == 1]
        if not signs or sum(sign in self._known for sign in signs) < LEAST_KNOWN * len(signs):
            return None
        return max(self._counts, key=lambda language: self._likelihood(language, pieces))

    def _likelihood(self, language: str, pieces: list[str]) -> float:
        counts, total = self._counts[language], self._totals[language] + len(self._known)
        return sum(math.log((counts[piece] + 1) / total) for piece in pieces)


def _pieces(text: str) -> list[str]:
    padded = f" {' '.join(text.casefold().split())} "
    # Single signs tell a script, and are all that many captions without spaces share.
    return [*padded.replace(" ", ""), *(padded[at : at + LENGTH] for at in range(len(padded) - LENGTH + 1))]

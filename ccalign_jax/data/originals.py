"""What the rows of a data set are embeddings of: the texts of its captions, and where its images lie."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ccalign_jax.errors import InputError

if TYPE_CHECKING:
    from ccalign_jax.data.embedding_set import EmbeddingSet

__all__ = ["CAPTIONS", "LONGEST", "UNKNOWN", "Originals", "caption_text", "image_file", "make_originals"]

CAPTIONS = "captions_"  # prefix of the arrays that hold texts
LONGEST = 500  # characters of a caption that an extraction keeps


class Originals(NamedTuple):
    """Texts and places of images, as far as they are known; results never depend on them.

    Attributes:
        captions: language to `[rows of the input]` str; `EmbeddingSet.text_row` finds a caption's own.
        folder: of the image files; their names are the keys, with or without suffix.
        source: the options of the extraction that read images and captions from one place, such as WebDataset tars.
    """

    captions: Mapping[str, np.ndarray]
    folder: Path | None = None
    source: Mapping[str, Any] | None = None


UNKNOWN = Originals({})


def make_originals(
    name: str,
    text: Mapping[str, np.ndarray],
    captions: Mapping[str, Sequence[str] | np.ndarray] | None,
    folder: Path | None,
    source: Mapping[str, Any] | None,
) -> Originals:
    """The texts of the rows of each language, checked.

    Raises:
        InputError: texts of a language without rows, or not one a row.
    """
    found = {}
    for language, texts in (captions or {}).items():
        if language not in text or len(texts) != len(text[language]):
            counts = f"has {len(texts)} texts, text_{language} has {len(text.get(language, ()))} rows"
            raise InputError(f"{name}: {CAPTIONS}{language} {counts}; give a text a row")
        found[language] = np.asarray(texts).astype(str)
    return Originals(found, folder, source)


def caption_text(data: EmbeddingSet, language: str, row: int) -> str | None:
    """The text of a caption, by its row within its language; None where the data have no texts.

    Example:
        >>> import numpy as np
        >>> from ccalign_jax.data import EmbeddingSet
        >>> data = EmbeddingSet.build("toy", np.eye(2), {"en": np.eye(2)}, captions={"en": ["a dog", "a cat"]})
        >>> caption_text(data, "en", 1)
        'a cat'
    """
    texts = data.originals.captions.get(language)
    return None if texts is None else str(texts[data.text_row[language][row]])


def image_file(data: EmbeddingSet, image: int) -> Path | None:
    """The file of an image; None where its folder is not known, or has no such file (any more)."""
    if data.originals.folder is None:
        return None
    path = data.originals.folder / str(data.keys[image])
    if path.is_file():
        return path
    named = [file for file in sorted(path.parent.glob(f"{glob.escape(path.name)}.*")) if file.is_file()]
    return named[0] if len(named) == 1 else None

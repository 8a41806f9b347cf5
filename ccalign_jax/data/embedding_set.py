"""One data set of frozen embeddings: images, and captions of any number of languages, ragged."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax.data.checks import (
    check_languages,
    check_rows,
    float_matrix,
    group_numbers,
    known_languages,
    row_numbers,
    split_names,
    strings,
)
from ccalign_jax.data.digests import sha256_of
from ccalign_jax.data.frames import Backend, make_frame, set_columns, set_html, set_words
from ccalign_jax.data.join_captions import join_captions, take_rows
from ccalign_jax.data.originals import UNKNOWN, Originals, make_originals
from ccalign_jax.data.teachers import TEACHER_GALLERY, join_teachers, missing_notes, pool_teachers, teacher_gallery
from ccalign_jax.errors import InputError

__all__ = ["EmbeddingSet"]


@dataclasses.dataclass(frozen=True, eq=False)
class EmbeddingSet:
    """Frozen image rows and, for each language, caption rows that point at their image.

    Rows are kept as stored (float16 stays float16); computations take float32 unit rows. Images
    are sorted by key and the captions of a language by image, in file order within an image, so that
    "the first caption" means the same everywhere. Build one with `EmbeddingSet.build`.

    Attributes:
        name: of the data in reports.
        image: `[n, d_image]`, any float dtype, finite, no zero row.
        keys: `[n]` str, unique, sorted.
        groups: `[n]` int32; equal numbers mark images that show the same thing and stay in one split.
        text: language to `[m_l, d_text]`, finite, no zero row.
        image_of: language to `[m_l]` int32, nondecreasing: the row of `image` each caption describes.
        split: `[n]` str, the official split of each image, or None.
        notes: what was left out so far, counted, one sentence each.
        numbered: the images came without keys: `keys` are row numbers, which mean nothing in other data.
        image_row, text_row: `[n]` and language to `[m_l]`, the row of the input that each row was: its order, which
            `save` restores.
        originals: texts of the captions and files of the images, as far as they are known.
        teachers: language to `[n, d_teacher]` float32: each image's caption by another encoder, or the unit mean of
            several, zero where it has none; the targets of `teacher` pivots.

    Example:
        >>> import numpy as np
        >>> data = EmbeddingSet.build("toy", np.eye(3), {"en": np.eye(3)})
        >>> data.languages, data.image_of["en"].tolist()
        (('en',), [0, 1, 2])
    """

    name: str
    image: np.ndarray
    keys: np.ndarray
    groups: np.ndarray
    text: Mapping[str, np.ndarray]
    image_of: Mapping[str, np.ndarray]
    image_row: np.ndarray
    text_row: Mapping[str, np.ndarray]
    split: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    numbered: bool = False
    originals: Originals = UNKNOWN
    teachers: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @classmethod
    def build(
        cls,
        name: str,
        image: np.ndarray | None,
        text: Mapping[str, np.ndarray],
        *,
        image_keys: Sequence[str] | np.ndarray | None = None,
        text_keys: Mapping[str, Sequence[str] | np.ndarray] | None = None,
        groups: Sequence[int] | Sequence[str] | np.ndarray | None = None,
        split: Sequence[str] | np.ndarray | None = None,
        captions: Mapping[str, Sequence[str] | np.ndarray] | None = None,
        teachers: Mapping[str, np.ndarray] | None = None,
        teacher_keys: Mapping[str, Sequence[str] | np.ndarray] | None = None,
        folder: Path | None = None,
        source: Mapping[str, Any] | None = None,
        notes: Sequence[str] = (),
        languages: Sequence[str] | None = None,
    ) -> EmbeddingSet:
        """Check the arrays, join captions to images by key, and count what is left out.

        Without `text_keys`, captions are aligned with `image` row by row. Duplicate image keys keep
        their first row; captions without an image and images without a caption are left out; each is
        counted in `notes`. Of `languages`, if given, only these are looked at. Integer groups keep their
        numbers, other groups are numbered; without groups every image is its own. `captions` are the texts of the
        rows, language by language, and `folder` is that of the image files, or
        `source` the options of the extraction that knows them. `teachers` are captions by another encoder, joined as
        captions are; without images (None) their mean for each key takes the image's place.

        Raises:
            InputError: wrong ranks or lengths, mixed dimensions, a NaN or zero row, a language that `text`
                does not have, one whose name `check_languages` refuses, or nothing left.
        """
        found = list(notes)
        if image is None:
            of_keys = {"split": split, "image_groups": groups}
            image, image_keys, kept, said = teacher_gallery(name, teachers or {}, teacher_keys, image_keys, of_keys)
            split, groups = (None if each is None else np.asarray(each)[kept] for each in of_keys.values())
            found += said
        image = float_matrix(name, "image", image)
        size = len(image)
        keys = row_numbers(size) if image_keys is None else strings(name, "image_keys", image_keys)
        if len(keys) != size:
            raise InputError(f"{name}: image_keys has {len(keys)} entries for {size} rows of image; give a key a row")
        check_rows(name, "image", image, keys)
        if not text:
            seen = "".join(f" ({note})" for note in notes)
            raise InputError(f"{name}: no captions{seen}; give one array text_<language> a language")
        if languages is not None:
            text = {language: text[language] for language in known_languages(name, languages, text)}
        check_languages(name, text)
        unique, order = np.unique(keys, return_index=True)
        if len(unique) < size:
            repeats = size - len(unique)
            found.append(f"left out {repeats} of {size} images: their keys repeat, the first row of each is kept")
        rows, owners, places = join_captions(name, text, text_keys, keys, unique, found)
        if not rows:
            raise InputError(f"{name}: no caption has the key of an image; compare image_keys and text_<language>_keys")
        check_languages(name, teachers or {})
        taught = join_teachers(name, teachers or {}, teacher_keys, keys, unique, found)
        whole = cls(
            name=name,
            image=take_rows(image, order),
            keys=unique,
            groups=group_numbers(name, groups, order, size),
            text=rows,
            image_of=owners,
            image_row=order,
            text_row=places,
            split=None if split is None else split_names(name, split, size, found)[order],
            notes=tuple(found),
            numbered=image_keys is None,
            originals=make_originals(name, text, captions, folder, source),
            teachers=taught,
        )
        counts = whole.caption_counts().sum(0)
        if (counts == 0).any():
            note = f"left out {int((counts == 0).sum())} of {len(unique)} images: they have no caption"
            note += "" if languages is None else " in the chosen languages"
            whole = dataclasses.replace(whole.take(np.flatnonzero(counts)), notes=(*found, note))
        return dataclasses.replace(whole, notes=(*whole.notes, *missing_notes(whole.teachers)))

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO codes in sorted order."""
        return tuple(sorted(self.text))

    @property
    def d_text(self) -> int:
        return next(iter(self.text.values())).shape[1]

    @property
    def d_image(self) -> int:
        return self.image.shape[1]

    @property
    def d_teacher(self) -> int:
        """0 where there are no teacher rows."""
        return next((rows.shape[1] for rows in self.teachers.values()), 0)

    def __len__(self) -> int:
        return len(self.image)

    def __repr__(self) -> str:
        return "\n  ".join([f"EmbeddingSet {self.name}", *set_words(self)])

    def _repr_html_(self) -> str:
        return set_html(self)

    def frame(self, backend: Backend = "pandas") -> Any:
        """A data frame with a row an image, from which `load` returns the same rows, keys, groups and split.

        Columns: `image_id`, `image`, `text_<language>` (the image's captions, or None), `split` if there is one, and
        `image_groups`. The backend, `pandas` or `polars`, must be installed.
        """
        return make_frame(set_columns(self), backend)

    def caption_counts(self) -> np.ndarray:
        """`[languages, n]` int64: how many captions each image has in each language."""
        return np.stack([np.bincount(self.image_of[lang], minlength=len(self)) for lang in self.languages])

    def take(self, images: np.ndarray) -> EmbeddingSet:
        """Only these images (ascending row numbers) and their captions; a language left empty goes."""
        images = np.asarray(images)
        place = np.full(len(self), -1, np.int32)
        place[images] = np.arange(len(images), dtype=np.int32)
        kept = {lang: np.flatnonzero(place[self.image_of[lang]] >= 0) for lang in self.languages}
        kept = {lang: rows for lang, rows in kept.items() if len(rows)}
        return dataclasses.replace(
            self,
            image=take_rows(self.image, images),
            keys=self.keys[images],
            groups=self.groups[images],
            text={lang: take_rows(self.text[lang], rows) for lang, rows in kept.items()},
            image_of={lang: place[self.image_of[lang][rows]] for lang, rows in kept.items()},
            image_row=self.image_row[images],
            text_row={lang: self.text_row[lang][rows] for lang, rows in kept.items()},
            split=None if self.split is None else self.split[images],
            teachers={lang: rows[images] for lang, rows in self.teachers.items()},
        )

    def with_languages(self, languages: Sequence[str]) -> EmbeddingSet:
        """Only these languages; images that lose their last caption are left out and counted.

        Raises:
            InputError: a language that the data does not have.
        """
        chosen = known_languages(self.name, languages, self.text)
        narrowed = dataclasses.replace(
            self,
            text={lang: self.text[lang] for lang in chosen},
            image_of={lang: self.image_of[lang] for lang in chosen},
            text_row={lang: self.text_row[lang] for lang in chosen},
        )
        return narrowed.keep(narrowed.caption_counts().sum(0) > 0, "they have no caption in the chosen languages")

    def keep(self, keep: np.ndarray, why: str) -> EmbeddingSet:
        """Only the images where `keep` `[n]` is True; `notes` gain the number of the others and the reason `why`.

        Raises:
            InputError: no image is left.
        """
        if keep.all():
            return self
        if not keep.any():
            raise InputError(f"{self.name}: no image is left: {why}")
        kept = self.take(np.flatnonzero(keep))
        notes = [f"left out {int((~keep).sum())} of {len(keep)} images: {why}"]
        notes += [f"left out language {lang}: no caption is left" for lang in self.languages if lang not in kept.text]
        return dataclasses.replace(kept, notes=(*self.notes, *notes))

    def complete(self) -> EmbeddingSet:
        """Only images that have every language; the others are counted."""
        return self.keep(np.asarray((self.caption_counts() > 0).all(0)), "they lack a caption in some language")

    def first_captions(self) -> EmbeddingSet:
        """One caption, the first, of each image and language; the others are counted."""
        first = {lang: np.unique(self.image_of[lang], return_index=True)[1] for lang in self.languages}
        before, after = (sum(map(len, part.values())) for part in (self.image_of, first))
        note = (f"left out {before - after} of {before} captions: only the first of each image and language is used",)
        return dataclasses.replace(
            self,
            text={lang: take_rows(self.text[lang], rows) for lang, rows in first.items()},
            image_of={lang: self.image_of[lang][rows] for lang, rows in first.items()},
            text_row={lang: self.text_row[lang][rows] for lang, rows in first.items()},
            notes=self.notes + (note if after < before else ()),
        )

    def limit(self, count: int, *, seed: int = 0) -> EmbeddingSet:
        """A seeded random `count` of the images (all, if there are fewer)."""
        if count >= len(self):
            return self
        chosen = np.random.default_rng(seed).choice(len(self), max(count, 0), replace=False)
        keep = np.zeros(len(self), bool)
        keep[chosen] = True
        return self.keep(keep, f"the limit is {count}")

    def on_teachers(self) -> EmbeddingSet:
        """The same captions with teacher rows in the place of the images; images without any are left out and counted.

        Raises:
            InputError: there are no teacher rows.
        """
        if not self.teachers:
            raise InputError(
                f"{self.name}: no teacher rows to judge on; add teacher_<language>, or use --gallery=image"
            )
        rows = pool_teachers(self.teachers)
        taught = dataclasses.replace(self, image=rows).keep(np.asarray(rows.any(axis=1)), "they have no teacher row")
        return dataclasses.replace(taught, notes=(*taught.notes, TEACHER_GALLERY))

    def sha256(self) -> str:
        """Hexadecimal digest of keys, rows, groups and split: equal exactly when the content is."""
        parts = {"image": self.image, "keys": self.keys, "groups": self.groups}
        for lang in self.languages:
            parts |= {f"text_{lang}": self.text[lang], f"image_of_{lang}": self.image_of[lang]}
        parts |= {f"teacher_{lang}": rows for lang, rows in self.teachers.items()}
        return sha256_of(parts if self.split is None else {**parts, "split": self.split})

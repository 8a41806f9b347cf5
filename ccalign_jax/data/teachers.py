"""Teacher rows: captions by another text encoder, in whose space captions learn to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.data.checks import float_matrix, row_numbers, strings, vector
from ccalign_jax.data.join_captions import join_captions
from ccalign_jax.errors import InputError
from ccalign_jax.numerics import unit_float32

__all__ = ["TEACHER_GALLERY", "TeacherGallery", "join_teachers", "missing_notes", "pool_teachers", "teacher_gallery"]

TEACHER_GALLERY = "teacher rows, one a key, take the place of images: t2i is text to teacher, i2t teacher to text"

Rows = Mapping[str, np.ndarray]
Keys = Mapping[str, Sequence[str] | np.ndarray]


class TeacherGallery(NamedTuple):
    """Teacher rows in the place of images.

    Attributes:
        rows: `[n, d_teacher]` unit rows.
        keys: `[n]`, or None where rows are aligned without keys.
        kept: `[n]`, the entries of the keys that were given that have a row.
        notes: what was left out, and what the rows are.
    """

    rows: Float[np.ndarray, "n d_teacher"]
    keys: np.ndarray | None
    kept: Int[np.ndarray, " n"]
    notes: list[str]


def join_teachers(
    name: str, teachers: Rows, teacher_keys: Keys | None, keys: np.ndarray, unique: np.ndarray, notes: list[str]
) -> dict[str, Float[np.ndarray, "n d_teacher"]]:
    """The teacher row of each image in each language, the unit mean of several, zero where there is none.

    Args:
        name, keys, unique, notes: as for `join_captions`.
        teachers: language to rows `[m, d_teacher]`.
        teacher_keys: language to the image key of each row; without, rows are those of `keys` one by one.

    Raises:
        InputError: wrong ranks or lengths, mixed dimensions, a NaN or zero row.

    Example:
        >>> rows, keys = np.array([[2.0, 0.0], [1.0, 0.0]]), np.array(["a", "b"])
        >>> join_teachers("toy", {"en": rows}, {"en": ["b", "b"]}, keys, keys, [])["en"].tolist()
        [[0.0, 0.0], [1.0, 0.0]]
    """
    rows, owners, _ = join_captions(name, teachers, teacher_keys, keys, unique, notes, side="teacher")
    found = {}
    for language, each in rows.items():
        owner = owners[language]
        alone = np.bincount(owner, minlength=len(unique))[owner] == 1
        sums = np.zeros((len(unique), each.shape[1]), np.float32)
        np.add.at(sums, owner[~alone], unit_float32(each[~alone]))
        found[language] = unit_float32(sums)
        found[language][owner[alone]] = each[alone]  # as it is, so that it is the same when written and read again
    return found


def pool_teachers(teachers: Rows) -> Float[np.ndarray, "n d_teacher"]:
    """What `join_teachers` found of one language, or its unit mean over several; zero where no language has a row.

    Example:
        >>> pool_teachers({"de": np.array([[0.0, 0.0]]), "en": np.array([[0.0, 1.0]])}).tolist()
        [[0.0, 1.0]]
    """
    rows = list(teachers.values())
    return rows[0] if len(rows) == 1 else unit_float32(np.sum([unit_float32(each) for each in rows], axis=0))


def missing_notes(teachers: Rows) -> list[str]:
    """For each language a sentence on the images that have no teacher row, none where all have one.

    Example:
        >>> missing_notes({"en": np.array([[0.0, 0.0], [0.0, 1.0]])})
        ['1 of 2 images have no teacher row in en: the pivot teacher:en does not train on them']
    """
    found = []
    for language, rows in sorted(teachers.items()):
        if missing := int((~rows.any(axis=1)).sum()):
            words = f"{missing} of {len(rows)} images have no teacher row in {language}"
            found.append(f"{words}: the pivot teacher:{language} does not train on them")
    return found


def teacher_gallery(
    name: str, teachers: Rows, teacher_keys: Keys | None, keys: Any, of_keys: Mapping[str, Any]
) -> TeacherGallery:
    """A gallery for captions without images: one row a key, the unit mean of its teacher rows.

    Args:
        name: that messages begin with.
        teachers, teacher_keys: as for `join_teachers`.
        keys: those to use, or None for all that teacher rows have.
        of_keys: what else is said of each of `keys`, by the name of the array; None where nothing is.

    Raises:
        InputError: neither images nor teacher rows, entries that are not one a key, or what `join_teachers` refuses.
    """
    if not teachers:
        raise InputError(f"{name}: image is not there, nor are teacher rows; give image, or teacher_<language>")
    aligned = teacher_keys is None and keys is None  # row by row
    if aligned:
        language, rows = next(iter(teachers.items()))
        asked = row_numbers(len(float_matrix(name, f"teacher_{language}", rows)))
    elif keys is not None:
        asked = strings(name, "image_keys", keys)
    else:
        each = [strings(name, f"teacher_{language}_keys", one) for language, one in (teacher_keys or {}).items()]
        asked = np.unique(np.concatenate(each))
    for what, values in of_keys.items():
        if values is None:
            continue
        if keys is None and not aligned:
            raise InputError(f"{name}: {what} has no keys; add image_keys, the key of each entry")
        if (size := len(vector(name, what, values))) != len(asked):
            raise InputError(f"{name}: {what} has {size} entries for {len(asked)} keys; give one a key")
    notes = [TEACHER_GALLERY]
    unique, first = np.unique(asked, return_index=True)
    pooled = pool_teachers(join_teachers(name, teachers, teacher_keys, asked, unique, []))  # counted later
    there = np.asarray(pooled.any(axis=1))
    if not there.all():
        notes.append(f"left out {int((~there).sum())} of {len(there)} keys: they have no teacher row")
    return TeacherGallery(pooled[there], None if aligned else unique[there], first[there], notes)

"""Duplicate images under different keys: found by cosine, and joined into groups that stay in one split."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ccalign_jax.data.embedding_set import EmbeddingSet
from ccalign_jax.errors import InputError
from ccalign_jax.numerics import scale_rows

__all__ = [
    "EXACT",
    "DuplicateAudit",
    "audit_duplicates",
    "audit_notes",
    "first_copies",
    "group_duplicates",
    "group_limit",
    "merge_components",
]

# One row in two lengths or precisions: rounding to float16 moves a row by some .02 % of its length, and two such rows
# to a cosine of 1 − 6e-8. At 1 − 1e-6 they are .14 % apart.
EXACT = 1 - 1e-6
ALWAYS_ALLOWED = 10  # images in a component, however few images there are
_SLACK = 1e-4  # more than a float32 cosine of a thousand dimensions can be off
_TILE_ROWS = 2048


class DuplicateAudit(NamedTuple):
    """Duplicates of a data set, and groups that keep them in one split.

    Attributes:
        groups: `[n]` int32, the data's groups joined through duplicates; each has the smallest number of those that it
            joins, so that an image without duplicates keeps its own.
        cosine: above which two images are near duplicates.
        near_pairs: pairs of images above it, whether or not they were joined.
        duplicate_images: images in one such pair at least.
        components: groups that hold a pair and were joined through it.
        largest: images in the largest of them, 0 if there is none.
        most: images that near duplicates may join into one group.
        cut: images of the components that had more, and so were joined through exact duplicates alone.
        repeated_captions: for each language, captions whose row stands under an image of another group too.
    """

    groups: Int[np.ndarray, " n"]
    cosine: float
    near_pairs: int
    duplicate_images: int
    components: int
    largest: int
    most: int
    cut: int
    repeated_captions: Mapping[str, int]


def audit_duplicates(data: EmbeddingSet, *, cosine: float = 0.999, most_share: float = 0.05) -> DuplicateAudit:
    """Find duplicate images, and join them and the data's own groups into connected components.

    Links are transitive: where rows are much alike they would join a whole data set, and no fold could be made. A
    component of more than max(10, `most_share` · n) images is therefore joined anew, through the data's own groups,
    which are never cut, and exact duplicates (cosine above `EXACT`) alone; `cut` counts its images. Repeated captions
    are counted and
    join nothing: through "a man in a red shirt" they would join half of a set.

    Args:
        data: images of any float dtype; 2048 rows at a time are compared with as many, in float64 where it matters.
        cosine: in (0, 1], above which two images are near duplicates; from `EXACT` on, only exact duplicates are.
        most_share: in (0, 1], of the images in one component.

    Raises:
        InputError: a number out of its range.

    Example:
        >>> data = EmbeddingSet.build("toy", np.array([[1.0, 0], [2, 0], [0, 1]]), {"en": np.eye(3)})
        >>> audit = audit_duplicates(data)
        >>> audit.groups.tolist(), audit.duplicate_images
        ([0, 0, 2], 2)
    """
    for name, value in (("cosine", cosine), ("most_share", most_share)):
        if not 0 < value <= 1:
            raise InputError(f"{data.name}: {name}={value} of duplicates is out of range; give one above 0, 1 at most")
    most = group_limit(len(data), most_share)
    joined, paired, near_pairs = _join_near(data.image, data.groups, min(cosine, EXACT))
    _, component, sizes = np.unique(joined, return_inverse=True, return_counts=True)
    crowded = np.flatnonzero(sizes[component] > most)
    groups, linked = joined.copy(), paired.copy()
    groups[crowded], linked[crowded], _ = _join_near(data.image[crowded], data.groups[crowded], EXACT)
    torn = np.isin(joined, joined[groups != joined])
    holds_pair = np.isin(groups, groups[np.where(torn, linked, paired)])
    held = np.unique(groups[holds_pair], return_counts=True)[1]
    return DuplicateAudit(
        groups=groups,
        cosine=cosine,
        near_pairs=near_pairs,
        duplicate_images=int(paired.sum()),
        components=len(held),
        largest=int(held.max(initial=0)),
        most=most,
        cut=int(torn.sum()),
        repeated_captions={lang: _repeats(data.text[lang], groups[data.image_of[lang]]) for lang in data.languages},
    )


def audit_notes(audit: DuplicateAudit, data: EmbeddingSet) -> tuple[str, ...]:
    """Notes on an audit: a sentence each for duplicates, cut components and captions that were found.

    Example:
        >>> data = EmbeddingSet.build("toy", np.eye(3), {"en": np.array([[1.0, 0], [0, 1], [1, 0]])})
        >>> audit_notes(audit_duplicates(data), data)
        ('captions that repeat word for word under an image of another group: en 2 of 3; reported, not grouped',)
    """
    notes = []
    size = len(data)
    if audit.duplicate_images:
        what = "exact duplicate" if audit.cosine >= EXACT else f"exact or near duplicate (cosine above {audit.cosine})"
        note = f"{audit.duplicate_images} of {size} images have an {what}"
        if audit.components:
            many = f"{audit.components} groups, the largest" if audit.components > 1 else "1 group"
            note += f": joined into {many} of {audit.largest}, which only the seed protocol's folds may split"
        notes.append(note)
    if audit.cut:
        notes.append(
            f"near duplicates chain {audit.cut} of {size} images into groups of more than {audit.most}: in these only "
            "exact duplicates and given groups are joined, and a split may part the others; raise the cosine"
        )
    repeats = [
        f"{language} {count} of {len(data.text[language])}"
        for language, count in audit.repeated_captions.items()
        if count
    ]
    if repeats:
        notes.append(
            f"captions that repeat word for word under an image of another group: {', '.join(repeats)}; "
            "reported, not grouped"
        )
    return tuple(notes)


def group_duplicates(data: EmbeddingSet, *, cosine: float = 0.999, most_share: float = 0.05) -> EmbeddingSet:
    """The data with the groups of `audit_duplicates`, and its notes appended.

    Raises:
        InputError: as `audit_duplicates`.

    Example:
        >>> data = EmbeddingSet.build("toy", np.array([[1.0, 0], [2, 0], [0, 1]]), {"en": np.eye(3)})
        >>> group_duplicates(data).notes[0][:60]
        '2 of 3 images have an exact or near duplicate (cosine above '
    """
    audit = audit_duplicates(data, cosine=cosine, most_share=most_share)
    return dataclasses.replace(data, groups=audit.groups, notes=(*data.notes, *audit_notes(audit, data)))


def first_copies(rows: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
    """For each row the index of the first equal row.

    Example:
        >>> first_copies(np.array([[1.0, 0], [2, 0], [1, -0.0]])).tolist()
        [0, 1, 0]
    """
    rows = np.ascontiguousarray(rows + 0)  # −0 and 0 are equal, but their bytes are not
    whole = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
    _, first, kind = np.unique(whole, return_index=True, return_inverse=True)
    return first[kind]


def _join_near(
    image: Float[np.ndarray, "n d"], groups: Int[np.ndarray, " n"], limit: float
) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " n"], int]:
    """Groups joined through pairs above `limit`, named by their smallest; the images in a pair; the number of pairs."""
    names, node = np.unique(groups, return_inverse=True)
    component = np.arange(len(names))
    paired, pairs = np.zeros(len(image), bool), 0
    for left, right in _near_pairs(image, limit):
        paired[left] = paired[right] = True
        pairs += len(left)
        component = merge_components(component, component[node[left]], component[node[right]])
    smallest = names[np.unique(component, return_index=True)[1]]
    return smallest[component][node], paired, pairs


def group_limit(size: int, most_share: float) -> int:
    """How many of `size` images near duplicates may join into one group."""
    return max(ALWAYS_ALLOWED, int(most_share * size))


def merge_components(
    component: Int[np.ndarray, " g"], left: Int[np.ndarray, " p"], right: Int[np.ndarray, " p"]
) -> Int[np.ndarray, " g"]:
    """Components, numbered from 0, after `left` and `right` of them are linked: edges need not be kept."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    apart = left != right
    if not apart.any():
        return component
    count = component.max() + 1
    links = coo_array((np.ones(apart.sum(), bool), (left[apart], right[apart])), shape=(count, count))
    return connected_components(links, directed=False)[1][component]


def _near_pairs(
    image: Float[np.ndarray, "n d"], limit: float
) -> Iterator[tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"]]]:
    """Rows i < j whose cosine exceeds `limit`, tile by tile: float32 finds the tiles that float64 has to decide."""
    for first in range(0, len(image), _TILE_ROWS):
        left = _unit_rows(image[first : first + _TILE_ROWS])
        left_screen = left.astype(np.float32)
        for second in range(first, len(image), _TILE_ROWS):
            right = _unit_rows(image[second : second + _TILE_ROWS])
            if (left_screen @ right.astype(np.float32).T).max() <= limit - _SLACK:
                continue
            near = left @ right.T > limit
            i, j = np.nonzero(np.triu(near, 1) if first == second else near)
            if len(i):
                yield first + i, second + j


def _unit_rows(rows: Float[np.ndarray, "t d"]) -> Float[np.ndarray, "t d"]:
    if rows.dtype.itemsize > 4:  # the squares of all others are within the range of float64
        rows = scale_rows(rows)
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _repeats(rows: Float[np.ndarray, "m d"], group: Int[np.ndarray, " m"]) -> int:
    """Number of rows that occur under another group as well."""
    first = first_copies(rows)
    return int(np.isin(first, first[group != group[first]]).sum())

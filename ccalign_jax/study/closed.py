"""Closed forms as trials: pairs from the training images, a path of maps, and the point of it that scores best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from ccalign_jax.aligners import ALIGNERS, Aligner
from ccalign_jax.errors import InputError
from ccalign_jax.numerics import unit_rows
from ccalign_jax.pivots import Pivot, make_pivot
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.solvers.paths import Pairs, Path
from ccalign_jax.study.arrays import caption_means
from ccalign_jax.training import Embeddings, Recipe, Space, Trial, towards_teacher

__all__ = ["Aim", "aims_of", "closed_aligner", "closed_path", "closed_why_not", "gather_pairs"]


def closed_why_not(name: str, pivot: Pivot) -> str | None:
    """Why this closed form does not go with a pivot, in one line; None if it does.

    Example:
        >>> closed_why_not("gcca", make_pivot("image", ("en",)))
        'gcca is solved under the pivot gcca, not image; use --pivot=gcca'
    """
    kinds = CLOSED_FORMS[name].pivots
    if pivot.name.partition(":")[0] in kinds:
        return None
    return f"{name} is solved under the pivot {' or '.join(kinds)}, not {pivot.name}; use --pivot={kinds[0]}"


def closed_aligner(space: Space, name: str) -> Aligner:
    """The aligner of a closed form: of those that share one that of the first, so that they share compiled programs."""

    def kind(form: str) -> tuple[bool, bool]:
        return ALIGNERS[form].by_language, ALIGNERS[form].two_sided

    return space.aligner(next(form for form in CLOSED_FORMS if kind(form) == kind(name)), Recipe())


def closed_path(trial: Trial, space: Space, embeddings: Embeddings, images: np.ndarray) -> Path:
    """A closed form solved on these images: what `training.fit` is for trained aligners, places on the path for epochs.

    Args:
        trial: of a closed form.
        space: widths and languages of the data.
        embeddings: all rows; captions that are not counted are tested on, not solved for.
        images: rows of `embeddings` to solve for.
    """
    pivot = make_pivot(trial.pivot, space.languages)
    pairs = gather_pairs(pivot, space, embeddings, images, image_weight=float(trial.hyper.image_weight))
    return CLOSED_FORMS[trial.aligner].path(pairs, penalty=float(trial.hyper.penalty))


def gather_pairs(
    pivot: Pivot, space: Space, embeddings: Embeddings, images: np.ndarray, *, image_weight: float
) -> Pairs:
    """The captions of these images, and what the pivot has them meet.

    A language's row of an image is the unit mean of its captions. A text pivot aims at that of its language, `centroid`
    at the unit mean of those of all other languages, and `auxiliary` at the text's and the image's at once. As in
    training, languages weigh the same, in a language all images that have a target, and in an image all its captions.

    Args:
        pivot: any.
        space: the languages of the data.
        embeddings: all rows; captions that are not counted are not looked at.
        images: the rows of `embeddings` that are.
        image_weight: λ of the auxiliary pivot.

    Raises:
        InputError: no caption of these images has a target.
    """
    embeddings = towards_teacher(embeddings, pivot)
    text, image = np.asarray(embeddings.text), np.asarray(embeddings.image)[images]
    counts, rows = np.asarray(embeddings.caption_counts)[:, images], np.asarray(embeddings.caption_rows)[:, images]
    exists = np.asarray(np.arange(rows.shape[2])) < counts[..., None]
    views = np.zeros((0, *image.shape), np.float32)
    if pivot.within_text or pivot.consensus:
        views = caption_means(embeddings, images)
    texts, owners, targets, weights = [], [], [], []
    for language, aims in enumerate(aims_of(pivot, space.languages, image, views, counts > 0, image_weight)):
        weight, target = _blend(aims, counts[language] > 0)
        image_of, place = np.nonzero(exists[language] & (weight > 0)[:, None])
        texts.append(text[rows[language, image_of, place]])
        owners.append(image_of)
        targets.append(target)
        weights.append(weight[image_of] / counts[language, image_of])
    if not any(map(len, owners)):
        raise InputError(f"pivot {pivot.name}: no caption to train on has a target; use another pivot")
    seen = counts[: len(views)].any(axis=1)
    masks = np.concatenate([counts[: len(views)][seen] > 0, np.ones((1, len(images)), bool)])
    pairs = Pairs(tuple(texts), tuple(owners), tuple(targets), tuple(weights))
    return pairs._replace(views=(*views[seen], image), masks=masks)


class Aim(NamedTuple):
    """Rows that captions are to meet: how much they count, one for each image, and which images have one."""

    share: float
    rows: Float[np.ndarray, "n d"]
    exists: Bool[np.ndarray, " n"]


def aims_of(
    pivot: Pivot,
    languages: tuple[str, ...],
    image: Float[np.ndarray, "n d_image"],
    views: Float[np.ndarray, "languages n d_text"],
    there: Bool[np.ndarray, "languages n"],
    image_weight: float,
) -> list[list[Aim]]:
    """What the captions of each language are to meet."""
    to_image = Aim(1.0, image, np.asarray(image.any(axis=1)))
    if not pivot.within_text:
        return [[to_image]] * len(languages)
    if pivot.language is None:  # the centroid, without the caption's own language
        total, many = views.sum(axis=0), there.sum(axis=0)
        return [
            [Aim(1.0, np.asarray(unit_rows(total - own)), many > has)] for own, has in zip(views, there, strict=True)
        ]
    hub = languages.index(pivot.language)
    to_text = Aim(1.0, views[hub], there[hub])
    if "image_weight" not in pivot.reads:
        return [[to_text]] * len(languages)
    share = image_weight / (1.0 + image_weight)
    return [[to_text._replace(share=1.0 - share), to_image._replace(share=share)]] * len(languages)


def _blend(aims: list[Aim], there: Bool[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n d"]]:
    """The weight of each image with captions, and its one target: to least squares, the mean of two is as good as both.

    Args:
        aims: one or two; each weighs its share over all images that have both captions and it.
        there: which images have captions.
    """
    weights = [np.where(aim.exists & there, aim.share / max((aim.exists & there).sum(), 1), 0.0) for aim in aims]
    total = np.sum(weights, axis=0)
    if len(aims) == 1:
        return total, aims[0].rows
    sums = sum(weight[:, None] * aim.rows for weight, aim in zip(weights, aims, strict=True))
    return total, sums / np.where(total > 0, total, 1.0)[:, None]

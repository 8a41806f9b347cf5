"""Local maps in two dimensions: test images, their captions before and after a map, and the images that compete."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Float

from ccalign_jax.study.examples.mapped_fold import MappedFold, first_captions
from ccalign_jax.study.plan import Plan

__all__ = ["map_neighbourhoods", "principal_components"]

SHOWN = 4  # images improved, and of those worsened, at most
RIVALS = 3  # images before, and after
RULE = (
    "improved and worsened: images for which the mean reciprocal rank, over both directions and all languages, rises "
    f"or falls; up to {SHOWN} of each, drawn at random. rivals: the {RIVALS} other images nearest to the mean of its "
    f"captions before, and the {RIVALS} after."
)


def map_neighbourhoods(plan: Plan, fold: MappedFold) -> dict[str, Any]:
    """Images improved and worsened, each in the middle of its rivals and first captions, as `neighbourhoods`.

    Each has principal components of its own; or all share one UMAP where umap-learn is installed.
    """
    count = len(fold.part.images)
    gain, queries = np.zeros(count), np.zeros(count)
    for some in fold.all_queries():
        np.add.at(gain, some.image, some.gain)
        np.add.at(queries, some.image, 1)
    gain = gain / np.maximum(queries, 1)
    groups = {"improved": np.flatnonzero(gain > 0), "worsened": np.flatnonzero(gain < 0)}
    draw = np.random.default_rng([plan.config.seed, fold.number])
    chosen = [(kind, int(image)) for kind, images in groups.items() for image in draw.permutation(images)[:SHOWN]]
    if not chosen:
        return {}
    captions = first_captions(fold.part)
    rivals = [_rivals(fold, image, captions[:, image]) for _, image in chosen]
    each = [(image, [image, *others]) for (_, image), others in zip(chosen, rivals, strict=True)]
    rows = [_rows(fold, images, captions[:, image]) for image, images in each]
    method, projected = _project(rows, plan.config.seed)
    return {
        "rule": RULE,
        "fold": fold.number,
        "method": method,
        "counts": {"images": count, **{kind: len(images) for kind, images in groups.items()}},
        "images": [
            {"kind": kind, "change": round(float(gain[image]), 4), "explained": explained}
            | _places(plan, fold, images, captions[:, image], points)
            for (kind, image), (_, images), (points, explained) in zip(chosen, each, projected, strict=True)
        ],
    }


def _rivals(fold: MappedFold, image: int, captions: np.ndarray) -> list[int]:
    """The images nearest to the mean of an image's captions, before and after, without the image itself."""
    found: dict[int, None] = {}
    for text, images in fold.states.values():
        mean = np.mean([rows[one] for rows, one in zip(text, captions, strict=True) if one >= 0], axis=0)
        nearest = [int(one) for one in np.argsort(-(images @ mean), kind="stable") if one != image]
        found |= dict.fromkeys(nearest[:RIVALS])
    return list(found)


def _rows(fold: MappedFold, images: Sequence[int], captions: np.ndarray) -> np.ndarray:
    """Rows of images and then of captions, each before and after."""
    found = [[rows[image] for _, rows in fold.states.values()] for image in images]
    for language, one in enumerate(captions):
        found += [[text[language][one] for text, _ in fold.states.values()]] * int(one >= 0)
    return np.array(found, np.float64).reshape(2 * len(found), -1)


def _places(plan: Plan, fold: MappedFold, images: Sequence[int], captions: np.ndarray, points: np.ndarray) -> Any:
    """The points of an image, its rivals and its captions, in the order of `_rows`, the image in the middle."""
    moved = (points - points[0]).round(4) + 0.0
    places = iter([dict(zip(fold.states, pair.tolist(), strict=True)) for pair in moved.reshape(-1, 2, 2)])
    own, *others = ({"image": str(plan.data.keys[fold.part.images[image]]), **next(places)} for image in images)
    texts = zip(plan.data.languages, captions, strict=True)
    return {**own, "rivals": others, "captions": {name: next(places) for name, one in texts if one >= 0}}


def _project(rows: Sequence[np.ndarray], seed: int) -> tuple[str, list[tuple[np.ndarray, float | None]]]:
    """The method, and of each set of rows its points and the share of the variance that they keep.

    Principal components are of the rows less those of the image in the same state, UMAP of the rows as they are.
    """
    if find_spec("umap") is None:
        found = [principal_components(one - np.tile(one[:2], (len(one) // 2, 1))) for one in rows]
        return "PCA", [(points, round(float(shares.sum()), 4)) for points, shares in found]
    import umap

    points = umap.UMAP(metric="cosine", random_state=seed, n_jobs=1).fit_transform(np.concatenate(rows))
    parts = np.split(points.astype(float), np.cumsum([len(one) for one in rows])[:-1])
    return "UMAP", [(part, None) for part in parts]


def principal_components(rows: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, "n 2"], np.ndarray]:
    """Coordinates of rows along their first two principal components, and the shares of the variance of these.

    Signs are such that the largest coordinate of each component is positive.

    Example:
        >>> principal_components(np.array([[0.0, 1.0], [4.0, 1.0]]))[0].round(6).tolist()
        [[-2.0, 0.0], [2.0, 0.0]]
    """
    centred = np.asarray(rows, np.float64) - rows.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    points = left[:, :2] * values[:2]
    furthest = np.take_along_axis(points, np.abs(points).argmax(axis=0)[None], axis=0)
    return points * np.where(furthest < 0, -1.0, 1.0), values[:2] ** 2 / max(np.sum(values**2), 1e-30)

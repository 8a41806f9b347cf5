"""A map in two dimensions of some test images and their captions, before and after a map of embeddings."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Float

from ccalign_jax.study.mapped_folds import MappedFold, first_captions
from ccalign_jax.study.plan import Plan

__all__ = ["map_neighbourhoods", "principal_components"]

SHOWN = 8  # images improved, and of those worsened, at most
RULE = (
    "improved and worsened: images for which the mean reciprocal rank, over both directions and all languages, rises "
    f"or falls; up to {SHOWN} of each, drawn at random. neighbour: the nearest other image."
)


def map_neighbourhoods(plan: Plan, fold: MappedFold) -> dict[str, Any]:
    """Images improved and worsened, their nearest neighbours and first captions, as `neighbourhoods`.

    The map is of principal components of all rows shown, or of UMAP where umap-learn is installed.
    """
    count = len(fold.part.images)
    gain, queries = np.zeros(count), np.zeros(count)
    for each in fold.all_queries():
        np.add.at(gain, each.image, each.gain)
        np.add.at(queries, each.image, 1)
    gain = gain / np.maximum(queries, 1)
    groups = {"improved": np.flatnonzero(gain > 0), "worsened": np.flatnonzero(gain < 0)}
    draw = np.random.default_rng([plan.config.seed, fold.number])
    chosen = {kind: draw.permutation(images)[:SHOWN] for kind, images in groups.items()}
    if not any(map(len, chosen.values())):
        return {}
    scores = fold.before[1] @ fold.before[1].T
    np.fill_diagonal(scores, -np.inf)
    captions, rows = first_captions(fold.part), _Rows()
    listed = [
        {
            "image": str(plan.data.keys[fold.part.images[image]]),
            "kind": kind,
            "change": round(float(gain[image]), 4),
            **rows.place({state: images[image] for state, (_, images) in fold.states.items()}),
            "neighbour": {
                "image": str(plan.data.keys[fold.part.images[scores[image].argmax()]]),
                **rows.place({state: images[scores[image].argmax()] for state, (_, images) in fold.states.items()}),
            },
            "captions": {
                name: rows.place({state: text[language][caption] for state, (text, _) in fold.states.items()})
                for language, (name, caption) in enumerate(zip(plan.data.languages, captions[:, image], strict=True))
                if caption >= 0
            },
        }
        for kind, images in chosen.items()
        for image in images
    ]
    return {
        "rule": RULE,
        "fold": fold.number,
        "counts": {"images": count, **{kind: len(images) for kind, images in groups.items()}},
        **rows.project(plan.config.seed),
        "images": listed,
    }


class _Rows:
    """Rows to be projected together; each has a place that is filled in once all are there."""

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []
        self.places: list[list[float]] = []

    def place(self, states: dict[str, np.ndarray]) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {state: [] for state in states}
        self.rows += states.values()
        self.places += found.values()
        return found

    def project(self, seed: int) -> dict[str, Any]:
        rows = np.stack(self.rows)
        about: dict[str, Any]
        if find_spec("umap") is None:
            points, shares = principal_components(rows)
            about = {"method": "PCA", "explained": [round(float(share), 4) for share in shares]}
        else:
            import umap

            points = umap.UMAP(metric="cosine", random_state=seed, n_jobs=1).fit_transform(rows)
            about = {"method": "UMAP"}
        for place, point in zip(self.places, points, strict=True):
            place += [round(float(value), 4) for value in point]
        return about


def principal_components(rows: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, 2]]:
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
    return points * np.where(furthest < 0, -1.0, 1.0), values[:2] ** 2 / np.sum(values**2)

"""Problems that closed forms solve, and what their parameters do to rows."""

from collections.abc import Callable

import numpy as np
import pytest

from ccalign_jax.numerics import unit_float32
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.solvers.paths import Pairs, Path

SIZES = {"wide": (40, 6, 5), "narrow": (40, 5, 6), "square": (40, 6, 6), "few": (4, 6, 5), "fewer": (3, 5, 6)}


def pairs_of(size, *, seed=0, shared=False):
    """One caption an image in `en`; in `de`, which lacks every third image, two; a language weighs 1.

    In a `shared` space captions lie near their images; else the identity retrieves by chance.
    """
    count, d_text, d_image = SIZES[size] if isinstance(size, str) else size
    rng = np.random.default_rng(seed)
    image = unit_float32(rng.normal(size=(count, d_image)) + 0.5)
    turn = np.eye(d_image, d_text) if shared else rng.normal(size=(d_image, d_text))
    owners = np.repeat(np.flatnonzero(np.arange(count) % 3), 2), np.arange(count)
    text = tuple(unit_float32(image[owner] @ turn + 0.7 * rng.normal(size=(len(owner), d_text))) for owner in owners)
    views = np.zeros((2, count, d_text), np.float32)
    for view, owner, rows in zip(views, owners, text, strict=True):
        np.add.at(view, owner, rows)
    masks = np.stack([np.arange(count) % 3 > 0, *np.ones((2, count), bool)])
    weights = tuple(np.full(len(owner), 1 / len(owner)) for owner in owners)
    return Pairs(text, owners, (image, image), weights, (*views, image), masks)


def solution(name, pairs, penalty=0.3):
    return CLOSED_FORMS[name].path(pairs, penalty=penalty)


def through(side, rows):
    """The rows through the parameters of one side, float64."""
    rows = rows.astype(np.float64) - side["mean"]
    return rows @ (np.eye(*side["delta"].shape) + side["delta"]) + side["offset"]


def scores_of(params, pairs, number=1):
    """Inner products of mapped captions of a language and mapped images: what no sign of a direction changes."""
    text, image = (params["text"], params["image"]) if "image" in params else (params, None)
    if text["delta"].ndim == 3:
        text = {name: leaf[number] for name, leaf in text.items()}
    images = pairs.target[number].astype(np.float64) if image is None else through(image, pairs.target[number])
    return through(text, pairs.text[number]) @ images.T


def stack(pairs):
    """All captions, their targets and weights, float64."""
    targets = [target[owner] for target, owner in zip(pairs.target, pairs.image_of, strict=True)]
    text, target = (np.concatenate(rows).astype(np.float64) for rows in (pairs.text, targets))
    return text, target, np.concatenate(pairs.weights)


@pytest.fixture(scope="session")
def make_pairs() -> Callable[..., Pairs]:
    """`make_pairs("wide", seed=, shared=)`, or with `(count, d_text, d_image)`; see `pairs_of`."""
    return pairs_of


@pytest.fixture(scope="session")
def solve() -> Callable[..., Path]:
    """`solve(name, pairs, penalty=0.3)` is the path of a closed form."""
    return solution


@pytest.fixture(scope="session")
def moved() -> Callable[..., np.ndarray]:
    """`moved(side, rows)`; see `through`."""
    return through


@pytest.fixture(scope="session")
def scores() -> Callable[..., np.ndarray]:
    """`scores(params, pairs, number=1)`; see `scores_of`."""
    return scores_of


@pytest.fixture(scope="session")
def stacked() -> Callable[[Pairs], tuple[np.ndarray, ...]]:
    """`stacked(pairs)`; see `stack`."""
    return stack

"""What the tests of aligners share: small aligners of every kind, rows, and parameters away from their start."""

from functools import cache

import jax
import numpy as np
import pytest

from ccalign_jax.aligners import make_aligner

LANGUAGES = 3
SIZES = {"hidden": 5, "rank": 2, "features": 8, "experts": 3}


def _normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture(scope="session")
def normal():
    """`normal(*shape, seed=0)` is a float32 array of standard normals."""
    return _normal


@pytest.fixture(scope="session")
def starts():
    """`starts(name, d_text=6, d_image=6)` is an aligner for three languages, and its starts from two keys, stacked."""

    @cache
    def made(name, d_text=6, d_image=6):
        aligner = make_aligner(name, d_text, d_image, languages=LANGUAGES, **SIZES)
        init = jax.jit(jax.vmap(aligner.init))
        return aligner, jax.tree.map(np.asarray, init(jax.random.split(jax.random.key(0))))

    return made


@pytest.fixture(scope="session")
def build(starts):
    """`build(name, d_text=6, d_image=6)` is a small aligner for three languages, and parameters at their start."""

    def made(name, d_text=6, d_image=6):
        aligner, both = starts(name, d_text, d_image)
        return aligner, jax.tree.map(lambda leaf: leaf[0], both)

    return made


@pytest.fixture(scope="session")
def moved():
    """`moved(params, seed=1)` adds a standard normal to every entry."""

    def away(params, seed=1):
        leaves, tree = jax.tree.flatten(params)
        return jax.tree.unflatten(tree, [leaf + _normal(*leaf.shape, seed=seed + i) for i, leaf in enumerate(leaves)])

    return away

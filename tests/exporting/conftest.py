"""Maps of every aligner, with parameters away from their start."""

from functools import cache

import jax
import numpy as np
import pytest

from ccalign_jax.aligners import ALIGNERS, canonical_name, make_aligner
from ccalign_jax.checkpoints import save_checkpoint
from ccalign_jax.learned_map import LearnedMap

LANGUAGES = ["de", "en"]
SIZES = {"hidden": 4, "rank": 2, "features": 8, "experts": 2}


@cache
def make_map(name, d_text=6, d_image=5):
    """A map in which each parameter is random."""
    aligner = make_aligner(name, d_text, d_image, languages=len(LANGUAGES), **SIZES)
    shapes = jax.eval_shape(aligner.init, jax.random.key(0))
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: 0.5 * random.standard_normal(leaf.shape).astype(np.float32), shapes)
    about = {
        "trial": f"image/{name}",
        "aligner": canonical_name(name),
        "pivot": "image",
        "loss": "infonce",
        "hyper": {},
    }
    about |= SIZES | {"d_text": d_text, "d_image": d_image, "languages": LANGUAGES}
    return LearnedMap(aligner, params, about)


@pytest.fixture(scope="session")
def learned():
    return make_map


@pytest.fixture(scope="session")
def captions():
    rows = 3 * np.random.default_rng(1).standard_normal((7, 6))
    return rows.astype(np.float32)


@pytest.fixture(scope="session")
def images():
    rows = 3 * np.random.default_rng(2).standard_normal((7, 5))
    return rows.astype(np.float32)


@pytest.fixture
def best(tmp_path):
    """The folder of a map, as a sweep leaves it."""
    save_checkpoint(tmp_path / "best", make_map("residual"))
    return tmp_path / "best"


def combinations():
    """Every aligner alone, and those for which it has a sense for each language, on both sides, and both."""
    names = [*ALIGNERS]
    for name, entry in ALIGNERS.items():
        if not entry.closed and name != "identity":
            names += [f"dual({name})"] + ([] if entry.by_language else [f"per_language({name})"])
    return [*dict.fromkeys(map(canonical_name, [*names, "dual(per_language(mixture),gated_mlp)"]))]

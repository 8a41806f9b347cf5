"""Every aligner × pivot × loss of the registries through the whole protocol; newcomers are taken up by themselves.

So is what a plugin registers: the example's, or with CCALIGN_PLUGIN=my_maps.py that of another.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ccalign_jax.aligners import ALIGNERS, COMBINATORS, canonical_name, split_name
from ccalign_jax.errors import InputError
from ccalign_jax.losses import LOSSES
from ccalign_jax.metrics import METRICS, Ranks
from ccalign_jax.numerics import unit_float32
from ccalign_jax.pivots import PIVOTS, Batch, make_pivot
from ccalign_jax.plugins import load_plugin
from ccalign_jax.study.families import why_not
from ccalign_jax.training import Embeddings, Hyper, Recipe, Space, Trained, fit, make_objective

IMAGES, WIDTH, LANGUAGES = 14, 6, ("de", "en", "ja")
HYPER = Hyper(learning_rate=0.02, temperature=0.3, prox=1e-3, ortho=1e-3, warmup=2.0, dropout=0.1)
RECIPE = Recipe(
    epochs=2,
    steps_per_epoch=6,
    batch_images=IMAGES,  # all of them: every step must lower the objective
    hidden=4,
    rank=2,
    features=6,
    experts=2,
    neighbours=2,
    terms=frozenset({"l2", "clip", "prox", "ortho", "dropout"}),
)
OF_BOTH_SIDES = ("infonce", "structure", "alignment_uniformity", "cosine")  # scores, neighbours, spread, pairs alone
OF_EACH_KIND = ("residual_mlp", "nystroem", "orthogonal", "mixture")
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "plugin.py"


def from_plugin(plugin: str) -> tuple[dict, dict, dict, dict]:
    """What a plugin adds to each registry; the registries and the modules are as before."""
    registries = (ALIGNERS, PIVOTS, LOSSES, METRICS)
    before = [set(registry) for registry in registries]
    sys.modules.pop(load_plugin(plugin).__name__)
    return tuple(
        {name: registry.pop(name) for name in [*registry] if name not in old}
        for registry, old in zip(registries, before, strict=True)
    )


NEW_ALIGNERS, NEW_PIVOTS, NEW_LOSSES, NEW_METRICS = from_plugin(os.environ.get("CCALIGN_PLUGIN", str(EXAMPLE)))


@contextmanager
def plugged() -> Iterator[None]:
    """With what the plugin registers, which other tests must not see."""
    with pytest.MonkeyPatch.context() as patch:
        for registry, new in ((ALIGNERS, NEW_ALIGNERS), (PIVOTS, NEW_PIVOTS), (LOSSES, NEW_LOSSES)):
            for name, entry in new.items():
                patch.setitem(registry, name, entry)
        yield


@pytest.fixture(autouse=True, scope="module")
def with_plugin() -> Iterator[None]:
    with plugged():
        yield


def trained() -> list[str]:
    return [name for name, entry in ALIGNERS.items() if not entry.closed]


def every_pivot() -> list[str]:
    return [f"{name}:{LANGUAGES[1]}" if entry.takes_language else name for name, entry in PIVOTS.items()]


def space_of(pivot: str) -> Space:
    """Image and text widths differ wherever the pivot allows it."""
    d_image = WIDTH if make_pivot(pivot, LANGUAGES).within_text else WIDTH - 1
    return Space(WIDTH, d_image, LANGUAGES, d_teacher=d_image, teachers=LANGUAGES[1:2])


def combinations() -> list[tuple[str, str, str]]:
    """Every aligner alone towards images, every loss, and losses of each kind with images that
    move, too.

    The residual map and those of a plugin have all pivots. Aligners of each kind, linear, with hidden units, on fixed
    features, on a manifold and with experts, have a map for each language on both sides.
    """
    found = []
    for pivot in every_pivot():
        towards = make_pivot(pivot, LANGUAGES)
        wrap = "dual({})" if towards.moves_images else "{}"
        some = trained() if pivot == "image" else ["residual", *NEW_ALIGNERS]
        found += [(wrap.format(aligner), pivot, "infonce") for aligner in some]
        losses = LOSSES if pivot == "image" else (*OF_BOTH_SIDES, *NEW_LOSSES) if pivot == "symmetric" else ()
        found += [(wrap.format("residual"), pivot, loss) for loss in losses]
    found += [
        (f"per_language({aligner})", f"text:{LANGUAGES[1]}", "infonce") for aligner in ("residual", *NEW_ALIGNERS)
    ]
    found += [
        (f"dual(per_language({aligner}),{aligner})", "symmetric", "infonce")
        for aligner in (*OF_EACH_KIND, *NEW_ALIGNERS)
    ]
    named = []
    for aligner, pivot, loss in found:
        try:
            named.append((canonical_name(aligner), pivot, loss))
        except InputError as refusal:
            assert "\n" not in str(refusal)
    return list(dict.fromkeys(named))


with plugged():
    COMBINATIONS = combinations()
    SENSIBLE = [
        (aligner, pivot, loss)
        for aligner, pivot, loss in COMBINATIONS
        if why_not(make_pivot(pivot, LANGUAGES), aligner, loss, space_of(pivot)) is None
    ]


@cache
def ragged(d_image: int) -> tuple[Embeddings, Batch]:
    """Images with none to three captions a language, two of which show the same thing; and a batch of all of them."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 4, (len(LANGUAGES), IMAGES))
    counts[1, 0] = counts[0, 1] = 0
    rows = counts.sum() - np.cumsum(counts.ravel()[::-1])[::-1].reshape(counts.shape)
    rows = np.minimum(rows[..., None] + np.arange(3), counts.sum() - 1)
    text = unit_float32(rng.normal(size=(counts.sum(), WIDTH)))
    image = unit_float32(rng.normal(size=(IMAGES, d_image)))
    groups = np.arange(IMAGES) % (IMAGES - 1)
    consensus = unit_float32(rng.normal(size=(IMAGES, d_image)))
    taught = {LANGUAGES[1]: image}
    embeddings = jax.tree.map(jnp.asarray, Embeddings(text, image, rows, counts, groups, consensus, teachers=taught))
    whole = Batch(text[rows[..., 0]], counts > 0, image, np.ones(IMAGES, bool), groups, consensus)
    return embeddings, jax.tree.map(jnp.asarray, whole)


def test_what_makes_no_sense_says_why_in_one_line():
    for aligner, pivot, loss in set(COMBINATIONS) - set(SENSIBLE):
        reason = why_not(make_pivot(pivot, LANGUAGES), aligner, loss, space_of(pivot))
        assert reason and "\n" not in reason and len(reason) < 200


def test_nothing_in_a_registry_is_left_without_a_use():
    used = [set(column) for column in zip(*SENSIBLE, strict=True)]
    assert {split_name(name)[1] for name in used[0]} == set(trained())
    assert used[1] == set(every_pivot()) and used[2] == set(LOSSES)
    assert {outer for name in used[0] for outer in split_name(name)[0]} == set(COMBINATORS)


def test_every_entry_has_one_line_that_says_what_it_is():
    for entry in (*ALIGNERS.values(), *PIVOTS.values(), *LOSSES.values()):
        assert entry.summary.strip() and "\n" not in entry.summary


@pytest.mark.parametrize("name", [*METRICS, *NEW_METRICS])
def test_a_metric_is_a_number_for_each_query(name):
    """In [0, 1], or a rank; the worse of two ranks has no better value."""
    metric = {**METRICS, **NEW_METRICS}[name]
    better = np.arange(20, dtype=np.int32)
    one = np.ones_like(better)
    gain = np.where(better < 10, 1 / np.log2(better + 2), 0)
    values = np.asarray(metric.per_query(Ranks(better, 0 * one, one, 1 / (better + 1), 1 / (better + 1), gain)))
    assert values.shape == better.shape and np.isfinite(values).all()
    assert (np.diff(values) * (1 if metric.better == "lower" else -1) >= 0).all()
    assert metric.statistic == "median" or (values.min() >= 0 and values.max() <= 1)


@pytest.mark.parametrize(("aligner", "pivot", "loss"), SENSIBLE, ids=["/".join(names) for names in SENSIBLE])
def test_the_whole_protocol(aligner, pivot, loss):
    space, towards, key = space_of(pivot), make_pivot(pivot, LANGUAGES), jax.random.key(0)
    embeddings, whole = ragged(space.d_image)
    made = space.aligner(aligner, RECIPE)

    def run(hyper, key, embeddings, whole):
        done = fit(made, towards, LOSSES[loss], hyper, key, embeddings, jnp.arange(IMAGES), IMAGES, recipe=RECIPE)
        first, last = (jax.tree.map(lambda leaf, at=at: leaf[at], done.params) for at in (0, -1))
        ends = jax.tree.map(lambda *leaves: jnp.stack(leaves), first, last)
        objective = make_objective(made, towards, LOSSES[loss], Recipe(terms=frozenset({"prox", "ortho"})))
        # In one trace, which compiles in half the time of two; an aligner without parameters has no axis of its own.
        values = jax.vmap(lambda params: objective(Trained(params), whole, hyper, key), axis_size=2)(ends)
        outputs = made.text(last, whole.text[0], 0), made.image(last, whole.image)
        return done._replace(params=last), values, outputs

    done, (before, after), (text, image) = jax.jit(run)(HYPER, key, embeddings, whole)
    start = jax.eval_shape(made.init, key)
    leaves = jax.tree.leaves(done.params)
    assert jax.tree.map(jnp.shape, done.params) == jax.tree.map(jnp.shape, start)
    assert jax.tree.structure(done.params) == jax.tree.structure(start)
    assert all(leaf.dtype == jnp.float32 and np.isfinite(leaf).all() for leaf in leaves)
    assert text.shape == (IMAGES, space.d_image) and image.shape == (IMAGES, space.d_image)
    assert np.isfinite(text).all() and np.isfinite(image).all()
    assert made.trains_image or np.array_equal(image, whole.image)
    assert done.losses.shape == (2,) and np.isfinite(done.losses).all()
    assert after < before if done.losses.any() and leaves else after == before, (before, after)
    if made.matrix is not None:
        assert jax.eval_shape(made.matrix, done.params).shape[-2:] == (space.d_text, space.d_image)

"""Closed forms by name: parameters of their aligner, on a path from the identity; what matters to them and what not."""

import jax
import numpy as np
import pytest

from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.solvers.paths import Pairs
from ccalign_jax.training import Recipe, Space

LANGUAGES = ("de", "en")
SOLVED_BY_PAIRS = [name for name in CLOSED_FORMS if name not in ("gcca", "generalised_procrustes")]


@pytest.mark.parametrize("name", CLOSED_FORMS)
@pytest.mark.parametrize("size", ["wide", "narrow", "square", "few", "fewer"])
def test_a_path_of_parameters_that_begins_at_the_identity(name, size, make_pairs, solve):
    pairs = make_pairs(size)
    d_text, d_image = pairs.text[0].shape[1], pairs.target[0].shape[1]
    path = solve(name, pairs)
    aligner = Space(d_text, d_image, LANGUAGES).aligner(name, Recipe())
    wanted = jax.eval_shape(aligner.init, jax.random.key(0))
    for point in path.points:
        assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), point) == jax.tree.map(
            lambda leaf: (leaf.shape, leaf.dtype), wanted
        )
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(point))
    assert not any(leaf.any() for leaf in jax.tree.leaves(path.points[0]))
    assert all(any(leaf.any() for leaf in jax.tree.leaves(point)) for point in path.points[1:])
    assert path.losses.shape == (len(path.points) - 1,) and path.losses.dtype == np.float32
    assert np.isfinite(path.losses).all()


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_the_aligner_maps_as_the_parameters_say(name, make_pairs, solve, scores):
    pairs = make_pairs("wide")
    aligner, last = Space(6, 5, LANGUAGES).aligner(name, Recipe()), solve(name, pairs).points[-1]
    mapped = np.asarray(aligner.text(last, pairs.text[1], 1))
    found = mapped @ np.asarray(aligner.image(last, pairs.target[1])).T
    np.testing.assert_allclose(found, scores(last, pairs), atol=1e-4)


@pytest.mark.parametrize("name", CLOSED_FORMS)
@pytest.mark.parametrize("size", ["few", "fewer"])
def test_fewer_rows_than_dimensions_are_well_posed(name, size, make_pairs, solve, scores):
    pairs = make_pairs(size)
    noise = np.random.default_rng(1)

    def shaken(rows):
        return tuple((one + 1e-6 * noise.normal(size=one.shape)).astype(np.float32) for one in rows)

    other = pairs._replace(text=shaken(pairs.text), views=shaken(pairs.views))
    for one, two in zip(solve(name, pairs).points, solve(name, other).points, strict=True):
        np.testing.assert_allclose(scores(one, pairs), scores(two, pairs), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_the_order_of_captions_and_the_unit_of_weights_do_not_matter(name, make_pairs, solve, scores):
    pairs = make_pairs("wide")
    order = [np.random.default_rng(3).permutation(len(owner)) for owner in pairs.image_of]
    shuffled = pairs._replace(
        **{
            field: tuple(rows[at] for rows, at in zip(getattr(pairs, field), order, strict=True))
            for field in ("text", "image_of", "weights")
        }
    )
    sevenfold = pairs._replace(weights=tuple(7 * weights for weights in pairs.weights))
    halves = pairs._replace(
        text=tuple(np.repeat(rows, 2, axis=0) for rows in pairs.text),
        image_of=tuple(np.repeat(owner, 2) for owner in pairs.image_of),
        weights=tuple(np.repeat(weights / 2, 2) for weights in pairs.weights),
    )
    base = solve(name, pairs)
    for changed in (shuffled, sevenfold, halves):
        found = solve(name, changed)
        for one, other in zip(base.points, found.points, strict=True):
            np.testing.assert_allclose(scores(one, pairs), scores(other, pairs), rtol=1e-4, atol=1e-5)
        if changed is not halves:  # a copy is left in when its twin is left out
            np.testing.assert_allclose(found.losses, base.losses, rtol=1e-5)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_weights_matter_and_languages_may_change_places(name, make_pairs, solve, scores):
    pairs = make_pairs("wide")
    turned = Pairs(*(entry[::-1] for entry in pairs[:4]), views=(*pairs.views[1::-1], pairs.views[2]))
    turned = turned._replace(masks=pairs.masks[[1, 0, 2]])
    base, found = solve(name, pairs).points[-1], solve(name, turned).points[-1]
    np.testing.assert_allclose(scores(base, pairs, 0), scores(found, turned, 1), rtol=1e-4, atol=1e-5)
    heavy = tuple(weights * np.linspace(0.1, 5, len(weights)) for weights in pairs.weights)
    other = solve(name, pairs._replace(weights=heavy)).points[-1]
    assert np.abs(scores(base, pairs) - scores(other, pairs)).max() > 1e-4


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_what_is_missing_may_hold_anything(name, make_pairs, solve, scores):
    """Targets that no caption meets, rows that a mask hides, and a language without captions."""
    pairs = make_pairs("wide")
    base = solve(name, pairs).points[-1]
    target = pairs.target[0].copy()
    target[::3] = np.nan
    view = np.where(pairs.masks[0][:, None], pairs.views[0], np.nan)
    odd = pairs._replace(target=(target, pairs.target[1]), views=(view, *pairs.views[1:]))
    np.testing.assert_array_equal(scores(solve(name, odd).points[-1], pairs), scores(base, pairs))


@pytest.mark.parametrize("name", SOLVED_BY_PAIRS)
def test_a_language_without_captions_adds_nothing(name, make_pairs, solve, scores):
    pairs = make_pairs("wide")
    alone = Pairs(*(entry[1:] for entry in pairs[:4]))
    nothing = pairs._replace(
        text=(pairs.text[0][:0], pairs.text[1]),
        image_of=(pairs.image_of[0][:0], pairs.image_of[1]),
        weights=(pairs.weights[0][:0], pairs.weights[1]),
    )
    without, empty = solve(name, alone), solve(name, nothing)
    if name == "pooled_ridge":  # the shared map for it; λ D = μ D_en with μ = 10 λ / 2 gives the other
        eye = np.eye(6, 5)
        for point in empty.points[1:]:
            np.testing.assert_allclose(eye + point["delta"][1], 1.2 * (eye + point["delta"][0]), atol=1e-5)
        return
    for one, other in zip(without.points, empty.points, strict=True):
        np.testing.assert_allclose(scores(one, alone, 0), scores(other, nothing, 1), rtol=1e-5, atol=1e-6)

"""Maps that look at the language or at the row: against NumPy, and for languages that training did not have."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ccalign_jax.aligners import conditional, dual, film, mixture, mixture_gates

WIDTHS = [(6, 6), (7, 4), (4, 7)]


@pytest.mark.parametrize("widths", WIDTHS)
def test_conditional_and_film_by_hand(widths, build, moved, normal):
    rows = normal(5, widths[0])
    aligner, params = build("conditional", *widths)
    params = moved(params)
    run = jax.jit(aligner.text)
    for language in range(3):
        weight = np.eye(*widths) + params["shared"] + params["down"][language] @ params["up"][language]
        np.testing.assert_allclose(run(params, rows, language), rows @ weight, rtol=1e-4, atol=1e-4)
    aligner, params = build("film", *widths)
    params = moved(params)
    run = jax.jit(aligner.text)
    for language in range(3):
        shared = rows @ (np.eye(*widths) + params["shared"])
        expected = shared * (1 + params["scale"][language]) + params["shift"][language]
        np.testing.assert_allclose(run(params, rows, language), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["conditional", "film"])
def test_an_unseen_language_uses_the_shared_part(name, build, moved, normal):
    aligner, params = build(name)
    params, rows = moved(params), normal(5, 6)
    own = {"conditional": ("up",), "film": ("scale", "shift")}[name]
    shared = {**params, **{key: np.zeros_like(params[key]) for key in own}}
    expected = jax.jit(aligner.text)(shared, rows, 0)
    for unseen in (-1, 3, 100):
        assert np.array_equal(jax.jit(aligner.text)(params, rows, unseen), expected)
    plain = jax.jit(aligner.text, static_argnums=2)  # a number that is known while tracing
    assert np.array_equal(plain(params, rows, -1), expected)


def test_images_have_no_language(build, moved, normal):
    inner, params = build("film")
    aligner = dual(inner, inner)
    params, rows = {"text": params, "image": moved(params)}, normal(5, 6)
    assert np.array_equal(aligner.image(params, rows), inner.text(params["image"], rows, -1))
    assert not np.array_equal(aligner.image(params, rows), inner.text(params["image"], rows, 0))


@pytest.mark.parametrize("name", ["conditional", "film"])
def test_a_language_without_a_caption_in_training_keeps_a_part_of_zero(name, build, normal):
    """Its part has no gradient from the captions of others, nor from the distance to identity."""
    aligner, params = build(name)
    rows = normal(5, 6)

    def loss(params):
        mapped = aligner.text(params, rows, 0) + aligner.text(params, rows, 2)
        distance = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(aligner.deviation(params)))
        return jnp.sum(mapped**3) + distance

    def descend(params, _):
        return jax.tree.map(lambda leaf, slope: leaf - 1e-3 * slope, params, jax.grad(loss)(params)), None

    trained = jax.jit(lambda start: jax.lax.scan(descend, start, length=3)[0])(params)
    for key in {"conditional": ("up",), "film": ("scale", "shift")}[name]:
        assert not np.any(trained[key][1]) and np.any(trained[key][0]) and np.any(trained[key][2])
    assert np.any(trained["shared"])


# the mixture


@pytest.mark.parametrize("widths", WIDTHS)
def test_the_mixture_by_hand(widths, build, moved, normal):
    aligner, params = build("mixture", *widths)
    params, rows = moved(params), normal(5, widths[0])
    logits = rows @ params["gate"] + params["bias"]
    gates = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = sum(gates[:, [k]] * (rows @ (np.eye(*widths) + params["delta"][k])) for k in range(3))
    np.testing.assert_allclose(aligner.text(params, rows, 0), expected, rtol=1e-4, atol=1e-4)


def test_gates_are_shares(build, moved, normal):
    _, params = build("mixture")
    params, rows = moved(params), 100 * normal(20, 6)
    gates = np.asarray(mixture_gates(params, rows))
    assert gates.shape == (20, 3) and (gates >= 0).all()
    np.testing.assert_allclose(gates.sum(1), 1.0, rtol=1e-5)


def test_equal_experts_are_one_and_their_order_does_not_matter(build, moved, normal):
    aligner, params = build("mixture")
    params, rows = moved(params), normal(5, 6)
    equal = {**params, "delta": np.repeat(params["delta"][:1], 3, axis=0)}
    np.testing.assert_allclose(
        aligner.text(equal, rows, 0), rows @ (np.eye(6) + params["delta"][0]), rtol=1e-4, atol=1e-5
    )
    turned = {
        "delta": params["delta"][[2, 0, 1]],
        "gate": params["gate"][:, [2, 0, 1]],
        "bias": params["bias"][[2, 0, 1]],
    }
    np.testing.assert_allclose(aligner.text(turned, rows, 0), aligner.text(params, rows, 0), rtol=1e-4, atol=1e-5)


def test_experts_part_from_each_other(build, normal):
    """At the start they are equal; the random gate gives each a gradient of its own."""
    aligner, params = build("mixture")
    rows = normal(9, 6)
    slope = np.asarray(jax.grad(lambda p: jnp.sum((aligner.text(p, rows, 0) - 1) ** 2))(params)["delta"])
    assert min(np.abs(slope[i] - slope[j]).max() for i, j in ((0, 1), (0, 2), (1, 2))) > 0.1


@pytest.mark.parametrize(
    "make", [lambda: conditional(3, 3, 1, rank=1), lambda: film(3, 3, 1), lambda: mixture(3, 3, experts=1)]
)
def test_one_of_each_is_no_corner(make, normal):
    aligner = make()
    params = aligner.init(jax.random.key(0))
    assert np.array_equal(aligner.text(params, normal(2, 3), 0), normal(2, 3))

"""Every aligner: what it computes, what it starts as, what it counts, and how it is named."""

from functools import cache
from math import erf, sqrt

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.aligners import (
    ALIGNERS,
    Aligner,
    canonical_name,
    dual,
    make_aligner,
    per_language,
    residual,
    split_name,
)
from ccalign_jax.errors import InputError

WIDTHS = [(6, 6), (7, 4), (4, 7)]
HIDDEN, LANGUAGES = 5, 3
QUICK = {"xla_backend_optimization_level": 0}  # little work and much code
WRAPS = ("{}", "per_language({})", "dual({})", "dual(per_language({}))")
NAMES = ["identity", *(wrap.format(name) for name in ALIGNERS if name != "identity" for wrap in WRAPS)]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@cache
def build(name: str, d_text: int = 6, d_image: int = 6) -> tuple[Aligner, dict]:
    aligner = make_aligner(name, d_text, d_image, languages=LANGUAGES, hidden=HIDDEN)
    return aligner, jax.jit(aligner.init)(jax.random.key(0))


def moved(params, seed: int = 1):
    """Parameters with every entry away from its start."""
    leaves, tree = jax.tree.flatten(params)
    return jax.tree.unflatten(tree, [leaf + normal(*leaf.shape, seed=seed + i) for i, leaf in enumerate(leaves)])


def size(params) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(params))


# at the start


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("name", [name for name in NAMES if "residual" in name or name == "identity"])
def test_what_starts_as_the_identity_is_it_to_the_last_bit(name, widths):
    d_text, d_image = widths
    aligner, params = build(name, *widths)
    rows, image = normal(9, d_text) * 10.0 ** np.arange(-4, 5)[:, None].astype(np.float32), normal(9, d_image)
    expected = rows @ np.eye(d_text, d_image, dtype=np.float32)
    for language in range(LANGUAGES):
        assert np.array_equal(jax.jit(aligner.text)(params, rows, language), expected)
    assert np.array_equal(aligner.image(params, image), image)
    assert not any(leaf.any() for leaf in jax.tree.leaves(aligner.deviation(params)))


@pytest.mark.parametrize("widths", WIDTHS)
def test_parameters_are_counted_as_documented(widths):
    d_text, d_image = widths
    shared = {
        "identity": 0,
        "linear": d_text * d_image,
        "residual": d_text * d_image,
        "residual_mlp": (d_text + 1) * HIDDEN + (HIDDEN + 1) * d_image,
    }
    image = {**shared, "linear": d_image**2, "residual": d_image**2}
    image["residual_mlp"] = (d_image + 1) * HIDDEN + (HIDDEN + 1) * d_image
    for name in NAMES:
        outer, inner = split_name(name)
        expected = shared[inner] * (LANGUAGES if "per_language" in outer else 1) + image[inner] * ("dual" in outer)
        aligner = make_aligner(name, *widths, languages=LANGUAGES, hidden=HIDDEN)
        assert size(jax.eval_shape(aligner.init, jax.random.key(0))) == expected, name


@pytest.mark.parametrize("name", NAMES)
def test_a_start_is_float32_and_follows_from_its_key(name):
    aligner, params = build(name)
    init = jax.jit(aligner.init)
    again, other = init(jax.random.key(0)), init(jax.random.key(1))
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))
    assert jax.tree.structure(params) == jax.tree.structure(again)
    for one, two in zip(jax.tree.leaves(params), jax.tree.leaves(again), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)
    random = split_name(name)[1] in ("linear", "residual_mlp")
    differ = [not np.array_equal(one, two) for one, two in zip(*map(jax.tree.leaves, (params, other)), strict=True)]
    assert any(differ) == random
    if "per_language" in name and random:  # nor do languages start alike
        first = jax.tree.leaves(params.get("text", params))
        assert any(not np.array_equal(leaf[0], leaf[1]) for leaf in first)


# what they compute


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("name", ["identity", "linear", "residual"])
def test_linear_maps_act_as_their_matrix(name, widths):
    aligner, params = build(name, *widths)
    params, rows = moved(params), normal(9, widths[0])
    matrix = aligner.matrix(params)
    assert matrix.shape == widths
    np.testing.assert_allclose(aligner.text(params, rows, 0), rows @ matrix, rtol=1e-5, atol=1e-5)
    held = {"linear": lambda: params["weight"], "residual": lambda: np.eye(*widths) + params["delta"]}
    np.testing.assert_allclose(matrix, held.get(name, lambda: np.eye(*widths))(), rtol=1e-6)
    if name != "identity":
        np.testing.assert_allclose(aligner.deviation(params), matrix - np.eye(*widths), atol=1e-6)


@pytest.mark.parametrize("widths", WIDTHS)
def test_the_mlp_is_exact_gelu_with_biases(widths):
    aligner, params = build("residual_mlp", *widths)
    params, rows = moved(params), normal(9, widths[0])
    first, second = (jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params[k]) for k in ("expand", "contract"))
    inner = rows @ first["kernel"] + first["bias"]
    gelu = inner * 0.5 * (1 + np.vectorize(erf)(inner / sqrt(2)))
    expected = rows @ np.eye(*widths) + gelu @ second["kernel"] + second["bias"]
    np.testing.assert_allclose(aligner.text(params, rows, 0), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["linear", "residual", "residual_mlp"])
def test_deviation_is_zero_at_identity_and_nowhere_else(name):
    aligner, params = build(name)
    rows = normal(20, 6)
    at_identity = {"weight": jnp.eye(6)} if name == "linear" else params
    assert np.array_equal(aligner.text(at_identity, rows, 0), rows)
    assert not any(leaf.any() for leaf in jax.tree.leaves(aligner.deviation(at_identity)))
    leaves = jax.tree.leaves(aligner.deviation(at_identity))
    for number in range(len(leaves)):  # a change of any one entry that it measures moves the rows
        changed = jax.tree.map(lambda leaf: leaf, at_identity)
        target = changed["contract"] if name == "residual_mlp" else changed
        key = sorted(target)[number]
        target[key] = target[key].at[(0,) * target[key].ndim].add(1.0)
        assert not np.array_equal(aligner.text(changed, rows, 0), rows)
        assert any(leaf.any() for leaf in jax.tree.leaves(aligner.deviation(changed)))


# dropout


def test_dropout_is_off_without_a_key_and_keeps_the_mean_with_one():
    aligner, params = build("residual_mlp")
    params, rows = moved(params), normal(4, 6)
    plain = aligner.text(params, rows, 0)
    assert np.array_equal(aligner.text(params, rows, 0, dropout=0.9), plain)
    np.testing.assert_allclose(aligner.text(params, rows, 0, key=jax.random.key(0), dropout=0.0), plain, rtol=1e-6)
    keys = jax.random.split(jax.random.key(1), 8000)
    drawn = jax.jit(jax.vmap(lambda key: aligner.text(params, rows, 0, key=key, dropout=0.3)))(keys)
    drawn = np.asarray(drawn, np.float64)
    error = np.std(drawn, axis=0) / np.sqrt(len(keys))
    assert (np.abs(np.mean(drawn, axis=0) - plain) < 5 * error + 1e-4).all() and (error > 0).all()


# combinators


@pytest.mark.parametrize("name", ["per_language(linear)", "per_language(residual)", "per_language(residual_mlp)"])
def test_a_language_picks_its_own_map_and_trains_no_other(name):
    aligner, params = build(name)
    inner, params, rows = build(name[13:-1])[0], moved(params), normal(5, 6)

    @jax.jit
    def loss(params, language):
        return jnp.sum(aligner.text(params, rows, language) ** 2)

    for language in range(LANGUAGES):
        own = jax.tree.map(lambda leaf, one=language: leaf[one], params)
        expected = inner.text(own, rows, 0)
        np.testing.assert_allclose(aligner.text(params, rows, language), expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(jax.jit(aligner.text)(params, rows, language), expected, rtol=1e-5, atol=1e-6)
        gradient = jax.jit(jax.grad(loss))(params, language)
        reached = [
            np.flatnonzero(np.abs(leaf).reshape(LANGUAGES, -1).sum(1)).tolist() for leaf in jax.tree.leaves(gradient)
        ]
        assert all(found == [language] for found in reached)
    if inner.matrix is not None:
        assert aligner.matrix(params).shape == (LANGUAGES, 6, 6)
    with pytest.raises(ValueError, match="language 3 has no map; there are 3"):
        aligner.text(params, rows, LANGUAGES)


@pytest.mark.parametrize("inner", ["linear", "residual", "residual_mlp", "per_language(residual)"])
def test_each_side_of_a_dual_reaches_its_own_rows(inner):
    aligner, params = build(f"dual({inner})", 7, 4)
    params, text, image = moved(params), normal(5, 7), normal(5, 4)
    text_side, image_side = build(inner, 7, 4)[0], build(split_name(inner)[1], 4, 4)[0]
    assert aligner.trains_image and set(params) == {"text", "image"}
    np.testing.assert_allclose(aligner.text(params, text, 1), text_side.text(params["text"], text, 1), rtol=1e-6)
    np.testing.assert_allclose(aligner.image(params, image), image_side.text(params["image"], image, 0), rtol=1e-6)
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(aligner.text(p, text, 1))))(params)
    assert any(leaf.any() for leaf in jax.tree.leaves(gradient["text"]))
    assert not any(leaf.any() for leaf in jax.tree.leaves(gradient["image"]))
    deviation = aligner.deviation(params)
    assert size(deviation["image"]) == size(image_side.deviation(params["image"]))
    if text_side.matrix is not None:
        assert np.array_equal(aligner.matrix(params), text_side.matrix(params["text"]))


def test_per_language_goes_inside_dual():
    with pytest.raises(ValueError, match=r"dual\(per_language"):
        per_language(dual(residual(2, 2), residual(2, 2)), 2)


@pytest.mark.parametrize("name", NAMES)
def test_jit_vmap_and_grad_see_a_pure_function(name):
    aligner, _ = build(name)
    rows = normal(4, 6)

    def loss(params):
        return jnp.mean((aligner.text(params, rows, 1) - 1.0) ** 2) + jnp.mean(aligner.image(params, rows) ** 2)

    stacked = jax.jit(jax.vmap(aligner.init))(jax.random.split(jax.random.key(3), 2))
    if not jax.tree.leaves(stacked):
        return
    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(loss)), compiler_options=QUICK)(stacked)
    one = jax.tree.map(lambda leaf: leaf[1], stacked)
    value, gradient = jax.jit(jax.value_and_grad(loss), compiler_options=QUICK)(one)
    np.testing.assert_allclose(values[1], value, rtol=1e-5)
    for many, single in zip(jax.tree.leaves(gradients), jax.tree.leaves(gradient), strict=True):
        np.testing.assert_allclose(many[1], single, rtol=1e-4, atol=1e-6)


# names


@pytest.mark.parametrize("name", NAMES)
def test_canonical_names_are_their_own_canonical_name(name):
    assert canonical_name(name) == name and canonical_name(f" {name} ") == name


def test_other_spellings_of_the_same_aligner():
    assert canonical_name("dual") == "dual(residual)" and canonical_name("dual( linear )") == "dual(linear)"
    assert canonical_name("per_language(dual)") == "dual(per_language(residual))"
    assert canonical_name("per_language(dual(linear))") == "dual(per_language(linear))"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "unknown aligner ''; there are identity"),
        ("residul", "unknown aligner 'residul'; there are identity, linear"),
        ("Residual", "unknown aligner 'Residual'"),
        ("dual(residul)", "unknown aligner"),
        ("per_language", r"per_language needs an aligner inside, such as per_language\(residual\)"),
        ("dual()", "dual needs an aligner inside"),
        ("dual(per_language())", "per_language needs an aligner inside"),
        ("dual(residual", r"write per_language\(A\) or dual\(A\)"),
        ("dual(residual))", "unknown aligner"),
        ("residual)", "unknown aligner"),
        ("(residual)", "write per_language"),
        ("residual(linear)", "write per_language"),
        ("dual(dual(residual))", "once each"),
        ("dual(dual)", "once each"),
        ("per_language(per_language(linear))", "once each"),
        ("dual(identity)", "identity has no parameters"),
        ("a\nb", "unknown aligner"),
    ],
)
def test_malformed_names_are_refused_in_one_line(name, message):
    for function in (canonical_name, lambda name: make_aligner(name, 2, 2, languages=2)):
        with pytest.raises(InputError, match=message) as refusal:
            function(name)
        assert "\n" not in str(refusal.value)


@given(st.text(alphabet="()dual residper_ng,\n", max_size=24) | st.sampled_from(NAMES).map(lambda name: name[:-1]))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_name_or_one_line(text):
    try:
        assert canonical_name(canonical_name(text)) == canonical_name(text)
    except InputError as refusal:
        assert "\n" not in str(refusal)

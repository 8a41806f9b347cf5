"""Every aligner: what it starts as, what it counts, and that it is a pure function of its parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ccalign_jax.aligners import ALIGNERS, linear_part, make_aligner, parse_name

WIDTHS = [(6, 6), (7, 4), (4, 7)]
LANGUAGES = 3
HIDDEN, RANK, FEATURES, EXPERTS = 5, 2, 8, 3
TRAINED = [name for name, entry in ALIGNERS.items() if not entry.closed]
SHARED = [name for name in TRAINED if not ALIGNERS[name].by_language and name != "identity"]
COMBINED = [f"dual(per_language({name}))" for name in SHARED] + ["dual(conditional,residual)", "dual(identity,shift)"]
NAMES = [*TRAINED, *COMBINED]
RUN = [*TRAINED, "dual(per_language(nystroem),residual_mlp)", "dual(conditional,fourier)"]
LINEAR = ("identity", "diagonal", "linear", "residual", "low_rank", "orthogonal", "conditional")


def size(params) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def leaves_by_name(params):
    return [(path[-1].key, leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(params)]


# at the start


@pytest.mark.parametrize("name", [name for name in RUN if name not in ("linear", "mlp")])
def test_what_starts_as_the_identity_is_it_to_the_last_bit(name, build, normal):
    widths = WIDTHS if name in TRAINED else WIDTHS[1:2]
    built = [build(name, *pair) for pair in widths]
    scale = 10.0 ** np.arange(-4, 5)[:, None].astype(np.float32)
    text, image = ([normal(9, pair[side]) * scale for pair in widths] for side in (0, 1))

    def run(every):
        return [
            (aligner.text(params, x, LANGUAGES - 1), aligner.image(params, y), aligner.deviation(params))
            for (aligner, _), params, x, y in zip(built, every, text, image, strict=True)
        ]

    found = jax.jit(run)([params for _, params in built])
    # The inverse of an identity may be off by a rounding on another machine.
    tolerance = 1e-6 * scale if name == "orthogonal" else np.zeros(1)
    for pair, x, y, (mapped, kept, deviation) in zip(widths, text, image, found, strict=True):
        assert (np.abs(mapped - x @ np.eye(*pair, dtype=np.float32)) <= tolerance).all()
        assert np.array_equal(kept, y)
        assert all((np.abs(leaf) <= tolerance.min()).all() for leaf in jax.tree.leaves(deviation))


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("name", [*ALIGNERS, *COMBINED])
def test_every_name_makes_an_aligner_of_these_widths(name, widths):
    d_text, d_image = widths
    aligner = make_aligner(name, *widths, languages=LANGUAGES)

    def run(key, text, image):
        params = aligner.init(key)
        matrix = None if aligner.matrix is None else aligner.matrix(params)
        mapped = aligner.text(params, text[1], 1), aligner.image(params, image), aligner.deviation(params), matrix
        masks = text[..., 0] > 0, image[..., 0] > 0
        return (
            params,
            mapped,
            params if aligner.adapt is None else aligner.adapt(params, text, masks[0], image, masks[1], key),
        )

    text, image = np.zeros((LANGUAGES, 5, d_text), np.float32), np.zeros((5, d_image), np.float32)
    params, mapped, adapted = jax.eval_shape(run, jax.random.key(0), text, image)
    assert params == adapted
    assert mapped[0].shape == mapped[1].shape == (5, d_image)
    assert mapped[3] is None or mapped[3].shape in (widths, (LANGUAGES, *widths))
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves((params, mapped)))


@pytest.mark.parametrize("widths", WIDTHS)
def test_parameters_are_counted_as_documented(widths):
    def count(name, d_text, d_image):
        counts = {
            "identity": 0,
            "shift": d_image,
            "diagonal": min(d_text, d_image),
            "linear": d_text * d_image,
            "residual": d_text * d_image,
            "low_rank": (d_text + d_image) * RANK,
            "orthogonal": d_text * d_image,
            "mlp": (d_text + 1) * HIDDEN + (HIDDEN + 1) * d_image,
            "residual_mlp": (d_text + 1) * HIDDEN + (HIDDEN + 1) * d_image,
            "gated_mlp": (2 * d_text + d_image) * HIDDEN,
            "fourier": FEATURES * d_image + d_text * FEATURES // 2 + 1,
            "nystroem": FEATURES * d_image + FEATURES * (d_text + FEATURES) + 1,
            "conditional": d_text * d_image + LANGUAGES * (d_text + d_image) * RANK,
            "film": d_text * d_image + 2 * LANGUAGES * d_image,
            "mixture": EXPERTS * (d_text * d_image + d_text + 1),
        }
        return counts.get(name)

    sizes = {"hidden": HIDDEN, "rank": RANK, "features": FEATURES, "experts": EXPERTS}
    for name in NAMES:
        parsed = parse_name(name)
        expected = count(parsed.text, *widths)
        if expected is None:
            continue  # a newcomer's count stands in its own test
        expected *= LANGUAGES if parsed.per_language else 1
        if parsed.image is not None:
            expected += count(parsed.image, widths[1], widths[1])
        aligner = make_aligner(name, *widths, languages=LANGUAGES, **sizes)
        assert size(jax.eval_shape(aligner.init, jax.random.key(0))) == expected, name


def test_a_start_follows_from_its_key(starts):
    still = ("identity", "shift", "diagonal", "residual", "orthogonal", "film")
    drawn = ("linear", "low_rank", "mlp", "residual_mlp", "gated_mlp", "fourier", "nystroem", "conditional", "mixture")
    for name in (*still, *drawn, *RUN[len(TRAINED) :]):
        leaves = jax.tree.leaves(starts(name)[1])
        assert any(not np.array_equal(leaf[0], leaf[1]) for leaf in leaves) == (name not in still), name
    landmarks = starts("dual(per_language(nystroem),residual_mlp)")[1]["text"]["landmarks"]
    assert len(np.unique(landmarks[0], axis=0)) == LANGUAGES  # nor do languages start alike


# pure functions


@pytest.mark.parametrize("name", [name for name in RUN if name != "identity"])
def test_jit_vmap_and_grad_see_a_pure_function(name, build, moved, normal):
    """A gradient is finite, at zero rows too; what is frozen has none, and everything else has one."""
    aligner, params = build(name)
    rows = normal(4, 6)
    rows[2] = 0.0

    def loss(params, rows):
        mapped = jax.vmap(lambda language: aligner.text(params, rows, language))(jnp.arange(LANGUAGES))
        return jnp.mean(mapped**3) + jnp.mean(aligner.image(params, rows) ** 3)

    gradient_of = jax.value_and_grad(loss, argnums=(0, 1))

    def run(params, rows):
        return jax.vmap(gradient_of, (0, None))(params, rows), gradient_of(
            jax.tree.map(lambda leaf: leaf[1], params), rows
        )

    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), moved(params, seed=1), moved(params, seed=50))
    (values, gradients), (value, gradient) = jax.jit(run)(stacked, rows)
    np.testing.assert_allclose(values[1], value, rtol=1e-4)
    for many, single in zip(jax.tree.leaves(gradients), jax.tree.leaves(gradient), strict=True):
        assert np.isfinite(many).all()
        np.testing.assert_allclose(many[1], single, rtol=1e-2, atol=1e-4 * np.abs(single).max())
    for leaf_name, leaf in leaves_by_name(gradient[0]):
        assert np.any(leaf) == (leaf_name not in aligner.frozen), leaf_name


def test_a_frozen_name_is_frozen_wherever_it_occurs(build):
    """A dual freezes by name, on both of its sides."""
    frozen, trained = set(), set()
    for name in TRAINED:
        aligner, params = build(name)
        names = {leaf_name for leaf_name, _ in leaves_by_name(params)}
        assert aligner.frozen <= names
        frozen |= aligner.frozen
        trained |= names - aligner.frozen
    assert frozen and not frozen & trained
    assert build("dual(nystroem,fourier)")[0].frozen == build("nystroem")[0].frozen | build("fourier")[0].frozen
    assert build("per_language(fourier)")[0].frozen == build("fourier")[0].frozen


# what they compute


@pytest.mark.parametrize("name", [*ALIGNERS, "per_language(shift)", "dual(residual)", "dual(per_language(linear))"])
def test_a_matrix_is_the_whole_map_and_a_linear_part_all_that_depends_on_the_row(name, build, moved, normal):
    aligner, params = build(name)
    params, text, image = moved(params), normal(5, 6), normal(5, 6, seed=1)
    part = linear_part(aligner)
    if part is not None:
        matrix = np.asarray(part(params))
        change = text @ (matrix[1] if matrix.ndim == 3 else matrix)
        origin = aligner.text(params, np.zeros_like(text), 1)
        np.testing.assert_allclose(aligner.text(params, text, 1) - origin, change, rtol=1e-3, atol=1e-3)
    if aligner.matrix is not None:
        assert not np.any(origin) and np.array_equal(aligner.image(params, image), image)
        assert np.array_equal(aligner.matrix(params), part(params))


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("name", LINEAR)
def test_linear_maps_act_as_their_matrix(name, widths, build, moved, normal):
    aligner, params = build(name, *widths)
    params, rows = moved(params), normal(9, widths[0])
    matrix = np.asarray(aligner.matrix(params))
    assert matrix.shape[-2:] == widths
    own = matrix[1] if matrix.ndim == 3 else matrix
    np.testing.assert_allclose(aligner.text(params, rows, 1), rows @ own, rtol=1e-4, atol=1e-4)
    if name in ("diagonal", "linear", "residual", "low_rank", "orthogonal"):
        deviation = np.asarray(aligner.deviation(params))
        expected = matrix - np.eye(*widths)
        np.testing.assert_allclose(deviation, np.diagonal(expected) if name == "diagonal" else expected, atol=1e-5)
    if name == "conditional":
        deviation = aligner.deviation(params)
        np.testing.assert_allclose(deviation["shared"] + deviation["own"], matrix - np.eye(*widths), atol=1e-5)


def test_only_linear_maps_have_a_matrix(build):
    assert {name for name in TRAINED if build(name)[0].matrix is not None} == set(LINEAR)


@pytest.mark.parametrize("widths", WIDTHS)
def test_shift_and_diagonal_by_hand(widths, build, moved, normal):
    d_text, eye = widths[0], np.eye(*widths)
    rows = normal(5, d_text)
    aligner, params = build("shift", *widths)
    params = moved(params)
    np.testing.assert_allclose(aligner.text(params, rows, 0), rows @ eye + params["bias"], rtol=1e-5)
    aligner, params = build("diagonal", *widths)
    params = moved(params)
    scale = np.ones(d_text)
    scale[: min(widths)] += params["delta"]
    np.testing.assert_allclose(aligner.text(params, rows, 0), (rows * scale) @ eye, rtol=1e-5, atol=1e-6)


def test_low_rank_is_no_more_than_its_rank(build, moved, normal):
    aligner, params = build("low_rank", 7, 6)
    assert params["down"].any() and not params["up"].any()
    change = aligner.matrix(moved(params)) - np.eye(7, 6)
    assert np.linalg.matrix_rank(change, tol=1e-4) == RANK


@pytest.mark.parametrize("name", [name for name in TRAINED if name not in ("identity", "orthogonal", "mlp")])
def test_deviation_is_zero_at_identity_and_nowhere_else(name, build, normal):
    aligner, params = build(name)
    rows = normal(20, 6)
    at_identity = {"weight": np.eye(6, dtype=np.float32)} if name == "linear" else params
    assert np.array_equal(aligner.text(at_identity, rows, 0), rows)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(aligner.deviation(at_identity)))
    measured = 0
    for number, (leaf_name, leaf) in enumerate(leaves_by_name(at_identity)):
        leaves, tree = jax.tree.flatten(at_identity)
        first = (0,) * leaf.ndim
        leaves[number] = np.array(leaf)
        leaves[number][first] += 1.0
        changed = jax.tree.unflatten(tree, leaves)
        moves = not np.array_equal(aligner.text(changed, rows, 0), rows)
        assert moves == any(np.any(part) for part in jax.tree.leaves(aligner.deviation(changed))), leaf_name
        measured += moves
    assert measured


def test_sizes_are_those_of_the_entry(normal):
    """Without sizes, `make_aligner` and `Sizes` agree."""
    from ccalign_jax.aligners import Sizes

    for name, entry in ALIGNERS.items():
        default, entry_made = make_aligner(name, 4, 3, languages=2), entry.make(4, 3, Sizes(2))
        shapes = [jax.eval_shape(aligner.init, jax.random.key(0)) for aligner in (default, entry_made)]
        assert shapes[0] == shapes[1], name


# combinators


@pytest.mark.parametrize("name", ["linear", "residual_mlp", "nystroem"])
def test_a_language_picks_its_own_map_and_trains_no_other(name, build, moved, normal):
    (aligner, params), (inner, _) = build(f"per_language({name})"), build(name)
    params, rows = moved(params), normal(5, 6)
    run = jax.jit(lambda params, language: aligner.text(params, rows, language))
    alone = jax.jit(lambda params: inner.text(params, rows, 0))

    @jax.jit
    @jax.grad
    def gradient(params, language):
        return jnp.sum(aligner.text(params, rows, language) ** 2)

    for language in range(LANGUAGES):
        own = jax.tree.map(lambda leaf, one=language: leaf[one], params)
        np.testing.assert_allclose(run(params, language), alone(own), rtol=1e-4, atol=1e-5)
        for leaf_name, leaf in leaves_by_name(gradient(params, language)):
            reached = np.flatnonzero(np.abs(leaf).reshape(LANGUAGES, -1).sum(1)).tolist()
            assert reached == ([] if leaf_name in aligner.frozen else [language])
    if linear_part(inner) is not None:
        assert linear_part(aligner)(params).shape == (LANGUAGES, 6, 6)
    for missing in (LANGUAGES, -1):
        with pytest.raises(ValueError, match=f"language {missing} has no map; there are 3"):
            aligner.text(params, rows, missing)


@pytest.mark.parametrize("name", ["dual(per_language(linear),mixture)", "dual(film)"])
def test_each_side_of_a_dual_reaches_its_own_rows(name, build, moved, normal):
    aligner, params = build(name, 7, 4)
    parsed = parse_name(name)
    params, text, image = moved(params), normal(5, 7), normal(5, 4)
    text_side = build(str(parsed._replace(image=None)), 7, 4)[0]
    image_side = build(parsed.image, 4, 4)[0]
    assert aligner.trains_image and set(params) == {"text", "image"}
    np.testing.assert_allclose(aligner.text(params, text, 1), text_side.text(params["text"], text, 1), rtol=1e-5)
    np.testing.assert_allclose(aligner.image(params, image), image_side.text(params["image"], image, 0), rtol=1e-5)
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(aligner.text(p, text, 1))))(params)
    assert any(np.any(leaf) for leaf in jax.tree.leaves(gradient["text"]))
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient["image"]))
    deviation = aligner.deviation(params)
    assert size(deviation["image"]) == size(image_side.deviation(params["image"]))
    assert aligner.matrix is None
    if linear_part(text_side) is not None:
        assert np.array_equal(linear_part(aligner)(params), linear_part(text_side)(params["text"]))

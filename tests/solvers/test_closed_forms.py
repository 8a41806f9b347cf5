"""Closed forms by name: parameters of their aligner, on a path from the identity, each the map it is named after."""

import itertools

import jax
import numpy as np
import pytest
from scipy import linalg
from sklearn.linear_model import Ridge

from ccalign_jax.solvers import closed_forms
from ccalign_jax.solvers.closed_forms import (
    CANONICAL_STEPS,
    CLOSED_FORMS,
    CSA_POWERS,
    POOLED_PENALTIES,
    RIDGE_PENALTIES,
    STEPS,
)
from ccalign_jax.solvers.paths import Pairs
from ccalign_jax.training import Recipe, Space

LANGUAGES = ("de", "en")
SIZES = {"wide": (40, 6, 5), "narrow": (40, 5, 6), "square": (40, 6, 6), "few": (4, 6, 5), "fewer": (3, 5, 6)}
SOLVED_BY_PAIRS = [name for name in CLOSED_FORMS if name not in ("gcca", "generalised_procrustes")]
SHAPES = [pytest.param(*size, id=name) for name, size in SIZES.items()]


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def make_pairs(count, d_text, d_image, *, seed=0, shared=False):
    """One caption an image in `en`; in `de`, which lacks every third image, two; a language weighs 1.

    In a `shared` space captions lie near their images; else the identity retrieves by chance.
    """
    rng = np.random.default_rng(seed)
    image = unit(rng.normal(size=(count, d_image)) + 0.5)
    turn = np.eye(d_image, d_text) if shared else rng.normal(size=(d_image, d_text))
    owners = np.repeat(np.flatnonzero(np.arange(count) % 3), 2), np.arange(count)
    text = tuple(unit(image[owner] @ turn + 0.7 * rng.normal(size=(len(owner), d_text))) for owner in owners)
    views = np.zeros((2, count, d_text), np.float32)
    for view, owner, rows in zip(views, owners, text, strict=True):
        np.add.at(view, owner, rows)
    masks = np.stack([np.arange(count) % 3 > 0, *np.ones((2, count), bool)])
    weights = tuple(np.full(len(owner), 1 / len(owner)) for owner in owners)
    return Pairs(text, owners, (image, image), weights, (*views, image), masks)


def solve(name, pairs, penalty=0.3):
    return CLOSED_FORMS[name].path(pairs, penalty=penalty)


def moved(side, rows):
    """The rows through the parameters of one side, float64."""
    rows = rows.astype(np.float64) - side["mean"]
    return rows @ (np.eye(*side["delta"].shape) + side["delta"]) + side["offset"]


def scores(params, pairs, number=1):
    """Inner products of mapped captions of a language and mapped images: what no sign of a direction changes."""
    text, image = (params["text"], params["image"]) if "image" in params else (params, None)
    if text["delta"].ndim == 3:
        text = {name: leaf[number] for name, leaf in text.items()}
    images = pairs.target[number].astype(np.float64) if image is None else moved(image, pairs.target[number])
    return moved(text, pairs.text[number]) @ images.T


def stacked(pairs):
    """All captions, their targets and weights, float64."""
    targets = [target[owner] for target, owner in zip(pairs.target, pairs.image_of, strict=True)]
    text, target = (np.concatenate(rows).astype(np.float64) for rows in (pairs.text, targets))
    return text, target, np.concatenate(pairs.weights)


def less_identity(text, target):
    return target - text @ np.eye(text.shape[1], target.shape[1])


@pytest.mark.parametrize("name", CLOSED_FORMS)
@pytest.mark.parametrize(("count", "d_text", "d_image"), SHAPES)
def test_a_path_of_parameters_that_begins_at_the_identity(name, count, d_text, d_image):
    pairs = make_pairs(count, d_text, d_image)
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
def test_the_aligner_maps_as_the_parameters_say(name):
    pairs = make_pairs(*SIZES["wide"])
    aligner, last = Space(6, 5, LANGUAGES).aligner(name, Recipe()), solve(name, pairs).points[-1]
    mapped = np.asarray(aligner.text(last, pairs.text[1], 1))
    found = mapped @ np.asarray(aligner.image(last, pairs.target[1])).T
    np.testing.assert_allclose(found, scores(last, pairs), atol=1e-4)


@pytest.mark.parametrize("name", CLOSED_FORMS)
@pytest.mark.parametrize("size", ["few", "fewer"])
def test_fewer_rows_than_dimensions_are_well_posed(name, size):
    pairs = make_pairs(*SIZES[size])
    noise = np.random.default_rng(1)

    def shaken(rows):
        return tuple((one + 1e-6 * noise.normal(size=one.shape)).astype(np.float32) for one in rows)

    other = pairs._replace(text=shaken(pairs.text), views=shaken(pairs.views))
    for one, two in zip(solve(name, pairs).points, solve(name, other).points, strict=True):
        np.testing.assert_allclose(scores(one, pairs), scores(two, pairs), rtol=1e-3, atol=1e-3)


def test_centred_ridge_is_scikit_learns_about_the_means_of_both_sides():
    pairs = make_pairs(*SIZES["wide"], shared=False)
    path, (text, target, weights) = solve("centred_ridge", pairs), stacked(pairs)
    text_mean, target_mean = (np.average(rows, axis=0, weights=weights) for rows in (text, target))
    unit_penalty = np.sum(weights[:, None] * (text - text_mean) ** 2) / text.shape[1]
    for place, penalty in list(enumerate(RIDGE_PENALTIES))[::7]:
        point = path.points[place + 1]
        wanted = Ridge(alpha=penalty * unit_penalty).fit(text, target, sample_weight=weights)
        np.testing.assert_allclose(moved(point["text"], text) + target_mean, wanted.predict(text), atol=1e-4)
        np.testing.assert_allclose(moved(point["image"], target), target - target_mean, atol=1e-5)


def test_centred_ridge_begins_at_centring_where_the_identity_informs():
    pairs = make_pairs(*SIZES["square"], shared=True)
    np.testing.assert_allclose(
        scores(solve("centred_ridge", pairs).points[1], pairs),
        scores(solve("centring", pairs).points[1], pairs),
        atol=0.02,
    )


@pytest.mark.parametrize(
    ("count", "d_text", "d_image", "shared"),
    [(*SIZES["square"], True), (*SIZES["square"], False), (*SIZES["wide"], True), (*SIZES["fewer"], True)],
)
def test_ridge_matches_scikit_learn(count, d_text, d_image, shared):
    """Towards the identity in a shared space; else with an intercept, towards zero."""
    pairs = make_pairs(count, d_text, d_image, shared=shared)
    path, (text, target, weights) = solve("ridge", pairs), stacked(pairs)
    informed = shared and d_text == d_image
    rest = less_identity(text, target) if informed else target
    about = np.average(text, axis=0, weights=weights) * (not informed)
    unit_penalty = np.sum(weights[:, None] * (text - about) ** 2) / d_text
    for place, penalty in list(enumerate(RIDGE_PENALTIES))[::7]:

        def fitted(rows, penalty=penalty):
            model = Ridge(alpha=penalty * unit_penalty, fit_intercept=not informed, solver="svd")
            return model.fit(text[rows], rest[rows], sample_weight=weights[rows])

        every = np.arange(len(text))
        point, matrix = path.points[place + 1], fitted(every).coef_.T
        np.testing.assert_allclose(moved(point, text), ranked_by(matrix, text, target, weights, informed), atol=1e-5)
        alone = [rest[i] - fitted(every != i).predict(text[[i]])[0] for i in every]
        wanted = np.average(np.sum(np.square(alone), axis=1), weights=weights)
        assert path.losses[place] == pytest.approx(wanted, rel=1e-5)
    if informed:
        lengths = [np.linalg.norm(point["delta"]) for point in path.points]
        assert (np.diff(lengths) > 0).all() and lengths[1] < 0.01


def ranked_by(matrix, text, target, weights, informed):
    """Captions mapped by E + matrix; or, about their mean, by a matrix without what it says of the mean target."""
    if informed:
        return text @ (np.eye(*matrix.shape) + matrix)
    means = [np.average(rows, axis=0, weights=weights) for rows in (text, target)]
    power = np.average(np.sum((target - means[1]) ** 2, axis=1), weights=weights) / target.shape[1]
    found = (text - means[0]) @ matrix
    return found - np.outer(found @ means[1], means[1]) / (means[1] @ means[1] + power)


@pytest.mark.parametrize("name", ["ridge", "pooled_ridge"])
@pytest.mark.parametrize("widths", [(6, 24), (24, 24), (24, 6)], ids=str)
def test_regressions_between_spaces_of_their_own_ignore_the_identity(name, widths):
    """Columns of the images in another order are the same problem, and offsets of either side are no part of it."""
    pairs = make_pairs(60, *widths)
    order = np.random.default_rng(4).permutation(widths[1])
    other = pairs._replace(target=tuple(target[:, order] for target in pairs.target))
    for one, two in zip(solve(name, pairs).points[1:], solve(name, other).points[1:], strict=True):
        np.testing.assert_allclose(scores(one, pairs), scores(two, other), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["ridge", "pooled_ridge"])
def test_a_linear_relation_between_widths_is_found(name):
    """Images far from zero are a linear map of captions plus noise: the best image of a caption is its own."""
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(400, 24))
    image = unit(rows @ rng.normal(size=(24, 48)) / 5 + 0.2 * rng.normal(size=(400, 48)) + 1)
    text = unit(rows + 0.2 * rng.normal(size=rows.shape) + 1)
    train = (np.arange(300),) * 2
    pairs = Pairs((text[:300],) * 2, train, (image[:300],) * 2, (np.full(300, 1 / 300),) * 2)
    point = solve(name, pairs).points[-4]
    side = {key: leaf[0] if leaf.ndim == (3 if key == "delta" else 2) else leaf for key, leaf in point.items()}
    found = unit(moved(side, text[300:])) @ image[300:].T
    assert np.mean(found.argmax(axis=1) == np.arange(100)) > 0.95
    assert np.mean(found.argmax(axis=0) == np.arange(100)) > 0.95


@pytest.mark.parametrize(("count", "d_text", "d_image"), SHAPES)
def test_pooled_ridge_with_stiff_parts_is_one_ridge(count, d_text, d_image, monkeypatch):
    """Each language weighing as many images as it has."""
    monkeypatch.setattr(closed_forms, "OWN_PENALTY", 1e10)
    monkeypatch.setattr(closed_forms, "identity_informs", lambda moments: True)
    pairs = make_pairs(count, d_text, d_image)
    images = [len(set(owner.tolist())) for owner in pairs.image_of]
    text, target, _ = stacked(pairs)
    weights = np.concatenate([many * each for many, each in zip(images, pairs.weights, strict=True)])
    unit_penalty = np.sum(weights[:, None] * text**2) / d_text
    for penalty, point in zip(POOLED_PENALTIES, solve("pooled_ridge", pairs).points[1:], strict=True):
        model = Ridge(alpha=penalty * unit_penalty, fit_intercept=False, solver="svd")
        wanted = model.fit(text, less_identity(text, target), sample_weight=weights).coef_.T
        np.testing.assert_allclose(point["delta"], np.stack([wanted] * 2), atol=1e-5)


def test_pooled_ridge_with_free_parts_is_least_squares_of_each_language(monkeypatch):
    monkeypatch.setattr(closed_forms, "OWN_PENALTY", 1e-9)
    monkeypatch.setattr(closed_forms, "identity_informs", lambda moments: True)
    pairs = make_pairs(*SIZES["wide"])
    last = solve("pooled_ridge", pairs).points[-1]
    for number in (0, 1):
        text, target = pairs.text[number].astype(np.float64), pairs.target[number][pairs.image_of[number]]
        wanted = np.linalg.lstsq(text, less_identity(text, target), rcond=None)[0]
        np.testing.assert_allclose(last["delta"][number], wanted, atol=1e-4)


def test_a_language_of_few_images_keeps_near_the_others():
    """The same captions and targets of a language, once as of six images, once as of sixty."""
    pairs = make_pairs(*SIZES["square"])
    text, target = unit(np.random.default_rng(5).normal(size=(2, 6, 6)))

    def error_of_the_first(copies):
        owner = np.arange(6 * copies)
        first = (np.tile(text, (copies, 1)), owner, np.tile(target, (copies, 1)), np.full(len(owner), 1 / len(owner)))
        both = Pairs(*((one, entry[1]) for one, entry in zip(first, pairs[:4], strict=True)))
        own = {name: leaf[0] for name, leaf in solve("pooled_ridge", both).points[4].items()}
        return np.sum(np.square(moved(own, text) - target))

    assert error_of_the_first(10) < 0.7 * error_of_the_first(1)


@pytest.mark.parametrize("scaled", [False, True])
def test_procrustes_is_scipys(scaled):
    pairs = make_pairs(*SIZES["square"])
    text, target, weights = stacked(pairs)
    means = [np.average(rows, axis=0, weights=weights) * scaled for rows in (text, target)]
    x, y = ((rows - mean) * np.sqrt(weights)[:, None] for rows, mean in zip((text, target), means, strict=True))
    turn, total = linalg.orthogonal_procrustes(x, y)
    factor = total / np.sum(x**2) if scaled else 1.0
    _, point = solve("scaled_procrustes" if scaled else "procrustes", pairs).points
    np.testing.assert_allclose(np.eye(6) + point["delta"], factor * turn, atol=1e-5)
    np.testing.assert_allclose(moved(point, text), (text - means[0]) @ (factor * turn) + means[1], atol=1e-5)


def covariances(pairs, penalty):
    """C_xx + λI, C_yy + μI and C_xy, by NumPy's weighted covariance; one penalty, or one a side."""
    text, target, weights = stacked(pairs)
    d = text.shape[1]
    found = np.cov(np.hstack([text, target]).T, aweights=weights, ddof=0)
    xx, yy, xy = found[:d, :d], found[d:, d:], found[:d, d:]
    penalties = np.broadcast_to(penalty, 2)
    return *(c + one * c.trace() / len(c) * np.eye(len(c)) for one, c in zip(penalties, (xx, yy), strict=True)), xy


def directions(side, kept):
    """E + delta, whose columns after the first `kept` are zero, with every column's largest entry positive."""
    matrix = np.eye(*side["delta"].shape) + side["delta"]
    np.testing.assert_allclose(matrix[:, kept:], 0, atol=1e-6)
    return upright(matrix[:, :kept])


def upright(matrix):
    largest = np.take_along_axis(matrix, np.abs(matrix).argmax(axis=0)[None], axis=0)
    return matrix * np.sign(largest)


@pytest.mark.parametrize("name", ["cca", "csa"])
@pytest.mark.parametrize("size", ["wide", "narrow", "few"])
def test_cca_is_the_generalised_eigenproblem(name, size):
    pairs = make_pairs(*SIZES[size])
    directions_found = min(SIZES[size][1:])
    text, target, weights = stacked(pairs)
    grid = [
        (0.3 * np.array(steps), kept, power)
        for steps in itertools.product(CANONICAL_STEPS, repeat=2)
        for kept in (1, directions_found)  # an eighth, a quarter and all of so few
        for power in (CSA_POWERS if name == "csa" else (0.0,))
    ]
    for (penalties, kept, power), point in zip(grid, solve(name, pairs).points[1:], strict=True):
        xx, yy, xy = covariances(pairs, penalties)
        for side, own, other, cross in (("text", xx, yy, xy), ("image", yy, xx, xy.T)):
            squares, vectors = linalg.eigh(cross @ np.linalg.solve(other, cross.T), own)
            squares, vectors = np.maximum(squares[::-1][:kept], 0), vectors[:, ::-1][:, :kept]
            # A correlation of zero has no direction of its own.
            clear = squares > 1e-4 * squares[0]
            scale = squares ** (power / 2)
            found = directions(point[side], kept)
            np.testing.assert_allclose(found[:, clear], upright(vectors * scale)[:, clear], rtol=1e-4, atol=1e-5)
        for side, rows in (("text", text), ("image", target)):
            np.testing.assert_allclose(point[side]["mean"], np.average(rows, axis=0, weights=weights), atol=1e-6)


def test_multi_step_step_by_step():
    pairs = make_pairs(*SIZES["wide"])
    for step, point in zip(STEPS, solve("multi_step", pairs).points[1:], strict=True):
        xx, yy, xy = covariances(pairs, 0.3 * step)
        roots = [np.real(linalg.sqrtm(own)) for own in (xx, yy)]
        left, values, right = linalg.svd(np.linalg.inv(roots[0]) @ xy @ np.linalg.inv(roots[1]), full_matrices=False)
        for side, root, turn in zip(("text", "image"), roots, (left, right.T), strict=True):
            wanted = np.linalg.inv(root) @ turn * np.sqrt(values) @ (turn.T @ root @ turn)
            np.testing.assert_allclose(directions(point[side], 5), upright(wanted), atol=1e-5)


def test_centring_takes_off_the_mean_of_each_side():
    pairs = make_pairs(*SIZES["wide"])
    text, target, weights = stacked(pairs)
    _, point = solve("centring", pairs).points
    for side, rows in (("text", text), ("image", target)):
        np.testing.assert_allclose(point[side]["mean"], np.average(rows, axis=0, weights=weights), atol=1e-6)
        assert not point[side]["delta"].any() and not point[side]["offset"].any()


def complete(count, d_text, d_image, *, seed=0):
    """Two languages, a caption an image in each."""
    rng = np.random.default_rng(seed)
    image = unit(rng.normal(size=(count, d_image)) + 0.5)
    turn = rng.normal(size=(d_image, d_text))
    text = tuple(unit(image @ turn + 0.7 * rng.normal(size=(count, d_text))) for _ in LANGUAGES)
    owners, weights = (np.arange(count),) * 2, (np.full(count, 1 / count),) * 2
    return Pairs(text, owners, (image, image), weights, (*text, image), np.ones((3, count), bool))


@pytest.mark.parametrize(("count", "d_text", "d_image"), [(40, 6, 5), (40, 5, 6), (8, 6, 5)])
def test_gcca_is_the_eigenproblem_of_the_rows(count, d_text, d_image):
    pairs = complete(count, d_text, d_image)
    kept = min(d_text, d_image)
    for step, point in zip(STEPS, solve("gcca", pairs).points[1:], strict=True):

        def pinv(rows, step=step):
            gram = rows.T @ rows
            return np.linalg.solve(gram + 0.3 * step * gram.trace() / len(gram) * np.eye(len(gram)), rows.T)

        views = [rows - rows.mean(axis=0) for rows in (view.astype(np.float64) for view in pairs.views)]
        consensus = linalg.eigh(sum(rows @ pinv(rows) for rows in views))[1][:, ::-1][:, :kept] * np.sqrt(count)
        every = np.concatenate([view.astype(np.float64) for view in pairs.views[:2]])
        captions = every - every.mean(axis=0)
        text_map = upright(pinv(captions) @ np.vstack([consensus] * 2))
        np.testing.assert_allclose(directions(point["text"], kept), text_map, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(
            directions(point["image"], kept), upright(pinv(views[2]) @ consensus), rtol=1e-4, atol=1e-4
        )
        np.testing.assert_allclose(point["text"]["mean"], every.mean(axis=0), atol=1e-6)


def test_the_consensus_of_one_language_and_images_is_procrustes():
    both = complete(40, 6, 6)
    pairs = Pairs(*(entry[:1] for entry in both[:4]), views=both.views[1:], masks=both.masks[1:])
    pairs = pairs._replace(text=both.text[1:])
    _, point = solve("generalised_procrustes", pairs).points
    wanted = linalg.orthogonal_procrustes(*(rows.astype(np.float64) for rows in pairs.views))[0]
    np.testing.assert_allclose(np.eye(6) + point["text"]["delta"], wanted, atol=1e-5)
    assert not any(leaf.any() for leaf in jax.tree.leaves(point["image"]))


@pytest.mark.parametrize("name", ["procrustes", "scaled_procrustes", "generalised_procrustes"])
@pytest.mark.parametrize("widths", [(6, 6), (5, 6)])
def test_a_turn_of_the_images_is_found_through_missing_captions(name, widths):
    """Captions of 5 dimensions are images of 6 that lack the last: a turn that can be undone."""
    pairs = make_pairs(40, *widths)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    image = pairs.target[0].astype(np.float64)
    image[:, widths[0] :] = 0
    text = tuple((image[owner][:, : widths[0]]).astype(np.float32) for owner in pairs.image_of)
    views = tuple(image[:, : widths[0]].astype(np.float32) * mask[:, None] for mask in pairs.masks[:2])
    turned = (image @ turn).astype(np.float32)
    point = solve(name, pairs._replace(text=text, target=(turned,) * 2, views=(*views, turned))).points[-1]
    side = point.get("text", point)
    np.testing.assert_allclose(np.eye(widths[0], 6) + side["delta"], turn[: widths[0]], atol=1e-5)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_the_order_of_captions_and_the_unit_of_weights_do_not_matter(name):
    pairs = make_pairs(*SIZES["wide"])
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
def test_weights_matter_and_languages_may_change_places(name):
    pairs = make_pairs(*SIZES["wide"])
    turned = Pairs(*(entry[::-1] for entry in pairs[:4]), views=(*pairs.views[1::-1], pairs.views[2]))
    turned = turned._replace(masks=pairs.masks[[1, 0, 2]])
    base, found = solve(name, pairs).points[-1], solve(name, turned).points[-1]
    np.testing.assert_allclose(scores(base, pairs, 0), scores(found, turned, 1), rtol=1e-4, atol=1e-5)
    heavy = tuple(weights * np.linspace(0.1, 5, len(weights)) for weights in pairs.weights)
    other = solve(name, pairs._replace(weights=heavy)).points[-1]
    assert np.abs(scores(base, pairs) - scores(other, pairs)).max() > 1e-4


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_what_is_missing_may_hold_anything(name):
    """Targets that no caption meets, rows that a mask hides, and a language without captions."""
    pairs = make_pairs(*SIZES["wide"])
    base = solve(name, pairs).points[-1]
    target = pairs.target[0].copy()
    target[::3] = np.nan
    view = np.where(pairs.masks[0][:, None], pairs.views[0], np.nan)
    odd = pairs._replace(target=(target, pairs.target[1]), views=(view, *pairs.views[1:]))
    np.testing.assert_array_equal(scores(solve(name, odd).points[-1], pairs), scores(base, pairs))


@pytest.mark.parametrize("name", SOLVED_BY_PAIRS)
def test_a_language_without_captions_adds_nothing(name):
    pairs = make_pairs(*SIZES["wide"])
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

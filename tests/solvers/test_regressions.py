"""Ridge regressions by name against scikit-learn: centred, towards the identity, and pooled over languages."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from ccalign_jax.numerics import unit_float32
from ccalign_jax.solvers import closed_forms
from ccalign_jax.solvers.closed_forms import POOLED_PENALTIES, RIDGE_PENALTIES
from ccalign_jax.solvers.paths import Pairs


def less_identity(text, target):
    return target - text @ np.eye(text.shape[1], target.shape[1])


def test_centred_ridge_is_scikit_learns_about_the_means_of_both_sides(make_pairs, solve, moved, stacked):
    pairs = make_pairs("wide", shared=False)
    path, (text, target, weights) = solve("centred_ridge", pairs), stacked(pairs)
    text_mean, target_mean = (np.average(rows, axis=0, weights=weights) for rows in (text, target))
    unit_penalty = np.sum(weights[:, None] * (text - text_mean) ** 2) / text.shape[1]
    for place, penalty in list(enumerate(RIDGE_PENALTIES))[::7]:
        point = path.points[place + 1]
        wanted = Ridge(alpha=penalty * unit_penalty).fit(text, target, sample_weight=weights)
        np.testing.assert_allclose(moved(point["text"], text) + target_mean, wanted.predict(text), atol=1e-4)
        np.testing.assert_allclose(moved(point["image"], target), target - target_mean, atol=1e-5)


def test_centred_ridge_begins_at_centring_where_the_identity_informs(make_pairs, solve, scores):
    pairs = make_pairs("square", shared=True)
    np.testing.assert_allclose(
        scores(solve("centred_ridge", pairs).points[1], pairs),
        scores(solve("centring", pairs).points[1], pairs),
        atol=0.02,
    )


@pytest.mark.parametrize(("size", "shared"), [("square", True), ("square", False), ("wide", True), ("fewer", True)])
def test_ridge_matches_scikit_learn(size, shared, make_pairs, solve, moved, stacked):
    """Towards the identity in a shared space; else with an intercept, towards zero."""
    pairs = make_pairs(size, shared=shared)
    d_text, d_image = pairs.text[0].shape[1], pairs.target[0].shape[1]
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
def test_regressions_between_spaces_of_their_own_ignore_the_identity(name, widths, make_pairs, solve, scores):
    """Columns of the images in another order are the same problem, and offsets of either side are no part of it."""
    pairs = make_pairs((60, *widths))
    order = np.random.default_rng(4).permutation(widths[1])
    other = pairs._replace(target=tuple(target[:, order] for target in pairs.target))
    for one, two in zip(solve(name, pairs).points[1:], solve(name, other).points[1:], strict=True):
        np.testing.assert_allclose(scores(one, pairs), scores(two, other), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["ridge", "pooled_ridge"])
def test_a_linear_relation_between_widths_is_found(name, solve, moved):
    """Images far from zero are a linear map of captions plus noise: the best image of a caption is its own."""
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(400, 24))
    image = unit_float32(rows @ rng.normal(size=(24, 48)) / 5 + 0.2 * rng.normal(size=(400, 48)) + 1)
    text = unit_float32(rows + 0.2 * rng.normal(size=rows.shape) + 1)
    train = (np.arange(300),) * 2
    pairs = Pairs((text[:300],) * 2, train, (image[:300],) * 2, (np.full(300, 1 / 300),) * 2)
    point = solve(name, pairs).points[-4]
    side = {key: leaf[0] if leaf.ndim == (3 if key == "delta" else 2) else leaf for key, leaf in point.items()}
    found = unit_float32(moved(side, text[300:])) @ image[300:].T
    assert np.mean(found.argmax(axis=1) == np.arange(100)) > 0.95
    assert np.mean(found.argmax(axis=0) == np.arange(100)) > 0.95


@pytest.mark.parametrize("size", ["wide", "narrow", "square", "few", "fewer"])
def test_pooled_ridge_with_stiff_parts_is_one_ridge(size, monkeypatch, make_pairs, solve, stacked):
    """Each language weighing as many images as it has."""
    monkeypatch.setattr(closed_forms, "OWN_PENALTY", 1e10)
    monkeypatch.setattr(closed_forms, "identity_informs", lambda moments: True)
    pairs = make_pairs(size)
    images = [len(set(owner.tolist())) for owner in pairs.image_of]
    text, target, _ = stacked(pairs)
    weights = np.concatenate([many * each for many, each in zip(images, pairs.weights, strict=True)])
    unit_penalty = np.sum(weights[:, None] * text**2) / text.shape[1]
    for penalty, point in zip(POOLED_PENALTIES, solve("pooled_ridge", pairs).points[1:], strict=True):
        model = Ridge(alpha=penalty * unit_penalty, fit_intercept=False, solver="svd")
        wanted = model.fit(text, less_identity(text, target), sample_weight=weights).coef_.T
        np.testing.assert_allclose(point["delta"], np.stack([wanted] * 2), atol=1e-5)


def test_pooled_ridge_with_free_parts_is_least_squares_of_each_language(monkeypatch, make_pairs, solve):
    monkeypatch.setattr(closed_forms, "OWN_PENALTY", 1e-9)
    monkeypatch.setattr(closed_forms, "identity_informs", lambda moments: True)
    pairs = make_pairs("wide")
    last = solve("pooled_ridge", pairs).points[-1]
    for number in (0, 1):
        text, target = pairs.text[number].astype(np.float64), pairs.target[number][pairs.image_of[number]]
        wanted = np.linalg.lstsq(text, less_identity(text, target), rcond=None)[0]
        np.testing.assert_allclose(last["delta"][number], wanted, atol=1e-4)


def test_a_language_of_few_images_keeps_near_the_others(make_pairs, solve, moved):
    """The same captions and targets of a language, once as of six images, once as of sixty."""
    pairs = make_pairs("square")
    text, target = unit_float32(np.random.default_rng(5).normal(size=(2, 6, 6)))

    def error_of_the_first(copies):
        owner = np.arange(6 * copies)
        first = (np.tile(text, (copies, 1)), owner, np.tile(target, (copies, 1)), np.full(len(owner), 1 / len(owner)))
        both = Pairs(*((one, entry[1]) for one, entry in zip(first, pairs[:4], strict=True)))
        own = {name: leaf[0] for name, leaf in solve("pooled_ridge", both).points[4].items()}
        return np.sum(np.square(moved(own, text) - target))

    assert error_of_the_first(10) < 0.7 * error_of_the_first(1)

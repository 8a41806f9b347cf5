"""Rotations and canonical maps by name against SciPy: Procrustes, CCA and its relatives, several views at once."""

import itertools

import jax
import numpy as np
import pytest
from scipy import linalg

from ccalign_jax.numerics import unit_float32
from ccalign_jax.solvers.closed_forms import CANONICAL_STEPS, CSA_POWERS, STEPS
from ccalign_jax.solvers.paths import Pairs

LANGUAGES = ("de", "en")


@pytest.mark.parametrize("scaled", [False, True])
def test_procrustes_is_scipys(scaled, make_pairs, solve, moved, stacked):
    pairs = make_pairs("square")
    text, target, weights = stacked(pairs)
    means = [np.average(rows, axis=0, weights=weights) * scaled for rows in (text, target)]
    x, y = ((rows - mean) * np.sqrt(weights)[:, None] for rows, mean in zip((text, target), means, strict=True))
    turn, total = linalg.orthogonal_procrustes(x, y)
    factor = total / np.sum(x**2) if scaled else 1.0
    _, point = solve("scaled_procrustes" if scaled else "procrustes", pairs).points
    np.testing.assert_allclose(np.eye(6) + point["delta"], factor * turn, atol=1e-5)
    np.testing.assert_allclose(moved(point, text), (text - means[0]) @ (factor * turn) + means[1], atol=1e-5)


def covariances(rows, penalty):
    """C_xx + λI, C_yy + μI and C_xy, by NumPy's weighted covariance; one penalty, or one a side."""
    text, target, weights = rows
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
def test_cca_is_the_generalised_eigenproblem(name, size, make_pairs, solve, stacked):
    pairs = make_pairs(size)
    directions_found = min(pairs.text[0].shape[1], pairs.target[0].shape[1])
    text, target, weights = stacked(pairs)
    grid = [
        (0.3 * np.array(steps), kept, power)
        for steps in itertools.product(CANONICAL_STEPS, repeat=2)
        for kept in (1, directions_found)  # an eighth, a quarter and all of so few
        for power in (CSA_POWERS if name == "csa" else (0.0,))
    ]
    for (penalties, kept, power), point in zip(grid, solve(name, pairs).points[1:], strict=True):
        xx, yy, xy = covariances(stacked(pairs), penalties)
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


def test_multi_step_step_by_step(make_pairs, solve, stacked):
    pairs = make_pairs("wide")
    for step, point in zip(STEPS, solve("multi_step", pairs).points[1:], strict=True):
        xx, yy, xy = covariances(stacked(pairs), 0.3 * step)
        roots = [np.real(linalg.sqrtm(own)) for own in (xx, yy)]
        left, values, right = linalg.svd(np.linalg.inv(roots[0]) @ xy @ np.linalg.inv(roots[1]), full_matrices=False)
        for side, root, turn in zip(("text", "image"), roots, (left, right.T), strict=True):
            wanted = np.linalg.inv(root) @ turn * np.sqrt(values) @ (turn.T @ root @ turn)
            np.testing.assert_allclose(directions(point[side], 5), upright(wanted), atol=1e-5)


def test_centring_takes_off_the_mean_of_each_side(make_pairs, solve, stacked):
    pairs = make_pairs("wide")
    text, target, weights = stacked(pairs)
    _, point = solve("centring", pairs).points
    for side, rows in (("text", text), ("image", target)):
        np.testing.assert_allclose(point[side]["mean"], np.average(rows, axis=0, weights=weights), atol=1e-6)
        assert not point[side]["delta"].any() and not point[side]["offset"].any()


def complete(count, d_text, d_image, *, seed=0):
    """Two languages, a caption an image in each."""
    rng = np.random.default_rng(seed)
    image = unit_float32(rng.normal(size=(count, d_image)) + 0.5)
    turn = rng.normal(size=(d_image, d_text))
    text = tuple(unit_float32(image @ turn + 0.7 * rng.normal(size=(count, d_text))) for _ in LANGUAGES)
    owners, weights = (np.arange(count),) * 2, (np.full(count, 1 / count),) * 2
    return Pairs(text, owners, (image, image), weights, (*text, image), np.ones((3, count), bool))


@pytest.mark.parametrize(("count", "d_text", "d_image"), [(40, 6, 5), (40, 5, 6), (8, 6, 5)])
def test_gcca_is_the_eigenproblem_of_the_rows(count, d_text, d_image, solve):
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


def test_the_consensus_of_one_language_and_images_is_procrustes(solve):
    both = complete(40, 6, 6)
    pairs = Pairs(*(entry[:1] for entry in both[:4]), views=both.views[1:], masks=both.masks[1:])
    pairs = pairs._replace(text=both.text[1:])
    _, point = solve("generalised_procrustes", pairs).points
    wanted = linalg.orthogonal_procrustes(*(rows.astype(np.float64) for rows in pairs.views))[0]
    np.testing.assert_allclose(np.eye(6) + point["text"]["delta"], wanted, atol=1e-5)
    assert not any(leaf.any() for leaf in jax.tree.leaves(point["image"]))


@pytest.mark.parametrize("name", ["procrustes", "scaled_procrustes", "generalised_procrustes"])
@pytest.mark.parametrize("widths", [(6, 6), (5, 6)])
def test_a_turn_of_the_images_is_found_through_missing_captions(name, widths, make_pairs, solve):
    """Captions of 5 dimensions are images of 6 that lack the last: a turn that can be undone."""
    pairs = make_pairs((40, *widths))
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    image = pairs.target[0].astype(np.float64)
    image[:, widths[0] :] = 0
    text = tuple((image[owner][:, : widths[0]]).astype(np.float32) for owner in pairs.image_of)
    views = tuple(image[:, : widths[0]].astype(np.float32) * mask[:, None] for mask in pairs.masks[:2])
    turned = (image @ turn).astype(np.float32)
    point = solve(name, pairs._replace(text=text, target=(turned,) * 2, views=(*views, turned))).points[-1]
    side = point.get("text", point)
    np.testing.assert_allclose(np.eye(widths[0], 6) + side["delta"], turn[: widths[0]], atol=1e-5)

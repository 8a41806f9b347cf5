"""The epoch that is kept: the first best on the selection part, which training never sees."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest

from ccalign_jax.aligners import make_aligner
from ccalign_jax.training import (
    Embeddings,
    Part,
    Recipe,
    Trajectory,
    choose_epoch,
    keep_epoch,
    map_part,
    rank_part,
    score_epochs,
    score_map,
)

COUNT, D = 24, 6
ALIGNER = make_aligner("residual", D, D, languages=1)
ORDER = np.arange(COUNT, dtype=np.int32)
PART = Part(ORDER, (ORDER,), (ORDER,), (ORDER[:, None],))


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def data() -> Embeddings:
    """Captions are images turned: W = the turn finds all of them, W = I few."""
    rng = np.random.default_rng(0)
    image = unit(rng.standard_normal((COUNT, D)))
    text = image @ turn().T
    counts = np.ones((1, COUNT), np.int32)
    return Embeddings(*map(jnp.asarray, (text, image, ORDER.reshape(1, COUNT, 1), counts, ORDER)))


def turn():
    return np.linalg.qr(np.random.default_rng(1).standard_normal((D, D)))[0].astype(np.float32)


@pytest.fixture
def path() -> Callable[..., Trajectory]:
    """Maps interpolated between identity and the rotation at these shares; after a share of NaN a run has diverged."""

    def make(*shares: float) -> Trajectory:
        delta = np.asarray(shares, np.float32)[:, None, None] * (turn() - np.eye(D, dtype=np.float32))
        diverged = np.where(np.isnan(shares), 3, 0)
        epochs = jnp.arange(len(shares))
        return Trajectory({"delta": jnp.asarray(delta)}, jnp.zeros(len(shares) - 1), jnp.asarray(diverged), epochs)

    return make


def test_the_best_epoch_is_kept_with_its_parameters_and_scores(data, path, mean_scores):
    run = path(0.0, 0.5, 1.0, 0.75)
    found = choose_epoch(ALIGNER, run, data, PART, recipe=Recipe())
    assert (int(found.epoch), int(found.diverged)) == (2, 0)
    np.testing.assert_array_equal(found.params["delta"], run.params["delta"][2])
    np.testing.assert_allclose(found.scores[2], 1.0, atol=1e-6)
    for epoch in range(4):
        wanted = mean_scores(rank_part(map_part(ALIGNER, {"delta": run.params["delta"][epoch]}, data, PART)))
        np.testing.assert_allclose(found.scores[epoch], wanted, atol=1e-6)


@pytest.mark.parametrize("shares", [(0.0, 0.0, 0.0), (1.0, 0.5, 1.0), (0.5, 1.0, 1.0)])
def test_of_equal_epochs_the_first_is_kept(data, path, shares):
    found = choose_epoch(ALIGNER, path(*shares), data, PART, recipe=Recipe())
    assert int(found.epoch) == int(np.argmax(shares))


def test_the_start_may_be_no_candidate(data, path):
    found = choose_epoch(ALIGNER, path(1.0, 0.0, 0.0), data, PART, recipe=Recipe(start_counts=False))
    assert int(found.epoch) == 1


def test_the_criterion_decides(data, path):
    noise = 0.4 * np.random.default_rng(2).standard_normal((30, D, D)).astype(np.float32)
    run = path(*[0.6] * 30)
    run = run._replace(params={"delta": run.params["delta"] + noise})
    kept = {name: choose_epoch(ALIGNER, run, data, PART, recipe=Recipe(criterion=name)) for name in ("mean", "t2i")}
    scores = np.asarray(kept["mean"].scores, np.float64)
    for name, values in (("mean", scores.mean(axis=1)), ("t2i", scores[:, 0])):
        assert int(kept[name].epoch) == np.argmax(values > values.max() - 1e-7)
    assert int(kept["mean"].epoch) != int(kept["t2i"].epoch)


def test_rows_outside_the_part_are_not_looked_at(data, path):
    half = ORDER[: COUNT // 2]
    part = Part(half, (half,), (half,), (half[:, None],))
    other = data._replace(text=data.text.at[COUNT // 2 :].set(0.0), image=data.image.at[COUNT // 2 :].set(0.0))
    one, two = (choose_epoch(ALIGNER, path(0.0, 0.5), rows, part, recipe=Recipe()) for rows in (data, other))
    np.testing.assert_array_equal(one.scores, two.scores)


def test_an_epoch_settled_before_is_not_scored(path):
    found = keep_epoch(path(0.0, 0.5, 1.0), 1)
    assert int(found.epoch) == 1 and not np.any(found.scores) and found.scores.shape == (3, 3)
    np.testing.assert_array_equal(found.params["delta"], path(0.5, 0.0).params["delta"][0])


NAN = float("nan")


@pytest.mark.parametrize(
    ("shares", "start_counts", "kept"),
    [((0.0, 0.5, NAN, NAN), True, 1), ((1.0, NAN, NAN), True, 0), ((1.0, 0.0, NAN), False, 1), ((0.0, NAN), False, 0)],
)
def test_an_epoch_that_diverged_is_never_kept(data, path, shares, start_counts, kept):
    run = path(*shares)
    found = choose_epoch(ALIGNER, run, data, PART, recipe=Recipe(start_counts=start_counts))
    assert (int(found.epoch), int(found.diverged)) == (kept, 3)
    assert not np.any(found.scores[np.isnan(shares)]) and np.isfinite(found.params["delta"]).all()
    assert not np.any(score_epochs(ALIGNER, run, data, PART).images[np.isnan(shares)])
    settled = keep_epoch(run, len(shares) - 1)
    assert int(settled.epoch) == int(np.argmax(np.isnan(shares))) - 1 and int(settled.diverged) == 3


def test_epochs_that_are_not_scored_are_counted(data, path):
    """Maps after epochs 0, 4, 8 and 10: the numbers are those of the epochs, the places those of the maps."""
    run = path(0.0, 0.5, 1.0, 0.75)._replace(epochs=jnp.array([0, 4, 8, 10]))
    found = choose_epoch(ALIGNER, run, data, PART, recipe=Recipe())
    assert (int(found.epoch), int(found.point)) == (8, 2)
    assert [int(keep_epoch(run, epoch).epoch) for epoch in (0, 3, 4, 9, 10, 99)] == [0, 0, 4, 8, 10, 10]


def test_images_add_up_to_the_scores(data):
    """Two languages, one without captions of some images, and padding: what images add is theirs, and all of it."""
    rows = np.concatenate([ORDER[:-4], np.full(4, -1, np.int32)])
    few, count = ORDER[::3].astype(np.int32), COUNT - 4
    owner = np.searchsorted(ORDER, few[few < count]).astype(np.int32)
    gold = np.full((COUNT, 1), -1, np.int32)
    gold[owner, 0] = np.arange(len(owner))
    whole = np.where(count > ORDER, ORDER, -1)
    part = Part(rows, (rows, few[few < count]), (whole, owner), (whole[:, None], gold))
    found = score_map(ALIGNER, {"delta": jnp.zeros((D, D))}, data, part)
    np.testing.assert_allclose(found.images.sum(axis=0), found.mean, atol=1e-6)
    assert found.images.shape == (COUNT, 3) and not np.any(found.images[count:])
    ranks = rank_part(map_part(ALIGNER, {"delta": jnp.zeros((D, D))}, data, part))
    hits = [np.asarray(language[0].better == 0) / len(language[0].better) for language in ranks]
    hits[0] = np.asarray(ranks[0][0].better == 0)[:count] / count
    wanted = np.zeros(COUNT)
    wanted[:count] += hits[0] / 2
    np.add.at(wanted, owner, hits[1] / 2)
    np.testing.assert_allclose(found.images[:, 0], wanted, atol=1e-6)


def test_one_map_of_rows_has_length_one(data):
    mapped = map_part(ALIGNER, {"delta": jnp.ones((D, D))}, data, PART)
    np.testing.assert_allclose(np.linalg.norm(mapped.text[0], axis=1), 1.0, atol=1e-6)

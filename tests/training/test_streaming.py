"""Training on batches from outside: the steps of `fit`, on to the same bits after a stop, and spread over devices."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from ccalign_jax.aligners import make_aligner
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import Batch, make_pivot
from ccalign_jax.training import Hyper, Recipe, fit_stream, make_objective, start_stream, step

D, STEPS, SIZE = 6, 7, 16
LANGUAGES = ("de", "en")
RECIPE = Recipe()


def stored_batches(dtype=np.float16, steps=STEPS):
    """Rows of any length, de lacking some; captions are images turned."""
    random = np.random.default_rng(0)
    turn = np.linalg.qr(random.standard_normal((D, D)))[0]
    for _ in range(steps):
        image = 3 * random.standard_normal((SIZE, D))
        text = np.stack([image @ turn + 0.1 * random.standard_normal((SIZE, D)) for _ in LANGUAGES])
        mask = np.stack([random.random(SIZE) > 0.3, np.ones(SIZE, bool)])
        numbers = np.arange(SIZE, dtype=np.int32)
        yield Batch(text.astype(dtype), mask, image.astype(dtype), np.ones(SIZE, bool), numbers)


def run(name="residual", *, pivot="image", recipe=RECIPE, batches=None, points=(STEPS,), hyper=None, **options):
    return list(
        fit_stream(
            make_aligner(name, D, D, languages=2, hidden=8),
            make_pivot(pivot, LANGUAGES),
            LOSSES["infonce"],
            Hyper(learning_rate=1e-2, warmup=2) if hyper is None else hyper,
            jax.random.key(3),
            stored_batches() if batches is None else batches,
            recipe=recipe,
            total=STEPS,
            points=points,
            **options,
        )
    )


def assert_same(left, right):
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("scale", [2.0**70, 2.0**-80])
def test_rows_of_any_size_train_the_same_map(scale):
    """Powers of two change no bit of what is read, so that the maps are equal to the bit."""
    plain, scaled = (
        run(
            batches=(
                batch._replace(text=size * batch.text, image=size * batch.image) for batch in stored_batches(np.float32)
            )
        )
        for size in (np.float32(1.0), np.float32(scale))
    )
    assert_same(plain, scaled)


def test_it_is_a_loop_over_step():
    """Against the steps one by one, on float32 unit rows made by NumPy."""
    hyper, key = Hyper(learning_rate=1e-2, warmup=2), jax.random.key(3)
    aligner, pivot = make_aligner("residual", D, D, languages=2), make_pivot("image", LANGUAGES)
    objective = make_objective(aligner, pivot, LOSSES["infonce"], RECIPE)
    state, values = start_stream(aligner, hyper, RECIPE, key), []
    take = jax.jit(partial(step, objective=objective, hyper=hyper, recipe=RECIPE, total=STEPS))
    for batch in stored_batches():
        text, image = (rows.astype(np.float32) for rows in (batch.text, batch.image))
        unit = [rows / np.linalg.norm(rows, axis=-1, keepdims=True) for rows in (text, image)]
        state, value = take(state, batch._replace(text=unit[0], image=unit[1]), key)
        values.append(float(value))
    (point,) = run()
    assert int(point.state.steps) == STEPS
    assert point.loss == pytest.approx(np.mean(values), rel=1e-5)
    np.testing.assert_allclose(point.state.params.map["delta"], state.params.map["delta"], atol=1e-5)


def test_training_lowers_the_objective():
    batch = next(stored_batches())
    points = run(batches=iter([batch] * STEPS), points=range(1, STEPS + 1))
    assert points[-1].loss < points[0].loss


@pytest.mark.parametrize("name", ["residual_mlp", "dual(residual)", "fourier"])
def test_going_on_is_never_having_stopped(name):
    """To the bit: dropout and a learned temperature, two sides, and a map that reads something off a sample first."""
    recipe = dataclasses.replace(RECIPE, learned_temperature=True)
    hyper = Hyper(learning_rate=1e-2, warmup=2)
    if name == "residual_mlp":
        recipe = dataclasses.replace(recipe, terms=recipe.terms | {"dropout"})
        hyper = hyper._replace(dropout=0.2)
    options = {"recipe": recipe, "hyper": hyper, "pivot": "symmetric" if "dual" in name else "image"}
    first, whole = run(name, points=(4, STEPS), sample=next(stored_batches()), **options)
    batches = stored_batches()
    for _ in range(4):
        next(batches)
    (later,) = run(name, points=(4, STEPS), batches=batches, state=first.state, **options)
    assert_same(later, whole)


def test_points_are_the_callers_to_keep_and_do_not_change_the_run():
    (once,), often = run(), run(points=range(1, STEPS + 1))
    assert_same(often[-1].state, once.state)
    assert [int(point.state.steps) for point in often] == list(range(1, STEPS + 1))
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(once.state))
    assert np.any(often[0].state.params.map["delta"] != once.state.params.map["delta"])


def test_as_many_batches_are_taken_as_steps_are_made():
    taken = []

    def counted():
        for batch in stored_batches():
            taken.append(1)
            yield batch

    aligner, pivot = make_aligner("residual", D, D, languages=2), make_pivot("image", LANGUAGES)
    options = {"recipe": RECIPE, "total": STEPS, "points": (3, 5, STEPS)}
    for point in fit_stream(aligner, pivot, LOSSES["infonce"], Hyper(), jax.random.key(0), counted(), **options):
        assert len(taken) == int(point.state.steps)


def test_what_is_frozen_stays():
    first, second = run("fourier", points=(1, STEPS), sample=next(stored_batches()))
    frozen = make_aligner("fourier", D, D, languages=2).frozen
    assert frozen
    moved = {name for name, leaf in first.state.params.map.items() if np.any(leaf != second.state.params.map[name])}
    assert moved and not moved & set(frozen)


def test_seeds_differ_in_the_start():
    aligner = make_aligner("residual_mlp", D, D, languages=2, hidden=8)
    one, two = (start_stream(aligner, Hyper(), RECIPE, jax.random.key(seed)) for seed in (0, 1))
    leaves = zip(jax.tree.leaves(one.params), jax.tree.leaves(two.params), strict=True)
    assert any(np.any(left != right) for left, right in leaves)


def test_batches_that_end_too_soon():
    with pytest.raises(ValueError, match="the batches end after 3 of 7 steps"):
        run(batches=stored_batches(steps=3))


@pytest.mark.parametrize("pivot", ["consensus", "gcca"])
def test_a_consensus_needs_all_rows(one_line, pivot):
    one_line(lambda: run("dual(residual)", pivot=pivot), f"pivot {pivot} needs all rows at once")


def test_rows_of_every_dtype_are_taken():
    (half,), (single,) = (run(batches=stored_batches(dtype)) for dtype in (jnp.bfloat16, np.float32))
    np.testing.assert_allclose(half.state.params.map["delta"], single.state.params.map["delta"], atol=0.02)


@pytest.mark.usefixtures("nothing_kept")  # from here on: other runs are read back, since each compiles the same anew
def test_spread_over_devices_it_is_the_same_run():
    mesh = Mesh(np.array(jax.devices()), ("images",))
    assert mesh.size == 8
    (alone,), (spread,) = run(), run(mesh=mesh)
    assert spread.loss == pytest.approx(alone.loss, rel=1e-5)
    np.testing.assert_allclose(spread.state.params.map["delta"], alone.state.params.map["delta"], atol=1e-5)

"""One run: against a plain loop, and against torch."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ccalign_jax.aligners import make_aligner
from ccalign_jax.losses import LOSSES
from ccalign_jax.numerics import unit_rows
from ccalign_jax.pivots import Batch, make_pivot
from ccalign_jax.training import (
    Embeddings,
    Hyper,
    Part,
    Recipe,
    draw_batch,
    fit,
    frozen_leaves,
    image_order,
    learning_rate,
    make_objective,
    map_part,
    score_part,
    start,
    step,
    take,
)

COUNT, D, TRAIN = 60, 8, 40
RECIPE = Recipe(epochs=3, steps_per_epoch=4, score_every=1, batch_images=16)
TURN = np.linalg.qr(np.random.default_rng(3).standard_normal((D, D)))[0]


def planted(noise=0.05):
    """Two languages; image i is its captions turned, so that identity knows nothing and a linear map everything."""
    rng = np.random.default_rng(0)
    meaning = rng.standard_normal((COUNT, D))
    text = np.concatenate([meaning + noise * rng.standard_normal((COUNT, D)) for _ in range(2)])
    rows = np.arange(2 * COUNT).reshape(2, COUNT, 1)
    data = Embeddings(text, meaning @ TURN, rows, np.ones((2, COUNT), np.int32), np.arange(COUNT))
    data = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32 if leaf.dtype == float else jnp.int32), data)
    unit = jax.jit(unit_rows)
    return data._replace(text=unit(data.text), image=unit(data.image))


def part_of(images):
    place, rows = np.arange(len(images), dtype=np.int32), np.asarray(images, np.int32)
    return jax.device_put(Part(rows, (rows, rows + COUNT), (place, place), (place[:, None], place[:, None])))


DATA = planted()
HELD_OUT = part_of(np.arange(TRAIN, COUNT))


@partial(jax.jit, static_argnames=("name", "loss", "recipe"))
def run(key, hyper, *, name="residual", loss="infonce", recipe=RECIPE):
    aligner = make_aligner(name, D, D, languages=2, hidden=16)
    return fit(
        aligner,
        make_pivot("image", ("en", "ja")),
        LOSSES[loss],
        hyper,
        key,
        DATA,
        jnp.arange(TRAIN),
        TRAIN,
        recipe=recipe,
    )


def assert_same(left, right):
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_array_equal(one, other)


def floats(**changes):
    return Hyper(*(jnp.float32(value) for value in Hyper(**changes)))


def recall(params, name="residual"):
    return score_part(map_part(make_aligner(name, D, D, languages=2), params, DATA, HELD_OUT)).mean


@pytest.mark.parametrize("replacement", [False, True])
def test_fit_equals_a_plain_loop_over_step(replacement):
    recipe = Recipe(
        epochs=2,
        steps_per_epoch=3,
        score_every=1,
        batch_images=16,
        replacement=replacement,
        hidden=16,
        terms=frozenset({"l2", "clip", "prox", "dropout"}),
    )
    hyper = floats(learning_rate=0.01, warmup=2, prox=1e-3, dropout=0.25, temperature=0.1)
    key = jax.random.key(5)
    whole = run(key, hyper, name="residual_mlp", recipe=recipe)

    aligner = make_aligner("residual_mlp", D, D, languages=2, hidden=16)
    objective = make_objective(aligner, make_pivot("image", ("en", "ja")), LOSSES["infonce"], recipe)
    init_key, order_key, step_key = jax.random.split(key, 3)
    drawn = {"steps": 6, "size": 16, "replacement": replacement, "min_train_size": TRAIN}
    order = jax.jit(partial(image_order, **drawn))(order_key, jnp.arange(TRAIN), TRAIN)
    first = jax.jit(partial(start, aligner, recipe=recipe))(hyper=hyper, key=init_key)
    state, losses = first, []
    one_step, draw = jax.jit(partial(step, objective=objective, recipe=recipe, total=6)), jax.jit(draw_batch)
    for number, images in enumerate(order):
        batch_key, dropout_key = jax.random.split(jax.random.fold_in(step_key, number))
        state, value = one_step(state, draw(batch_key, DATA, images), dropout_key, hyper=hyper)
        losses.append(float(value))
    ends = first.params.map, state.params.map
    for one, begun, ended in zip(*map(jax.tree.leaves, (whole.params, *ends)), strict=True):
        np.testing.assert_allclose(one[0], begun, atol=2e-7)  # drawn in another program
        np.testing.assert_allclose(one[-1], ended, atol=2e-6)
    np.testing.assert_allclose(whole.losses, np.mean(np.reshape(losses, (2, 3)), axis=1), atol=2e-6)
    assert int(state.steps) == 6 and len(jax.tree.leaves(whole.params)[0]) == 3
    assert not whole.diverged.any() and whole.diverged.shape == (3,)


def test_epochs_between_two_scores_are_trained_and_not_kept():
    """Five epochs, of which the second, the fourth and the last are kept: the same steps, to the bit."""
    hyper, key = floats(learning_rate=0.05, temperature=0.1), jax.random.key(5)
    every, some = (run(key, hyper, recipe=dataclasses.replace(RECIPE, epochs=5, score_every=n)) for n in (1, 2))
    assert every.epochs.tolist() == [0, 1, 2, 3, 4, 5] and some.epochs.tolist() == [0, 2, 4, 5]
    assert_same(some.params, take(every.params, some.epochs))
    assert_same((some.losses, some.diverged), (every.losses, take(every.diverged, some.epochs)))


@pytest.mark.parametrize("name", ["residual", "residual_mlp"])
def test_bfloat16_rounds_every_product_of_a_step(name):
    """Parameters and their moments stay float32; the run ends near that in float32, and not at it."""
    hyper, key = floats(learning_rate=0.01, temperature=0.1), jax.random.key(5)
    half = dataclasses.replace(RECIPE, precision="bfloat16")
    exact, rounded = run(key, hyper, name=name), run(key, hyper, name=name, recipe=half)
    for one, other in zip(jax.tree.leaves(exact.params), jax.tree.leaves(rounded.params), strict=True):
        assert other.dtype == jnp.float32 and not np.array_equal(one[-1], other[-1])
        np.testing.assert_allclose(other[-1], one[-1], atol=0.02)
    np.testing.assert_allclose(rounded.losses, exact.losses, rtol=0.02)


def test_the_first_diverged_step_is_recorded():
    """The same steps as epochs of three and as epochs of one, which show the parameters after each."""
    hyper = floats(learning_rate=10, warmup=0, prox=1e38, temperature=0.1)
    longer, single = (
        run(
            jax.random.key(5),
            hyper,
            recipe=Recipe(
                epochs=6 // size, steps_per_epoch=size, score_every=1, batch_images=16, terms=frozenset({"prox"})
            ),
        )
        for size in (3, 1)
    )
    finite = np.isfinite(single.params["delta"]).all(axis=(1, 2))
    first = int(np.argmin(finite))
    assert 1 < first < 6 and finite[:first].all() and not finite[first:].any()
    assert single.diverged.tolist() == [0] * first + [first] * (7 - first)
    assert longer.diverged.tolist() == single.diverged[::3].tolist()


@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_the_optimiser_is_torchs_adam_with_l2_after_clipping(clip):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    text = rng.standard_normal((1, 12, 5)).astype(np.float32)
    image = rng.standard_normal((12, 4)).astype(np.float32)
    true = jnp.ones(12, bool)
    batch = Batch(jnp.asarray(text), true[None], jnp.asarray(image), true, jnp.arange(12))
    hyper, total = floats(learning_rate=0.05, l2=0.1, clip=clip, warmup=2), 5
    aligner, recipe = make_aligner("residual", 5, 4, languages=1), Recipe()
    objective = make_objective(aligner, make_pivot("image", ("en",)), LOSSES["mse"], recipe)
    state = start(aligner, hyper, recipe, jax.random.key(0))
    one_step = jax.jit(partial(step, objective=objective, recipe=recipe, total=total))

    delta = torch.zeros(5, 4, requires_grad=True)
    adam = torch.optim.Adam([delta], lr=1.0, weight_decay=0.1)
    anchors, targets = torch.from_numpy(text[0]), torch.from_numpy(image)
    for number in range(total):
        adam.zero_grad()
        value = ((anchors[:, :4] + anchors @ delta - targets) ** 2).sum(1).mean()
        value.backward()
        if clip:
            assert torch.nn.utils.clip_grad_norm_([delta], clip) > clip
        adam.param_groups[0]["lr"] = float(learning_rate(hyper, number, total))
        adam.step()
        state, mine = one_step(state, batch, jax.random.key(0), hyper=hyper)
        assert float(mine) == pytest.approx(value.item(), rel=1e-5)
        np.testing.assert_allclose(state.params.map["delta"], delta.detach().numpy(), atol=5e-6)


def test_the_schedule_by_hand():
    rates = [float(learning_rate(Hyper(learning_rate=2.0, warmup=4), s, 14)) for s in range(15)]
    expected = [0.5, 1.0, 1.5, 2.0]
    expected += [2.0 * (0.1 + 0.9 * 0.5 * (1 + np.cos(np.pi * s / 10))) for s in range(11)]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)
    assert float(learning_rate(Hyper(learning_rate=2.0, warmup=0), 0, 10)) == 2.0
    # a warm-up longer than the run never ends, as in the seed study's shortest trial
    late = [float(learning_rate(Hyper(learning_rate=1.0, warmup=150), s, 100)) for s in (0, 99)]
    np.testing.assert_allclose(late, [1 / 150, 100 / 150], rtol=1e-5)


@pytest.mark.parametrize("name", ["residual", "linear"])
def test_the_key_decides_to_the_bit(name):
    hyper = floats(learning_rate=0.05)
    one, again, other = (run(jax.random.key(seed), hyper, name=name) for seed in (1, 1, 2))
    assert all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(again)))
    assert not np.array_equal(jax.tree.leaves(one.params)[0][-1], jax.tree.leaves(other.params)[0][-1])


@pytest.mark.parametrize(("name", "loss"), [("residual", "infonce"), ("linear", "infonce"), ("linear", "mse")])
def test_a_planted_map_is_learnt(name, loss):
    recipe = Recipe(epochs=4, steps_per_epoch=60, score_every=4, batch_images=20)
    hyper = floats(learning_rate=0.03, temperature=0.1, l2=0.0, warmup=4)
    found = run(jax.random.key(0), hyper, name=name, loss=loss, recipe=recipe)
    before, after = (np.asarray(recall(take(found.params, point), name)) for point in (0, 1))
    assert before[:2].max() < 0.3
    assert after.min() > 0.95
    assert found.losses[-1] < found.losses[0]


def test_padding_and_its_length_stay_outside():
    """The images behind the count are never seen: any number may stand there."""
    aligner, pivot = make_aligner("residual", D, D, languages=2), make_pivot("image", ("en", "ja"))

    @jax.jit
    def padded(filling):
        images = jnp.concatenate([jnp.arange(TRAIN), filling])
        key, hyper = jax.random.key(0), floats(learning_rate=0.05)
        return fit(
            aligner, pivot, LOSSES["infonce"], hyper, key, DATA, images, TRAIN, recipe=RECIPE, min_train_size=TRAIN
        )

    one, other = padded(jnp.full(5, -1)), padded(jnp.arange(5))
    assert_same(one, other)
    assert np.any(one.params["delta"])


@pytest.mark.parametrize("name", ["fourier", "nystroem"])
def test_what_is_frozen_is_read_off_the_training_rows_and_then_stays(name):
    recipe = Recipe(epochs=2, steps_per_epoch=3, batch_images=8, features=4, terms=frozenset({"l2", "clip"}))
    aligner = make_aligner(name, D, D, languages=2, features=4)
    hyper = floats(learning_rate=0.05, l2=0.5, warmup=0)

    def run(recipe):
        what = aligner, make_pivot("image", ("en", "ja")), LOSSES["infonce"]
        here = jax.jit(lambda key: fit(*what, hyper, key, DATA, jnp.arange(TRAIN), TRAIN, recipe=recipe))
        return take(here(jax.random.key(0)).params, -1)

    done, before = run(recipe), jax.jit(aligner.init)(jax.random.split(jax.random.key(0), 3)[0])
    frozen = frozen_leaves(aligner, done)
    assert any(jax.tree.leaves(frozen)) and not all(jax.tree.leaves(frozen))
    # Decay at l2 = .5 would have shrunk them; what the data set is the same after any number of steps.
    twice = run(dataclasses.replace(recipe, epochs=4))
    changed = []
    for stays, one, other, start_leaf in zip(*map(jax.tree.leaves, (frozen, done, twice, before)), strict=True):
        if stays:
            np.testing.assert_allclose(one, other, atol=1e-5)  # one is compiled apart from the other
            changed.append(not np.array_equal(one, start_leaf))
        else:
            assert not np.array_equal(one, start_leaf)
    assert any(changed)


def test_a_learned_temperature_moves_and_does_not_decay():
    recipe = Recipe(batch_images=8, learned_temperature=True)
    aligner = make_aligner("residual", D, D, languages=2)
    objective = make_objective(aligner, make_pivot("image", ("en", "ja")), LOSSES["infonce"], recipe)
    hyper = floats(learning_rate=0.05, temperature=0.5, l2=0.0, warmup=0)
    state = jax.jit(partial(start, aligner, recipe=recipe))(hyper=hyper, key=jax.random.key(0))
    assert float(jnp.exp(-state.params.log_scale)) == pytest.approx(0.5)
    one_step = jax.jit(partial(step, objective=objective, recipe=recipe, total=5))
    batch = jax.jit(draw_batch)(jax.random.key(1), DATA, jnp.arange(8))
    moved = one_step(state, batch, jax.random.key(2), hyper=hyper)[0].params.log_scale
    decayed = one_step(state, batch, jax.random.key(2), hyper=hyper._replace(l2=jnp.float32(9.0)))[0].params.log_scale
    assert float(moved) != float(state.params.log_scale) and float(moved) == pytest.approx(float(decayed), abs=1e-5)

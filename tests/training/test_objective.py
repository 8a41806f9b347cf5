"""The objective: the pivot's terms under the loss, plus what the recipe and the numbers ask for, and nothing else."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from ccalign_jax.aligners import linear_part, make_aligner
from ccalign_jax.losses import LOSSES, clip_loss, mse_loss, ortho_penalty, prox_penalty
from ccalign_jax.numerics import unit_float32, unit_rows
from ccalign_jax.pivots import Batch, Term, make_pivot
from ccalign_jax.training import Hyper, Recipe, Trained, make_objective, scored_epochs

LANGUAGES, KEY = ("de", "en"), jax.random.key(5)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def batch_of(size: int = 8) -> Batch:
    mask = np.random.default_rng(3).random((2, size)) > 0.3
    text, image = unit_float32(normal(2, size, 5)), unit_float32(normal(size, 5, seed=1))
    return Batch(text, mask, image, np.arange(size) != 2, np.arange(size) % 6)


def made(name: str = "residual", pivot: str = "image", loss: str = "infonce", axis_name=None, **recipe):
    aligner = make_aligner(name, 5, 5, languages=2, hidden=4)
    recipe = Recipe(**{"terms": frozenset(), **recipe})
    objective = make_objective(aligner, make_pivot(pivot, LANGUAGES), LOSSES[loss], recipe, axis_name=axis_name)
    params = jax.tree.map(
        lambda leaf: leaf + 0.3 * normal(*leaf.shape, seed=7), jax.jit(aligner.init)(jax.random.key(0))
    )

    def of_params(params, *rest):
        return objective(Trained(params), *rest)

    return aligner, params, of_params if axis_name else jax.jit(of_params)


@pytest.mark.parametrize("mask_positives", [True, False])
@pytest.mark.parametrize("pool", ["union", "per_language"])
def test_it_is_the_loss_of_the_mapped_rows(pool, mask_positives):
    _, params, objective = made(mask_positives=mask_positives, i2t_pool=pool)
    batch = batch_of()
    mapped = unit_float32(batch.text + batch.text @ params["delta"])
    expected = jax.jit(partial(clip_loss, mask_positives=mask_positives, i2t_pool=pool))(
        mapped, batch.image, temperature=0.2, mask=batch.mask, image_mask=batch.image_mask, groups=batch.groups
    )
    np.testing.assert_allclose(objective(params, batch, Hyper(temperature=0.2), KEY), expected, rtol=1e-5)


def test_terms_of_a_pivot_are_added_by_their_weights():
    batch, aligner = batch_of(), make_aligner("residual", 5, 5, languages=2)
    params = {"delta": normal(5, 5)}

    def terms(aligner, params, batch, map_text, hyper):
        anchors = map_text(batch.text)
        some = Term(anchors, batch.image, batch.mask, batch.image_mask, weight=0.25)
        return [some, some._replace(targets=batch.text[0], weight=jnp.float32(3.0))]

    pivot = make_pivot("image", LANGUAGES)._replace(terms=terms)
    objective = make_objective(aligner, pivot, LOSSES["mse"], Recipe(terms=frozenset()))
    mapped, mask = batch.text + batch.text @ params["delta"], batch.mask & batch.image_mask
    expected = 0.25 * mse_loss(mapped, batch.image, mask=mask) + 3 * mse_loss(mapped, batch.text[0], mask=mask)
    np.testing.assert_allclose(objective(Trained(params), batch, Hyper(), KEY), expected, rtol=1e-5)


@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize("name", ["linear", "residual", "per_language(residual)", "dual(linear)", "residual_mlp"])
def test_penalties_are_added_where_the_recipe_has_them(name, normalization):
    pivot = "symmetric" if "dual" in name else "image"
    hyper, batch = Hyper(prox=0.7, ortho=0.3), batch_of()
    aligner, params, bare = made(name, pivot)
    plain = bare(params, batch, Hyper(), KEY)
    assert float(bare(params, batch, hyper, KEY)) == float(plain)  # an absent term costs nothing, whatever its weight
    full = made(name, pivot, normalization=normalization, terms=frozenset({"prox", "ortho"}))[2]
    for weights, penalty, of in (
        ({"prox": 0.7}, prox_penalty, aligner.deviation),
        ({"ortho": 0.3}, ortho_penalty, linear_part(aligner)),
    ):
        (weight,) = weights.values()
        expected = 0.0 if of is None else weight * penalty(of(params), normalization=normalization)
        added = full(params, batch, Hyper(**weights), KEY) - plain
        np.testing.assert_allclose(added, expected, rtol=1e-4, atol=1e-5)


def test_dropout_needs_the_term_and_follows_the_key():
    hyper, batch = Hyper(dropout=0.5), batch_of()
    _, params, without = made("residual_mlp")
    dropped = made("residual_mlp", terms=frozenset({"dropout"}))[2]
    other = jax.random.key(6)
    assert float(without(params, batch, hyper, KEY)) == float(without(params, batch, hyper, other))
    assert float(dropped(params, batch, hyper, KEY)) == float(dropped(params, batch, hyper, KEY))
    assert float(dropped(params, batch, hyper, KEY)) != float(dropped(params, batch, hyper, other))
    none = dropped(params, batch, Hyper(dropout=0.0), KEY)
    np.testing.assert_allclose(none, without(params, batch, hyper, KEY), rtol=1e-6)


def test_every_number_is_traced():
    """One program serves a whole sweep: no number is branched on, and stacked numbers give the single values."""
    _, params, objective = made("residual_mlp", terms=frozenset({"prox", "dropout"}))
    batch, traces = batch_of(), []

    @jax.jit
    def counted(hyper):
        traces.append(1)
        return objective(params, batch, hyper, KEY)

    hypers = [Hyper(temperature=0.1, prox=0.0, dropout=0.1), Hyper(temperature=0.5, prox=2.0, dropout=0.4)]
    hypers = [Hyper(*map(jnp.float32, hyper)) for hyper in hypers]
    single = [float(counted(hyper)) for hyper in hypers]
    assert len(traces) == 1 and single[0] != single[1]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *hypers)
    np.testing.assert_allclose(jax.jit(jax.vmap(counted))(stacked), single, rtol=1e-5)


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(("name", "pivot"), [("residual", "image"), ("per_language(linear)", "text:en")])
def test_a_spread_batch_has_the_objective_and_gradient_of_the_whole(name, pivot):
    if jax.device_count() < 8:
        pytest.skip("needs eight devices")
    terms = frozenset({"prox", "ortho"})
    _, params, whole = made(name, pivot, terms=terms)
    objective = made(name, pivot, terms=terms, axis_name="batch")[2]
    batch, hyper = batch_of(16), Hyper(prox=0.01, ortho=0.02)

    def step(params, batch):
        value, gradient = jax.value_and_grad(lambda p: jax.lax.pmean(objective(p, batch, hyper, KEY), "batch"))(params)
        return value, jax.lax.pmean(gradient, "batch")

    mesh = Mesh(np.array(jax.devices()[:8]), ("batch",))
    rows = P("batch")
    specs = Batch(P(None, "batch"), P(None, "batch"), rows, rows, rows)
    expected = jax.jit(jax.value_and_grad(lambda p: whole(p, batch, hyper, KEY)))(params)
    for check_vma in (True, False):
        spread = jax.shard_map(step, mesh=mesh, in_specs=(P(), specs), out_specs=P(), check_vma=check_vma)
        for one, two in zip(*map(jax.tree.leaves, (jax.jit(spread)(params, batch), expected)), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=2e-6)


def test_the_gradient_of_a_batch_without_anything_is_that_of_the_penalties():
    _, params, objective = made(terms=frozenset({"prox"}))
    batch = batch_of()._replace(mask=np.zeros((2, 8), bool))
    value, gradient = jax.jit(jax.value_and_grad(objective))(params, batch, Hyper(prox=0.5), KEY)
    np.testing.assert_allclose(value, 0.5 * jnp.sum(params["delta"] ** 2), rtol=1e-6)
    np.testing.assert_allclose(gradient["delta"], params["delta"], rtol=1e-6)


def test_noise_mixing_and_the_spectral_norm_need_their_terms():
    batch = batch_of()._replace(mask=np.ones((2, 8), bool), image_mask=np.ones(8, bool))
    _, params, bare = made()
    plain = float(bare(params, batch, Hyper(), KEY))
    for name, value in (("noise", 0.5), ("mix", 1.0)):
        changed = made(terms=frozenset({name}))[2]
        hyper = Hyper(**{name: value})
        assert float(bare(params, batch, hyper, KEY)) == plain
        assert float(changed(params, batch, hyper, KEY)) != float(changed(params, batch, hyper, jax.random.key(6)))
        np.testing.assert_allclose(changed(params, batch, Hyper(), KEY), plain, rtol=1e-5)
    full = made(terms=frozenset({"spectral"}))[2]
    largest = np.linalg.norm(params["delta"], 2)
    np.testing.assert_allclose(full(params, batch, Hyper(spectral=0.3), KEY) - plain, 0.3 * largest**2, rtol=0.02)


def test_a_learned_temperature_takes_the_place_of_the_given_one():
    aligner, params, fixed = made()
    objective = make_objective(aligner, make_pivot("image", LANGUAGES), LOSSES["infonce"], Recipe(terms=frozenset()))
    learned = Trained(params, jnp.log(jnp.float32(5.0)))
    value, gradient = jax.jit(jax.value_and_grad(objective))(learned, batch_of(), Hyper(temperature=0.9), KEY)
    np.testing.assert_allclose(value, fixed(params, batch_of(), Hyper(temperature=0.2), KEY), rtol=1e-5)
    assert float(gradient.log_scale) != 0


def test_targets_of_each_language_are_the_mean_of_the_languages_alone():
    """Languages without a pair do not count; the structure loss sees the rows before the map."""
    batch, aligner = batch_of(), make_aligner("residual", 5, 5, languages=2)
    params = {"delta": 0.3 * normal(5, 5)}
    targets = jnp.stack([batch.image, batch.text[0]])
    there = jnp.stack([batch.image_mask, batch.image_mask & False])

    def alone(loss, target_mask):
        def terms(aligner, params, batch, map_text, hyper):
            return [Term(map_text(batch.text), targets, batch.mask, target_mask, original=batch.text)]

        pivot = make_pivot("image", LANGUAGES)._replace(terms=terms)
        return make_objective(aligner, pivot, LOSSES[loss], Recipe(terms=frozenset()))(
            Trained(params), batch, Hyper(temperature=0.2), KEY
        )

    one = [
        clip_loss(
            unit_rows(batch.text[number] + batch.text[number] @ params["delta"]),
            unit_rows(targets[number]),
            temperature=0.2,
            mask=batch.mask[number],
            image_mask=batch.image_mask,
            groups=batch.groups,
        )
        for number in range(2)
    ]
    np.testing.assert_allclose(alone("infonce", there), one[0], rtol=1e-5)
    np.testing.assert_allclose(alone("infonce", jnp.stack([batch.image_mask] * 2)), np.mean(one), rtol=1e-5)
    assert float(alone("structure", there)) > float(alone("infonce", there))


def test_a_recipe_leaves_the_tile_to_the_loss():
    def program(size: int, **recipe) -> str:
        _, params, objective = made(loss="infonce", **recipe)
        return re.sub(r" at 0x\w+", "", str(jax.make_jaxpr(jax.grad(objective))(params, batch_of(size), Hyper(), KEY)))

    assert program(32) == program(32, tile=0) != program(32, tile=1024)
    assert program(1500) == program(1500, tile=1024)  # 2 languages


def test_at_least_four_epochs_are_scored_beside_the_start():
    """Of four epochs every one; with the step of five that suits twenty, only the first and last map would be seen."""
    for epochs in range(1, 41):
        scored = scored_epochs(Recipe(epochs=epochs))
        assert scored[0] == 0 and scored[-1] == epochs and len(scored) > min(epochs, 4)
        assert max(np.diff(scored)) <= 5
    assert scored_epochs(Recipe(epochs=20)) == (0, 5, 10, 15, 20)
    assert scored_epochs(Recipe(epochs=4, score_every=3)) == (0, 3, 4)

"""Many runs as one program: each equals the run alone, whatever else is swept, and one compilation serves all."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.losses import LOSSES
from ccalign_jax.numerics import unit_rows
from ccalign_jax.pivots import make_pivot
from ccalign_jax.training import (
    Embeddings,
    FoldArrays,
    Group,
    Hyper,
    Part,
    Recipe,
    Space,
    Trial,
    choose_epoch,
    evaluate_folds,
    fit,
    fitting_recipe,
    group_trials,
    make_program,
    map_part,
    mean_scores,
    plan_slices,
    rank_part,
    slice_inputs,
    slice_runs,
    take,
)

COUNT, D, FOLDS = 48, 6, 3
SPACE = Space(D, D, ("en", "ja"))
RECIPE = Recipe(epochs=2, steps_per_epoch=3, batch_images=8)
KEY = jax.random.key(11)


def embeddings():
    rng = np.random.default_rng(0)
    image = rng.standard_normal((COUNT, D)).astype(np.float32)
    text = np.tile(image, (2, 1)) + rng.standard_normal((2 * COUNT, D)).astype(np.float32)
    rows, counts = jnp.arange(2 * COUNT).reshape(2, COUNT, 1), jnp.ones((2, COUNT), jnp.int32)
    return Embeddings(unit_rows(jnp.asarray(text)), unit_rows(jnp.asarray(image)), rows, counts, jnp.arange(COUNT))


def part_of(images):
    rows, place = jnp.asarray(images, jnp.int32), jnp.arange(len(images), dtype=jnp.int32)
    return Part(rows, (rows, rows + COUNT), (place, place), (place[:, None], place[:, None]))


def fold_arrays():
    order = np.random.default_rng(1).permutation(COUNT).reshape(FOLDS + 1, -1)
    folds = []
    for number in range(FOLDS):
        select, report, *train = (order[(number + other) % 4] for other in range(4))
        train = np.concatenate(train)
        folds.append(
            FoldArrays(
                jnp.asarray(np.append(train, -1), jnp.int32),
                jnp.int32(len(train)),
                *(part_of(rows) for rows in (select, report, train[:12])),
            )
        )
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *folds)


DATA, ARRAYS = embeddings(), fold_arrays()
LEAST = 24


def trials(*changes, aligner="residual", recipe=RECIPE, first=0):
    return [
        Trial(first + number, f"t{first + number}", "image", aligner, "infonce", Hyper(**one), recipe)
        for number, one in enumerate(changes)
    ]


def run_group(group, *, accelerator=False, width=FOLDS, program=None):
    """`{trial name: {fold: result}}`, slice by slice, padding dropped."""
    program = program or make_program(group, SPACE, least=LEAST, accelerator=accelerator)
    found = {}
    for number in range(-(-len(group.trials) * FOLDS // width)):
        inputs = slice_inputs(group, FOLDS, key=KEY, width=width, number=number)
        assert inputs[2].shape == (width,)
        done = jax.tree.map(np.asarray, program(DATA, ARRAYS, *inputs))
        for place, (trial, fold) in enumerate(slice_runs(group, FOLDS, width=width, number=number)):
            found.setdefault(trial.name, {})[fold] = jax.tree.map(lambda leaf, at=place: leaf[at], done)
    return found


def assert_same(left, right):
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_array_equal(one, other)


GRID = ({"learning_rate": 0.05}, {"learning_rate": 0.01, "temperature": 0.2}, {"learning_rate": 0.1, "l2": 0.01})


@pytest.fixture(scope="module")
def group():
    (only,) = group_trials(trials(*GRID))
    return only


@pytest.fixture(scope="module")
def results(group):
    return run_group(group)


def test_mapped_runs_equal_single_fits_to_the_bit(group, results):
    aligner, pivot = SPACE.aligner("residual", RECIPE), make_pivot("image", SPACE.languages)

    @jax.jit
    def single(hyper, key, fold):
        return fit(
            aligner,
            pivot,
            LOSSES["infonce"],
            hyper,
            key,
            DATA,
            fold.train,
            fold.train_count,
            recipe=fitting_recipe(group.recipe, LEAST),
            least=LEAST,
        )

    for trial in group.trials[:2]:
        for fold in range(FOLDS):
            hyper = Hyper(*map(jnp.float32, trial.hyper))
            key = jax.random.fold_in(jax.random.fold_in(KEY, trial.index), fold)
            arrays = take(ARRAYS, fold)
            done = choose_epoch(aligner, single(hyper, key, arrays), DATA, arrays.select, recipe=group.recipe)
            ranks = rank_part(map_part(aligner, done.params, DATA, arrays.report))
            assert_same(done.params, results[trial.name][fold].fit.params)
            assert int(done.epoch) == results[trial.name][fold].fit.epoch
            assert_same(ranks[0][0][:3], results[trial.name][fold].report[0][0][:3])


def test_the_accelerators_program_agrees(group, results):
    width, slices = 4, 3  # nine runs in slices of four: the last is padded
    other = run_group(group, accelerator=True, width=width)
    assert slices == -(-9 // width)
    assert {name: sorted(folds) for name, folds in other.items()} == {f"t{n}": [0, 1, 2] for n in range(3)}
    for name, folds in results.items():
        for fold, one in folds.items():
            np.testing.assert_allclose(other[name][fold].fit.losses, one.fit.losses, atol=1e-4)
            np.testing.assert_allclose(other[name][fold].fit.scores[0], one.fit.scores[0], atol=1e-4)
            if other[name][fold].fit.epoch == one.fit.epoch:
                assert np.abs(other[name][fold].fit.params["delta"] - one.fit.params["delta"]).max() < 1e-4


def test_one_compilation_serves_all_slices_and_numbers(monkeypatch):
    traces = []
    entry = LOSSES["infonce"]

    def counting(*args, **options):
        traces.append(1)
        return entry.call(*args, **options)

    monkeypatch.setitem(LOSSES, "infonce", entry._replace(call=counting))
    (one,) = group_trials(trials(*GRID))
    program = make_program(one, SPACE, least=LEAST, accelerator=False)
    inputs = [slice_inputs(one, FOLDS, key=KEY, width=FOLDS, number=number) for number in range(3)]
    program(DATA, ARRAYS, *inputs[0])
    once = len(traces)
    assert once > 0
    for given_inputs in inputs[1:]:
        program(DATA, ARRAYS, *given_inputs)
    assert len(traces) == once
    assert program.fit._cache_size() == 1


def test_a_trial_is_its_index_whatever_else_is_swept(group, results):
    """Other trials, another order, and the slices' width leave a run as it was, to the bit."""
    program = make_program(group, SPACE, least=LEAST, accelerator=False)
    reverse = dataclasses.replace(group, trials=group.trials[::-1])
    assert_same(results, dict(sorted(run_group(reverse, program=program).items())))
    alone = dataclasses.replace(group, trials=group.trials[1:2])
    assert_same(results["t1"], run_group(alone, program=program)["t1"])
    renumbered = dataclasses.replace(group, trials=(dataclasses.replace(group.trials[1], index=7),))
    other = run_group(renumbered, program=program)["t1"]
    assert not np.array_equal(other[0].fit.losses, results["t1"][0].fit.losses)
    padded = run_group(group, width=4)
    assert_same(results, padded)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 7), st.integers(0, 2**31), st.booleans())
def test_the_slices_hold_every_run_once(count, folds, params_bytes, accelerator):
    members = tuple(trials(*({"l2": float(number)} for number in range(count))))
    one = Group("image", "residual", "infonce", RECIPE, members)
    width, slices = plan_slices(one, folds, params_bytes=params_bytes, accelerator=accelerator)
    found = [slice_runs(one, folds, width=width, number=number) for number in range(slices)]
    assert all(0 < len(runs) <= width for runs in found)
    together = [(trial.name, fold) for runs in found for trial, fold in runs]
    assert together == [(trial.name, fold) for trial in members for fold in range(folds)]
    assert slice_runs(one, folds, width=width, number=slices) == []
    if accelerator:
        assert width * slices - count * folds < slices  # next to nothing is padded
        assert width == 1 or width * (8 + RECIPE.epochs) * params_bytes <= 2**32


def test_groups_keep_apart_what_is_static_and_drop_what_is_zero():
    numbers = trials({"prox": 0.0, "clip": 0.0, "l2": 0.0}, {"prox": 1e-3, "clip": 0.0, "l2": 0.0})
    wide = trials({"l2": 0.0, "clip": 0.0}, recipe=dataclasses.replace(RECIPE, epochs=3), first=2)
    linear = trials({"ortho": 0.1, "dropout": 0.1}, aligner="linear", first=3)
    groups = group_trials([numbers[0], wide[0], linear[0], numbers[1]])
    assert [[trial.index for trial in one.trials] for one in groups] == [[0, 1], [2], [3]]
    assert [sorted(one.recipe.terms) for one in groups] == [["prox"], [], ["clip", "dropout", "l2", "ortho"]]
    assert [one.recipe.epochs for one in groups] == [2, 3, 2]


def test_an_absent_term_changes_nothing():
    """A trial with l2 = 0 beside one with l2 > 0 runs the longer program to the same result."""
    plain = {"learning_rate": 0.05, "l2": 0.0}
    (lone,) = group_trials(trials(plain))
    (both,) = group_trials(trials(plain, {"l2": 0.1, "prox": 0.1, "ortho": 0.1}))
    assert lone.recipe.terms < both.recipe.terms
    one, other = run_group(lone)["t0"], run_group(both)["t0"]
    for fold in range(FOLDS):
        np.testing.assert_allclose(one[fold].fit.losses, other[fold].fit.losses, atol=1e-5)


def test_identity_on_every_fold():
    aligner = SPACE.aligner("identity", RECIPE)

    def ranks_of(part):
        return rank_part(map_part(aligner, {}, DATA, part))

    found = list(evaluate_folds(aligner, {}, DATA, ARRAYS))
    assert len(found) == FOLDS
    for number, (scores, report, sample) in enumerate(found):
        fold = jax.tree.map(lambda leaf, at=number: leaf[at], ARRAYS)
        expected = [ranks_of(part) for part in (fold.select, fold.report, fold.sample)]
        np.testing.assert_allclose(scores, mean_scores(expected[0]), atol=1e-6)
        assert_same([pair[0][:3] for pair in expected[1]], [pair[0][:3] for pair in report])
        assert_same([pair[1][:3] for pair in expected[2]], [pair[1][:3] for pair in sample])

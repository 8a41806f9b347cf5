"""Many runs as one program: each equals the run alone, whatever else is swept, and one compilation serves all."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.losses import LOSSES
from ccalign_jax.numerics import unit_float32
from ccalign_jax.pivots import make_pivot
from ccalign_jax.training import (
    Embeddings,
    FoldArrays,
    Hyper,
    Part,
    Recipe,
    Space,
    Trial,
    fit,
    fitting_recipe,
    group_trials,
    make_program,
    scored_epochs,
    slice_inputs,
    slice_width,
)
from ccalign_jax.training.sweep import SLICE_BYTES

COUNT, D, FITS = 48, 6, 3
SPACE = Space(D, D, ("en", "ja"))
RECIPE = Recipe(epochs=2, steps_per_epoch=3, batch_images=8)
KEY = jax.random.key(11)
LEAST = 24


def embeddings():
    rng = np.random.default_rng(0)
    image = rng.standard_normal((COUNT, D)).astype(np.float32)
    text = np.tile(image, (2, 1)) + rng.standard_normal((2 * COUNT, D)).astype(np.float32)
    rows, counts = np.arange(2 * COUNT, dtype=np.int32).reshape(2, COUNT, 1), np.ones((2, COUNT), np.int32)
    one = Embeddings(unit_float32(text), unit_float32(image), rows, counts, np.arange(COUNT, dtype=np.int32))
    return jax.device_put(one)


def fit_arrays():
    """Sets to fit, padded: a program that fits looks at no other part."""
    order = np.random.default_rng(1).permutation(COUNT)
    train = [np.sort(np.roll(order, 12 * number)[:size]) for number, size in enumerate((24, 36, 30))]
    padded = [np.pad(rows, (0, 36 - len(rows)), constant_values=-1) for rows in train]
    nothing = Part(np.zeros((1, 0), np.int32), (), (), ())
    sizes = np.asarray(list(map(len, train)), np.int32)
    return jax.device_put(FoldArrays(np.stack(padded).astype(np.int32), sizes, *[nothing] * 3))


DATA, ARRAYS = embeddings(), fit_arrays()


def trials(*changes, aligner="residual", recipe=RECIPE, first=0):
    return [
        Trial(first + number, f"t{first + number}", "image", aligner, "infonce", Hyper(**one), recipe)
        for number, one in enumerate(changes)
    ]


def run_group(group, *, accelerator=False, width=FITS, program=None):
    """`{trial name: {fit: trajectory}}`, slice by slice, padding dropped."""
    program = program or make_program(group, SPACE, min_train_size=LEAST, accelerator=accelerator)
    found = {}
    runs = runs_of(group)
    for first in range(0, len(runs), width):
        inputs = slice_inputs(runs[first : first + width], key=KEY, width=width)
        assert inputs[2].shape == (width,)
        done = jax.tree.map(np.asarray, program(DATA, ARRAYS, *inputs))
        for place, (trial, one) in enumerate(runs[first : first + width]):
            found.setdefault(trial.name, {})[one] = jax.tree.map(lambda leaf, at=place: leaf[at], done)
    return found


def runs_of(group):
    """Every trial on every fit, trial by trial."""
    return [(trial, fit) for trial in group.trials for fit in range(FITS)]


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
    recipe = fitting_recipe(group.recipe, LEAST)

    @jax.jit
    def single(hyper, key, images, count):
        return fit(
            aligner, pivot, LOSSES["infonce"], hyper, key, DATA, images, count, recipe=recipe, min_train_size=LEAST
        )

    for trial in group.trials[:2]:
        for number in range(FITS):
            hyper = Hyper(*map(jnp.float32, trial.hyper))
            key = jax.random.fold_in(jax.random.fold_in(KEY, trial.index), number)
            alone = single(hyper, key, ARRAYS.train[number], ARRAYS.train_count[number])
            assert_same(alone, results[trial.name][number])
            assert len(alone.losses) == RECIPE.epochs and np.any(alone.params["delta"][-1])


def test_the_accelerators_program_agrees(group, results):
    width, slices = 4, 3  # nine runs in slices of four: the last is padded
    other = run_group(group, accelerator=True, width=width)
    assert slices == -(-9 // width)
    assert {name: sorted(fits) for name, fits in other.items()} == {f"t{n}": [0, 1, 2] for n in range(3)}
    for name, fits in results.items():
        for number, one in fits.items():
            np.testing.assert_allclose(other[name][number].losses, one.losses, atol=1e-4)
            np.testing.assert_allclose(other[name][number].params["delta"], one.params["delta"], atol=1e-4)


def counted(monkeypatch):
    """How often the loss has been traced since."""
    traces, entry = [], LOSSES["infonce"]

    def counting(*args, **options):
        traces.append(1)
        return entry.call(*args, **options)

    monkeypatch.setitem(LOSSES, "infonce", entry._replace(call=counting))
    return traces


def test_one_compilation_serves_all_slices_and_numbers(monkeypatch):
    traces = counted(monkeypatch)
    (one,) = group_trials(trials(*GRID))
    program = make_program(one, SPACE, min_train_size=LEAST, accelerator=False)
    runs = runs_of(one)
    inputs = [slice_inputs(runs[first : first + FITS], key=KEY, width=FITS) for first in range(0, len(runs), FITS)]
    program(DATA, ARRAYS, *inputs[0])
    once = len(traces)
    assert once > 0
    for given_inputs in inputs[1:]:
        program(DATA, ARRAYS, *given_inputs)
    assert len(traces) == once
    assert program.fit._cache_size() == 1


def test_a_second_sweep_of_the_same_kind_compiles_nothing(monkeypatch):
    """Other numbers and other data of the same shape; what is static asks for a program of its own."""
    traces = counted(monkeypatch)
    (one,) = group_trials(trials(*GRID))
    inputs = slice_inputs(runs_of(one)[:FITS], key=KEY, width=FITS)
    first = make_program(one, SPACE, min_train_size=LEAST, accelerator=False).compile(DATA, ARRAYS, *inputs)
    once = len(traces)
    (other,) = group_trials(trials({"learning_rate": 0.2}, first=9))
    second = make_program(other, SPACE, min_train_size=LEAST, accelerator=False)
    turned = DATA._replace(text=-DATA.text)
    found = second.compile(turned, ARRAYS, *slice_inputs(runs_of(other), key=KEY, width=FITS))
    assert found.fit is first.fit and len(traces) == once > 0
    assert not np.array_equal(found(turned, ARRAYS, *inputs).losses, first(DATA, ARRAYS, *inputs).losses)
    narrow = second.compile(DATA, ARRAYS, *slice_inputs(runs_of(other)[:2], key=KEY, width=2))
    assert narrow.fit is not first.fit
    (longer,) = group_trials(trials(*GRID, recipe=dataclasses.replace(RECIPE, epochs=3)))
    assert make_program(longer, SPACE, min_train_size=LEAST, accelerator=False).fit is not second.fit
    assert make_program(one, SPACE, min_train_size=LEAST - 1, accelerator=False).fit is not second.fit


def test_a_trial_is_its_index_whatever_else_is_swept(group, results):
    """Other trials, another order, and the slices' width leave a run as it was, to the bit."""
    program = make_program(group, SPACE, min_train_size=LEAST, accelerator=False)
    reverse = dataclasses.replace(group, trials=group.trials[::-1])
    assert_same(results, dict(sorted(run_group(reverse, program=program).items())))
    alone = dataclasses.replace(group, trials=group.trials[1:2])
    assert_same(results["t1"], run_group(alone, program=program)["t1"])
    renumbered = dataclasses.replace(group, trials=(dataclasses.replace(group.trials[1], index=7),))
    other = run_group(renumbered, program=program)["t1"]
    assert not np.array_equal(other[0].losses, results["t1"][0].losses)
    for width in (1, 4):  # one fit at a time; and padded
        assert_same(results, run_group(group, width=width))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 600), st.integers(0, 2**31), st.booleans())
def test_a_call_is_as_wide_as_memory_allows(runs, params_bytes, accelerator):
    width = slice_width(RECIPE, runs, params_bytes=params_bytes, accelerator=accelerator)
    taken = (8 + len(scored_epochs(RECIPE))) * params_bytes
    assert width == 1 or (accelerator and width * taken <= SLICE_BYTES)
    calls = -(-runs // width)
    assert width * calls - runs < calls  # next to nothing is padded


def test_groups_keep_apart_what_is_static_and_drop_what_is_zero():
    numbers = trials({"prox": 0.0, "clip": 0.0, "l2": 0.0}, {"prox": 1e-3, "clip": 0.0, "l2": 0.0})
    wide = trials({"l2": 0.0, "clip": 0.0}, recipe=dataclasses.replace(RECIPE, epochs=3), first=2)
    linear = trials({"ortho": 0.1, "dropout": 0.1}, aligner="linear", first=3)
    groups = group_trials([numbers[0], wide[0], linear[0], numbers[1]])
    assert [[trial.index for trial in one.trials] for one in groups] == [[0, 1], [2], [3]]
    assert [sorted(one.recipe.terms) for one in groups] == [["prox"], [], ["clip", "dropout", "l2", "ortho"]]
    assert [one.recipe.epochs for one in groups] == [2, 3, 2]


def test_no_trial_pays_for_the_costly_term_of_another():
    groups = group_trials(trials({}, {"ortho": 0.1}, {"prox": 0.1}, {"spectral": 0.1}, {"ortho": 0.2}))
    assert [[trial.index for trial in one.trials] for one in groups] == [[0, 2], [1, 4], [3]]
    assert ["ortho" in one.recipe.terms for one in groups] == [False, True, False]


def test_an_absent_term_changes_nothing():
    """A trial with l2 = 0 beside one with l2 > 0 runs the longer program to the same result."""
    plain = {"learning_rate": 0.05, "l2": 0.0}
    (lone,) = group_trials(trials(plain))
    (both,) = group_trials(trials(plain, {"l2": 0.1, "prox": 0.1, "noise": 0.0, "clip": 0.5}))
    assert lone.recipe.terms < both.recipe.terms
    one, other = run_group(lone)["t0"], run_group(both)["t0"]
    for number in range(FITS):
        np.testing.assert_allclose(one[number].losses, other[number].losses, atol=1e-5)


def test_prepared_rows_are_those_of_the_fit():
    """Each fit has consensus rows of its own, made of its training images alone."""
    rows = jnp.asarray(unit_float32(np.random.default_rng(1).standard_normal((FITS, COUNT, D))))
    (only,) = group_trials([dataclasses.replace(trials(GRID[0])[0], pivot="consensus", aligner="dual(shift)")])
    program = make_program(only, SPACE, min_train_size=LEAST, accelerator=False)
    inputs = slice_inputs(runs_of(only), key=KEY, width=FITS)
    found = program(DATA, ARRAYS._replace(consensus={"procrustes": rows}), *inputs)
    other = program(DATA, ARRAYS._replace(consensus={"procrustes": rows.at[1].multiply(-1)}), *inputs)
    same = [np.array_equal(found.losses[number], other.losses[number]) for number in range(FITS)]
    assert same == [True, False, True]

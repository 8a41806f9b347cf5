"""One device, or two, four, eight: the same maps, whether the runs are spread or the batches of one."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.losses import LOSSES
from ccalign_jax.numerics import unit_float32
from ccalign_jax.pivots import PIVOTS, make_pivot
from ccalign_jax.training import (
    Embeddings,
    FoldArrays,
    Group,
    Hyper,
    Part,
    Recipe,
    Space,
    Trial,
    everywhere,
    fit,
    fit_spread,
    make_mesh,
    make_program,
    runs_of_devices,
    scored_epochs,
    slice_inputs,
    slice_width,
)
from ccalign_jax.training.sweep import SLICE_BYTES

pytestmark = pytest.mark.usefixtures("nothing_kept")

COUNT, D, FITS, LANGUAGES = 64, 6, 3, ("de", "en")
SPACE = Space(D, D, LANGUAGES)
RECIPE = Recipe(epochs=2, steps_per_epoch=4, batch_images=16, hidden=8, terms=frozenset({"l2", "clip", "dropout"}))
KEY = jax.random.key(3)


def embeddings() -> Embeddings:
    """Bent images as captions; some images have none in German."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((COUNT, D)).astype(np.float32)
    bend = (np.eye(D) + 0.5 * rng.standard_normal((D, D))).astype(np.float32)
    text = np.tile(image, (2, 1)) @ bend + 0.3 * rng.standard_normal((2 * COUNT, D)).astype(np.float32)
    rows, counts = np.arange(2 * COUNT, dtype=np.int32).reshape(2, COUNT, 1), np.ones((2, COUNT), np.int32)
    counts[0, ::3] = 0
    consensus = unit_float32(image + 0.1 * rng.standard_normal(image.shape))
    rest = (rows, counts, np.arange(COUNT, dtype=np.int32), consensus)
    taught = {"en": unit_float32(image[::-1])}
    return jax.device_put(Embeddings(unit_float32(text), unit_float32(image), *rest, teachers=taught))


DATA = embeddings()
IMAGES = jnp.asarray(np.random.default_rng(1).permutation(COUNT), jnp.int32)


def assert_close(one, other):
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(np.asarray(left), np.asarray(right), atol=1e-5, rtol=0)


# many runs


def fold_arrays() -> FoldArrays:
    train = np.stack([np.roll(IMAGES, 9 * number)[:48] for number in range(FITS)])
    nothing = Part(np.zeros((1, 0), np.int32), (), (), ())
    return jax.device_put(FoldArrays(train, np.asarray([48, 40, 44], np.int32), *[nothing] * 3))


ARRAYS = fold_arrays()


def group(count: int = 3, aligner: str = "residual") -> Group:
    hyper = [Hyper(learning_rate=0.05, temperature=0.1 + 0.1 * number, dropout=0.1) for number in range(count)]
    trials = [Trial(number, f"t{number}", "image", aligner, "infonce", one, RECIPE) for number, one in enumerate(hyper)]
    return Group("image", aligner, "infonce", RECIPE, tuple(trials))


def run_group(one: Group, mesh=None, *, accelerator: bool = False):
    """`{(trial, fit): trajectory}`, as the sweep runs them, and the width of its slices."""
    devices = 1 if mesh is None else mesh.size
    runs = [(trial, fit) for trial in one.trials for fit in range(FITS)]
    width = slice_width(one.recipe, len(runs), params_bytes=100, accelerator=accelerator, devices=devices)
    data = (DATA, ARRAYS) if mesh is None else jax.device_put((DATA, ARRAYS), everywhere(mesh))
    program, found = make_program(one, SPACE, min_train_size=40, accelerator=accelerator, mesh=mesh), {}
    for first in range(0, len(runs), width):
        inputs = slice_inputs(runs[first : first + width], key=KEY, width=width)
        done = program.compile(*data, *inputs)(*data, *inputs)
        parts = [done] if mesh is None else runs_of_devices(done, mesh)
        assert len(parts) == devices and all(len(part.losses) == width // devices for part in parts)
        each = [jax.tree.map(lambda leaf, at=at: leaf[at], part) for part in parts for at in range(width // devices)]
        for (trial, place), run in zip(runs[first : first + width], each, strict=False):
            found[trial.name, place] = jax.tree.map(np.asarray, run)
    assert len(found) == len(one.trials) * FITS
    return found, width


@pytest.fixture(scope="module")
def alone():
    return run_group(group())[0]


@pytest.mark.parametrize("devices", [2, 8])
def test_runs_are_the_same_on_any_number_of_devices(devices, alone):
    found, width = run_group(group(), make_mesh(devices))
    assert width == devices  # nine runs: on eight devices, the second call is padded with seven
    assert_close(found, alone)
    assert np.any(alone["t0", 0].losses[-1] != alone["t1", 0].losses[-1])


def test_an_accelerators_slices_are_spread_too(alone):
    found, width = run_group(group(), make_mesh(4), accelerator=True)
    assert width == 12
    assert_close(found, alone)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 600), st.integers(0, 2**31), st.booleans(), st.integers(1, 9))
def test_widths_are_multiples_of_the_devices(runs, params_bytes, accelerator, devices):
    width = slice_width(RECIPE, runs, params_bytes=params_bytes, accelerator=accelerator, devices=devices)
    assert width % devices == 0
    taken = (8 + len(scored_epochs(RECIPE))) * params_bytes
    assert width == devices or width // devices * taken <= SLICE_BYTES


def test_more_devices_than_there_are_is_one_line(one_line):
    assert make_mesh().size == 1  # of a CPU, unless asked for
    one_line(lambda: make_mesh(9), "--devices=9", "has 8 (cpu)")
    one_line(lambda: make_mesh(0), "--devices=0")


# one run


def single(aligner: str, pivot: str, spread=None, *, recipe: Recipe = RECIPE):
    hyper = Hyper(learning_rate=0.05, temperature=0.1, dropout=0.1)
    what = (SPACE.aligner(aligner, recipe), make_pivot(pivot, LANGUAGES), LOSSES["infonce"])
    numbers = jax.tree.map(jnp.float32, hyper)
    if spread is not None:
        return fit_spread(*what, numbers, KEY, DATA, IMAGES, COUNT, recipe=recipe, mesh=make_mesh(spread))
    run = jax.jit(lambda *inputs: fit(*what, *inputs, recipe=recipe))
    return run(numbers, KEY, DATA, IMAGES, COUNT)


@pytest.fixture(scope="module")
def whole():
    return single("residual_mlp", "image")


@pytest.mark.parametrize("devices", [1, 2, 8])
def test_a_fit_is_the_same_with_its_batches_spread(devices, whole):
    found = single("residual_mlp", "image", devices)
    assert_close(found, whole)
    assert {leaf.sharding.num_devices for leaf in jax.tree.leaves(found)} == {devices}
    assert all(leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(found))
    assert any(np.any(np.asarray(leaf[-1] - leaf[0])) for leaf in jax.tree.leaves(whole.params))


@pytest.mark.parametrize("pivot", [name for name in PIVOTS if name not in ("image", "gcca")])
def test_batches_spread_under_every_pivot(pivot):
    """The terms of gcca are those of consensus."""
    entry = PIVOTS[pivot]
    named = f"{pivot}:en" if entry.takes_language else pivot
    aligner = "dual(residual)" if make_pivot(named, LANGUAGES).moves_images else "residual"
    recipe = dataclasses.replace(RECIPE, terms=frozenset())
    assert_close(single(aligner, named, 4, recipe=recipe), single(aligner, named, recipe=recipe))


def test_a_batch_that_cannot_be_divided_is_one_line(one_line):
    recipe = dataclasses.replace(RECIPE, batch_images=18)
    one_line(lambda: single("residual", "image", 4, recipe=recipe), "batches of 18 images", "4 devices")

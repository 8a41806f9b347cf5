"""Nested cross-validation of one trial: against fits scored one by one, in any order, and blind to what it reports."""

import itertools
import weakref
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ccalign_jax.losses import LOSSES
from ccalign_jax.numerics import unit_float32
from ccalign_jax.pivots import make_pivot
from ccalign_jax.training import (
    Embeddings,
    FitPlan,
    FoldArrays,
    Hyper,
    Part,
    Recipe,
    Space,
    choose_epoch,
    cross_validate,
    evaluate_folds,
    fit,
    map_part,
    rank_part,
    score_epochs,
    take,
)

COUNT, D, FOLDS = 48, 6, 4
SPACE = Space(D, D, ("en", "ja"))
RECIPE = Recipe(epochs=4, steps_per_epoch=2, score_every=1, batch_images=8)
HYPER = Hyper(*map(jnp.float32, Hyper(learning_rate=0.1, temperature=0.2, warmup=0)))
ALIGNER, PIVOT = SPACE.aligner("residual", RECIPE), make_pivot("image", SPACE.languages)
OUTER = np.sort(np.random.default_rng(1).permutation(COUNT).reshape(FOLDS, -1), axis=1)
SELECT = OUTER[::-1]  # no part that selects has the number of the fold that reports it
LEAST = COUNT // 2


def embeddings():
    """Captions are noisy images: identity is good already, and which epoch is better differs from part to part."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((COUNT, D)).astype(np.float32)
    text = np.tile(image, (2, 1)) + rng.standard_normal((2 * COUNT, D))
    rows, counts = np.arange(2 * COUNT, dtype=np.int32).reshape(2, COUNT, 1), np.ones((2, COUNT), np.int32)
    one = Embeddings(unit_float32(text), unit_float32(image), rows, counts, np.arange(COUNT, dtype=np.int32))
    return jax.device_put(one)


def part_of(images):
    rows, place = np.asarray(images, np.int32), np.arange(len(images), dtype=np.int32)
    return jax.device_put(Part(rows, (rows, rows + COUNT), (place, place), (place[:, None], place[:, None])))


def stack(parts):
    return jax.device_put(jax.tree.map(lambda *leaves: np.stack(leaves), *parts))


def crossed_plan():
    """Six fits without two folds each, four without one, by hand."""
    pairs = list(itertools.combinations(range(FOLDS), 2))
    without = [np.sort(np.concatenate(np.delete(OUTER, pair, axis=0))) for pair in pairs]
    without += [np.sort(np.concatenate(np.delete(OUTER, fold, axis=0))) for fold in range(FOLDS)]
    inner = tuple(
        tuple(
            (pairs.index((min(fold, other), max(fold, other))), FOLDS - 1 - other)
            for other in range(FOLDS)
            if other != fold
        )
        for fold in range(FOLDS)
    )
    return FitPlan(tuple(without), tuple(SELECT), inner, tuple(range(len(pairs), len(pairs) + FOLDS)))


def lone_plan():
    """One inner part a fold, fitted on what is reported itself."""
    train = tuple(np.sort(np.delete(OUTER, (fold, (fold + 1) % FOLDS), axis=0).ravel()) for fold in range(FOLDS))
    inner = tuple(((fold, FOLDS - 1 - (fold + 1) % FOLDS),) for fold in range(FOLDS))
    return FitPlan(train, tuple(SELECT), inner, tuple(range(FOLDS)))


def arrays_of(plan):
    most = max(map(len, plan.train))
    train = [np.pad(rows, (0, most - len(rows)), constant_values=-1) for rows in plan.train]
    sample = [plan.train[fit][:12] for fit in plan.test]
    return FoldArrays(
        jnp.asarray(np.stack(train), jnp.int32),
        jnp.asarray(list(map(len, plan.train)), jnp.int32),
        *(stack([part_of(rows) for rows in parts]) for parts in (plan.validation, OUTER, sample)),
    )


DATA, PLAN = embeddings(), crossed_plan()
ARRAYS = arrays_of(PLAN)


@jax.jit
def one_fit(data, images, count, number):
    key = jax.random.fold_in(jax.random.key(3), number)
    return fit(ALIGNER, PIVOT, LOSSES["infonce"], HYPER, key, data, images, count, recipe=RECIPE, min_train_size=LEAST)


def fits_of(plan, data=DATA):
    arrays = arrays_of(plan)
    return [
        (number, one_fit(data, arrays.train[number], arrays.train_count[number], number))
        for number in range(len(plan.train))
    ]


@cache
def crossed_fits():
    return fits_of(PLAN)


def crossed(fits, plan=PLAN, data=DATA, recipe=RECIPE):
    return dict(cross_validate(ALIGNER, iter(fits), plan, data, arrays_of(plan), recipe=recipe))


@pytest.fixture(scope="module")
def found():
    return crossed(crossed_fits())


def assert_same(left, right):
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_fold_is_what_plain_steps_give(found):
    """Fit every set alone, score every epoch where it selects, average, take the best, rank: to the bit."""
    runs = [run for _, run in crossed_fits()]
    for fold in range(FOLDS):
        others = [other for other in range(FOLDS) if other != fold]
        rest = np.setdiff1d(np.arange(COUNT), OUTER[fold])
        curves = []
        for other in others:
            place = next(n for n, rows in enumerate(PLAN.train) if set(rows) == set(rest) - set(OUTER[other]))
            curves.append(score_epochs(ALIGNER, runs[place], DATA, part_of(OUTER[other])).mean)
        curve = jnp.stack(curves).mean(axis=0)
        epoch = int(np.argmax(np.asarray(curve).mean(axis=1)))
        place = next(n for n, rows in enumerate(PLAN.train) if set(rows) == set(rest))
        params = take(runs[place].params, epoch)
        mine = found[fold]
        assert int(mine.fit.epoch) == epoch
        assert_same(mine.fit.params, params)
        assert_same((mine.fit.scores, mine.fit.losses), (curve, runs[place].losses))
        assert_same(mine.test, rank_part(map_part(ALIGNER, params, DATA, part_of(OUTER[fold]))))
        assert_same(mine.train_eval, rank_part(map_part(ALIGNER, params, DATA, part_of(rest[:12]))))
    # else nothing above would tell one fold, part or epoch from another
    assert len({int(one.fit.epoch) for one in found.values()}) > 1
    assert sorted(found) == list(range(FOLDS))


def test_one_inner_part_is_a_choice_on_the_reported_fit():
    plan = lone_plan()
    fits = fits_of(plan)
    for fold, one in crossed(fits, plan).items():
        wanted = choose_epoch(ALIGNER, fits[fold][1], DATA, part_of(OUTER[(fold + 1) % FOLDS]), recipe=RECIPE)
        assert_same(one.fit, wanted)


@pytest.mark.parametrize("order", ["reversed", "reports first", "shuffled"])
def test_the_fits_come_in_any_order(found, order):
    fits = crossed_fits()
    numbers = {
        "reversed": list(range(len(fits)))[::-1],
        "reports first": [*PLAN.test, *range(PLAN.test[0])],
        "shuffled": np.random.default_rng(0).permutation(len(fits)).tolist(),
    }[order]
    other = crossed([fits[number] for number in numbers])
    assert_same([found[fold] for fold in range(FOLDS)], [other[fold] for fold in range(FOLDS)])


def test_a_fold_comes_as_soon_as_it_has_its_own():
    """What serves fold 2 gives fold 2, and no other."""
    fits = crossed_fits()
    needed = [*(number for number, _ in PLAN.inner[2]), PLAN.test[2]]
    assert set(crossed([fits[number] for number in needed])) == {2}
    assert crossed([fits[number] for number in needed[:-1]]) == {}
    assert crossed([fits[number] for number in needed[1:]]) == {}


def test_trajectories_are_kept_no_longer_than_a_fold_needs_them():
    alive: dict[int, weakref.ref] = {}

    def watched(order, held):
        for number in order:
            held.append({one for one, ref in alive.items() if ref() is not None})
            run = one_fit(DATA, ARRAYS.train[number], ARRAYS.train_count[number], number)
            alive[number] = weakref.ref(run.params["delta"])
            yield number, run
            del run

    held: list[set[int]] = []
    inner_first = range(len(PLAN.train))
    assert len(list(cross_validate(ALIGNER, watched(inner_first, held), PLAN, DATA, ARRAYS, recipe=RECIPE))) == FOLDS
    assert all(len(some) <= 1 for some in held)  # the one that was looked at last

    alive, held = {}, []
    reports_first = [*PLAN.test, *range(PLAN.test[0])]
    for _ in cross_validate(ALIGNER, watched(reports_first, held), PLAN, DATA, ARRAYS, recipe=RECIPE):
        pass
    reported = set(PLAN.test)
    assert held[FOLDS] == reported  # all wait for their scores
    for place in range(FOLDS + 1, len(held)):
        seen = set(reports_first[:place])
        waits = {PLAN.test[fold] for fold in range(FOLDS) if not {fit for fit, _ in PLAN.inner[fold]} <= seen}
        assert held[place] - waits <= {reports_first[place - 1]}


def poisoned(fold):
    """The data with other captions and images in the part that a fold reports."""
    noise = unit_float32(np.random.default_rng(9).standard_normal((3, COUNT, D)))
    rows, text, image = OUTER[fold], np.array(DATA.text).reshape(2, COUNT, D), np.array(DATA.image)
    text[:, rows], image[rows] = noise[:2, rows], noise[2, rows]
    return DATA._replace(text=jnp.asarray(text.reshape(-1, D)), image=jnp.asarray(image))


@pytest.mark.parametrize("fold", range(FOLDS))
def test_what_a_fold_reports_has_no_part_in_its_choice(found, fold):
    data = poisoned(fold)
    other = crossed(fits_of(PLAN, data), data=data)
    assert_same(found[fold].fit, other[fold].fit)
    assert_same(found[fold].train_eval, other[fold].train_eval)
    assert not np.array_equal(found[fold].test[0][0].better, other[fold].test[0][0].better)
    for other_fold in set(range(FOLDS)) - {fold}:  # to the others it was training and selection
        assert not np.array_equal(found[other_fold].fit.scores, other[other_fold].fit.scores)


@pytest.mark.parametrize("options", [{"criterion": "t2i"}, {"start_counts": False}])
def test_the_recipe_says_what_an_epoch_is_chosen_by(found, options):
    other = crossed(crossed_fits(), recipe=Recipe(epochs=4, steps_per_epoch=2, batch_images=8, **options))
    for fold, one in other.items():
        assert_same(one.fit.scores, found[fold].fit.scores)
        scores = np.asarray(one.fit.scores, np.float64)
        values = scores[:, 0] if "criterion" in options else scores[1:].mean(axis=1)
        wanted = int(np.argmax(values > values.max() - 1e-7)) + ("start_counts" in options)
        assert int(one.fit.epoch) == wanted


@pytest.mark.parametrize("plan", [PLAN, lone_plan()], ids=["crossed", "one part"])
def test_identity_on_every_fold(plan, mean_scores):
    """It is fitted nowhere, and scored on the same parts as trials are."""
    aligner = SPACE.aligner("identity", RECIPE)
    arrays = arrays_of(plan)

    def ranks(images):
        return rank_part(map_part(aligner, {}, DATA, part_of(images)))

    each = list(evaluate_folds(aligner, {}, plan, DATA, arrays))
    assert len(each) == FOLDS
    for fold, (scores, report, sample) in enumerate(each):
        selecting = [plan.validation[part] for _, part in plan.inner[fold]]
        np.testing.assert_allclose(scores, np.mean([mean_scores(ranks(rows)) for rows in selecting], 0), atol=1e-6)
        assert_same(report, ranks(OUTER[fold]))
        assert_same(sample, ranks(plan.train[plan.test[fold]][:12]))

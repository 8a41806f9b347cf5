"""What the seed protocol claims against what the other folds would have chosen, by hand."""

import numpy as np
import pytest

from ccalign_jax.study.outcomes import seed_optimism

IDENTITY = (0.25, 0.25)  # R@1 of both folds, in both directions


def curve_of(t2i, i2t):
    """`[epochs + 1, 3]`: R@1 of both directions after each epoch; the third column must not matter."""
    return np.stack([t2i, i2t, np.linspace(1, 0, len(t2i))], axis=1)


def trial_of(outcome, name, curves):
    """A trial as the seed protocol leaves it: in each fold the epoch with the best t2i R@1 there, not the start."""
    epochs = [1 + int(np.argmax(curve[1:, 0])) for curve in curves]
    best = [curve[epoch] for curve, epoch in zip(curves, epochs, strict=True)]
    found = outcome(name, [0.0] * len(curves), [float(row[0]) for row in best])
    found.curves, found.epochs = list(curves), epochs
    for fold, row in enumerate(best):
        for way, value in zip(("t2i", "i2t"), row, strict=False):
            found.test[fold].values[way, None]["R@1"] = float(value)
    return found


def test_by_hand(outcome):
    """The peaks of the first trial lie at other epochs in each fold: what one promises, the other does not keep."""
    lucky = trial_of(
        outcome,
        "lucky",
        [curve_of([0.9, 0.75, 0.25], [0.5, 0.5, 0.25]), curve_of([0.9, 0.125, 0.625], [0.5, 0.375, 0.75])],
    )
    steady = trial_of(
        outcome,
        "steady",
        [curve_of([0.25, 0.5, 0.375], [0.25, 0.5, 0.5]), curve_of([0.25, 0.5, 0.25], [0.25, 0.5, 0.25])],
    )
    found = seed_optimism([lucky, steady], outcome("identity", IDENTITY, IDENTITY))
    # claimed: lucky, .75 and .625. Honest: fold 0 takes lucky's epoch 2, best on fold 1; fold 1 its epoch 1.
    assert found == {
        "t2i": {"R@1": {"claimed": 0.6875 - 0.25, "honest": 0.1875 - 0.25, "optimism": 0.5}},
        "i2t": {"R@1": {"claimed": 0.625 - 0.25, "honest": 0.3125 - 0.25, "optimism": 0.3125}},
        "both": {"R@1": {"claimed": 0.40625, "honest": 0.0, "optimism": 0.40625}},
    }


def test_the_trial_too_is_chosen_on_the_other_folds(outcome):
    flat = [np.full(2, value) for value in (0.25, 0.5, 0.75)]
    good = trial_of(outcome, "good", [curve_of(flat[2], flat[2]), curve_of(flat[0], flat[0])])
    bad = trial_of(outcome, "bad", [curve_of(flat[0], flat[0]), curve_of(flat[1], flat[1])])
    found = seed_optimism([good, bad], outcome("identity", (0.0, 0.0), IDENTITY))["t2i"]["R@1"]
    # claimed: good, mean .5; fold 0 would take bad (.5 > .25 on fold 1), which has .25 there; fold 1 good, .25
    assert found == {"claimed": 0.5, "honest": 0.25, "optimism": 0.25}


def test_nothing_to_choose_is_nothing_to_be_too_glad_of(outcome):
    only = trial_of(outcome, "only", [curve_of([0.9, 0.5], [0.9, 0.25]), curve_of([0.9, 0.75], [0.9, 0.5])])
    found = seed_optimism([only], outcome("identity", IDENTITY, IDENTITY))
    assert [found[way]["R@1"]["optimism"] for way in ("t2i", "i2t", "both")] == [0.0] * 3
    assert found["both"]["R@1"]["claimed"] == 0.25  # and the start is never taken, though it is the best


@pytest.mark.parametrize("seed", range(5))
def test_what_is_claimed_is_what_the_summary_says(outcome, seed):
    """Honest figures are found in loops, fold by fold."""
    rng = np.random.default_rng(seed)
    curves = rng.random((3, 4, 6, 3))  # trials, folds, epochs and start
    trials = [trial_of(outcome, f"t{number}", list(each)) for number, each in enumerate(curves)]
    base = rng.random(4)
    found = seed_optimism(trials, outcome("identity", base, base))
    best = max(trials, key=lambda one: np.mean(one.selection))
    honest = []
    for fold in range(4):
        rest = [other for other in range(4) if other != fold]
        choices = {
            (trial, epoch): np.mean([curves[trial, other, epoch, 0] for other in rest])
            for trial in range(3)
            for epoch in range(1, 6)
        }
        trial, epoch = max(choices, key=choices.get)
        honest.append(curves[trial, fold, epoch, :2])
    for number, way in enumerate(("t2i", "i2t")):
        figures = found[way]["R@1"]
        assert figures["claimed"] == pytest.approx(
            np.mean([one.values[way, None]["R@1"] for one in best.test]) - base.mean()
        )
        assert figures["honest"] == pytest.approx(np.mean(honest, axis=0)[number] - base.mean())
        assert figures["optimism"] == pytest.approx(figures["claimed"] - figures["honest"])
    assert found["t2i"]["R@1"]["optimism"] > 0  # of noise alone


def test_one_fold_has_no_other(outcome):
    only = trial_of(outcome, "only", [curve_of([0.5, 0.5], [0.5, 0.5])])
    assert seed_optimism([only], outcome("identity", [0.25], [0.25])) is None

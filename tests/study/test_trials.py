"""Trials from names: what is crossed, what is left out and why, and that names tell trials apart."""

import itertools

import pytest

from ccalign_jax.errors import InputError
from ccalign_jax.study.grids import GRIDS, load_grid, parse_settings
from ccalign_jax.study.trials import SEED_PROTOCOL, make_trials
from ccalign_jax.training import Recipe, Space

SPACE = Space(8, 8, ("de", "en"))


def make(*, space=SPACE, pivots=("image",), aligners=None, losses=("infonce",), grid="default", hyper=(), seed=False):
    return make_trials(
        space,
        pivots=pivots,
        aligners=aligners,
        losses=losses,
        blocks=load_grid(grid),
        settings=parse_settings(hyper),
        protocol="seed" if seed else "nested",
    )


def families(found):
    return list(dict.fromkeys((trial.pivot, trial.aligner, trial.loss) for trial in found.trials))


def test_each_pivot_has_its_default_aligners():
    found = make(pivots=("image", "text:de", "symmetric"), grid=[{}])
    assert [(pivot, aligner) for pivot, aligner, _ in families(found)] == [
        ("image", "linear"),
        ("image", "residual"),
        ("image", "residual_mlp"),
        ("text:de", "per_language(linear)"),
        ("text:de", "per_language(residual)"),
        ("text:de", "per_language(residual_mlp)"),
        ("symmetric", "dual(linear)"),
        ("symmetric", "dual(residual)"),
        ("symmetric", "dual(residual_mlp)"),
    ]
    assert found.skipped == []


def test_all_pivots_take_english_or_the_first_language():
    kinds = {"image", "text", "auxiliary", "centroid", "consensus", "gcca", "symmetric"}
    found = {trial.pivot for trial in make(pivots=("all",)).trials}
    assert {pivot.partition(":")[0] for pivot in found} == kinds and {"text:en", "auxiliary:en"} < found
    space = Space(8, 8, ("ar", "de"))
    assert {"text:ar", "auxiliary:ar"} < {trial.pivot for trial in make(space=space, pivots=("all",)).trials}


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("seed", [False, True])
def test_names_and_numbers_tell_trials_apart(grid, seed):
    trials = make(grid=grid, seed=seed, pivots=("all",), losses=("infonce", "mse")).trials
    assert [trial.index for trial in trials] == list(range(len(trials)))
    assert len({trial.name for trial in trials}) == len(trials)
    for one, other in itertools.combinations(trials, 2):
        assert (one.pivot, one.aligner, one.loss, one.hyper, one.recipe) != (
            other.pivot,
            other.aligner,
            other.loss,
            other.hyper,
            other.recipe,
        )
    if seed:
        contrastive = [trial.recipe for trial in trials if trial.loss == "infonce"]
        assert all(getattr(recipe, key) == value for recipe in contrastive for key, value in SEED_PROTOCOL.items())


def test_names_of_close_numbers_differ():
    found = make(aligners=("residual",), grid=[{"temperature": [0.1, 0.10000001, 0.2]}])
    assert [trial.name.rpartition("/")[2] for trial in found.trials] == [
        "temperature=0.1",
        "temperature=0.10000001",
        "temperature=0.2",
    ]


def test_only_what_varies_is_in_the_name():
    (only,) = make(aligners=("residual",), grid=[{"temperature": 0.1}]).trials
    assert only.name == "image/residual/infonce"
    assert only.hyper.temperature == 0.1


def test_settings_nobody_reads_make_no_second_trial():
    grid = [{"temperature": [0.1, 0.2], "hidden": [8, 16], "mask_positives": [True, False]}]
    counts = {
        (aligner, loss): len(make(aligners=(aligner,), losses=(loss,), grid=grid).trials)
        for aligner in ("residual", "residual_mlp")
        for loss in ("infonce", "mse")
    }
    assert counts == {
        ("residual", "infonce"): 4,
        ("residual", "mse"): 1,
        ("residual_mlp", "infonce"): 8,
        ("residual_mlp", "mse"): 2,
    }
    assert make(aligners=("residual",), losses=("mse",), grid=grid).trials[0].recipe == Recipe()


def test_spelling_and_repeats_make_no_second_trial():
    found = make(pivots=("symmetric",), aligners=("dual", "dual(residual)", "identity"), grid=[{}, {}])
    assert [trial.name for trial in found.trials] == ["symmetric/dual(residual)/infonce"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"pivots": ("symmetric",), "aligners": ("residual",)}, "use dual(residual)"),
        ({"aligners": ("dual",)}, "use --pivot=symmetric"),
        ({"pivots": ("symmetric",), "losses": ("mse",)}, "collapse"),
        ({"pivots": ("text:de",), "space": Space(8, 6, ("de", "en"))}, "text space [8]"),
        ({"pivots": ("text:de",), "space": Space(8, 8, ("de",))}, "second language"),
        ({"aligners": ("residual",), "hyper": ["dropout=0.1"]}, "no hidden layer"),
        ({"aligners": ("residual_mlp",), "hyper": ["ortho=0.1"]}, "no matrix W"),
        ({"aligners": ("residual",), "grid": [{"aligners": "linear"}]}, "no block of the grid is for it"),
        ({"aligners": ("identity",)}, "only identity"),
    ],
)
def test_what_makes_no_sense_says_why(options, reason):
    with pytest.raises(InputError) as caught:
        make(**options)
    assert str(caught.value).startswith("nothing to train: ") and reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_sensible_part_of_a_list_remains():
    found = make(pivots=("image", "symmetric"), aligners=("residual", "dual"), grid=[{}])
    assert families(found) == [("image", "residual", "infonce"), ("symmetric", "dual(residual)", "infonce")]
    assert len(found.skipped) == 2
    found = make(aligners=("linear", "residual"), grid=[{"aligners": ["residual"]}])
    assert families(found) == [("image", "residual", "infonce")]
    assert found.skipped == ["image/linear/infonce: no block of the grid is for it; add one"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"pivots": ("picture",)}, "unknown pivot 'picture'"),
        ({"pivots": ("text:xx",)}, "no captions in 'xx'"),
        ({"aligners": ("resid",)}, "unknown aligner 'resid'"),
        ({"losses": ("hinge",)}, "unknown loss 'hinge'"),
    ],
)
def test_unknown_names(options, reason):
    with pytest.raises(InputError, match=reason):
        make(**options)


def test_blocks_find_their_trials():
    grid = [
        {"aligners": ["residual"], "temperature": [0.1, 0.2]},
        {"aligners": ["dual(residual)"], "temperature": 0.3},
        {"pivots": ["text"], "l2": 0.5},
        {"l2": 0.25},
    ]
    found = make(
        pivots=("image", "text:en", "symmetric"),
        aligners=("linear", "residual", "per_language(residual)", "dual(residual)"),
        grid=grid,
    )
    chosen = {}
    for trial in found.trials:
        chosen.setdefault((trial.pivot, trial.aligner), []).append((trial.hyper.temperature, trial.hyper.l2))
    base = [(0.1, 5e-4), (0.2, 5e-4)]
    assert chosen == {
        ("image", "linear"): [(0.07, 0.25)],
        ("image", "residual"): base,
        ("image", "per_language(residual)"): base,
        ("text:en", "linear"): [(0.07, 0.5), (0.07, 0.25)],
        ("text:en", "residual"): base,
        ("text:en", "per_language(residual)"): base,
        ("symmetric", "dual(residual)"): [*base, (0.3, 5e-4)],
    }


def test_the_command_line_overrides_every_block():
    found = make(aligners=("residual",), grid="default", hyper=["temperature=0.5"])
    assert {trial.hyper.temperature for trial in found.trials} == {0.5}
    assert [trial.hyper.learning_rate for trial in found.trials] == [1e-3, 3e-4]

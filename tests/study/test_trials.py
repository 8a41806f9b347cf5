"""Trials from names: what is crossed, what is left out and why, and that names tell trials apart."""

import itertools

import pytest

from ccalign_jax._names import CLOSED
from ccalign_jax.aligners import ALIGNERS, split_name
from ccalign_jax.errors import InputError
from ccalign_jax.grids import GRIDS
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import PIVOTS, make_pivot
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.families import Families, why_not
from ccalign_jax.study.grids import load_grid, parse_settings
from ccalign_jax.study.trials import SEED_PROTOCOL, make_trials
from ccalign_jax.training import Recipe, Space

SPACE = Space(8, 8, ("de", "en"), 8, ("en",))


def make(
    *,
    space=SPACE,
    pivots=("image",),
    aligners=None,
    losses=("infonce",),
    grid="default",
    hyper=(),
    seed=False,
    heldout=None,
    informed=True,
):
    asked = Families(space, pivots, aligners, losses, full=grid == "full", heldout=heldout, informed=informed)
    fixed = SEED_PROTOCOL if seed else None
    return make_trials(asked, blocks=load_grid(grid), settings=parse_settings(hyper), fixed=fixed)


def families(found):
    return list(dict.fromkeys((trial.pivot, trial.aligner, trial.loss) for trial in found.trials))


def skipped(found):
    """`[pivot, aligner, loss]` of each combination that was left out."""
    return [line.split(": ")[0].split("/") for line in found.skipped]


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


def test_all_pivots_are_those_of_the_registry():
    found = make(pivots=("all",), aligners=("residual", "dual(residual)"), grid=[{}])
    every = {f"{name}:{entry.default or 'en'}" if entry.takes_language else name for name, entry in PIVOTS.items()}
    assert {pivot for pivot, _, _ in families(found)} == every


def test_default_aligners_where_the_identity_is_at_chance():
    """None begins at the identity, and images move, too; under a text pivot the texts have one of their own."""
    found = make(space=Space(6, 8, ("de", "en")), informed=False)
    assert [(pivot, aligner) for pivot, aligner, _ in families(found)] == [
        ("image", "linear"),
        ("image", "ridge"),
        ("symmetric", "dual(linear)"),
        ("symmetric", "dual(mlp)"),
        ("symmetric", "centred_ridge"),
        ("symmetric", "cca"),
        ("symmetric", "csa"),
        ("symmetric", "multi_step"),
    ]
    assert found.skipped == []
    asked = families(make(aligners=("residual",), informed=False))
    assert asked == [("image", "residual", "infonce")]
    text = families(make(pivots=("text:de",), informed=False))
    assert text == families(make(pivots=("text:de",)))


def test_all_pivots_take_english_or_the_first_language():
    found = {trial.pivot for trial in make(pivots=("all",)).trials}
    assert {pivot.partition(":")[0] for pivot in found} == set(PIVOTS) and {"text:en", "auxiliary:en"} < found
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


THOUSAND = [number / 1000 for number in range(1, 1001)]
MANY = {"temperature": THOUSAND, "learning_rate": THOUSAND, "l2": THOUSAND}


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"grid": [MANY], "aligners": ("residual",)}, "1,000,000,000"),
        ({"grid": [{}], "hyper": [f"{name}={','.join(map(str, values))}" for name, values in MANY.items()]}, "3,000,"),
        ({"grid": [{"temperature": THOUSAND, "prox": THOUSAND[:101]}], "aligners": ("residual",)}, "101,000"),
        (
            {"grid": [{"temperature": THOUSAND, "prox": THOUSAND[:51]}] * 2, "aligners": ("residual",)},
            "102,000",
        ),
        ({"grid": [{"l2": THOUSAND}], "pivots": ("all",), "losses": tuple(LOSSES), "aligners": ("all",)}, "trials"),
    ],
)
def test_too_many_trials_are_refused_before_they_are_made(options, count, one_line):
    one_line(lambda: make(**options), f"{count}", "more than 100,000", "--hyper", "--grid", "--aligners")


def test_unread_settings_are_not_crossed():
    unread = {name: THOUSAND for name in ("margin", "image_weight", "penalty")} | {"dropout": [0.0, 0.1]}
    found = make(grid=[{**unread, "temperature": [0.1, 0.2]}], aligners=("residual",))
    assert [trial.hyper.temperature for trial in found.trials] == [0.1, 0.2]
    assert found.skipped == ["image/residual/infonce: dropout=0.1, but residual has no hidden layer to drop"]


def test_spelling_and_repeats_make_no_second_trial():
    found = make(pivots=("symmetric",), aligners=("dual", "dual(residual)", "identity"), grid=[{}, {}])
    assert [trial.name for trial in found.trials] == ["symmetric/dual(residual)/infonce"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"pivots": ("symmetric",), "aligners": ("residual",)}, "use dual(residual)"),
        ({"aligners": ("dual",)}, "use pivot=symmetric"),
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


def test_the_full_grid_has_every_trained_aligner_under_every_pivot():
    """Once each under InfoNCE, alone or, where images move, as `dual`; or it is skipped, with a reason."""
    found = make(pivots=("all",), grid="full")
    pivots = {trial.pivot for trial in found.trials}
    trained = {name for name, entry in ALIGNERS.items() if not entry.closed} - {"identity"}
    for pivot in pivots:
        names = [trial.aligner for trial in found.trials if (trial.pivot, trial.loss) == (pivot, "infonce")]
        names += [where[1] for where in skipped(found) if where[::2] == [pivot, "infonce"]]
        wanted = sorted([*trained, *(["residual"] if not make_pivot(pivot, SPACE.languages).moves_images else [])])
        assert sorted(split_name(name)[1] for name in names) == wanted and len(set(names)) == len(names)
    assert len(pivots) == len(PIVOTS) and len({trial.name for trial in found.trials}) == len(found.trials)


def test_the_full_grid_has_every_loss_at_residual():
    """Once with images frozen, once with them moving, where a loss that pushes nothing apart has no place."""
    found = make(pivots=("all",), grid="full")
    losses = {}
    for trial in found.trials:
        if trial.aligner in ("residual", "dual(residual)"):
            losses.setdefault((trial.pivot, trial.aligner), []).append(trial.loss)
    whole = {key: sorted(each) for key, each in losses.items() if each != ["infonce"]}
    negatives = sorted(name for name, entry in LOSSES.items() if entry.has_negatives)
    assert whole == {("image", "residual"): sorted(LOSSES), ("symmetric", "dual(residual)"): negatives}
    assert sum("/dual(residual)/" in line and "collapse" in line for line in found.skipped) == len(LOSSES) - len(
        negatives
    )


def test_the_full_grid_has_every_closed_form_under_its_pivots():
    found = make(pivots=("all",), grid="full")
    solved = sorted((trial.aligner, trial.pivot.partition(":")[0]) for trial in found.trials if trial.loss == CLOSED)
    assert solved == sorted((name, kind) for name, form in CLOSED_FORMS.items() for kind in form.pivots)
    assert set(CLOSED_FORMS) == {name for name, entry in ALIGNERS.items() if entry.closed}


def test_the_full_grid_of_narrow_images_leaves_out_pivots_within_text():
    found = make(pivots=("all",), grid="full", space=Space(8, 6, ("de", "en")))
    assert {trial.pivot for trial in found.trials} == {"image", "symmetric", "consensus", "gcca"}
    narrow = found._replace(skipped=[line for line in found.skipped if "text space [8]" in line])
    assert {where[0] for where in skipped(narrow)} == {"text:en", "auxiliary:en", "centroid"}


@pytest.mark.parametrize("grid", [[{}], [{"aligners": ["linear"]}]])
def test_settings_reach_closed_forms_whatever_the_grid_is_for(grid):
    found = make(pivots=("symmetric",), aligners=("cca", "centring"), grid=grid, hyper=["penalty=0.1,1"])
    assert [(trial.aligner, trial.hyper.penalty) for trial in found.trials] == [
        ("cca", 0.1),
        ("cca", 1.0),
        ("centring", 1.0),
    ]


def test_closed_forms_are_asked_for_by_name_or_all_at_once():
    found = make(pivots=("image", "gcca"), aligners=("closed",), losses=("infonce", "mse"), grid="default")
    assert families(found) == [
        *(("image", name, CLOSED) for name in ("ridge", "pooled_ridge", "procrustes", "scaled_procrustes")),
        ("gcca", "gcca", CLOSED),
    ]
    assert all("solved under the pivot" in line for line in found.skipped)


@pytest.mark.parametrize(
    ("pivot", "aligner", "loss", "reason"),
    [
        ("image", "ridge", "infonce", "solved, not trained"),
        ("image", "residual", CLOSED, "trained, not solved"),
        ("image", "cca", CLOSED, "use --pivot=symmetric"),
        ("symmetric", "ridge", CLOSED, "use cca or multi_step"),
        ("symmetric", "gcca", CLOSED, "use --pivot=gcca"),
        ("consensus", "cca", CLOSED, "use --pivot=symmetric"),
    ],
)
def test_closed_forms_and_losses_that_do_not_go_together(pivot, aligner, loss, reason):
    assert reason in why_not(make_pivot(pivot, SPACE.languages), aligner, loss, SPACE)


def test_a_language_that_is_held_out_has_no_map_and_is_no_hub():
    space = Space(8, 8, ("de", "en", "zh"))
    found = make(space=space, pivots=("all",), heldout="en", grid=[{}])
    assert {trial.pivot for trial in found.trials} > {"text:de", "auxiliary:de"}
    assert found.skipped == [] and not any("per_language" in trial.aligner for trial in found.trials)
    found = make(space=space, aligners=("per_language(residual)", "pooled_ridge", "conditional"), heldout="zh")
    assert {trial.aligner for trial in found.trials} == {"conditional"}
    assert len(found.skipped) == 2 and all("no map for zh" in line for line in found.skipped)


@pytest.mark.parametrize(
    ("languages", "heldout", "pivot", "reason"),
    [
        (("de", "en", "zh"), "zh", "text:zh", "aligns to the language that is held out"),
        (("de", "en", "zh"), "zh", "auxiliary:zh", "aligns to the language that is held out"),
        (("en", "zh"), "zh", "centroid", "there is en alone"),
        (("en", "zh"), "zh", "text:en", "there is en alone"),
    ],
)
def test_pivots_that_a_held_out_language_leaves_without_a_target(languages, heldout, pivot, reason, one_line):
    space = Space(8, 8, languages)
    one_line(lambda: make(space=space, pivots=(pivot,), heldout=heldout), "nothing to train: ", reason)


def test_a_grid_brings_the_aligners_that_it_names():
    grid = [{}, {"aligners": ["orthogonal", "dual(residual,shift)", "ridge"]}]
    named = {
        pivot: [name for where, name, _ in families(make(pivots=(pivot,), grid=grid)) if where == pivot]
        for pivot in ("image", "symmetric")
    }
    assert named["image"] == ["linear", "residual", "residual_mlp", "orthogonal", "ridge"]
    assert named["symmetric"][3:] == ["dual(orthogonal)", "dual(residual,shift)"]
    only = make(pivots=("image",), aligners=("linear",), grid=grid)
    assert {aligner for _, aligner, _ in families(only)} == {"linear"}  # what is asked for by flag is all

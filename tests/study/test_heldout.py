"""A language that is held out: nothing of it reaches the parameters, and it alone is reported."""

import jax
import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.numerics import unit_float32
from ccalign_jax.options import SweepConfig
from ccalign_jax.study import sweep
from ccalign_jax.study.arrays import consensus_rows, make_part, without_language
from ccalign_jax.study.plan import plan_folds, plan_sweep
from ccalign_jax.study.refit import refit
from ccalign_jax.study.run import run_sweep
from ccalign_jax.training import Recipe, make_program, slice_inputs

QUICK = ("epochs=1", "steps_per_epoch=2", "batch_images=8", "features=4", "hidden=4", "rank=2", "learning_rate=0.1")
OWNERS = {"de": np.arange(36), "en": np.arange(36), "zh": np.arange(3, 36)}


def three_languages(*, zh=0):
    """A seed for the Chinese captions, so that nothing but them differs."""
    rng, other = np.random.default_rng(0), np.random.default_rng([1, zh])
    image = rng.normal(size=(36, 5)).astype(np.float32)
    keys = [f"{number:02d}" for number in range(36)]
    text = {}
    for language, owner in OWNERS.items():
        source = other if language == "zh" else rng
        text[language] = (image[owner] + source.normal(size=(len(owner), 5))).astype(np.float32)
    text_keys = {language: [keys[number] for number in owner] for language, owner in OWNERS.items()}
    return EmbeddingSet.build("three", image, text, image_keys=keys, text_keys=text_keys)


def planned(pivot, aligner, *, heldout="zh", zh=0, data=None):
    config = SweepConfig(
        pivots=(pivot,), aligners=(aligner,), hyper=QUICK, folds=2, heldout_language=heldout, grid="seed_recipe"
    )
    data = data or three_languages(zh=zh)
    return plan_sweep(data, config, plan_folds(data, config))


def run_inputs(plan):
    return *plan.arrays(), *slice_inputs(
        [(plan.groups[0].trials[0], fit) for fit in (0, 1)], key=jax.random.key(0), width=2
    )


def compiled(plan):
    """The training program; it runs for a moment, so that to optimise it takes longer than it saves."""
    program = make_program(plan.groups[0], plan.space, min_train_size=plan.min_train_size, accelerator=False)
    return program.fit.lower(*run_inputs(plan)).compile()


def trained(program, plan):
    """The maps after every epoch on both folds."""
    return jax.tree.map(np.asarray, program(*run_inputs(plan)).params)


def differences(one, other):
    return [np.abs(a - b).max() for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)]


TRAINED = [
    ("image", "conditional"),
    ("text:en", "film"),
    ("centroid", "residual"),
    ("auxiliary:en", "nystroem"),
    ("symmetric", "dual(shift)"),
    ("consensus", "dual(shift)"),
    ("gcca", "dual(diagonal)"),
]


@pytest.mark.parametrize(("pivot", "aligner"), TRAINED)
def test_its_captions_change_no_parameter(pivot, aligner):
    plans = [planned(pivot, aligner, zh=seed) for seed in (0, 1)]
    program = compiled(plans[0])
    one, other = (trained(program, plan) for plan in plans)
    assert max(differences(one, other)) == 0.0
    # The same program does learn, and from all languages where none is held out.
    last, first = (jax.tree.map(lambda leaf, at=at: leaf[:, at], one) for at in (-1, 0))
    assert max(differences(last, first)) > 0
    if aligner == "conditional":
        shared, none = (planned(pivot, aligner, heldout=None, zh=seed) for seed in (0, 1))
        program = compiled(shared)
        assert max(differences(trained(program, shared), trained(program, none))) > 0
        assert not last["up"][:, 2].any() and last["up"][:, :2].any()
    if aligner == "film":
        assert not last["scale"][:, 2].any() and not last["shift"][:, 2].any() and last["shift"][:, :2].any()


@pytest.mark.parametrize(
    ("pivot", "aligner"),
    [
        ("image", "ridge"),
        ("text:en", "procrustes"),
        ("centroid", "ridge"),
        ("auxiliary:en", "scaled_procrustes"),
        ("symmetric", "cca"),
        ("consensus", "generalised_procrustes"),
        ("gcca", "gcca"),
    ],
)
def test_its_captions_change_no_closed_form_nor_the_choice(pivot, aligner):
    results = [run_sweep(planned(pivot, aligner, zh=seed)) for seed in (0, 1)]
    one, other = (result.outcomes[0] for result in results)
    assert max(differences(one.params, other.params)) == 0.0
    assert one.epochs == other.epochs and one.selection == other.selection
    np.testing.assert_array_equal(one.curves, other.curves)
    assert results[0].summary["best"] == results[1].summary["best"]
    best = [refit(result).params for result in results]
    assert not best[0] or max(differences(*best)) == 0.0
    for figures in (one.test[0], one.train[0], results[0].identity.test[0]):
        assert {name for _, name in figures.values} == {None, "zh"}
    assert one.test[0].values["t2i", None] != other.test[0].values["t2i", None]


@pytest.mark.parametrize("kind", ["procrustes", "gcca"])
def test_its_captions_are_no_view_of_a_consensus(kind):
    rows = [consensus_rows(without_language(three_languages(zh=seed), "zh"), np.arange(20), kind) for seed in (0, 1)]
    np.testing.assert_array_equal(*rows)
    assert np.any(rows[0] != consensus_rows(three_languages(), np.arange(20), kind))


def test_a_sweep_reports_on_it_alone(tmp_path):
    data = three_languages()
    found = sweep(data, aligners=["ridge"], folds=2, heldout_language="zh", out=tmp_path / "run")
    (outcome,), plan = found.outcomes, found.plan
    for part in (found.summary["trials"][0]["metrics"], found.summary["baselines"]["identity"]):
        for direction in ("t2i", "i2t"):
            assert list(part[direction]["per_language"]) == ["zh"]
            assert part[direction]["R@1"]["mean"] == part[direction]["per_language"]["zh"]["R@1"]["mean"]
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"summary.json", "best", "report.html"}
    for fold, params, figures in zip(plan.folds, outcome.params, outcome.test, strict=True):
        rows = unit_float32(data.text["zh"][np.isin(data.image_of["zh"], fold.test)])
        mapped = rows + rows @ params["delta"]
        right = np.argmax(mapped @ unit_float32(data.image[fold.test]).T, axis=1)
        assert figures.values["t2i", None]["R@1"] == pytest.approx(
            np.mean(right == make_part(data, fold.test).image_of[2])
        )


def test_an_aligner_with_parts_for_languages_maps_it_by_what_they_share():
    aligner = planned("image", "conditional").space.aligner("conditional", Recipe())
    params = jax.tree.map(lambda leaf: np.ones_like(leaf), aligner.init(jax.random.key(0)))
    params["up"][2] = 0.0  # as training without it leaves it
    rows = np.eye(5, dtype=np.float32)
    np.testing.assert_allclose(aligner.text(params, rows, 2), rows + rows @ params["shared"])
    np.testing.assert_array_equal(aligner.text(params, rows, 2), aligner.text(params, rows, -1))


@pytest.mark.parametrize(
    ("heldout", "pivot", "languages", "parts"),
    [
        ("xx", "image", None, ["--heldout_language=xx", "the data has de, en, zh"]),
        ("zh", "image", ["de", "en"], ["--heldout_language=zh", "the data has de, en"]),
        ("zh", "image", ["zh"], ["--heldout_language=zh", "no other language"]),
        ("zh", "text:zh", None, ["text:zh", "held out", "choose another"]),
        ("zh", "auxiliary:zh", None, ["auxiliary:zh", "held out"]),
        ("zh", "centroid", ["en", "zh"], ["centroid", "second language", "en alone"]),
    ],
)
def test_what_cannot_be_held_out_is_one_line(heldout, pivot, languages, parts, one_line, tmp_path):
    def ask():
        return sweep(
            three_languages(),
            pivots=[pivot],
            languages=languages,
            heldout_language=heldout,
            folds=2,
            out=tmp_path / "run",
        )

    one_line(ask, *parts)
    assert not list(tmp_path.iterdir())


def test_the_sensible_pivots_of_a_list_remain():
    data = three_languages()
    config = SweepConfig(pivots=("image", "text:zh"), aligners=("ridge",), folds=2, heldout_language="zh")
    plan = plan_sweep(data, config, plan_folds(data, config))
    assert [trial.pivot for trial in plan.trials] == ["image"]
    assert any("text:zh/ridge" in note and "held out" in note for note in plan.notes)


def test_a_map_for_each_language_has_none_for_it(one_line):
    one_line(lambda: planned("image", "per_language(residual)"), "no map for zh", "residual or conditional")
    assert [trial.aligner for trial in planned("text:en", "residual").trials] == ["residual"]

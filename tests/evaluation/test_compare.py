"""Two finished runs against each other: the figures of their summaries, and a line for all that cannot be compared."""

import dataclasses
import json
import shutil
import zipfile
from functools import cache

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.evaluation.compare import compare as compare_runs
from ccalign_jax.evaluation.compare import comparison_rows
from ccalign_jax.metrics import METRICS
from ccalign_jax.runs.kinds import SWEEP_FOLDER, read_config
from ccalign_jax.runs.load import read_run, run_digest
from ccalign_jax.runs.output import file_name, plain_name
from ccalign_jax.study import sweep
from ccalign_jax.study.inputs import prepare_data
from ccalign_jax.study.plan import plan_folds, plan_sweep
from ccalign_jax.study.summary import describe_data
from ccalign_jax.study.write import _fold_arrays as fold_arrays

IMAGES = 48
OWNERS = {"en": np.repeat(np.arange(IMAGES), 2), "de": np.flatnonzero(np.arange(IMAGES) % 3)}
WAYS = ("t2i", "i2t", "both")


def ragged(*, noise=0.9) -> EmbeddingSet:
    """English has two captions an image, German lacks every third; two images each of the first twelve are a group."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    image = rng.standard_normal((IMAGES, 6)).astype(np.float32)
    keys = [f"k{number:02d}" for number in range(IMAGES)]
    text = {
        language: ((image[owner] + noise * rng.standard_normal((len(owner), 6))) @ turn).astype(np.float32)
        for language, owner in OWNERS.items()
    }
    text_keys = {language: [keys[number] for number in owner] for language, owner in OWNERS.items()}
    groups = np.where(np.arange(IMAGES) < 12, np.arange(IMAGES) // 2, np.arange(IMAGES))
    return EmbeddingSet.build("ragged", image, text, image_keys=keys, text_keys=text_keys, groups=groups)


CHOICES = {
    "closed": {"aligners": ["ridge", "procrustes"]},
    "trained": {"aligners": ["residual"], "hyper": {"epochs": 1, "temperature": [0.02, 0.2], "learning_rate": 0.03}},
    "heldout": {"aligners": ["ridge"], "heldout_language": "de"},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """`runs(name)` is the folder of a finished sweep with these choices, made when it is first asked for."""
    where = tmp_path_factory.mktemp("runs")

    @cache
    def finished(name):
        sweep(ragged(), folds=4, diagnostics=False, out=where / name, **CHOICES[name])
        return where / name

    return finished


@pytest.fixture
def copy(runs, tmp_path):
    """A copy of a run, to be damaged."""
    return copied(runs("closed"), tmp_path / "copy")


@pytest.fixture
def planned(runs, tmp_path):
    """`planned(data, **choices)` is the folder of a run that chose otherwise; its ranks are another's."""

    def make(data, **choices):
        run = copied(runs("closed"), tmp_path / "planned")
        config = dataclasses.replace(read_config(run / "config.json", SWEEP_FOLDER)[0], **choices)
        data = prepare_data(data, config)
        plan = plan_sweep(data, config, plan_folds(data, config))
        stored = json.loads((run / "config.json").read_text()) | {"config": dataclasses.asdict(config)}
        (run / "config.json").write_text(json.dumps(stored))
        found = {"data": describe_data(data), "folds": len(plan.folds), "inner": plan.inner}
        (run / "summary.json").write_text(json.dumps(summary_of(run) | found))
        np.savez(run / "folds.npz", **fold_arrays(plan))
        older(run)
        return run

    return make


def compare(*runs, **choices):
    """The content of `comparison.json`."""
    return compare_runs(*runs, **choices).summary


def older(run):
    """Ranks as older versions wrote them, without trial and run."""
    for file in (run / "ranks").iterdir():
        rewrite(file, trial=None, run=None)


def copied(run, path):
    """A copy without the manifest, which would refuse files that a test edits."""
    kept = shutil.ignore_patterns("checkpoints", "best", "tables", "*.html", "manifest.json")
    return shutil.copytree(run, path, ignore=kept)


def summary_of(run):
    return json.loads((run / "summary.json").read_text())


def assert_same(mine, theirs):
    """That figures are equal: means to rounding, all that comes from replicates likewise."""
    if isinstance(theirs, dict):
        for key in theirs:
            assert_same(mine[key], theirs[key])
    else:
        assert mine == (None if theirs is None else pytest.approx(theirs, abs=1e-6))


def test_a_run_against_its_identity_is_its_own_summary(runs):
    for name in ("closed", "trained"):
        run = runs(name)
        summary, found = summary_of(run), compare(run, run, trial_a="identity")
        assert found["b"]["per_fold"] == summary["selected"]["per_fold"] and not found["notes"]
        for way in WAYS:
            assert_same(found["delta"][way], summary["selected"]["delta"][way])
            assert_same(found["b_metrics"][way], summary["selected"]["metrics"][way])
            assert_same(found["a_metrics"][way], summary["baselines"]["identity"][way])
            assert found["verdict"][way] == summary["selected"]["verdict"][way]
            assert set(found["delta"][way]) == {*METRICS, "per_language"}
            assert set(found["delta"][way]["per_language"]) == set(OWNERS)
        assert found["statistics"] == summary["statistics"]
        assert found["data"] == summary["data"]
    assert any(figure["p"] < 1 for figure in (found["delta"][way]["R@1"] for way in WAYS))


def test_a_held_out_language_is_compared_alone(runs):
    run = runs("heldout")
    found = compare(run, run, trial_a="identity")
    for way in WAYS:
        assert set(found["delta"][way]["per_language"]) == {"de"}
        assert_same(found["delta"][way], summary_of(run)["selected"]["delta"][way])


def test_a_trial_by_name_has_the_estimates_of_its_entry(runs):
    run = runs("trained")
    trials = summary_of(run)["trials"]
    assert len(trials) == 2
    for trial in trials:
        found = compare(run, run, trial_a="identity", trial_b=trial["name"])
        for way in WAYS:
            for metric in METRICS:
                mine, theirs = found["delta"][way][metric], trial["delta"][way][metric]
                assert mine["p_adjusted"] == mine["p"]  # one comparison; the sweep's are adjusted for both trials
                assert_same({**mine, "p_adjusted": None}, {**theirs, "p_adjusted": None})
        assert [note.split(":")[0] for note in found["notes"]] == ["b is one of 2 trials"]


def test_two_runs_are_paired_query_by_query(runs):
    a, b = runs("closed"), runs("trained")
    trials = [summary_of(run)["trials"][-1]["name"] for run in (a, b)]
    found = compare(a, b, trial_a=trials[0], trial_b=trials[1])
    ranks = [np.load(run / "ranks" / f"{file_name(name)}.npz") for run, name in zip((a, b), trials, strict=True)]
    for language in OWNERS:
        first = [(one[f"t2i/{language}/better"] == 0) for one in ranks]
        for column in ("fold", "row", "image"):
            np.testing.assert_array_equal(*(one[f"t2i/{language}/{column}"] for one in ranks))
        fold = ranks[0][f"t2i/{language}/fold"]
        change = [np.mean(first[1][fold == n].astype(float) - first[0][fold == n]) for n in range(4)]
        figure = found["delta"]["t2i"]["per_language"][language]["R@1"]
        assert figure["mean"] == pytest.approx(np.mean(change), abs=1e-9)
        assert figure["std"] == pytest.approx(np.std(change, ddof=1), abs=1e-9)
        assert figure["low"] <= figure["mean"] <= figure["high"]


def test_with_the_runs_swapped_every_change_is_its_negative(runs):
    a, b = runs("closed"), runs("trained")
    there, back = compare(a, b), compare(b, a)
    for way in WAYS:
        for metric in METRICS:
            one, other = there["delta"][way][metric], back["delta"][way][metric]
            assert one["mean"] == pytest.approx(-other["mean"]) and one["p"] == pytest.approx(other["p"])
            assert one["p_folds"] == pytest.approx(other["p_folds"])
            assert (one["low"], one["high"]) == pytest.approx((-other["high"], -other["low"]), abs=1e-9)
    assert there["a_metrics"] == back["b_metrics"]
    assert {there["verdict"]["t2i"], back["verdict"]["t2i"]} in ({"gain", "loss"}, {"no evidence"})


def test_a_run_against_itself_is_nothing(runs):
    found = compare(runs("trained"), runs("trained"))
    assert set(found["verdict"].values()) == {"no evidence"} and found["notes"] == []
    for way in WAYS:
        for figure in (found["delta"][way][metric] for metric in METRICS):
            assert (figure["mean"], figure["low"], figure["high"], figure["std"]) == (0, 0, 0, 0)
            assert figure["p"] == figure["p_adjusted"] == figure["p_folds"] == 1


def test_only_resamples_depend_on_the_seed(runs):
    one, other = (compare(runs("closed"), runs("trained"), seed=seed) for seed in (0, 1))
    figures = [found["delta"]["t2i"]["R@1"] for found in (one, other)]
    assert figures[0]["mean"] == figures[1]["mean"] and figures[0]["p_folds"] == figures[1]["p_folds"]
    assert figures[0]["low"] != figures[1]["low"]


def test_other_training_images_and_other_choices_are_noted(runs, planned):
    train, inner = compare(planned(ragged(), inner_folds=1), runs("trained"))["notes"]
    assert "a fold of a trains on 28 images, one of b on 36" in train
    assert "a by one inner part" in inner and "b by each of the other 3 folds in turn" in inner


def test_inner_folds_of_the_same_kind_may_differ_too(runs, planned):
    one = planned(ragged(), inner_folds=3)
    [note] = compare(runs("closed"), one)["notes"]
    assert "b by 3 inner folds" in note
    other = copied(one, one.parent / "other")
    with np.load(one / "folds.npz") as stored:
        rewrite(other / "folds.npz", **{"0/inner/0/validation": stored["0/inner/1/validation"]})
    [note] = compare(one, other)["notes"]
    assert "both by 3 inner folds, but not the same" in note


def test_under_the_seed_protocol_both_are_called_optimistic(copy):
    stored = json.loads((copy / "config.json").read_text())
    stored["config"]["protocol"] = "seed"
    (copy / "config.json").write_text(json.dumps(stored))
    older(copy)
    [note] = compare(copy, copy, trial_a="identity")["notes"]
    assert "optimistic" in note


@pytest.mark.parametrize(
    "choices, parts",
    [
        ({"seed": 1}, ["fold 0 has other test images", "--seed is 1, there 0"]),
        ({"folds": 3}, ["--folds is 3, there 4"]),
        ({"repeats": 2}, ["more or fewer folds", "--repeats is 2, there 1"]),
        ({"limit": 40}, ["its data", "--limit is 40, there None"]),
        ({"languages": ("en",)}, ["its data", "--languages is ('en',), there None"]),
        ({"heldout_language": "de"}, ["--heldout_language is de, there None"]),
        ({"protocol": "seed"}, ["the protocol is seed", "nested"]),
        ({}, ["both are of ragged", "changed"]),
    ],
)
def test_what_cannot_be_compared_is_refused(runs, planned, one_line, choices, parts):
    data = ragged() if choices else ragged(noise=1.1)
    other = planned(data.with_languages(["en"]) if "languages" in choices else data, **choices)
    for pair in ((runs("closed"), other), (other, runs("closed"))):
        said = one_line(lambda pair=pair: compare(*pair), *map(str, pair))
    one_line(lambda: compare(runs("closed"), other), *parts)
    assert "sweep one of them again" in said


def test_other_data_are_named(runs, copy, one_line):
    summary = summary_of(copy)
    summary["data"] |= {"name": "elsewhere", "sha256": "0"}
    (copy / "summary.json").write_text(json.dumps(summary))
    one_line(lambda: compare(runs("closed"), copy), "elsewhere", "ragged")


def test_an_unknown_trial_is_answered_with_those_there_are(runs, one_line):
    run = runs("trained")
    names = [trial["name"] for trial in summary_of(run)["trials"]]
    for wrong in ("image/residul", ""):
        one_line(lambda wrong=wrong: compare(run, run, trial_b=wrong), repr(wrong), *names, "identity", "selected")


def rewrite(path, **changes):
    """The arrays of a file, with some replaced, or taken out by None."""
    with np.load(path) as stored:
        arrays = {**stored, **changes}
    np.savez_compressed(path, **{key: value for key, value in arrays.items() if value is not None})


def damage(copy, how, ranks):
    match how:
        case "no folder":
            shutil.rmtree(copy)
        case "no config":
            (copy / "config.json").unlink()
        case "no summary":
            (copy / "summary.json").unlink()
        case "half a summary":
            (copy / "summary.json").write_text("{")
        case "a deep summary":
            (copy / "summary.json").write_text("[" * 100_000)
        case "a deep config":
            (copy / "config.json").write_text("[" * 100_000)
        case "no folds":
            (copy / "folds.npz").unlink()
        case "half the folds":
            (copy / "folds.npz").write_bytes((copy / "folds.npz").read_bytes()[:200])
        case "a fold less":
            rewrite(copy / "folds.npz", **{"3/test": None})
        case "no ranks":
            ranks.unlink()
        case "a byte of ranks":
            with zipfile.ZipFile(ranks) as members:
                member = members.getinfo("t2i/en/better.npy")
            content = bytearray(ranks.read_bytes())
            content[member.header_offset + 30 + len(member.filename) + member.compress_size] ^= 255
            ranks.write_bytes(content)
        case "a language less":
            rewrite(ranks, **{"t2i/en/better": None})
        case "ranks of other images":
            rewrite(ranks, **{"t2i/en/image": np.load(ranks)["t2i/en/image"][::-1]})


@pytest.mark.parametrize(
    "how, parts",
    [
        ("no folder", ["no such folder"]),
        ("no config", ["config.json"]),
        ("no summary", ["not finished", "--resume"]),
        ("half a summary", ["summary.json", "damaged"]),
        ("a deep summary", ["summary.json", "damaged"]),
        ("a deep config", ["config.json"]),
        ("no folds", ["folds.npz", "older"]),
        ("half the folds", ["folds.npz", "damaged"]),
        ("a fold less", ["folds.npz", "damaged"]),
        ("no ranks", ["ranks", "missing"]),
        ("a byte of ranks", ["ranks", "damaged"]),
        ("a language less", ["ranks", "damaged"]),
        ("ranks of other images", ["ranks", "another run"]),
    ],
)
def test_a_damaged_run_is_one_line(copy, one_line, how, parts):
    name = summary_of(copy)["trials"][0]["name"]
    damage(copy, how, copy / "ranks" / f"{file_name(name)}.npz")
    one_line(lambda: compare(copy, copy, trial_a="identity", trial_b=name), str(copy), *parts)


def test_rank_files_name_their_trial_and_run(copy, runs, one_line):
    names = [trial["name"] for trial in summary_of(copy)["trials"]][:2]
    one, other = (copy / "ranks" / f"{file_name(name)}.npz" for name in names)
    before = compare(copy, copy, trial_a=names[0], trial_b=names[1])
    one.rename(copy / "one"), other.rename(one), (copy / "one").rename(other)
    said = one_line(lambda: compare(copy, copy, trial_a=names[0], trial_b="identity"), str(one))
    assert f"holds the ranks of {names[1]}, not of {names[0]}" in said
    one.rename(copy / "one"), other.rename(one), (copy / "one").rename(other)
    rewrite(one, run="of another run")
    one_line(lambda: compare(copy, copy, trial_a=names[0]), str(one), "another run")
    older(copy)
    for file, name in ((one, names[0]), (other, names[1])):
        file.rename(copy / "ranks" / f"{plain_name(name)}.npz")
    assert compare(copy, copy, trial_a=names[0], trial_b=names[1]) == before


def test_an_older_file_that_two_trials_share_is_refused(copy, one_line):
    older(copy)
    summary = summary_of(copy)
    first = summary["trials"][0]["name"]
    summary["trials"][1]["name"] = first.replace("/", " ")
    (copy / "summary.json").write_text(json.dumps(summary))
    one_line(lambda: compare(copy, copy, trial_a=first, trial_b="identity"), "shared by several trials")


def test_rows_have_every_estimate(runs):
    found, arms = compare_runs(runs("closed"), runs("trained"))
    rows = list(comparison_rows(arms))
    assert len(rows) == len(WAYS) * (1 + len(OWNERS)) * len(METRICS)
    row = next(row for row in rows if (row["direction"], row["language"], row["metric"]) == ("i2t", "de", "mAP"))
    for side, key in (("a", "a_metrics"), ("b", "b_metrics"), ("delta", "delta")):
        figure = found[key]["i2t"]["per_language"]["de"]["mAP"]
        assert float(row[side]) == pytest.approx(figure["mean"], abs=1e-6)
        assert float(row[f"{side}_low"]) == pytest.approx(figure["low"], abs=1e-6)
    assert {"delta_p", "delta_p_adjusted", "delta_p_folds"} <= row.keys()


def test_what_is_read_is_what_was_planned(runs):
    run = read_run(runs("closed"))
    reported = np.concatenate(run.rows("test"))
    np.testing.assert_array_equal(np.sort(reported), np.arange(IMAGES))
    assert all(len(np.intersect1d(*pair)) == 0 for pair in zip(run.rows("train"), run.rows("test"), strict=True))


def test_a_folder_with_the_former_names_of_parts_is_read(runs, tmp_path):
    """Former versions called the test part `report` and the validation part `select`."""
    former = copied(runs("closed"), tmp_path / "former")
    with np.load(former / "folds.npz") as stored:
        arrays = {name.replace("/test", "/report").replace("/validation", "/select"): stored[name] for name in stored}
    assert {"0/report", "0/inner/0/select"} <= arrays.keys()
    np.savez_compressed(former / "folds.npz", **arrays)
    for ranks in (former / "ranks").iterdir():
        rewrite(ranks, run=run_digest(read_config(former / "config.json", SWEEP_FOLDER)[1], arrays))
    found = compare(former, runs("closed"))
    assert found["delta"]["both"]["R@1"]["mean"] == 0 and not found["notes"]

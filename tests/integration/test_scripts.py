"""The scripts as a user runs them, in processes of their own."""

import csv
import json
import re
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from ccalign_jax.checkpoints import load_tree
from ccalign_jax.data import load, save

PIVOTS = ("image", "text:en", "symmetric")  # one of each kind: towards images, towards captions, both sides moving
QUICK = [f"--pivot={','.join(PIVOTS)}", "--limit=80", "--hyper=epochs=2", "--folds=2", "--aligners=residual,dual"]
SHORT = ["--tasks=none", "--noscores", "--nodiagnostics"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """120 images; en has two captions each, de lacks every third; captions are noisy images."""
    random = np.random.default_rng(0)
    image = random.standard_normal((120, 16)).astype(np.float32)
    keys = np.array([f"k{number:03d}" for number in range(120)])
    owners = {"en": np.repeat(np.arange(120), 2), "de": np.flatnonzero(np.arange(120) % 3)}
    arrays = {"image": image, "image_keys": keys, "split": np.where(np.arange(120) % 4 == 0, "test", "train")}
    for language, owner in owners.items():
        noise = random.standard_normal((len(owner), 16)).astype(np.float32)
        arrays[f"text_{language}"], arrays[f"text_{language}_keys"] = image[owner] + 0.7 * noise, keys[owner]
    path = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory, script) -> Path:
    """The folder of a finished sweep over several pivots."""
    where = tmp_path_factory.mktemp("runs")
    done = script("sweep.py", f"--data={data}", "--out=run", *QUICK, cwd=where, plots=True)
    assert done.returncode == 0, done.stderr
    assert "identity" in done.stdout and "best:" in done.stdout
    return where / "run"


def test_a_sweep_leaves_what_the_design_promises(finished):
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["schema"] == 2 and summary["data"]["images"] == 80 and summary["folds"] == 2
    assert {trial["pivot"] for trial in summary["trials"]} == set(PIVOTS)
    for trial in summary["trials"]:
        for direction in ("t2i", "i2t", "both"):
            figure = trial["delta"][direction]["R@1"]
            assert set(figure) == {"mean", "std", "low", "high", "p", "p_adjusted", "p_folds"}
            assert figure["low"] <= figure["mean"] <= figure["high"] and 0 < figure["p"] <= figure["p_adjusted"] <= 1
            gained = (
                trial["metrics"][direction]["R@1"]["mean"] - summary["baselines"]["identity"][direction]["R@1"]["mean"]
            )
            assert figure["mean"] == pytest.approx(gained, abs=1e-12)
    text = next(trial for trial in summary["trials"] if trial["pivot"] == "text:en")
    assert "en (unmapped)" in text["metrics"]["t2i"]["per_language"]
    with (finished / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    languages = {"macro": 1, "de": 1, "en": 1}
    plain = [row for row in rows if not row["pivot"].endswith(":en") and row["direction"] in ("t2i", "i2t")]
    trials = 1 + sum(trial["pivot"][-3:] != ":en" for trial in summary["trials"])
    assert len(plain) == trials * 3 * 2 * len(languages)  # both folds and all, both ways
    assert {row["fold"] for row in rows} == {"all", "0", "1"} and {row["direction"] for row in rows} > {"t2i", "both"}
    gained = next(row for row in rows if row["trial"] == text["name"] and row["fold"] == "all")
    for key, value in text["delta"]["t2i"]["R@1"].items():
        column = "delta_R@1" if key == "mean" else f"delta_R@1_{key}"
        assert float(gained[column]) == pytest.approx(value, abs=1e-6)
    with np.load(finished / "folds.npz") as folds:
        reported = np.concatenate([folds["0/test"], folds["1/test"]])
        np.testing.assert_array_equal(np.sort(reported), np.arange(80))
        assert len(folds["keys"]) == len(folds["groups"]) == 80
        assert {name for name in folds.files if name.startswith("0/")} == {
            *("0/train", "0/test", "0/inner/0/train", "0/inner/0/validation")
        }
    page = (finished / "report.html").read_text()
    assert page.count("<svg") >= 2 and not re.search(r"(src|href)=.http", page)
    assert not (finished / "unfinished").exists()


def test_ranks_on_disk_give_the_estimates_of_the_summary(finished):
    summary = json.loads((finished / "summary.json").read_text())
    with np.load(finished / "ranks" / "identity.npz") as ranks:
        folds = [
            np.mean(
                [
                    np.mean((ranks[f"t2i/{lang}/better"] == 0)[ranks[f"t2i/{lang}/fold"] == fold])
                    for lang in ("de", "en")
                ]
            )
            for fold in range(2)
        ]
    assert summary["baselines"]["identity"]["t2i"]["R@1"]["mean"] == pytest.approx(np.mean(folds), abs=1e-6)


def test_the_same_command_writes_the_same_bytes(finished, data, tmp_path, script):
    done = script("sweep.py", f"--data={data}", "--out=run", *QUICK, cwd=tmp_path, plots=True)
    assert done.returncode == 0, done.stderr
    names = ["summary.json", "examples.json", "results.csv", "config.json", "tables/main.md", "folds.npz"]
    pages = [(run / "report.html").read_text("utf-8") for run in (tmp_path / "run", finished)]
    mine, theirs = (re.sub(r'<p class="when">Finished .*UTC.*</p>', "", page) for page in pages)  # when, and how long
    assert mine == theirs and mine != pages[0]
    for name in [*names, *(f"ranks/{path.name}" for path in (finished / "ranks").iterdir())]:
        assert (tmp_path / "run" / name).read_bytes() == (finished / name).read_bytes(), name
    for mine, theirs in zip(
        *(sorted((run / "checkpoints").iterdir()) for run in (tmp_path / "run", finished)), strict=True
    ):
        mine, theirs = load_tree(mine)[0], load_tree(theirs)[0]
        assert all(jax.tree.leaves(jax.tree.map(np.array_equal, mine, theirs)))


def test_a_run_is_not_overwritten_unasked_and_resumes_from_its_own_config(finished, data, script, one_line_on_stderr):
    where, before = finished.parent, (finished / "summary.json").read_bytes()
    refused = script("sweep.py", f"--data={data}", "--out=run", *QUICK, cwd=where)
    one_line_on_stderr(refused, "--resume", "--overwrite")
    changed = script("sweep.py", "--folds=3", "--out=run", "--resume", cwd=where)
    one_line_on_stderr(changed, "folds is 3, was 2")
    resumed = script("sweep.py", "--out=run", "--resume", cwd=where)
    assert resumed.returncode == 0, resumed.stderr
    assert "complete already" in resumed.stdout
    assert (finished / "summary.json").read_bytes() == before


def test_apply_and_evaluate_agree(finished, data, tmp_path, script):
    applied = script(
        "apply.py", f"--checkpoint={finished / 'best'}", f"--data={data}", "--out=mapped.npz", cwd=tmp_path
    )
    assert applied.returncode == 0, applied.stderr
    with np.load(tmp_path / "mapped.npz") as mapped, np.load(data) as raw:
        assert mapped["image"].dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(mapped["text_en"], axis=1), 1, atol=1e-5)
        assert (mapped["image_keys"] == raw["image_keys"]).all() and (mapped["split"] == raw["split"]).all()
    flags = [f"--data={data}", f"--checkpoint={finished / 'best'}", "--split=test", *SHORT, "--out=mine"]
    through = script("evaluate.py", *flags, cwd=tmp_path)
    assert through.returncode == 0, through.stderr
    with np.load(finished / "folds.npz") as folds:
        mapped = load(tmp_path / "mapped.npz")
        fresh = mapped.take(np.flatnonzero(~np.isin(mapped.keys, folds["keys"])))
    save(tmp_path / "fresh.npz", fresh)  # the map's training images are left out of its evaluation
    before = script("evaluate.py", "--data=fresh.npz", "--split=test", *SHORT, "--out=theirs", cwd=tmp_path)
    assert before.returncode == 0, before.stderr
    mine = json.loads((tmp_path / "mine" / "summary.json").read_text())
    theirs = json.loads((tmp_path / "theirs" / "summary.json").read_text())
    assert mine["metrics"]["t2i"]["R@1"]["mean"] == pytest.approx(theirs["baselines"]["identity"]["t2i"]["R@1"]["mean"])
    assert mine["data"]["images"] == theirs["data"]["images"] == 30 - mine["training_images"]["seen"]


def test_evaluate_never_replaces_the_summary_of_a_sweep(finished, data, script, one_line_on_stderr):
    done = script("evaluate.py", f"--data={data}", f"--out={finished}", "--overwrite", cwd=finished.parent)
    one_line_on_stderr(done, "holds a sweep")


def test_a_damaged_summary_is_one_line(finished, tmp_path, script, one_line_on_stderr):
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "summary.json").write_text("{")
    config = json.loads((finished / "config.json").read_text())["config"]
    one_line_on_stderr(script("sweep.py", "--out=run", "--resume", cwd=tmp_path), "summary.json", "damaged")
    assert config == json.loads((tmp_path / "run" / "config.json").read_text())["config"]


@pytest.mark.parametrize("flag", ["pivot", "aligners", "aligner", "losses", "grid", "hyper"])
def test_list_prints_what_there_is(flag, tmp_path, script):
    done = script("sweep.py", f"--{flag}=list", cwd=tmp_path)
    assert done.returncode == 0 and len(done.stdout.splitlines()) >= 3 and not list(tmp_path.iterdir())


MISTAKES = {
    "missing file": (["--data=nowhere.npz"], ["nowhere.npz"]),
    "unknown pivot": (["--pivot=picture"], ["picture", "image", "symmetric"]),
    "pivot language": (["--pivot=text:xx"], ["xx", "en"]),
    "unknown aligner": (["--aligners=residul"], ["residul", "residual"]),
    "unknown loss": (["--losses=l3"], ["l3", "infonce"]),
    "unknown grid": (["--grid=huge"], ["huge", "default"]),
    "unknown hyper-parameter": (["--hyper=lr=1"], ["lr", "learning_rate"]),
    "impossible hyper-parameter": (["--hyper=learning_rate=0"], ["learning_rate", "above 0"]),
    "language nobody has": (["--languages=xx"], ["xx", "en"]),
    "fewer images than folds": (["--limit=3"], ["3 images", "5 folds"]),
    "unknown flag": (["--pivott=image"], ["pivott", "did you mean --pivot?"]),
    "a setting as a flag": (["--lr=0.1"], ["--lr", "--hyper=learning_rate=0.1"]),
    "a flag by both its names": (["--aligner=linear", "--aligners=shift"], ["--aligner and --aligners"]),
    "senseless": (["--pivot=symmetric", "--aligners=residual"], ["dual(residual)"]),
    "official folds": (["--split=official", "--folds=3"], ["--folds"]),
    "official repeats": (["--split=official", "--repeats=2"], ["--split=official", "--repeats"]),
    "seed inner folds": (["--protocol=seed", "--inner_folds=1"], ["--protocol=seed", "--inner_folds"]),
    "no inner folds": (["--inner_folds=0"], ["--inner_folds=0"]),
    "more inner folds than images": (["--inner_folds=200"], ["--inner_folds"]),
    "no repeats": (["--repeats=0"], ["--repeats=0"]),
    "a cosine above one": (["--duplicate_cosine=1.5"], ["1.5"]),
    "no pivot": (["--pivot="], ["--pivot is empty"]),
    "no aligner": (["--aligners="], ["--aligners is empty"]),
    "a path that says list": (["--grid=mylist.yaml"], ["mylist.yaml", "default"]),
    "a comma inside brackets": (["--aligners=dual(residual,shift)"], ["dual(residual,shift)", "--pivot=symmetric"]),
    "unwritable": (["--out=/proc/nothing/here"], ["/proc/nothing"]),
    "protocol": (["--protocol=sed"], ["sed", "nested"]),
    "remote": (["--out=gs://bucket/run"], ["gs://bucket/run", "remote"]),
    "resume nothing": (["--resume", "--out=run"], ["run"]),
}


@pytest.mark.parametrize("flags, parts", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_written(flags, parts, data, tmp_path, script, one_line_on_stderr):
    given = flags if any(flag.startswith("--data") for flag in flags) else [*flags, f"--data={data}"]
    one_line_on_stderr(script("sweep.py", *given, cwd=tmp_path), *parts)
    assert not list(tmp_path.iterdir())


def damaged(data: Path, path: Path, **changes) -> Path:
    with np.load(data) as arrays:
        kept = {**arrays, **changes}
    np.savez(path, **{key: value for key, value in kept.items() if value is not None})
    return path


def test_bad_arrays_are_named(data, tmp_path, script, one_line_on_stderr):
    with np.load(data) as arrays:
        text, image = arrays["text_en"].copy(), arrays["image"]
    text[7] = np.nan
    cases = {
        "nan.npz": ({"text_en": text}, ["text_en", "row 7", "k003"]),
        "zero.npz": ({"image": image * (np.arange(120) != 5)[:, None]}, ["image", "row 5", "k005"]),
        "wide.npz": ({"text_en": np.ones((240, 9), np.float32)}, ["text_en", "9", "16"]),
        "noimage.npz": ({"image": None}, ["image"]),
    }
    for name, (changes, parts) in cases.items():
        path = damaged(data, tmp_path / name, **changes)
        one_line_on_stderr(script("sweep.py", f"--data={path}", cwd=tmp_path), name, *parts)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(cases)

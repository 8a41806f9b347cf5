"""`compare.py` as a user runs it, in a process of its own."""

import csv
import json
from pathlib import Path

import pytest

from ccalign_jax.data import synthetic
from ccalign_jax.study import sweep

ENDINGS = ("csv", "json", "md", "tex")


@pytest.fixture(scope="module")
def runs(tmp_path_factory, no_plots) -> Path:
    """A folder with two finished sweeps: `ridge`, and `both` which has one trial more."""
    where = tmp_path_factory.mktemp("runs")
    data = synthetic(60, dimensions=8, languages=("de", "en"))
    for name, aligners in (("ridge", ["ridge"]), ("both", ["ridge", "procrustes"])):
        sweep(data, aligners=aligners, folds=4, diagnostics=False, out=where / name)
    return where


def test_two_runs_are_compared_and_written(runs, script, one_line_on_stderr):
    entry = json.loads((runs / "both" / "summary.json").read_text())["trials"][1]
    trial = entry["name"]
    done = script("compare.py", "ridge", "--trial_a=identity", "both", f"--trial_b={trial}", "--out=found", cwd=runs)
    assert done.returncode == 0, done.stderr
    assert "note: b is one of 2 trials" in done.stdout and "everything: found" in done.stdout
    written = [f"comparison.{end}" for end in ENDINGS]
    assert sorted(path.name for path in (runs / "found").iterdir()) == [*written, "manifest.json"]
    found = json.loads((runs / "found" / "comparison.json").read_text())
    assert found["b"] == {"run": "both", "name": trial, "per_fold": [trial] * 4}
    assert found["delta"]["both"]["R@1"]["mean"] == pytest.approx(entry["delta"]["both"]["R@1"]["mean"], abs=1e-6)
    with (runs / "found" / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    macro = next(row for row in rows if (row["direction"], row["language"], row["metric"]) == ("both", "macro", "R@1"))
    assert float(macro["delta_low"]) == pytest.approx(found["delta"]["both"]["R@1"]["low"], abs=1e-6)
    again = script("compare.py", "ridge", "both", "--out=found", cwd=runs)
    one_line_on_stderr(again, "found", "--overwrite")
    over = script("compare.py", "ridge", "both", "--out=found", "--overwrite", cwd=runs)
    assert over.returncode == 0, over.stderr
    assert json.loads((runs / "found" / "comparison.json").read_text())["b"]["name"] == "selected"


def test_without_out_nothing_is_written(runs, tmp_path, script):
    done = script("compare.py", str(runs / "ridge"), str(runs / "ridge"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no evidence" in done.stdout.lower() and not list(tmp_path.iterdir())


MISTAKES = {
    "nothing given": ([], ["RUN_A and RUN_B must be given"]),
    "one run": (["ridge"], ["RUN_B must be given"]),
    "three runs": (["ridge", "both", "third"], ["'third' is not a flag"]),
    "no run": (["ridge", "nowhere"], ["nowhere", "no such folder"]),
    "unknown trial": (["ridge", "both", "--trial_b=image/rigde"], ["image/rigde", "ridge", "identity"]),
    "unknown flag": (["ridge", "both", "--sed=1"], ["sed"]),
    "impossible seed": (["ridge", "both", "--seed=-1"], ["seed"]),
    "a run's own folder": (
        ["ridge", "both", "--out=ridge", "--overwrite"],
        ["ridge", "holds a sweep, not a comparison"],
    ),
    "empty out": (["ridge", "both", "--out="], ["--out is empty"]),
}


@pytest.mark.parametrize("arguments, parts", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_written(arguments, parts, runs, script, one_line_on_stderr):
    before = sorted(runs.rglob("*"))
    one_line_on_stderr(script("compare.py", *arguments, cwd=runs), *parts)
    assert sorted(runs.rglob("*")) == before

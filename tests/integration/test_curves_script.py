"""`curves.py` as a user runs it, in a process of its own."""

import json
from pathlib import Path

import pytest

QUICK = ("--limit=60", "--languages=en", "--folds=2", "--learning_aligner=ridge")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    from ccalign_jax.data import save, synthetic

    path = tmp_path_factory.mktemp("data") / "small.npz"
    save(path, synthetic(80, dimensions=8, languages=("de", "en")))
    return path


def test_both_curves_are_printed_and_written(data, tmp_path, script, one_line_on_stderr):
    done = script("curves.py", f"--data={data}", *QUICK, "--sizes=10,24", "--out=found", cwd=tmp_path, plots=True)
    assert done.returncode == 0, done.stderr
    assert "least squares" in done.stdout and "everything: found/report.html" in done.stdout
    found = json.loads((tmp_path / "found" / "curves.json").read_text())
    assert found["data"]["images"] == 60 and [point["pairs"] for point in found["learning"]["points"]] == [10, 24]
    for name in ("figures/path.svg", "figures/learning.svg", "tables/path.md", "tables/learning.tex", "curves.csv"):
        assert (tmp_path / "found" / name).stat().st_size > 0
    one_line_on_stderr(
        script("curves.py", f"--data={data}", *QUICK, "--out=found", cwd=tmp_path), "found", "--overwrite"
    )
    again = script("curves.py", f"--data={data}", *QUICK, "--what=path", "--out=found", "--overwrite", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    after = json.loads((tmp_path / "found" / "curves.json").read_text())
    assert after["path"] == found["path"] and "learning" not in after


MISTAKES = {
    "unknown curve": (["--what=path,lerning"], ["lerning", "path and learning"]),
    "no number": (["--sizes=100,many"], ["--sizes=many", "whole numbers"]),
    "too many images": (["--sizes=4000"], ["--sizes=4000", "1 to"]),
    "sizes of a path": (["--what=path", "--sizes=10"], ["--sizes", "learning"]),
    "no path": (["--aligner=residual_mlp"], ["--aligner=residual_mlp", "ridge or residual"]),
    "several pivots": (["--pivot=all"], ["one pivot"]),
    "unknown setting": (["--hyper=lr=1"], ["lr", "learning_rate"]),
    "unknown aligner": (["--learning_aligner=residul"], ["residul", "residual"]),
}


@pytest.mark.parametrize("flags, parts", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_written(flags, parts, data, tmp_path, script, one_line_on_stderr):
    one_line_on_stderr(script("curves.py", f"--data={data}", *flags, cwd=tmp_path), *parts)
    assert not list(tmp_path.iterdir())

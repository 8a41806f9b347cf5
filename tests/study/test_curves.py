"""Both curves in one dict, and the folder they are kept in."""

import csv
import json
from contextlib import contextmanager

import numpy as np
import pytest

from ccalign_jax.data import synthetic
from ccalign_jax.options import SweepConfig
from ccalign_jax.runs.kinds import CURVES_FOLDER
from ccalign_jax.runs.store import Store
from ccalign_jax.study.curve_runs import plan_learning, plan_path
from ccalign_jax.study.curves import Curves, curve_rows, make_curves, write_curves
from ccalign_jax.study.plan import plan_folds

DATA = synthetic(60, dimensions=8, languages=("de", "en"))
CONFIG = SweepConfig(aligners=("ridge",), folds=2)
FOLDS = plan_folds(DATA, CONFIG)


@pytest.fixture(scope="module")
def curves():
    return make_curves(path=plan_path(DATA, CONFIG, FOLDS), learning=plan_learning(DATA, CONFIG, FOLDS, sizes=[12, 24]))


def test_both_curves_say_what_they_are_of(curves):
    curves = curves.summary
    json.dumps(curves, allow_nan=False)
    assert curves["data"]["name"] == DATA.name and curves["folds"] == 2
    assert set(curves["config"]) == {"path", "learning"} and curves["statistics"]["clusters"] == 60
    assert any("least squares" in note for note in curves["notes"]) and len(set(curves["notes"])) == len(
        curves["notes"]
    )
    # ridge on all images is both curves' last word
    assert curves["learning"]["points"][-1]["test"] == curves["path"]["chosen"]["test"]


def test_either_curve_alone(curves):
    shown = []

    @contextmanager
    def bar(unit):
        shown.append(unit)
        yield lambda what, done, total: shown.append((done, total))

    alone = make_curves(path=plan_path(DATA, CONFIG, FOLDS), bar=bar)
    assert alone.summary["path"] == curves.summary["path"] and "learning" not in alone.summary
    assert shown[0] == "steps of the path" and all(done <= total for done, total in shown[1:])
    other = make_curves(learning=plan_learning(DATA, CONFIG, FOLDS, sizes=[12, 24]))
    assert other.summary["learning"] == curves.summary["learning"] and "path" not in other.summary


def test_the_frame_is_the_rows_of_the_csv(curves):
    pytest.importorskip("pandas")
    frame, rows = curves.frame(), list(curve_rows(curves.points))
    assert len(frame) == len(rows) and set(frame["curve"]) == {"path", "learning"}
    assert frame["penalty"].iloc[0] == np.inf and frame["pairs"].isna().sum() == (frame["curve"] == "path").sum()
    assert frame["chosen_in"].dropna().tolist() == [row["chosen_in"] for row in rows if row["chosen_in"] != ""]
    assert frame["test_R@1"].tolist() == [float(row["test_R@1"]) for row in rows]


def test_rows_of_the_csv(curves):
    rows = list(curve_rows(curves.points))
    points = curves.summary["path"]["points"]
    assert len(rows) == 3 * (len(points) + 2)
    assert [row["penalty"] for row in rows[::3]][:2] == ["inf", "1000"]
    first, last = rows[0], rows[-1]
    assert (first["curve"], first["direction"]) == ("path", "t2i")
    assert first["delta_R@1"] == first["norm"] == first["rotation"] == "0.000000"
    assert (last["curve"], last["pairs"], last["direction"]) == ("learning", 24, "both")
    figure = curves.summary["learning"]["points"][-1]["delta"]["both"]["R@1"]
    assert float(last["delta_R@1"]) == pytest.approx(figure["mean"], abs=1e-6)
    assert float(last["delta_R@1_p_adjusted"]) == pytest.approx(figure["p_adjusted"], abs=1e-6)


def write(out, curves, *, overwrite=False):
    with Store(out, CURVES_FOLDER) as folder:
        folder.acquire(overwrite=overwrite)
        write_curves(folder, curves)


def test_a_folder_keeps_them_and_is_not_overwritten_unasked(curves, tmp_path, one_line):
    out = tmp_path / "found"
    write(out, curves)
    assert json.loads((out / "curves.json").read_text()) == json.loads(json.dumps(curves.summary))
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert names == {"curves.json", "curves.csv", "report.html", "manifest.json"} | {
        f"{folder}/{name}.{end}"
        for folder, ends in (("figures", ("svg",)), ("tables", ("md", "tex", "csv")))
        for name in ("path", "learning")
        for end in ends
    }
    with (out / "curves.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(list(curve_rows(curves.points)))
    one_line(lambda: write(out, curves), str(out), "--overwrite")
    alone = ({key: each for key, each in part.items() if key != "learning"} for part in curves)
    write(out, Curves(*alone), overwrite=True)
    assert not (out / "figures" / "learning.svg").exists()  # nothing is left of what was there


def test_what_is_not_curves_is_never_touched(tmp_path, one_line):
    (tmp_path / "thesis.tex").write_text("mine")
    one_line(lambda: write(tmp_path, Curves({}, {}), overwrite=True), str(tmp_path), "no manifest.json")
    one_line(lambda: write(tmp_path / "thesis.tex", Curves({}, {}), overwrite=True), "thesis.tex", "not a folder")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

"""A metric that a user registers is reported like any other: everywhere, with interval and p."""

import csv
import io
import json
from functools import partial

import pytest

from ccalign_jax.evaluation.compare import compare
from ccalign_jax.metrics import METRICS, recall_at, register_metric
from ccalign_jax.reporting import comparison_table, main_table, print_table
from ccalign_jax.study import sweep


@pytest.fixture(scope="module")
def folder(toy, tmp_path_factory):
    """A sweep of closed forms with R@3."""
    register_metric("R@3", partial(recall_at, k=3))
    out = tmp_path_factory.mktemp("runs") / "run"
    try:
        sweep(toy(), aligners=["ridge"], folds=2, diagnostics=False, out=out)
        yield out
    finally:
        del METRICS["R@3"]


def test_it_is_in_the_summary_with_interval_and_p(folder):
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    for entry in (*summary["trials"], *summary["families"], summary["selected"]):
        level, change = entry["metrics"]["both"]["R@3"], entry["delta"]["both"]["R@3"]
        assert level["low"] < level["mean"] < level["high"]
        assert change["low"] <= change["mean"] <= change["high"] and 0 < change["p"] <= change["p_adjusted"] <= 1
    identity = summary["baselines"]["identity"]["t2i"]
    assert identity["R@1"]["mean"] <= identity["R@3"]["mean"] <= identity["R@5"]["mean"]
    assert summary["baselines"]["chance"]["t2i"]["R@3"]["mean"] == pytest.approx(0.1)  # of 30 images
    assert "R@3" in summary["scores"]["identity"]["csls"]["t2i"]


def test_it_is_in_the_csv_of_each_fold(folder):
    with (folder / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert float(row["R@1"]) <= float(row["R@3"]) <= float(row["R@5"])
        assert row["R@3_low"] and row["R@3_high"]
        assert row["trial"] == "identity" or row["fold"] != "all" or row["delta_R@3_p"]


def test_it_is_in_tables_page_and_console(folder):
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    written = io.StringIO()
    print_table(main_table(summary), written, width=400)
    shown = {"console": written.getvalue()}
    files = [f"tables/{table}.{kind}" for table in ("main", "metrics") for kind in ("md", "tex")]
    shown |= {name: (folder / name).read_text(encoding="utf-8") for name in (*files, "report.html")}
    assert all("R@3" in text for text in shown.values()), [name for name, text in shown.items() if "R@3" not in text]
    (line,) = [line for line in shown["tables/metrics.md"].splitlines() if line.startswith("| R@3 ")]
    assert line.count("[") == 6 and line.count("p") == 2  # identity, selected and change, both ways


def test_two_runs_are_compared_by_it(folder):
    found = compare(folder, folder, trial_a="identity").summary
    assert found["delta"]["t2i"]["R@3"]["p"] is not None
    assert "R@3" in [row[0] for row in comparison_table(found).rows]


@pytest.mark.parametrize("name", ["R@1", "", "per_language"])
def test_a_name_that_is_taken_is_refused(name, one_line):
    one_line(lambda: register_metric(name, recall_at), "choose another")


def test_what_is_no_function_is_refused(one_line):
    one_line(lambda: register_metric("R@4", 3), "'R@4'", "int is no function")
    assert "R@4" not in METRICS

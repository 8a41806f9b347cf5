"""Results as data frames, and in the few lines that a console or a notebook shows."""

import csv
import dataclasses
import sys

import numpy as np
import pytest

from ccalign_jax.evaluation import compare
from ccalign_jax.measurement.estimates import Entry, Estimates
from ccalign_jax.measurement.records import ArmEntry
from ccalign_jax.reporting import sweep_html, sweep_text
from ccalign_jax.study.frames import records_frame
from ccalign_jax.study.summary import Summary

pandas = pytest.importorskip("pandas")


def test_the_frame_of_a_sweep_is_its_records(solved):
    out, result = solved
    frame = result.frame()
    with open(out / "records.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(frame.columns) == list(rows[0]) and len(frame) == len(rows)
    for name in ("role", "arm", "against", "kind", "task", "group", "metric"):
        assert frame[name].tolist() == [row[name] for row in rows]
    for name in ("mean", "std", "low", "high", "p", "p_adjusted", "p_folds"):
        np.testing.assert_allclose(frame[name], [float(row[name] or "nan") for row in rows], atol=1e-6)
    chosen = frame[(frame.role == "selected") & (frame.kind == "change") & (frame.group == "macro")]
    change = chosen[(chosen.task == "both") & (chosen.metric == "R@1")].iloc[0]
    assert change["mean"] == result.summary["selected"]["delta"]["both"]["R@1"]["mean"]  # to the last bit
    finished = dataclasses.replace(result, folder=out)
    finished.estimates = Summary(result.summary, [], {})  # as of a run that was complete already
    pandas.testing.assert_frame_equal(finished.frame(), frame, atol=1e-6)


def test_frames_of_polars_have_nulls():
    pytest.importorskip("polars")
    columns = {"mean": np.array([[0.5]]), "p": np.array([[np.nan]])}
    entry = Entry(Estimates([("t2i", None)], ["R@1"], columns))
    frame = records_frame([ArmEntry("map", "a", entry)], "polars")
    assert frame.row(0, named=True) == {
        **{"role": "map", "arm": "a", "against": "", "kind": "level", "task": "t2i", "group": "macro"},
        **{"metric": "R@1", "mean": 0.5},
        **dict.fromkeys(("std", "low", "high", "p", "p_adjusted", "p_folds")),
    }


def test_a_sweep_says_what_it_chose_and_where_the_report_is(solved):
    out, result = solved
    lines = repr(dataclasses.replace(result, folder=out)).split("\n  ")
    joined = " ".join(line.strip() for line in lines).replace(f" Report: {out}/report.html", "")
    assert lines[0] == "Sweep of bent, 100 images" and lines[1].startswith("Chosen: ")
    assert "Against identity, on images kept out of training: text to image R@1 " in joined
    assert lines[-1] == f"Report: {out}/report.html" and len(lines) <= 14 and max(map(len, lines[:-1])) <= 120
    assert " ".join(sweep_text(result.summary).split()) == " ".join(joined.split())


def test_html_is_lines_and_a_short_table_that_take_the_colours_of_the_notebook(solved):
    shown = solved[1]._repr_html_()
    assert shown == sweep_html(solved[1].summary) and shown.count("<table>") == shown.count("<svg") == 1
    lines, figure = shown.split("<svg")
    assert '<th scope="row"><bdi>selected' in lines and "currentColor" in figure
    assert not any(word in lines for word in ("<script", "<style", "style=", "color", "<ul"))
    assert "<p>Sweep of bent, 100 images<br>The image pivot " in shown and "p <" not in shown


def test_a_comparison_has_a_frame_too(solved):
    out, _ = solved
    found = compare(out, out, trial_a="identity")
    frame = found.frame()
    assert set(frame["arm"]) == {"a", "b"} and set(frame["against"]) == {"", "a"}
    assert repr(found).startswith("Comparison\n  b, selected (") and "<table>" in found._repr_html_()


def test_missing_pandas_is_named(solved, monkeypatch, one_line):
    monkeypatch.setitem(sys.modules, "pandas", None)
    one_line(lambda: solved[1].frame(), 'needs pandas: pip install "ccalign_jax[frames]"')

"""Page, tables and figures made again from a folder, and several runs side by side."""

import json
import subprocess
import sys

import pytest

from ccalign_jax.errors import InputError
from ccalign_jax.manifests import add_files, check_file, read_manifest
from ccalign_jax.reporting.rebuild import write_report, write_runs
from ccalign_jax.reporting.results_folder import read_results
from ccalign_jax.reporting.side_by_side import runs_table


@pytest.fixture
def folder(make, tmp_path):
    """`folder(name, **changes)` is the folder of a finished sweep, with these keys of its summary changed."""

    def write(name="run", *, config=None, summary=None, **changes):
        path = tmp_path / name
        path.mkdir()
        found = (make(("image", "shift", "mse", 0.04, 0.02)) if summary is None else summary) | changes
        files = {
            "summary.json": found,
            "config.json": {"config": {"folds": 5, "seed": 0} | (config or {})},
            "timing.json": {"seconds": {"trials": 61.0, "refit": 4.0}},
            "manifest.json": {"schema": 1, "kind": "a sweep", "files": ["config.json", "summary.json"]},
        }
        for file, content in files.items():
            (path / file).write_text(json.dumps(content))
        return path

    return write


def test_a_sweep_is_rendered_again_and_its_numbers_stay(folder):
    path = folder()
    before = (path / "summary.json").read_bytes()
    written = write_report(read_results(path), path.with_name("draft"), ["svg", "png", "pdf"])
    add_files(path, written, of=path.with_name("draft"))
    assert {"report.html", "tables/compact.tex", "tables/main.csv", "figures/main.pdf", "figures/main.svg"} <= {
        *written
    }
    assert all((path / file).stat().st_size for file in written) and (path / "summary.json").read_bytes() == before
    again = {file: (path / file).read_bytes() for file in written}
    kind, files = read_manifest(path / "manifest.json")
    assert kind == "a sweep" and {*files} == {"config.json", "summary.json", *written}
    (path / "report.html").write_text("another page")
    with pytest.raises(InputError, match=r"report\.html: damaged"):
        check_file(path, "report.html")
    (path.with_name("draft") / "report.html").write_text("another page")
    add_files(path, ["report.html"], of=path.with_name("draft"))  # a new page is no damage
    check_file(path, "report.html")
    assert (path / "figures" / "main.pdf").read_bytes().startswith(b"%PDF")
    assert write_report(read_results(path), path, ["svg", "png", "pdf"]) == written
    assert {file: (path / file).read_bytes() for file in written} == again


def test_an_evaluation_and_curves_are_read_by_their_files(folder, evaluation, grams, tmp_path):
    path = folder(summary=evaluation())
    stored = {state: {name: rows.tolist() for name, rows in sets.items()} for state, sets in grams().items()}
    (path / "examples.json").write_text(json.dumps({"grams": stored}))
    written = write_report(read_results(path), tmp_path / "out", ["svg"])
    assert {"report.html", "figures/gram_matrices.svg", "tables/retrieval.csv"} <= {*written}


def test_nothing_of_jax_is_imported(folder):
    code = (
        "import sys; from ccalign_jax.reporting.rebuild import write_report; "
        "from ccalign_jax.reporting.results_folder import read_results; from pathlib import Path; "
        f"write_report(read_results({str(folder())!r}), Path({str(folder('other'))!r}), ['svg']); "
        "sys.exit('jax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


def test_former_names_are_read(folder, make):
    summary = make(("image", "shift", "mse", 0.04, 0.02), where=True)
    summary["where"] = summary.pop("subgroups")
    summary["statistics"]["draws"] = summary["statistics"].pop("replicates")
    found = read_results(folder(summary=summary)).summary
    assert "difficulty" in found["subgroups"] and found["statistics"]["replicates"] == 10000


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("summary.json", {"schema": 3}, "schema 3, and this version reads up to 2; use a newer one"),
        ("summary.json", {"schema": 2}, "damaged, or not that of"),
        ("summary.json", [], "damaged"),
        ("config.json", "x", "config.json: damaged"),
        ("summary.json", None, "not finished, or not a folder of results"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_line(folder, file, content, message):
    path = folder()
    (path / file).write_text(json.dumps(content)) if content is not None else (path / file).unlink()
    with pytest.raises(InputError, match=message) as refused:
        read_results(path)
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)


def test_a_summary_that_lacks_what_a_table_needs_is_refused_before_anything_is_written(folder, make, tmp_path):
    summary = make()
    del summary["families"][0]["metrics"]
    with pytest.raises(InputError, match=r"summary.json: of another version, or damaged"):
        write_report(read_results(folder(summary=summary)), tmp_path / "out", ["svg"])
    assert not (tmp_path / "out").exists()


def test_runs_that_do_not_compare_stand_apart(folder, make, block, tmp_path):
    better = make(("image", "shift", "mse", 0.05, 0.03))
    runs = [folder("a"), folder("b", summary=better), folder("c", config={"seed": 1})]
    results = [read_results(path) for path in runs]
    table = runs_table(results)
    headings = [cells[0] for cells in table.rows if not any(cells[1:])]
    assert headings == [
        "test images A: toy, 100 images, nested, 5 folds",
        "test images B: toy, 100 images, nested, 5 folds",
    ]
    first, second = block(table, headings[0]).values()
    assert first[1:7] == (".500", ".540", ".500", ".520", ".500", ".530") and second[6] == ".540"
    assert first[7].startswith("+.030 [") and first[8].startswith("gain") and first[10] == "1:05 min"
    assert list(block(table, headings[1])) == [str(runs[2])]
    assert "do not compare" in " ".join(table.notes) and "ccalign compare" in " ".join(table.notes)
    together = runs_table(results[:2])
    assert not any("do not compare" in note for note in together.notes) and len(together.rows) == 2
    written, _ = write_runs(results, tmp_path / "out")
    assert {"report.html", "tables/runs.csv", "tables/runs.tex", "tables/runs.md"} == {*written}
    assert "test images B" in (tmp_path / "out" / "report.html").read_text()

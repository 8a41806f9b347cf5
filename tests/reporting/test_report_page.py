"""The page: complete, escaped, alone, and the same bytes each time."""

import re
import subprocess
import sys

from ccalign_jax.reporting import headline, render_report

CONFIG = {
    "config": {"data": "x.npz", "folds": 5, "aligners": None, "pivots": ["image", "text:en"]},
    "data_sha256": "abc",
}


def test_page_holds_headline_tables_plots_notes_and_configuration(make):
    summary = make(notes=("left out 3 of 100 images: they have no caption",))
    page = render_report(summary, CONFIG)
    for sentence in headline(summary):
        assert sentence in page
    assert page.count("<svg") == 4 and page.count("<table>") == 5
    for words in ("left out 3 of 100 images", "config.pivots", "image, text:en", "data_sha256", "de 100, en 100"):
        assert words in page
    assert "config.aligners</th><td>—</td>" in page


def test_page_is_balanced_and_runs_and_loads_nothing(make, balanced_tags):
    page = render_report(make(), CONFIG)
    assert not balanced_tags(page) & {"script", "link", "img", "iframe", "object"}
    assert set(re.findall(r"https?://[^\"'<> )]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r"url\((?!#)|@import", page)


def test_page_is_the_same_every_time(make):
    assert render_report(make(), CONFIG) == render_report(make(), CONFIG)


def test_page_is_the_same_in_another_process(make, tmp_path):
    import json

    (tmp_path / "summary.json").write_text(json.dumps(make()))
    program = (
        "import json, sys; from ccalign_jax.reporting import render_report;"
        "sys.stdout.buffer.write(render_report(json.load(open(sys.argv[1])), {}).encode())"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "summary.json"], capture_output=True, check=True)
    assert done.stdout.decode() == render_report(make(), {})


def test_names_cannot_become_markup(make, balanced_tags):
    evil = "<script>alert('&')</script>"
    summary = make(("image", evil, "infonce", 0.1, 0.1), name=evil, notes=(evil,), languages=(evil, "en"))
    page = render_report(summary, {evil: evil})
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    balanced_tags(page)


def test_no_note_is_said_too(make):
    assert "<p>Nothing.</p>" in render_report(make(), {})


def test_importing_reporting_is_light():
    heavy = (
        "jinja2",
        "matplotlib",
        "rich",
        "jax",
        "numpy",
        "ccalign_jax.study",
        "ccalign_jax.training",
        "ccalign_jax.data",
    )
    program = f"import sys, ccalign_jax.reporting; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"

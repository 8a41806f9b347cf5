"""The page: complete, escaped, alone, and the same bytes each time."""

import re
import subprocess
import sys
from html import escape

from ccalign_jax.reporting import best_words, headline, render_report, study_tables

CONFIG = {
    "config": {"data": "x.npz", "folds": 5, "aligners": None, "pivots": ["image", "text:en"]},
    "data_sha256": "abc",
}


def test_page_holds_headline_tables_plots_notes_and_configuration(make):
    summary = make(notes=("left out 3 of 100 images: they have no caption",))
    page = render_report(summary, CONFIG)
    for sentence in headline(summary):
        assert escape(sentence) in page
    assert page.count("<svg") == 5 and page.count("<table>") == len(study_tables(summary)) + 2  # data, configuration
    for table in study_tables(summary).values():
        assert f"<caption>{escape(table.title)}</caption>" in page
    for words in ("left out 3 of 100 images", "config.pivots", "image, text:en", "data_sha256", "de 100, en 100"):
        assert words in page
    assert "config.aligners</th><td>—</td>" in page


def test_sections_come_in_order_and_none_is_empty(make, evaluation):
    summary = make()
    first = ["Results", "Pivots", "The ladder", "Changes, overfitting, training", "Languages", "Every metric"]
    last = ["Trials", "What was left out, and other notes", "Data and configuration"]
    assert re.findall("<h2>(.*)</h2>", render_report(summary, CONFIG)) == [*first, *last]
    identity = summary["baselines"]["identity"]
    identity["t2t"] = summary["families"][0]["metrics"]["t2t"] = identity["t2i"]
    summary["diagnostics"] = {"identity": evaluation()["diagnostics"]["identity"]}
    page = render_report(summary, CONFIG)
    assert re.findall("<h2>(.*)</h2>", page) == [*first, "Text to text", "Diagnostics", *last]


def test_long_tables_are_folded_away(make, balanced_tags):
    assert "<details>" not in render_report(make(), CONFIG)
    page = render_report(make(*(("image", f"map{number}", "mse", 0.1, 0.1) for number in range(41))), CONFIG)
    balanced_tags(page)
    assert "<summary>What each pivot changes on the holdout, image pivot, loss MSE: show 42 rows</summary>" in page


def test_page_says_where_the_map_is_and_how_to_apply_it(make):
    summary = make(("image", "residual", "infonce", 0.1, 0.1))
    said, command = best_words(summary, folder="runs/my run", data="x.npz")
    assert said == "Kept in `runs/my run/best`, refitted: residual W = I + ΔW (`image/residual/infonce`). To apply it:"
    assert command == ("`python experiments/apply.py --checkpoint='runs/my run/best' --data=x.npz --out=aligned.npz`")
    page = render_report(summary, CONFIG, folder="runs/mine")
    assert "<code>--checkpoint=runs/mine/best</code> <code>--data=x.npz</code>" in page
    assert "<code>image/residual/infonce</code>" in page
    assert "<code>--data=DATA</code>" in render_report(summary, {"config": {"data": "arrays"}})


def test_identity_is_kept_without_a_command(make):
    summary = make() | {"best": "identity"}
    assert "</code>: identity, the embeddings as they are." in render_report(summary, {})
    assert "apply.py" not in render_report(summary, {})


def test_closed_forms_alone_have_no_curves(make):
    page = render_report(make(("image", "ridge", "closed_form", 0.1, 0.1)), {})
    assert page.count("<svg") == 4 and "as it trains" not in page


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
    assert "<p>None.</p>" in render_report(make(), {})


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

"""The page: complete, escaped, alone, and the same bytes each time."""

import base64
import hashlib
import re
import subprocess
import sys
from html import escape, unescape

import pytest

from ccalign_jax.reporting import (
    CURVES,
    EVALUATION,
    SWEEP,
    Panel,
    draw,
    evaluation_headline,
    make_plots,
    make_tables,
    render_evaluation,
    render_report,
    reports,
)
from ccalign_jax.reporting.answer import next_words
from ccalign_jax.reporting.panels.language_plots import languages_plot
from ccalign_jax.reporting.plots import make_subplots
from ccalign_jax.reporting.scope import reading_notes
from ccalign_jax.reporting.table import make_table
from ccalign_jax.reporting.verdicts import VERDICT_NOTE

CONFIG = {
    "config": {"data": "x.npz", "folds": 5, "aligners": None, "pivots": ["image", "text:en"]},
    "data_sha256": "abc",
}


@pytest.fixture
def without_plots(monkeypatch):
    """Pages without plots, which take a second to draw."""
    monkeypatch.setattr(reports, "make_plots", lambda panels, summary: {})


def headings(page):
    return re.findall("<h2[^>]*>(.*)</h2>", page)


def test_page_holds_answer_tables_plots_notes_and_configuration(make):
    summary = make(notes=("left out 3 of 100 images: they have no caption",))
    page = render_report(summary, CONFIG, timing={"finished": "2026-12-01T09:31:00+00:00", "seconds": {"trials": 61.0}})
    assert page.count("<h1>") == 1 and "W = I + ΔW generalises: R@1" in page
    for sentence in (*next_words(summary, folder="RUN", data="x.npz")[:-1], *reading_notes(summary)):
        assert page.count(escape(sentence).replace("95 %", "95\xa0%")) + page.count(escape(sentence)) > 0, sentence
    tables = make_tables(SWEEP, summary)
    assert page.count("<svg") == len(make_plots(SWEEP, summary)) == 6
    assert page.count("<table>") == len(tables) + 2  # data, configuration
    for table in tables.values():
        assert f"<caption>{escape(table.title)}</caption>" in page
    for words in ("left out 3 of 100 images", "config.pivots", "image, text:en", "data_sha256", "de 100, en 100"):
        assert words in page
    assert "config.aligners</bdi></th><td>—</td>" in page
    for words in ("Finished 2026-12-01 09:31 UTC after 1 min 1 s.", 'href="results.csv"', 'href="tables/"'):
        assert words in page
    assert (
        "<span>ccalign</span> <span>sweep</span> <span>--data=x.npz</span> <span>--pivot=image,text:en</span>" in page
    )


def test_sections_come_in_order_each_with_a_sentence_and_none_is_empty(make, evaluation):
    summary = make()
    first = ["All candidates", "Without training", "Configurations", "Languages", "Train against test"]
    last = ["Trials", "Notes", "Settings and versions"]
    page = render_report(summary, CONFIG)
    assert headings(page) == [*first, "Every metric", *last]
    assert re.findall('<li><a href="#.*">([^(]*?)(?: .[0-9]+.)?</a></li>', page) == headings(page)
    assert page.count('class="lead">') == len(headings(page)) - 2
    identity = summary["baselines"]["identity"]
    identity["t2t"] = summary["families"][0]["metrics"]["t2t"] = identity["t2i"]
    summary["diagnostics"] = {"identity": evaluation()["diagnostics"]["identity"]}
    page = render_report(summary, CONFIG)
    assert headings(page) == [*first, "Text to text", "Every metric", "Geometry", "Diagnostics", *last]


def test_a_note_that_several_tables_have_stands_on_the_page_once(make, without_plots):
    summary = make(("image", "linear", "infonce", -0.27, -0.25), ("image", "residual", "infonce", 0.041, 0.02))
    tables, page = make_tables(SWEEP, summary), render_report(summary, CONFIG)
    notes = {note for table in tables.values() for note in table.notes}
    assert sum(VERDICT_NOTE in table.notes for table in tables.values()) > 2
    for note in notes:
        assert unescape(page).count(f"<li>{note}</li>") == 1, note


def test_a_panel_that_is_added_to_the_list_is_on_the_page_in_its_place(make, monkeypatch):
    """One function and one line: the table is written, the page has table, plot and caption."""

    def table(summary):
        return make_table("How many images", ("what", "images"), [("", [(summary["data"]["name"], "100")])])

    def plot(summary):
        return make_subplots("images", 1, height=2)[0]

    place = [panel.name for panel in SWEEP].index("trials")
    panel = Panel("images", "Images", table, plot, "All & counting ({bars})")
    monkeypatch.setattr(reports, "SWEEP", [*SWEEP[:place], panel, *SWEEP[place:]])
    page = render_report(make(), CONFIG)
    section = page.split(">Images</h2>")[1].split("<h2")[0]
    assert (
        "<caption>How many images</caption>" in section
        and "All &amp; counting (bars: 95 % intervals)</figcaption>" in section
    )
    assert section.count("<svg") == 1 and page.index(">Images</h2>") < page.index(">Trials</h2>")
    assert list(make_tables(reports.SWEEP, make()))[-2:] == ["images", "trials"]
    assert list(make_plots(reports.SWEEP, make()))[-1] == "images"


def test_a_panel_may_be_a_block_of_html_made_of_extras(make, monkeypatch, without_plots):
    panel = Panel("seen", "Seen", html=lambda shown: shown.get("seen") and f"<p>{shown['seen']} seen</p>")
    monkeypatch.setattr(reports, "SWEEP", [panel, *SWEEP])
    assert re.search(r">Seen</h2></summary>\s*<p>3 seen</p>", render_report(make(), CONFIG, extras={"seen": 3}))
    assert "Seen" not in render_report(make(), CONFIG)


def test_a_panel_without_values_is_left_out(make, monkeypatch):
    monkeypatch.setattr(reports, "SWEEP", [*SWEEP, Panel("none", "Nothing", lambda summary: None)])
    assert "Nothing" not in render_report(make(), CONFIG) and "none" not in make_tables(reports.SWEEP, make())


def test_names_of_files_are_not_written_twice():
    for panels in (SWEEP, EVALUATION, CURVES):
        names = [panel.name for panel in panels]
        assert len(set(names)) == len(names)


def test_long_tables_are_folded_away(make, balanced_tags, without_plots):
    opened = '<details class="rows" open>\n<summary>What each configuration changes'
    assert opened in render_report(make(), CONFIG)
    page = render_report(make(*(("image", f"map{number}", "mse", 0.1, 0.1) for number in range(41))), CONFIG)
    balanced_tags(page)
    folded = (
        '<details class="rows long">\n<summary>What each pivot changes on the test part, image pivot, loss MSE <span>42'
    )
    assert folded in page


def test_page_says_how_to_apply_the_map(make, without_plots):
    page = render_report(make(("image", "residual", "infonce", 0.1, 0.1)), CONFIG, folder="runs/my run")
    assert "<span>--checkpoint=&#x27;runs/my</span> <span>run/best&#x27;</span> <span>--data=x.npz</span>" in page
    assert "<span>--data=DATA</span>" in render_report(make(), {"config": {"data": "arrays"}})


def test_closed_forms_alone_have_no_curves(make):
    page = render_report(make(("image", "ridge", "closed_form", 0.1, 0.1)), {})
    assert page.count("<svg") == 5 and "untrained start" not in page


def test_page_is_balanced_and_runs_and_loads_nothing(make, balanced_tags):
    page = render_report(make(), CONFIG)
    assert not balanced_tags(page) & {"link", "img", "iframe", "object"}
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page and "default-src 'none'" in page
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
    assert page.count("<script") == 1 and "<script>alert" not in page
    assert "&lt;script&gt;" in page
    balanced_tags(page)


def test_no_note_is_said_too(make, without_plots):
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


def test_page_of_an_evaluation_holds_every_table_and_plot_once(evaluation, grams, balanced_tags):
    summary = evaluation()
    tables, plots = make_tables(EVALUATION, summary), make_plots(EVALUATION, {**summary, "grams": grams()})
    page = render_evaluation(summary, tables, draw(plots))
    assert page.count("<table>") == len(tables) + 1  # and the data
    assert page.count("<svg") == len(plots)
    sections = ["Languages", "Without training", "Text to text", "Every metric", "Size of the gallery", "Cosines"]
    assert headings(page) == [*sections, "Geometry", "The map itself", "Notes", "Data"]
    assert page.count('class="lead">') == len(headings(page)) - 2
    for table in tables.values():
        assert page.count(f"<caption>{table.title}</caption>") == 1
    said = page.replace("\xa0", " ")
    for words in (
        *evaluation_headline(summary)[1:],
        *summary["notes"],
        "de 200, en 200, zh 200",
        "before and after a map",
    ):
        assert escape(words) in said
    assert not balanced_tags(page) & {"link", "img", "iframe", "object"}
    assert not re.search(r"url\((?!#)|@import", page)


def test_page_without_a_map_has_no_empty_section(evaluation, balanced_tags):
    summary = evaluation(("en",), mapped=False) | {"notes": []}
    page = render_evaluation(summary, make_tables(EVALUATION, summary), draw({"languages": languages_plot(summary)}))
    balanced_tags(page)
    sections = ["Languages", "Without training", "Every metric", "Geometry"]
    assert headings(page) == [*sections, "Notes", "Data"]
    assert "· the embeddings as they are</p>" in page and "<p>None.</p>" in page


def test_names_cannot_become_markup_in_an_evaluation(evaluation, balanced_tags):
    evil = "<script>alert('&')</script>"
    summary = evaluation((evil, "en"), name=evil)
    summary |= {"notes": [evil], "split": evil, "name": evil}
    page = render_evaluation(summary, make_tables(EVALUATION, summary), draw({"languages": languages_plot(summary)}))
    assert page.count("<script") == 1 and "<script>alert" not in page and "&lt;script&gt;" in page
    balanced_tags(page)

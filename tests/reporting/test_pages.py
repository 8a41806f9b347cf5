"""The page: complete, escaped, alone, and the same bytes each time."""

import re
import subprocess
import sys
from html import escape

from ccalign_jax.reporting import (
    EVALUATION,
    SWEEP,
    Panel,
    best_words,
    evaluation_headline,
    headline,
    make_plots,
    make_tables,
    render_evaluation,
    render_report,
    reports,
)
from ccalign_jax.reporting.languages import languages_plot
from ccalign_jax.reporting.plots import make_subplots
from ccalign_jax.reporting.table import make_table

CONFIG = {
    "config": {"data": "x.npz", "folds": 5, "aligners": None, "pivots": ["image", "text:en"]},
    "data_sha256": "abc",
}


def test_page_holds_headline_tables_plots_notes_and_configuration(make):
    summary = make(notes=("left out 3 of 100 images: they have no caption",))
    page = render_report(summary, CONFIG)
    for sentence in headline(summary):
        assert escape(sentence) in page
    assert (
        page.count("<svg") == 5 and page.count("<table>") == len(make_tables(SWEEP, summary)) + 2
    )  # data, configuration
    for table in make_tables(SWEEP, summary).values():
        assert f"<caption>{escape(table.title)}</caption>" in page
    for words in ("left out 3 of 100 images", "config.pivots", "image, text:en", "data_sha256", "de 100, en 100"):
        assert words in page
    assert "config.aligners</th><td>—</td>" in page


def test_sections_come_in_order_and_none_is_empty(make, evaluation):
    summary = make()
    first, after = ["Results", "Baselines", "Pivots", "Languages"], ["Every metric", "Overfitting and training"]
    last = ["Trials", "Notes", "Data and configuration"]
    assert re.findall("<h2>(.*)</h2>", render_report(summary, CONFIG)) == [*first, *after, *last]
    identity = summary["baselines"]["identity"]
    identity["t2t"] = summary["families"][0]["metrics"]["t2t"] = identity["t2i"]
    summary["diagnostics"] = {"identity": evaluation()["diagnostics"]["identity"]}
    page = render_report(summary, CONFIG)
    assert re.findall("<h2>(.*)</h2>", page) == [*first, "Text to text", *after, "Diagnostics", *last]


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
    section = page.split("<h2>Images</h2>")[1].split("<h2>")[0]
    assert (
        "<caption>How many images</caption>" in section
        and "All &amp; counting (bars: 95 % intervals)</figcaption>" in section
    )
    assert section.count("<svg") == 1 and page.index("<h2>Images</h2>") < page.index("<h2>Trials</h2>")
    assert list(make_tables(reports.SWEEP, make()))[-2:] == ["images", "trials"]
    assert list(make_plots(reports.SWEEP, make()))[-1] == "images"


def test_a_panel_may_be_a_block_of_html_made_of_extras(make, monkeypatch):
    panel = Panel("seen", "Seen", html=lambda shown: shown.get("seen") and f"<p>{shown['seen']} seen</p>")
    monkeypatch.setattr(reports, "SWEEP", [panel, *SWEEP])
    assert "<h2>Seen</h2>\n<p>3 seen</p>" in render_report(make(), CONFIG, extras={"seen": 3})
    assert "Seen" not in render_report(make(), CONFIG)


def test_a_panel_without_values_is_left_out(make, monkeypatch):
    monkeypatch.setattr(reports, "SWEEP", [*SWEEP, Panel("none", "Nothing", lambda summary: None)])
    assert "Nothing" not in render_report(make(), CONFIG) and "none" not in make_tables(reports.SWEEP, make())


def test_names_of_files_are_not_written_twice():
    for panels in (SWEEP, EVALUATION, reports.CURVES):
        names = [panel.name for panel in panels]
        assert len(set(names)) == len(names)


def test_long_tables_are_folded_away(make, balanced_tags):
    assert "<details>" not in render_report(make(), CONFIG)
    page = render_report(make(*(("image", f"map{number}", "mse", 0.1, 0.1) for number in range(41))), CONFIG)
    balanced_tags(page)
    assert "<summary>What each pivot changes on the test part, image pivot, loss MSE: show 42 rows</summary>" in page


def test_page_says_where_the_map_is_and_how_to_apply_it(make):
    summary = make(("image", "residual", "infonce", 0.1, 0.1))
    said, command = best_words(summary, folder="runs/my run", data="x.npz")
    assert said == "Kept in `runs/my run/best`, refitted: residual W = I + ΔW (`image/residual/infonce`). To apply it:"
    assert command == "`ccalign apply --checkpoint='runs/my run/best' --data=x.npz --out=aligned.npz`"
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


def test_page_of_an_evaluation_holds_every_table_and_plot_once(evaluation, grams, balanced_tags):
    summary = evaluation()
    tables, plots = make_tables(EVALUATION, summary), make_plots(EVALUATION, {**summary, "grams": grams()})
    page = render_evaluation(summary, tables, plots)
    assert page.count("<table>") == len(tables) + 1  # and the data
    assert page.count("<svg") == page.count("<figcaption>") == len(plots)
    for table in tables.values():
        assert page.count(f"<caption>{table.title}</caption>") == 1
    for words in (*evaluation_headline(summary), *summary["notes"], "de 200, en 200, zh 200", "before and after a map"):
        assert escape(words) in page
    assert not balanced_tags(page) & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"url\((?!#)|@import", page)


def test_page_without_a_map_has_no_empty_section(evaluation, balanced_tags):
    summary = evaluation(("en",), mapped=False) | {"notes": []}
    page = render_evaluation(summary, make_tables(EVALUATION, summary), {"languages": languages_plot(summary)})
    balanced_tags(page)
    assert re.findall("<h2>(.*)</h2>", page) == ["Captions and images", "Geometry", "Notes", "Data"]
    assert "the embeddings as they are</h1>" in page and "<p>None.</p>" in page


def test_names_cannot_become_markup_in_an_evaluation(evaluation, balanced_tags):
    evil = "<script>alert('&')</script>"
    summary = evaluation((evil, "en"), name=evil)
    summary |= {"notes": [evil], "split": evil, "name": evil}
    page = render_evaluation(summary, make_tables(EVALUATION, summary), {"languages": languages_plot(summary)})
    assert "<script" not in page and "&lt;script&gt;" in page
    balanced_tags(page)

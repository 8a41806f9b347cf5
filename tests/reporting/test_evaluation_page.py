"""The page of an evaluation: complete, escaped, and alone."""

import re
from html import escape

from ccalign_jax.reporting import evaluation_headline, evaluation_plots, evaluation_tables, render_evaluation
from ccalign_jax.reporting.evaluation_plots import language_bars_plot


def test_page_holds_every_table_and_plot_once(evaluation, grams, balanced_tags):
    summary = evaluation()
    tables, plots = evaluation_tables(summary), evaluation_plots(summary, grams())
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
    page = render_evaluation(summary, evaluation_tables(summary), {"languages": language_bars_plot(summary)})
    balanced_tags(page)
    assert re.findall("<h2>(.*)</h2>", page) == ["Captions and images", "Geometry", "Notes", "Data"]
    assert "the embeddings as they are</h1>" in page and "<p>None.</p>" in page


def test_what_the_page_does_not_know_comes_last(evaluation):
    summary = evaluation(mapped=False)
    tables = evaluation_tables(summary)
    page = render_evaluation(summary, {"another": tables["metrics"], **tables}, {})
    assert page.index("<h2>More</h2>") > page.index("<h2>Geometry</h2>")


def test_names_cannot_become_markup(evaluation, balanced_tags):
    evil = "<script>alert('&')</script>"
    summary = evaluation((evil, "en"), name=evil)
    summary |= {"notes": [evil], "split": evil, "name": evil}
    page = render_evaluation(summary, evaluation_tables(summary), {"languages": language_bars_plot(summary)})
    assert "<script" not in page and "&lt;script&gt;" in page
    balanced_tags(page)

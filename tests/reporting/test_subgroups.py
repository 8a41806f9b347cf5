"""Subgroups: languages, and groups of images."""

import re
import xml.etree.ElementTree as ElementTree

from ccalign_jax.reporting import SWEEP, make_tables, render_report, to_svg
from ccalign_jax.reporting.panels.languages import subgroups_plot

FAMILY = ("image", "residual", "infonce", 0.0, 0.03)


def subgroup_tables(summary):
    tables = make_tables(SWEEP, summary)
    return {name: tables[name] for name in ("disparity", "difficulty", "captions") if name in tables}


def test_only_what_was_measured_has_a_table(make, before):
    assert subgroup_tables(make()) == subgroup_tables(before(make(where=True))) == {}
    assert list(subgroup_tables(make(where=True))) == ["disparity", "difficulty", "captions"]
    assert list(subgroup_tables(make(where=True, languages=("en",)))) == ["difficulty", "captions"]
    summary = make(where=True)
    del summary["subgroups"]["difficulty"]
    assert list(subgroup_tables(summary)) == ["disparity", "captions"]


def test_disparity_names_best_and_worst_before_and_after(make):
    summary = make(where=True)
    summary["subgroups"]["disparity"]["i2t"]["after"]["worst"] = "en"
    table = subgroup_tables(summary)["disparity"]
    assert table.rows == (
        (
            *("text to image", "en .500", "de .500", ".100 [.080, .120]", "en .541", "de .541", ".040 [.020, .060]"),
            "−.060 [−.080, −.040] p<.001",
        ),
        (
            *("image to text", "en .500", "de .500", ".100 [.080, .120]", "en .500", "en .500", ".040 [.020, .060]"),
            "−.060 [−.080, −.040] p<.001",
        ),
    )


def test_each_group_of_images_has_its_verdict(make):
    table = subgroup_tables(make(FAMILY, where=True))["difficulty"]
    assert table.columns[:4] == ("images", "number", "verdict", "mean of both\nchange, p\n[95 %]")
    first, second = table.rows
    assert first[:4] == ("alone", "40", "no evidence (i2t gain)", "+.015 [−.005, +.035] p=.400")
    assert second[2] == "gain" and second[4:6] == (".500 [.480, .520]", "+.050 [+.030, +.070] p<.001")
    assert table.notes[0] == "images by their nearest other image."
    assert "adjusted (Holm) for the number of rows (2)" in table.notes[1]


def test_the_plot_has_a_row_a_group_and_rings_where_there_is_no_evidence(make):
    summary = make(FAMILY, where=True)
    figure = subgroups_plot(summary)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == [
        *("by difficulty of the image", "alone (40 images)", "crowded (60 images)"),
        *("by number of captions", "1 (30 images)", "2 (70 images)"),
    ]
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [line.get_markerfacecolor() == "none" for line in dots] == [True, False, True, True]
    svg = to_svg(figure)
    assert svg == to_svg(subgroups_plot(summary)) and ElementTree.fromstring(svg) is not None


def test_the_page_has_a_section_of_it(make, balanced_tags):
    page = render_report(make(where=True), {})
    balanced_tags(page)
    section = page.split(">Subgroups of images</h2>")[1].split("<h2")[0]
    captions = re.findall("<caption>(.*?)[:,]", section)
    assert captions == ["Subgroups by difficulty of the image", "Subgroups by number of captions"]
    assert "<caption>Disparity of languages" in page
    assert section.count("<svg") == 1 and "95 % intervals" in section
    assert "Subgroups" not in render_report(make(), {})

"""Figures in the size of a paper: legends inside and off the curves, lines of texts flush, each drawn as it is."""

import re
from itertools import pairwise

import pytest
from made_evaluations import make_evaluation_summary, make_grams
from made_extras import make_extras
from made_summaries import make_summary
from matplotlib.text import Text

from ccalign_jax.reporting import EVALUATION, SWEEP, draw, make_plots
from ccalign_jax.reporting.drawings import save_figure, size_for_paper, to_svg
from ccalign_jax.reporting.plots import legend_below, make_subplots

NINE = ("ar", "de", "en", "es", "fr", "it", "ja", "pt", "zh")
FAMILIES = (
    ("image", "linear", "infonce", 0.27, 0.25),
    ("text:en", "per_language(residual)", "infonce", 0.03, 0.01),
    ("symmetric", "dual(per_language(residual_mlp))", "infonce", 0.061, 0.04),
)


@pytest.fixture(scope="module")
def plots():
    """All figures of a sweep and an evaluation in nine languages, at the size of a paper."""
    sweep = make_plots(SWEEP, {**make_summary(*FAMILIES, languages=NINE, where=True), **make_extras(NINE)})
    assert {"overview", "main", "languages", "training", "neighbourhoods", "spectra", "hubs"} <= sweep.keys()
    evaluation = {**make_evaluation_summary(NINE), "grams": make_grams(NINE)}
    return [*sweep.values(), *make_plots(EVALUATION, evaluation).values()]


def boxes(figure):
    """Of each legend of the figure its box, as shares of the figure."""
    found = [*figure.legends, *(legend for axes in figure.axes if (legend := axes.get_legend()))]
    return [one.get_window_extent().transformed(figure.transFigure.inverted()) for one in found]


def test_every_legend_lies_inside_its_figure_and_on_no_subplot(plots):
    assert sum(map(len, map(boxes, plots))) > 6
    for figure in plots:
        for box in boxes(figure):
            assert min(box.x0, box.y0) >= 0 and max(box.x1, box.y1) <= 1, figure.get_label()
            assert not any(box.overlaps(axes.get_position()) for axes in figure.axes), figure.get_label()


def test_names_of_rows_do_not_overlap(plots):
    found = 0
    for axes in (axes for figure in plots for axes in figure.axes):
        names = [name for name in axes.get_yticklabels() if name.get_text() and name.get_visible()]
        places = sorted((name.get_window_extent() for name in names), key=lambda box: box.y0)
        assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(places)), axes.figure.get_label()
        found += any("\n" in name.get_text() for name in names)
    assert found > 2


def test_a_legend_that_is_too_wide_is_found():
    figure, (axes, _) = make_subplots("wide", 2, height=3)
    axes.plot([0, 1], label="a long name, and longer still, as no paper has it in a legend of one line, " * 2)
    legend_below(figure)
    (box,) = boxes(size_for_paper(figure))
    assert box.x1 > 1


def test_texts_of_several_lines_are_flush_whatever_the_font_of_the_page(plots):
    """Lines are texts of their own, anchored at the side where they are flush; the figure stays as it was."""
    figure = plots[0]
    (names,) = [axis.get_ticklabels() for axis in (figure.axes[0].yaxis,)]
    lines = [line for name in names for line in name.get_text().split("\n")]
    assert len(lines) > len(names)
    before = len(figure.findobj(Text))
    svg = to_svg(figure)
    assert len(figure.findobj(Text)) == before and all(name.get_visible() for name in names)
    for line in lines:
        (style,) = set(re.findall(rf'<text style="([^"]*)"[^>]*>{re.escape(line)}</text>', svg))
        assert "text-anchor: end" in style, line


def test_a_drawing_changes_nothing_and_is_the_same_in_any_order(plots, tmp_path):
    figure = plots[1]
    first, colour = to_svg(figure), figure.patch.get_facecolor()
    save_figure(figure, tmp_path / "a.png")
    save_figure(figure, tmp_path / "a.pdf")
    assert to_svg(figure) == first == draw({"a": figure})["a"] and figure.patch.get_facecolor() == colour
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert 'style="--wide: 55.9rem"' in first

"""Plots hold the numbers of the summary; their SVG is XML, deterministic, and at home in any page."""

import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import pytest

from ccalign_jax.reporting import to_svg
from ccalign_jax.reporting.languages import languages_plot
from ccalign_jax.reporting.results import best_trials, changes_plot, overfitting_plot, overview_plot, training_plot

PLOTS = [overview_plot, changes_plot, overfitting_plot, training_plot, languages_plot]
TWO = [("image", "linear", "infonce", -0.27, -0.25), ("symmetric", "dual(residual)", "infonce", 0.04, -0.0002)]


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("plot", PLOTS)
def test_svg_is_xml_and_the_same_every_time(plot, make):
    svg = to_svg(plot(make(*TWO)))
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert svg == to_svg(plot(make(*TWO)))
    assert 5_000 < len(svg) < 50_000


@pytest.mark.parametrize("plot", PLOTS)
def test_svg_takes_the_colour_of_the_page_and_loads_nothing(plot, make):
    svg = to_svg(plot(make(*TWO)))
    assert "currentColor" in svg
    assert not re.search(r"#(000000|010101|ffffff)\b", svg)
    assert set(re.findall(r"https?://[^\"' >]+", svg)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


@pytest.mark.parametrize("plot", PLOTS)
def test_the_users_own_settings_change_nothing(plot, make):
    plain = to_svg(plot(make(*TWO)))
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.bbox": "tight"}):
        assert to_svg(plot(make(*TWO))) == plain


@pytest.mark.parametrize("plot", PLOTS)
def test_one_fold_without_spread(plot, make):
    ElementTree.fromstring(to_svg(plot(make(folds=1, std=None, epochs=(3,)))))


@pytest.mark.parametrize("plot", PLOTS)
def test_names_are_taken_as_they_are(plot, make):
    hostile = ("image", "a<b>&c", "infonce", 0.1, 0.1)
    ElementTree.fromstring(to_svg(plot(make(hostile, languages=("<&>", "en")))))


def test_figures_of_one_page_share_no_id(make):
    ids = [set(re.findall(r' id="([^"]+)"', to_svg(plot(make(*TWO))))) for plot in PLOTS]
    assert sum(map(len, ids)) == len(set.union(*ids))


def test_no_global_figure_is_made(make):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    for plot in PLOTS:
        plot(make())
    assert plt.get_fignums() == before


def test_changes_stand_beside_their_family(make):
    words = texts(to_svg(changes_plot(make(*TWO))))
    for word in (
        "image pivot: linear W (unconstrained)",
        "symmetric: dual residual W = I + ΔW",
        "selected",
        "−.270",
        "+.040",
        ".000",
    ):
        assert word in words
    axes = changes_plot(make(*TWO)).axes[0]
    assert next(label.get_text() for label in axes.get_yticklabels()) == "image pivot: linear W (unconstrained)"
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def bar(axes, row):
    """Both ends of the bar of a row."""
    return sorted(float(x) for line in axes.collections[row].get_segments() for x, _ in line)


def test_bars_are_intervals_where_there_are_some_and_else_the_spread(make, before):
    summary = make(*TWO)
    summary["families"][0]["delta"]["t2i"]["R@1"] |= {"low": -0.4, "high": -0.26}
    summary["families"][0]["delta"]["t2i"]["R@1"]["mean"] = -0.08
    summary["families"][0]["delta"]["i2t"]["R@1"]["mean"] = -0.08
    summary["families"][0]["delta"]["t2i"]["R@1"] |= {"low": -0.1, "high": -0.06}
    assert bar(changes_plot(summary).axes[0], 0) == pytest.approx([-0.1, -0.06])
    assert bar(changes_plot(before(summary)).axes[0], 0) == pytest.approx([-0.09, -0.07])


def test_a_change_far_from_all_others_is_an_arrow_with_its_number(make):
    figure = changes_plot(make(*TWO))
    arrows = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "<"]
    assert [line.get_ydata()[0] for line in arrows] == [0, 0]
    for axes, number in zip(figure.axes, ("−.270", "−.250"), strict=True):
        assert number in [text.get_text() for text in axes.texts]
        assert axes.get_xlim() == figure.axes[0].get_xlim() and axes.get_xlim()[0] > -0.25


def test_what_has_no_evidence_is_a_ring(make, before):
    def rings(summary):
        axes = changes_plot(summary).axes[1]
        return [line.get_markerfacecolor() == "none" for line in axes.lines if line.get_marker() in ("o", "D")]

    summary = make(("image", "linear", "infonce", -0.07, -0.05), TWO[1])
    assert rings(summary) == [False, True, True]
    assert rings(before(summary)) == [False, False, False]


def test_bars_of_languages_are_intervals(make, before):
    def ends(summary):
        return [sorted(x for x, _ in line) for line in languages_plot(summary).axes[0].collections[1].get_segments()]

    assert ends(make()) == [pytest.approx([0.521, 0.561])] * 2
    assert ends(before(make())) == [pytest.approx([0.531, 0.551])] * 2


def test_overfitting_shows_train_and_test_of_identity_first(make):
    figure = overfitting_plot(make())
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "identity",
        "residual W = I + ΔW",
        "selected",
    ]
    points = {(round(float(line.get_xdata()[0]), 3), float(line.get_ydata()[0])) for line in figure.axes[0].lines[1:-3]}
    assert {(0.51, 0.0), (0.5, 0.0), (0.641, 1.0), (0.541, 1.0)} <= points


def test_curves_are_those_of_the_best_trial_of_a_family(make):
    summary = make(("image", "residual", "infonce", 0.01, 0.0), ("image", "residual", "infonce", 0.03, 0.0), *TWO[:1])
    assert [trial["selection"]["mean"] for trial in best_trials(summary)] == [0.63, pytest.approx(0.33)]
    first = training_plot(summary).axes[0].lines
    assert first[0].get_ydata().tolist() == [0.5, 0.55, 0.6, 0.58]
    assert list(first[1].get_xdata()) == [2]  # the median of epochs 2 and 3, cut to a whole one


def test_languages_stand_before_and_after(make):
    panel = languages_plot(make()).axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["de", "en"]
    assert [round(bar.get_width(), 3) for bar in panel.patches] == [0.5, 0.5, 0.541, 0.541]

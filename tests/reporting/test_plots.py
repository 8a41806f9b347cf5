"""Plots hold the numbers of the summary; their SVG is XML, deterministic, and at home in any page."""

import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import pytest

from ccalign_jax.reporting import to_svg
from ccalign_jax.reporting.forest import changes_figure, changes_range
from ccalign_jax.reporting.panels.candidates import MAX_ROWS, candidates_plot
from ccalign_jax.reporting.panels.language_plots import languages_plot
from ccalign_jax.reporting.panels.overfitting import overfitting_plot
from ccalign_jax.reporting.panels.overview import overview_plot
from ccalign_jax.reporting.panels.regularisation import regularisation_paths, regularisation_plot
from ccalign_jax.reporting.panels.results import best_trials, training_plot
from ccalign_jax.reporting.plots import CYCLE, language_colour

PLOTS = [overview_plot, candidates_plot, overfitting_plot, training_plot, languages_plot]
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


def names(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_changes_stand_beside_their_family_under_its_pivot(make):
    figure = candidates_plot(make(*TWO))
    words = texts(to_svg(figure))
    assert {"linear W (unconstrained)", "dual residual W = I + ΔW", "−.270", "+.040", ".000"} <= set(words)
    found = names(figure.axes[0])
    assert found[found.index("image pivot") + 1] == "linear W (unconstrained)"
    assert found[-2:] == ["chosen on validation images", "selected"]
    assert figure.axes[0].get_ylim()[0] > figure.axes[0].get_ylim()[1]
    assert len({axes.get_xlim() for axes in figure.axes}) == 1  # one scale


def test_many_candidates_fold_to_the_best_of_each_group_and_say_so(make):
    families = [("image", "residual", f"loss{number}", 0.01 * number, 0.0) for number in range(MAX_ROWS)]
    figure = candidates_plot(make(*families, *TWO))
    found = names(figure.axes[0])
    assert len(found) < 10 and "dual residual W = I + ΔW, InfoNCE" in found
    assert f"3 rows of {MAX_ROWS + 2} combinations" in " ".join(texts(to_svg(figure)))


def test_a_change_far_from_all_others_is_an_arrow_with_its_number(make):
    near = [{"t2i": {"R@1": {"mean": mean, "low": mean - 0.01, "high": mean + 0.01}}} for mean in (0.03, 0.04, 0.05)]
    far = {"t2i": {"R@1": {"mean": -0.9, "low": -0.95, "high": -0.85}}}
    axes = changes_figure("far", [*zip("abc", near, strict=True), ("d", far)], ("t2i",)).axes[0]
    low, high = axes.get_xlim()
    assert -0.2 < low < 0 < 0.06 < high < 0.07
    (arrow,) = [line for line in axes.lines if line.get_marker() == "<"]
    assert low < arrow.get_xdata()[0] < high and arrow.get_ydata()[0] == 3
    assert "−.900" in [text.get_text() for text in axes.texts]
    assert changes_range([])[0] < 0 < changes_range([])[1]


def bar(axes, row):
    """Both ends of the bar of a row."""
    return sorted(float(x) for line in axes.collections[row].get_segments() for x, _ in line)


def test_bars_are_intervals_where_there_are_some_and_else_the_spread(before):
    part = {"t2i": {"R@1": {"mean": 0.05, "std": 0.01, "low": 0.02, "high": 0.09}}}
    assert bar(changes_figure("one", [("a", part)], ("t2i",)).axes[0], 0) == pytest.approx([0.02, 0.09])
    part["t2i"]["R@1"] |= {"low": None, "high": None}
    assert bar(changes_figure("one", [("a", part)], ("t2i",)).axes[0], 0) == pytest.approx([0.04, 0.06])


def test_what_has_no_evidence_is_a_ring(make, before):
    def rings(summary):
        axes = candidates_plot(summary).axes[1]
        return [line.get_markerfacecolor() == "none" for line in axes.lines if line.get_marker() in ("o", "D")]

    summary = make(("image", "linear", "infonce", -0.07, -0.05), TWO[1])
    assert rings(summary) == [True, False, True]
    assert rings(before(summary)) == [False, False, False]


def test_overfitting_is_what_training_images_gain_and_test_images_do_not(make):
    """Identity gains nothing on either: .541 and .500 on test images, .641 and .510 on those of training."""
    summary = make()
    figure = overfitting_plot(summary)
    assert names(figure.axes[0]) == ["residual W = I + ΔW", "selected"]
    base = summary["baselines"]["identity_train"]["t2i"]["R@1"]["mean"]
    train = round(0.641 - base, 3)
    points = {(round(float(line.get_xdata()[0]), 3), float(line.get_ydata()[0])) for line in figure.axes[0].lines[:6]}
    assert {(0.041, 0.0), (train, 0.0), (0.041, 1.0), (train, 1.0)} <= points
    assert f"+{train - 0.041:.3f}".replace("0.", ".") in texts(to_svg(figure))


def test_languages_stand_before_and_after_with_their_intervals(make, before):
    def found(summary):
        axes = languages_plot(summary).axes[0]
        dots = [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
        return names(axes), sorted({round(dot, 3) for dot in dots}), bar(axes, 1)

    assert found(make()) == (["de", "en", "mean"], [0.5, 0.541], pytest.approx([0.521, 0.561]))
    assert found(before(make()))[2] == pytest.approx([0.531, 0.551])
    assert languages_plot(make(languages=("en",))) is None  # which other plots have


def test_a_language_has_one_colour_in_any_order():
    assert language_colour("de", ("zh", "de", "ar")) == language_colour("de", ("ar", "de", "zh")) == CYCLE[1]
    assert len(set(CYCLE)) == len(CYCLE) == 10


def test_a_regulariser_with_three_values_has_a_path(make):
    assert regularisation_plot(make()) is None
    summary = make(*[("image", "residual", "infonce", change, 0.0) for change in (0.01, 0.05, 0.03, 0.04)])
    for trial, prox in zip(summary["trials"], (0.0, 1.0, 0.1, 0.1), strict=True):
        trial["hyper"]["prox"] = prox
    (path,) = regularisation_paths(summary)
    assert (path.setting, [trial["prox"] for trial in path.trials]) == ("prox", [0.0, 0.1, 1.0])
    figure = regularisation_plot(summary)
    assert figure.axes[0].lines[0].get_ydata() == pytest.approx([0.51, 0.54, 0.55])  # of two at .1 the better
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["0", "0.1", "1"]


def test_curves_are_those_of_the_best_trial_of_a_family(make):
    summary = make(("image", "residual", "infonce", 0.01, 0.0), ("image", "residual", "infonce", 0.03, 0.0), *TWO[:1])
    assert [trial["selection"]["mean"] for trial in best_trials(summary)] == [0.63, pytest.approx(0.33)]
    first = training_plot(summary).axes[0].lines
    assert first[0].get_ydata().tolist() == [0.5, 0.55, 0.6, 0.58]
    assert list(first[1].get_xdata()) == [2]  # the median of epochs 2 and 3, cut to a whole one

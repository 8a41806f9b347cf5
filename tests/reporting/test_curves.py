"""A path from identity to no constraint, and a learning curve: their places, their marks, their tables."""

import json
import math
import xml.etree.ElementTree as ElementTree

import pytest

from ccalign_jax.reporting import CURVES, draw, make_plots, make_tables, render_curves, to_svg
from ccalign_jax.reporting.panels.curves import learning_plot, path_places, path_plot

PENALTIES = (None, 100.0, 10.0, 1.0, 0.0)
GAINS = {None: 0.0, 100.0: 0.01, 10.0: 0.08, 1.0: 0.03, 0.0: -0.2}


def estimate(mean, **more):
    return {"mean": mean, "std": 0.01, "low": mean - 0.02, "high": mean + 0.02, **more}


def both(mean):
    return {way: {"R@1": estimate(mean)} for way in ("t2i", "i2t", "both")}


def change(mean):
    p = 0.0004 if abs(mean) > 0.02 else 0.4
    return {way: {"R@1": estimate(mean, p=p, p_adjusted=p)} for way in ("t2i", "i2t", "both")}


def moved(mean):
    return {"mean": mean, "std": 0.1, "low": None, "high": None}


@pytest.fixture
def curves():
    """Each weaker penalty moves and fits more; the holdout is best in the middle, where three of five folds stop."""
    path = [
        {
            **{"penalty": penalty, "norm": moved(2.0 * place), "rotation": moved(10.0 * place)},
            **{
                "train": both(0.5 + 0.1 * place),
                "test": both(0.5 + GAINS[penalty]),
                "delta": change(GAINS[penalty]),
            },
            "chosen_in": {100.0: 2, 10.0: 3}.get(penalty, 0),
        }
        for place, penalty in enumerate(PENALTIES)
    ]
    learning = [
        {
            **{"pairs": pairs, "train": both(0.9), "test": both(0.5 + gain), "delta": change(gain)},
            "identity": both(0.5),
        }
        for pairs, gain in ((800, 0.1), (50, -0.1), (200, 0.01))
    ]
    return {
        "data": {"name": "toy", "images": 100, "languages": ["de", "en"]},
        **{"folds": 5, "config": {"path": {"folds": 5}}, "notes": ["<one>"]},
        "path": {"aligner": "ridge", "pivot": "image", "points": path, "chosen": {"delta": change(0.07)}},
        "learning": {"family": "image/residual/infonce", "points": learning},
    }


def curve(axes, style):
    """x and y of the only drawn line of a style, marks and straight lines apart."""
    (found,) = [line for line in axes.lines if line.get_linestyle() == style and len(line.get_xdata()) > 2]
    return list(found.get_xdata()), list(found.get_ydata())


def test_places_run_from_identity_to_no_penalty_whatever_the_order():
    places = path_places([{"penalty": 1.0}, {"penalty": math.inf}, {"penalty": 0.0}, {"penalty": 1000.0}])
    assert places == [0.0, -6.0, 3.0, -3.0]
    assert path_places([{"penalty": None}, {"penalty": 0.0}]) == [-1.0, 1.0]


def test_path_has_train_test_and_identity_and_the_choice_of_each_fold(curves):
    figure = path_plot(curves)
    first, _, norm, rotation = figure.axes
    assert [axes.get_title() for axes in figure.axes[:2]] == ["text to image", "image to text"]
    assert curve(first, "-") == ([-3.0, -2.0, -1.0, 0.0, 1.0], pytest.approx([0.5, 0.51, 0.58, 0.53, 0.3]))
    assert curve(first, "--")[1] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])
    assert curve(norm, "-")[1] == [0.0, 2.0, 4.0, 6.0, 8.0] and curve(rotation, "-")[1][-1] == 40.0
    diamonds = [line for line in first.lines if line.get_marker() == "D"]
    assert [(line.get_xdata()[0], round(line.get_ydata()[0], 2)) for line in diamonds] == [(-2.0, 0.51), (-1.0, 0.58)]
    assert [text.get_text() for text in first.texts] == ["2×", "3×"]
    assert [label.get_text() for label in norm.get_xticklabels()] == [
        *("10²", "10¹", "10⁰", "∞\nidentity", "0\nfree"),
    ]


def test_bands_are_the_intervals(curves):
    band = path_plot(curves).axes[0].collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(0.28) and band[:, 1].max() == pytest.approx(0.60)


def test_learning_shows_change_and_gap_and_rings_without_evidence(curves):
    change, gap = learning_plot(curves).axes
    assert change.get_xscale() == "log"
    lines = [line for line in change.lines if len(line.get_xdata()) == 3]
    assert [list(line.get_xdata()) for line in lines] == [[50, 200, 800]] * 2
    assert lines[0].get_ydata() == pytest.approx([-0.1, 0.01, 0.1])
    rings = [line.get_markerfacecolor() == "none" for line in change.lines if line.get_marker() == "o"]
    assert rings == [False, True, False] * 2
    assert gap.lines[1].get_ydata() == pytest.approx([0.5, 0.39, 0.3])
    assert [label.get_text() for label in change.get_xticklabels()] == ["50", "200", "800"]


@pytest.mark.parametrize("plot", [path_plot, learning_plot])
def test_svg_is_xml_and_the_same_bytes(plot, curves):
    svg = to_svg(plot(curves))
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert svg == to_svg(plot(json.loads(json.dumps(curves))))


def test_a_map_that_is_not_square_has_no_rotation(curves):
    for point in curves["path"]["points"]:
        point["rotation"] = None
    to_svg(path_plot(curves))
    assert "rotation,\ndegrees" in make_tables(CURVES, curves)["path"].columns
    assert make_tables(CURVES, curves)["path"].rows[0][-2] == "—"


def test_path_table_goes_from_identity_to_no_penalty(curves):
    curves["path"]["points"].reverse()
    curves["path"]["chosen"] = {"train": both(0.6), "test": both(0.55), "delta": change(0.05)}
    table = make_tables(CURVES, curves)["path"]
    assert table.title == "toy: ridge regression, image pivot, by penalty towards identity"
    assert [row[0] for row in table.rows] == ["∞", "100", "10", "1", "0", "chosen"]
    rows = {row[0]: row[1:] for row in table.rows}
    half = ".500 [.480, .520]"
    assert rows["∞"] == ("", "", half, "", half, "", half, half, "0.00", "0.0", "")
    assert rows["10"][:4] == (
        *("gain", "+.080 [+.060, +.100] p<.001", ".580 [.560, .600]", "+.080 [+.060, +.100] p<.001"),
    )
    assert rows["10"][-3:] == ("4.00", "20.0", "3 of 5") and rows["0"][0] == "loss"
    assert rows["chosen"][1] == "+.050 [+.030, +.070] p<.001" and table.rules == (5,)


def test_learning_table_has_a_row_a_size(curves):
    table = make_tables(CURVES, curves)["learning"]
    assert table.title == "toy: residual W = I + ΔW, image pivot, InfoNCE, by number of training images"
    assert [row[:3] for row in table.rows] == [
        ("50", "loss", "−.100 [−.120, −.080] p<.001"),
        ("200", "no evidence", "+.010 [−.010, +.030] p=.400"),
        ("800", "gain", "+.100 [+.080, +.120] p<.001"),
    ]
    assert table.rows[0][6] == "+.500"
    curves["learning"]["points"][1]["gap"] = both(0.5)
    assert make_tables(CURVES, curves)["learning"].rows[0][6] == "+.500 [+.480, +.520]"


def test_one_curve_alone(curves):
    del curves["path"]
    assert list(make_tables(CURVES, curves)) == ["learning"]


def test_the_page_says_what_was_chosen_and_what_no_penalty_does(curves, balanced_tags):
    page = render_curves(curves, make_tables(CURVES, curves), draw(make_plots(CURVES, curves)))
    balanced_tags(page)
    said = page.replace("\xa0", " ").split("<h1>")[1]
    assert said.startswith(
        '<span class="verdict gain">gain</span> The image pivot (captions move towards their images)'
    )
    assert "by +.070 (95 % interval +.050 to +.090, p &lt; .001); without a penalty by −.200.</h1>" in said
    assert "InfoNCE changes R@1 with 50 by −.100, with 800 by +.100 (95 % interval" in said
    assert said.count("<svg") == 2 and "&lt;one&gt;" in said and "100 images · 2 languages · 5 folds" in page
    del curves["path"]
    assert "<h1>" in (again := render_curves(curves, make_tables(CURVES, curves), {})) and again.count("<h2") == 3

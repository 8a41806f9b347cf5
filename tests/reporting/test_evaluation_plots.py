"""Plots of an evaluation hold its numbers, for one state and two, for one language and thirty-six."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.text import Text

from ccalign_jax.reporting import EVALUATION, drawings, make_plots, to_svg
from ccalign_jax.reporting.drawings import drawable, save_figure
from ccalign_jax.reporting.panels.geometry import (
    correlations,
    gram_correlation_plot,
    gram_plot,
    map_plot,
    similarity_plot,
    spectra_plot,
)
from ccalign_jax.reporting.panels.language_plots import languages_plot, text_to_text_plot
from ccalign_jax.reporting.panels.retrieval import pool_plot

MANY = tuple(f"l{number:02d}" for number in range(36))
ALL = [
    *("languages", "text_to_text", "pool", "similarities", "gram_correlation", "gram_matrices", "spectra", "map"),
]


def evaluation_plots(summary, grams=None):
    return make_plots(EVALUATION, {**summary, "grams": grams})


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_svg_is_xml_takes_the_colour_of_the_page_and_is_the_same_every_time(evaluation, grams):
    ids = []
    again = evaluation_plots(evaluation(), grams())
    for name, figure in evaluation_plots(evaluation(), grams()).items():
        svg = to_svg(figure)
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert svg == to_svg(again[name])
        assert "currentColor" in svg and not re.search(r"#(000000|010101|ffffff)\b", svg)
        assert set(re.findall(r"https?://[^\"' >]+", svg)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }
        assert len(svg) < 60_000
        ids.append(set(re.findall(r' id="([^"]+)"', svg)))
    assert sum(map(len, ids)) == len(set.union(*ids))


@pytest.mark.parametrize(("languages", "mapped"), [(("en",), False), (("<&>", "en"), True), (MANY, True)])
def test_any_number_of_languages_and_states(evaluation, grams, languages, mapped):
    found = evaluation_plots(evaluation(languages, mapped=mapped, each_map=True), grams(languages, mapped=mapped))
    left_out = ["map"] * (not mapped) + ["gram_correlation", "text_to_text"] * (len(languages) == 1)
    assert list(found) == [name for name in ALL if name not in left_out]
    for name in {"languages", "gram_correlation"} & found.keys():
        assert set(languages) <= set(texts(to_svg(found[name])))


STRANGE = ("$x^$", "a|b", r"$\frac{$", "العربية", "中文")


@pytest.mark.filterwarnings("error")
def test_names_are_drawn_verbatim_and_in_png_with_glyphs_of_the_font(evaluation, grams, tmp_path, monkeypatch):
    """Dollar signs start no formula; PNG shows missing glyphs as code points, SVG keeps the text."""
    monkeypatch.setattr(drawings, "installed_fonts", lambda: (drawings.FONT,))
    monkeypatch.setattr(drawings, "_shaper", lambda: None)
    for name, figure in evaluation_plots(evaluation(STRANGE), grams(STRANGE)).items():
        with drawable(figure):
            shown = {text.get_text() for text in figure.findobj(Text)}
        assert not any("中" in text for text in shown), name
        if name in ("languages", "gram_correlation", "gram_matrices"):
            assert {"$x^$", r"$\frac{$", "العربية", r"\u4e2d\u6587"} <= shown
        save_figure(figure, tmp_path / f"{name}.png")
        if name in ("languages", "gram_correlation", "gram_matrices"):
            assert set(STRANGE) <= set(texts(to_svg(figure)))
    assert len(list(tmp_path.glob("*.png"))) == len(ALL)


def test_right_to_left_text_is_shaped_where_the_packages_are_there(evaluation, monkeypatch):
    figure = languages_plot(evaluation(("en", "אב")))
    monkeypatch.setattr(drawings, "_shaper", lambda: lambda text: text[::-1])
    with drawable(figure):
        drawn = {text.get_text(): text.get_fontfamily() for text in figure.findobj(Text)}
    assert drawn["בא"] == list(drawings.installed_fonts())
    assert "אב" in {text.get_text() for text in figure.findobj(Text)}


def test_labels_of_logarithmic_axes_are_plain(evaluation):
    assert {"0.1", "0.2", "0.05"} <= set(texts(to_svg(spectra_plot(evaluation()))))


def test_what_the_summary_lacks_makes_no_plot(evaluation):
    summary = evaluation()
    for key in ("pool_curves", "similarities", "diagnostics", "map"):
        del summary[key]
    assert list(evaluation_plots(summary)) == ["languages", "text_to_text"]
    alone = evaluation()
    for state in ("identity", "mapped"):
        alone["similarities"][state]["negative"] = []
    assert "similarities" not in evaluation_plots(alone)
    summary = evaluation(("de", "en"))
    for one in summary["diagnostics"].values():
        del one["with_image"], one["spectra_image"]
    assert "gram_correlation" not in evaluation_plots(summary)
    assert len(spectra_plot(summary).axes) == 1


def test_no_global_figure_is_made(evaluation, grams):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    evaluation_plots(evaluation(), grams())
    assert plt.get_fignums() == before


def dots(axes):
    """Where the dots are, row by row, before and after."""
    found = [(float(line.get_ydata()[0]), float(line.get_xdata()[0])) for line in axes.lines if line.get_marker() == "o"
             and len(line.get_xdata()) == 1]  # fmt: skip
    return [round(x, 3) for _, x in sorted(found)]


def test_dots_of_each_language_with_the_change_beside(evaluation):
    figure = languages_plot(evaluation(("de", "en")))
    assert [axes.get_title() for axes in figure.axes] == ["text to image", "image to text"]
    assert [dots(axes)[:4] for axes in figure.axes] == [[0.1, 0.12, 0.11, 0.13], [0.12, 0.11, 0.13, 0.12]]
    assert {"+.020", "−.010"} <= set(texts(to_svg(figure)))
    assert figure.axes[0].get_ylim()[0] > figure.axes[0].get_ylim()[1]
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    direct = text_to_text_plot(evaluation(("de", "en"))).axes[0]
    assert direct.get_title() == "directly" and dots(direct)[:4] == [0.4, 0.43, 0.41, 0.44]


def test_a_language_without_a_query_has_no_dot(evaluation):
    summary = evaluation(("de", "en"), mapped=False)
    del summary["baselines"]["identity"]["i2t"]["per_language"]["en"]
    panel = languages_plot(summary).axes[1]
    assert [text.get_text() for text in panel.texts] == [".120"]


def test_pool_shows_each_state_chance_and_the_change(evaluation):
    top, _, below, _ = pool_plot(evaluation()).axes
    assert [line.get_label() for line in top.lines] == ["identity", "mapped, text to image", "chance"]
    assert top.get_xscale() == "log" and top.lines[1].get_ydata().tolist() == [0.72, 0.43, 0.12]
    assert below.lines[1].get_ydata() == pytest.approx([0.02, 0.03, 0.02])
    assert len(pool_plot(evaluation(mapped=False)).axes) == 2


def test_overlap_is_the_area_in_common(evaluation):
    panel = similarity_plot(evaluation()).axes[0]
    assert panel.get_title() == "identity: overlap .200"  # one bin of five and of four
    low, high = panel.get_xlim()
    assert (low, high) == pytest.approx((-1 + 24 * 0.04, -1 + 32 * 0.04))


def test_correlations_have_the_images_last_and_no_diagonal(evaluation):
    matrix = correlations(evaluation(("de", "en"))["diagnostics"]["identity"])
    assert np.isnan(np.diagonal(matrix)).all()
    assert matrix[0, 1] == 0.6 and matrix[2, 0] == matrix[0, 2] == 0.3
    figure = gram_correlation_plot(evaluation(("de", "en")))
    assert [axes.get_title() for axes in figure.axes[:3]] == ["identity", "mapped", "change"]
    words = texts(to_svg(figure))
    assert {".60", ".66", "+.06", ".30", "+.03"} <= set(words)


def test_gram_matrices_share_one_scale_and_say_what_is_left_out(grams):
    figure = gram_plot({"grams": grams(MANY)})
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(images) == 12 and len({image.get_clim() for image in images}) == 1
    words = texts(to_svg(figure))
    assert words.count("images") == 1 and "l04" in words and "l05" not in words
    assert "12 images, in the same order everywhere; the first 5 of 36 languages" in words
    assert "languages" not in " ".join(texts(to_svg(gram_plot({"grams": grams(("de", "en"))}))))


def test_spectra_are_scaled_to_norm_one_and_lose_their_zeros(evaluation):
    summary = evaluation(("en",))
    summary["diagnostics"]["identity"]["spectra"]["en"] = [3.0, 4.0, 1e-9]
    line = spectra_plot(summary).axes[0].lines[0]
    assert line.get_ydata() == pytest.approx([0.6, 0.8])


def test_rows_that_are_all_the_same_have_no_spectrum(evaluation):
    summary = evaluation()
    summary["diagnostics"]["mapped"]["spectra"] = {name: [0.0, 0.0] for name in ("de", "en", "zh")}
    to_svg(spectra_plot(summary))


def test_a_map_stretches_and_turns_and_one_that_is_not_square_only_stretches(evaluation):
    summary = evaluation()
    stretch, turn = map_plot(summary).axes
    assert stretch.lines[0].get_ydata().tolist() == [2.0, 1.0, 0.5]
    assert turn.lines[0].get_ydata().tolist() == [30.0, 30.0, 0.0]
    summary["map"]["rotation_degrees"] = None
    assert len(map_plot(summary).axes) == 1
    assert "median and range of 3 languages" in map_plot(evaluation(each_map=True)).axes[0].get_title()

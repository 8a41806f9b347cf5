"""Examples, neighbourhoods and geometry on a page: hand-made content of `examples.json`, drawn and escaped."""

import json

import pytest
from made_extras import make_extras

from ccalign_jax.reporting.panels.examples import examples_html, rank_words
from ccalign_jax.reporting.panels.geometry import gram_plot, spectra_plot
from ccalign_jax.reporting.panels.hubs import hubs_plot
from ccalign_jax.reporting.panels.neighbourhoods import neighbourhoods_plot
from ccalign_jax.reporting.reports import render_report


@pytest.fixture
def extras():
    return make_extras()


def test_examples_are_text_of_their_language_and_direction(extras, balanced_tags):
    block = examples_html(extras)
    assert {"img", "q", "ol", "section"} <= balanced_tags(block)
    assert '<q lang="ar" dir="auto">قطة</q>' in block and '<span lang="en" dir="auto">一只鸟</span>' in block
    assert "a &lt;cat&gt;" in block and "<cat>" not in block
    assert 'src="data:image/jpeg;base64,QUJD" alt="image a"' in block
    assert "hits gained: 7 of 40" in block and "rank <b>1 → 2.5</b>" in block and "none" in block
    assert "every fold" not in block
    extras["compared"]["map"] = "best_trained"
    assert "all selected identity" in examples_html(extras)
    assert examples_html({}) is None and rank_words(1.5) == "1.5"


def test_figures_hold_what_was_stored(extras, make):
    summary = {**make(), **json.loads(json.dumps(extras))}
    panels = neighbourhoods_plot(summary).axes
    assert [axes.get_title() for axes in panels] == ["MRR +.500, 50 % of variance", "MRR −.250, 50 % of variance"]
    assert [axes.get_ylabel() for axes in panels] == ["improved: 5 of 9", "worsened: 2 of 9"]
    assert {text.get_text() for text in hubs_plot(summary).axes[0].texts} == {"−0.25"}
    assert [axes.get_ylabel() for axes in gram_plot(summary).axes if axes.images and axes.get_ylabel()] == [
        "identity",
        "selected",
    ]
    assert len(spectra_plot(summary).axes[1].lines) == 2
    summary["neighbourhoods"] |= {"method": "UMAP"}
    axes, other = neighbourhoods_plot(summary).axes
    assert [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "s"] == [0.0, 0.1]  # the image moves
    assert not axes.get_shared_x_axes().joined(axes, other) and panels[0].get_shared_x_axes().joined(*panels)
    lacking = make()
    assert not any(plot(lacking) for plot in (neighbourhoods_plot, hubs_plot, gram_plot, spectra_plot))


def test_a_page_has_them_where_a_run_stored_them(extras, make, balanced_tags):
    page = render_report(make(), {}, extras=extras)
    balanced_tags(page)
    assert page.count('class="examples"') == 1 and "Retrieval examples" in page
    assert "Retrieval examples" not in render_report(make(), {})

"""Examples, neighbourhoods and geometry on a page: hand-made content of `examples.json`, drawn and escaped."""

import json

import pytest

from ccalign_jax.reporting.panels.examples import examples_html, rank_words
from ccalign_jax.reporting.panels.geometry import gram_plot, spectra_plot
from ccalign_jax.reporting.panels.hubs import hubs_plot
from ccalign_jax.reporting.panels.neighbourhoods import neighbourhoods_plot
from ccalign_jax.reporting.reports import render_report


def near(image, caption=None, *, right=False):
    return {"image": image, "caption": caption, "right": right}


def example(language, image, before, after, caption=None, texts=(None, None, None)):
    items = [near(name, text, right=name == image) for name, text in zip(("a", "b", "c"), texts, strict=True)]
    return {
        **{"fold": 0, "language": language, "image": image, "caption": caption, "before": before, "after": after},
        **{"nearest_before": items, "nearest_after": items[::-1]},
    }


@pytest.fixture
def extras():
    """One example of each kind; a map that changes some numbers and leaves others."""
    texts = ("قطة", "a <dog>", "一只鸟")
    blocks = {
        task: {
            **{"queries": 40, "counts": {"gained": 7, "lost": 3}},
            "gained": [example("en", "a", 4.0, 1.0, "a <cat>" if task == "t2i" else None, texts)],
            "lost": [example("ar", "b", 1.0, 2.5, "قطة" if task == "t2i" else None, texts)],
            "worst": [],
        }
        for task in ("t2i", "i2t")
    }
    place = {"before": [0.0, 0.0], "after": [0.1, -0.2]}
    images = [
        {
            **{"image": "a", "kind": kind, "change": change, "explained": 0.5, **place},
            "rivals": [{"image": "b", **place}],
            "captions": {"de": place, "en": {"before": [0.3, 0.3], "after": [0.1, 0.1]}},
        }
        for kind, change in (("improved", 0.5), ("worsened", -0.25))
    ]

    def state(skew):
        sets = {name: [[1.0, 0.2], [0.2, 1.0]] for name in ("image", "de", "en")}
        spectra = {name: [2.0, 1.0] for name in sets}
        hubs = {task: {name: {"skew": skew, "gini": skew / 10} for name in ("de", "en")} for task in ("t2i", "i2t")}
        return {"grams": sets, "spectra": spectra, "hubs": hubs}

    return {
        "compared": {"schema": 1, "map": "selected", "per_fold": ["x"]},
        "examples": {"rule": "drawn at random", "thumbnails": {"a": "QUJD"}, **blocks},
        "neighbourhoods": {
            **{"rule": "", "fold": 0, "method": "PCA", "counts": {"images": 9, "improved": 5, "worsened": 2}},
            "images": images,
        },
        "geometry": {"fold": 0, "states": {"before": state(1.5), "after": state(1.25)}},
    }


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
    lacking = make()
    assert not any(plot(lacking) for plot in (neighbourhoods_plot, hubs_plot, gram_plot, spectra_plot))


def test_a_page_has_them_where_a_run_stored_them(extras, make, balanced_tags):
    page = render_report(make(), {}, extras=extras)
    balanced_tags(page)
    assert page.count('class="examples"') == 1 and "Retrieval examples" in page
    assert "Retrieval examples" not in render_report(make(), {})

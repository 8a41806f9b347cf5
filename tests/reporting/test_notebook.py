"""Results as a notebook shows them, and their figures by name."""

import re

import pytest
from matplotlib.figure import Figure

from ccalign_jax.evaluation.compare import Comparison
from ccalign_jax.evaluation.evaluate import Evaluation
from ccalign_jax.reporting import (
    COMPARISON,
    EVALUATION,
    SWEEP,
    comparison_html,
    evaluation_html,
    figure_of,
    sweep_html,
)
from ccalign_jax.study.sweep_result import SweepResult

KINDS = {SweepResult: SWEEP, Evaluation: EVALUATION, Comparison: COMPARISON}


@pytest.fixture
def compared(make):
    sweep = make(("image", "shift", "mse", 0.04, 0.02))
    part = sweep["selected"]
    about = {"run": "runs/a", "name": "selected"}
    return {
        **{"a": about, "b": about, "data": sweep["data"], "folds": 5, "statistics": sweep["statistics"]},
        **{"a_metrics": sweep["baselines"]["identity"], "b_metrics": part["metrics"], "delta": part["delta"]},
    }


def test_a_result_is_lines_a_table_and_a_figure_without_a_script(make, evaluation, compared):
    for shown in (sweep_html(make()), evaluation_html(evaluation()), comparison_html(compared)):
        assert shown.count("<p>") == shown.count("<table") == shown.count("<svg") == 1
        assert "currentColor" in shown and not re.search(r"<script|<link|@import|https?://(?!www.w3.org)", shown)


def test_the_table_of_a_sweep_has_both_directions_and_their_mean(make):
    head = sweep_html(make()).partition("<thead>")[2].partition("</thead>")[0]
    assert [head.count(word) for word in ("t2i", "i2t", "mean", "R@1", "change")] == [1, 1, 1, 3, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_the_docstring_names_every_figure(kind):
    names = {panel.name for panel in KINDS[kind] if panel.plot}
    assert names <= {*re.findall(r"`(\w+)`", kind.plot.__doc__)}, names


def test_a_figure_by_its_name(make, evaluation, compared):
    assert isinstance(figure_of(SWEEP, "languages", make()), Figure)
    assert isinstance(figure_of(COMPARISON, "changes", compared), Figure)
    assert isinstance(Comparison(compared, []).plot("languages"), Figure)
    asked = []
    assert isinstance(Evaluation(evaluation(), {}, {}, {}).plot("languages"), Figure)
    with pytest.raises(ValueError, match="lacks what the figure 'subgroups' shows"):
        figure_of(SWEEP, "subgroups", make(), lambda: asked.append(1) or {})
    assert asked == [1]
    with pytest.raises(ValueError, match=r"no figure 'language'; there are overview, main, .*languages"):
        figure_of(SWEEP, "language", make())

"""Every metric and diagnostic has a name, and the hand-made summaries of these tests have each of them."""

import numpy as np
import pytest

from ccalign_jax.diagnostics import PAIRED, diagnose, diagnose_map
from ccalign_jax.evaluation.evaluated_set import diagnostics_rows
from ccalign_jax.metrics import METRICS, SCORINGS
from ccalign_jax.reporting import EVALUATION, make_tables, to_latex
from ccalign_jax.reporting.format import difference, plain
from ccalign_jax.reporting.names import scoring_name
from ccalign_jax.reporting.panels.diagnostics import MEASURES, OF_MAP
from ccalign_jax.reporting.panels.retrieval import METRICS as NAMED


@pytest.fixture(scope="module")
def diagnosed():
    draw = np.random.default_rng(0).normal(size=(3, 12, 4))
    return diagnose({"de": draw[0], "en": draw[1]}, draw[2], nulls=True, permutations=3, k=2)


def tree(found):
    """Nested keys alone."""
    return {key: tree(value) for key, value in found.items()} if isinstance(found, dict) else None


def test_every_metric_and_diagnostic_has_a_name_of_its_own(diagnosed):
    assert {*diagnosed["macro"], *diagnosed["image"], *PAIRED} <= MEASURES.keys() and {*METRICS} == {*NAMED}
    assert diagnose_map(np.eye(2)).keys() - {"singular_values", "rotation_degrees"} == OF_MAP.keys()
    words = [name.words for name in MEASURES.values()]
    assert len(set(words)) == len(words)
    sides = {name.better for name in MEASURES.values()}
    assert sides == {"higher", "higher, at equal n", "lower", "lower, at equal n", "neither", "depends on n"}
    assert all("n" in MEASURES[key].better.split() for key in MEASURES if key.startswith(("hub_", "iso_score")))
    assert {scoring_name({}, name) for name in SCORINGS}.isdisjoint(set(SCORINGS) - {"cosine"})


def test_hand_made_diagnostics_have_the_keys_of_real_ones(diagnosed, evaluation):
    assert tree(evaluation(("de", "en"))["diagnostics"]["identity"]) == tree(diagnosed)
    assert evaluation()["map"].keys() == diagnose_map(np.eye(2)).keys()


def test_tables_take_real_diagnostics(diagnosed, evaluation):
    summary = evaluation(("de", "en")) | {"diagnostics": {"identity": diagnosed, "mapped": diagnosed}}
    summary["map"] = diagnose_map(np.diag([1.0, 2.0, 3.0]))
    for table in make_tables(EVALUATION, summary).values():
        to_latex(table)
    values = {(row["group"], row["name"]): row["value"] for row in diagnostics_rows(summary)}
    assert values["with_image/en", "cknna"] == f"{diagnosed['with_image']['cknna']['per_language']['en']:.6g}"
    assert values["map", "condition"] == "3"


@pytest.mark.parametrize(
    ("value", "places", "words"),
    [(-0.0004, 3, ".000"), (-0.25, 3, "−.250"), (12.0, 3, "12.000"), (0.5, 1, "0.5"), (3e8, 1, "3.0e+08")],
)
def test_amounts_of_any_size(value, places, words):
    assert plain(value, places) == words


@pytest.mark.parametrize(
    ("before", "after", "places", "words"),
    [(0.1, 0.1 + 1e-5, 3, ".000"), (-0.1, 0.1, 3, "+.200"), (60.0, 59.96, 1, "0.0"), (0.0, -1e7, 1, "−1.0e+07")],
)
def test_changes_of_any_size(before, after, places, words):
    assert difference(before, after, places) == words

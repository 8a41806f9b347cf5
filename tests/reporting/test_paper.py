"""Tables for papers: the compact one, and those of the seed study with its columns."""

import json

from made_evaluations import diagnosed

from ccalign_jax.reporting import PAPER, make_tables
from ccalign_jax.reporting.format import CHANGE


def test_the_compact_table_has_both_directions_and_their_mean(make, row):
    table = make_tables(PAPER, make(("image", "shift", "mse", 0.04, -0.01)))["compact"]
    assert table.columns == ("aligner", "t2i\nR@1", CHANGE, "i2t\nR@1", CHANGE, "mean\nR@1", CHANGE)
    assert row(table, "shift x + b")[::2] == (".540", ".490", ".515")
    assert row(table, "shift x + b")[1] == "+.040 [+.020, +.060] p<.001"
    assert row(table, "identity")[1] == "" and row(table, "selected") == row(table, "shift x + b")
    assert "adjusted (Holm) for 1 pivots × aligners × losses" in table.notes[0]


def test_the_tables_of_the_seed_study_have_its_columns(make, row):
    summary = make(("image", "linear", "infonce", 0.04, -0.01), ("image", "residual_mlp", "infonce", 0.05, 0.0))
    summary["baselines"]["identity"]["via_image"] = summary["baselines"]["identity"]["t2i"]
    for family in summary["families"]:
        family["metrics"]["via_image"] = family["metrics"]["t2i"]
    summary["diagnostics"] = {
        "identity": diagnosed(("de", "en"), 0.0),
        "image/linear/infonce": diagnosed(("de", "en"), 0.1),
    }
    found = make_tables(PAPER, summary)
    for name in ("seed_t2i", "seed_i2t", "seed_pivot"):
        assert found[name].columns == ("map", "R@1", "R@5", "R@10", "MRR")
        assert [cells[0] for cells in found[name].rows] == ["before", "linear W (unconstrained)", "residual MLP"]
    assert row(found["seed_t2i"], "before") == (".500",) * 4 and row(found["seed_i2t"], "residual MLP") == (".500",) * 4
    assert found["seed_languages"].columns == ("map", "de", "en")
    geometry = found["seed_diagnostics"]
    assert len(geometry.columns) == 11 and row(geometry, "before")[:2] == ("60.0", "68.0")
    assert row(geometry, "linear W (unconstrained)")[-1] == ".550"


def test_what_was_not_measured_has_no_table(make):
    found = make_tables(PAPER, json.loads(json.dumps(make(languages=("en",)))))
    assert list(found) == ["compact", "seed_t2i", "seed_i2t"]

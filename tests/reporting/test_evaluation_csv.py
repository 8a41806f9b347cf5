"""Every diagnostic of an evaluation is in its CSV rows, once."""

import pytest

from ccalign_jax.evaluation.evaluated_set import diagnostics_rows


def test_every_diagnostic_is_there_once(evaluation):
    rows = list(diagnostics_rows(evaluation(("de", "en", "zh"))))
    keys = [(row["state"], row["group"], row["name"]) for row in rows]
    assert len(set(keys)) == len(keys)
    captions, image, paired, probe = 18 * (3 + 1), 13, 7 * (3 + 1) * 2, 4
    assert len(rows) == 2 * (captions + image + paired + probe) + 7
    found = dict(zip(keys, rows, strict=True))
    assert found["mapped", "captions/macro", "effective_rank"]["value"] == "66"
    assert found["mapped", "map", "deviation"]["value"] == "1.12"
    assert {row["group"] for row in rows} >= {"image", "between_languages/de|zh", "with_image/mean", "probe"}


def test_nulls_stand_beside_the_value_that_they_calibrate(evaluation):
    found = {(row["state"], row["group"], row["name"]): row for row in diagnostics_rows(evaluation())}
    one = found["identity", "between_languages/de|en", "gram_correlation"]
    assert (one["value"], one["null_value"], one["null_mean"], one["null_std"]) == ("0.6", "0.59", "0.02", "0.01")
    assert float(one["calibrated"]) == pytest.approx((0.59 - 0.02) / 0.98, rel=1e-5)
    assert found["identity", "with_image/en", "cknna"]["p"] == "0.005"
    assert found["identity", "between_languages/mean", "gram_correlation"]["p"] == ""
    assert found["identity", "captions/de", "entropy"]["null_mean"] == ""


def test_a_map_of_each_language_has_rows_of_each(evaluation):
    groups = {row["group"] for row in diagnostics_rows(evaluation(each_map=True))}
    assert {"map/de", "map/en", "map/zh"} <= groups and "map" not in groups


def test_nothing_diagnosed_makes_no_row(evaluation):
    summary = evaluation(mapped=False)
    del summary["diagnostics"]
    assert list(diagnostics_rows(summary)) == []

"""Every figure of an evaluation is in its CSV rows, once."""

import pytest

from ccalign_jax.study.evaluation_csv import diagnostics_rows, retrieval_rows


def test_every_retrieval_estimate_is_there_once(evaluation):
    rows = list(retrieval_rows(evaluation(("de", "en", "zh"))))
    keys = [(row["state"], row["scoring"], row["figure"], row["direction"], row["language"]) for row in rows]
    assert len(set(keys)) == len(keys)
    each, pairs = 1 + 3, 1 + 6
    assert len(rows) == 3 * (3 * each + 4 * pairs) + 2 * 2 * 4 * 3 * each + 3 * each
    found = dict(zip(keys, rows, strict=True))
    assert found["identity", "cosine", "level", "t2i", "macro"]["R@1"] == "0.11"
    assert found["mapped", "cosine", "level", "via_image", "zh->de"]["R@1"] == "0.11"
    assert found["mapped", "csls", "level", "i2t", "de"]["R@1"] == "0.13"
    assert found["chance", "", "level", "t2i", "macro"]["R@1"] == "0.01"
    assert found["mapped", "cosine", "level", "t2i", "de"]["median_rank"] == "18"


def test_every_estimate_has_its_interval_and_every_change_its_p(evaluation):
    rows = list(retrieval_rows(evaluation()))
    for row in rows:
        for metric in ("R@1", "mAP", "median_rank", "nDCG@10"):
            assert float(row[f"{metric}_low"]) < float(row[metric]) < float(row[f"{metric}_high"])
            assert (f"{metric}_p" in row) is (f"{metric}_p_adjusted" in row) is (row["figure"] == "change")
    change = next(row for row in rows if (row["state"], row["figure"], row["direction"]) == ("mapped", "change", "t2t"))
    assert (change["R@1"], change["R@1_low"], change["R@1_p_adjusted"]) == ("0.03", "0.01", "0.0004")


def test_what_was_not_computed_is_left_empty(evaluation, before):
    [row] = [
        row
        for row in retrieval_rows(before(evaluation()))
        if (row["figure"], row["direction"], row["language"]) == ("change", "t2i", "macro")
        and row["scoring"] == "cosine"
        and row["state"] == "mapped"
    ]
    assert row["R@1"] == "0.02" and row["R@1_low"] == row["R@1_p"] == row["R@1_p_adjusted"] == ""


def test_without_map_scores_or_pairs(evaluation):
    summary = evaluation(("en",), mapped=False)
    del summary["scores"]
    assert [(row["state"], row["direction"], row["language"]) for row in retrieval_rows(summary)] == [
        (state, direction, language)
        for state in ("identity", "chance")
        for direction in ("t2i", "i2t", "both")
        for language in ("macro", "en")
    ]


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

"""Two runs side by side."""

import copy

import pytest

from ccalign_jax.reporting import comparison_table, comparison_words, print_table, to_latex


@pytest.fixture
def comparison(make):
    """b gains .05 from text to image, loses .015 the other way, and needs .05 more ranks."""
    a, b = make(("image", "ridge", "closed_form", 0.0, 0.0)), make(("image", "residual", "infonce", 0.05, -0.015))
    chosen = b["selected"]
    return {
        "a": {"run": "runs/a", "name": "selected"},
        "b": {"run": "runs/b", "name": "image/residual/infonce"},
        **{"data": a["data"], "folds": 5, "a_metrics": a["selected"]["metrics"], "b_metrics": chosen["metrics"]},
        **{"delta": chosen["delta"], "verdict": chosen["verdict"]},
    }


def test_every_metric_of_both_directions_and_their_mean_then_each_language(comparison):
    table = comparison_table(comparison)
    blocks = [row[0] for row in table.rows if not any(row[1:])]
    assert blocks == [
        *("text to image", "image to text", "mean of both directions"),
        *("text to image, R@1 of each language", "image to text, R@1 of each language"),
    ]
    names = [row[0] for row in table.rows]
    assert names[1:8] == ["R@1", "R@5", "R@10", "MRR", "mAP", "median rank", "nDCG@10"]
    assert names[-2:] == ["de", "en"]
    assert table.rows[1] == (*("R@1", "gain", ".500 [.480, .520]", ".550 [.530, .570]", "+.050 [+.030, +.070] p<.001"),)
    assert table.rows[9][1] == "no evidence"
    assert "not adjusted for the number of rows" in table.notes[-1]


def test_of_ranks_fewer_are_better(comparison):
    def word(mean):
        changed = copy.deepcopy(comparison)
        changed["delta"]["t2i"]["median_rank"] |= {"mean": mean, "p_adjusted": 0.001}
        return comparison_table(changed).rows[6][:2]

    assert word(2.0) == ("median rank", "loss") and word(-2.0) == ("median rank", "gain")


def test_the_words_follow_the_estimates(comparison):
    said = comparison_words(comparison)
    assert said[0] == ("b, image/residual/infonce (runs/b), against a, selected (runs/a), on the same 100 images.")
    assert said[1].startswith(
        "From a to b: text to image R@1 .500 → .550 (+.050, 95 % interval +.030 to +.070, p < .001"
    )
    assert said[1].endswith("p = .400): no evidence.")
    assert said[2] == (
        "No evidence that b is better than a, or worse, in the mean of both directions "
        "(+.018, 95 % interval −.002 to +.038, p = .400)."
    )
    comparison["verdict"]["both"] = "gain"
    assert comparison_words(comparison)[2].startswith("Gain: b is better than a, in the mean of both directions")
    comparison["verdict"]["both"] = "loss"
    assert comparison_words(comparison)[2].startswith("Loss: b is worse than a, in the mean of both directions")


def test_what_is_missing_is_left_out(comparison, capsys):
    for part in ("a_metrics", "b_metrics", "delta"):
        del comparison[part]["both"]
        for way in ("t2i", "i2t"):
            del comparison[part][way]["per_language"]["en"], comparison[part][way]["nDCG@10"]
    del comparison["verdict"]
    assert "claimed gain" in [row[1] for row in comparison_table({**comparison, "protocol": "seed"}).rows]
    table = comparison_table(comparison)
    assert [row[0] for row in table.rows if not any(row[1:])] == ["text to image", "image to text"]
    assert table.rows[1][1] == "gain" and len(comparison_words(comparison)) == 2
    print_table(table, width=80)
    assert r"\begin{tabular*}" in to_latex(table)

"""What the tables of a study say."""

import math

import pytest

from ccalign_jax.reporting import headline, language_table, main_table, to_markdown, trials_table
from ccalign_jax.reporting.wording import plain, signed, signed_spread

MANY = [
    ("image", "linear", "infonce", -0.27, -0.25),
    ("text:en", "per_language(residual)", "infonce", 0.02, 0.01),
    ("image", "residual", "infonce", 0.041, 0.02),
]


def notes(table) -> str:
    return " ".join(table.notes)


def test_main_table_of_one_family(make):
    lines = to_markdown(main_table(make())).splitlines()
    assert lines[0] == "**toy: retrieval on the holdout, pivot image, loss infonce**"
    same = [".541", "+.041±.010", ".500", ".000±.010"] * 2
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[4:8]] == [
        ["identity", *[".500", ""] * 4, "+.010", "−.010"],
        ["residual W = I + ΔW", *same, "+.100", "+.100"],
        ["selected", *same, "+.100", "+.100"],
        ["chance", *[".050", ""] * 4, "", ""],
    ]


def test_families_stand_under_their_pivot_in_the_order_they_come(make):
    table = main_table(make(*MANY))
    assert [row[0] for row in table.rows] == [
        "identity",
        "pivot image",
        "linear W (unconstrained)",
        "residual W = I + ΔW",
        "pivot text:en",
        "per_language(residual)",
        "selected",
        "chance",
    ]
    assert table.rules == (1, 4, 6)
    assert table.title.endswith(", loss infonce")
    assert "per_language(A): a map A for each language." in table.notes


def test_notes_say_pool_folds_spread_and_how_rows_were_chosen(make):
    said = notes(main_table(make(*MANY)))
    for words in ("about 20 images", "over 5 folds", "not a confidence interval", "inner part", "3 trials"):
        assert words in said
    assert "Optimistic" not in said


def test_seed_protocol_is_called_optimistic_and_its_gap_is_not_comparable(make):
    summary = make(protocol="seed")
    said = notes(main_table(summary))
    assert "Optimistic: settings and epoch were chosen on the very folds that are reported" in said
    assert "whole training part" in said and "about 80 images" in said
    assert "inner part" not in said
    assert "Optimistic" in headline(summary)[-1]


def test_one_fold_has_no_spread_and_says_so(make):
    summary = make(folds=1, std=None, epochs=(3,))
    table = main_table(summary)
    assert "±" not in to_markdown(table)
    assert table.rows[1][2] == "+.041"
    assert "One fold." in notes(table)
    assert "one fold has not even a spread" in headline(summary)[-1]
    assert "±" not in to_markdown(language_table(summary))


def test_epoch_zero_is_told(make):
    assert "untrained start: image/residual/infonce (2 of 5)" in notes(main_table(make(epochs=(0, 3, 0, 1, 2))))
    assert "untrained start" not in notes(main_table(make()))


def test_headline_tells_both_directions_and_their_mean(make):
    said = headline(make(("image", "residual", "infonce", 0.041, -0.011), chosen=("a", "b", "b", "b", "b")))
    assert said[0] == "Chosen: b in 4 of 5 folds, a in 1."
    assert "text to image R@1 .500 → .541 (+.041 ± .010), image to text R@1 .500 → .489 (−.011 ± .010)" in said[1]
    assert said[2] == "The mean of both directions rose by .015."
    assert "No interval is computed yet" in said[-1]


@pytest.mark.parametrize(
    ("t2i", "i2t", "words"),
    [(-0.02, 0.01, "fell by .005"), (0.0001, -0.0003, "did not change"), (0.1, 0.1, "rose by .100")],
)
def test_headline_says_which_way_the_mean_went(make, t2i, i2t, words):
    assert headline(make(("image", "residual", "infonce", t2i, i2t)))[2] == f"The mean of both directions {words}."


def test_headline_where_nothing_beats_identity(make):
    said = headline(make(chosen=("identity",) * 5))
    assert said[0] == "Chosen: identity in all 5 folds."
    assert len(said) == 2 and "nothing is changed" in said[1]


def test_headline_gives_intervals_once_there_are_some(make):
    summary = make()
    for direction in ("t2i", "i2t"):
        summary["selected"]["delta"][direction]["R@1"] |= {"low": -0.003, "high": 0.02}
    said = " ".join(headline(summary))
    assert "95 % interval, text to image: −.003 to +.020." in said and "No interval" not in said


def test_languages_have_a_row_each_and_the_unmapped_pivot_is_compared_with_itself(make):
    summary = make()
    for direction in ("t2i", "i2t"):
        each = summary["baselines"]["identity"][direction]["per_language"]
        summary["selected"]["metrics"][direction]["per_language"]["en (unmapped)"] = each["en"]
    table = language_table(summary)
    assert table.rows == (
        ("de", ".500", ".541", "+.041±.010", ".500", ".500", ".000±.010"),
        ("en", ".500", ".541", "+.041±.010", ".500", ".500", ".000±.010"),
        ("en (unmapped)", ".500", ".500", "—", ".500", ".500", "—"),
        ("mean", ".500", ".541", "+.041±.010", ".500", ".500", ".000±.010"),
    )
    assert "unmapped:" in notes(table)


def test_trials_show_what_differs_and_note_what_does_not(make):
    summary = make(*MANY, chosen=("image/residual/infonce",) * 4 + ("identity",))
    summary["trials"][0]["name"] += "/learning_rate=0.001,hidden=64"
    table = trials_table(summary)
    assert table.columns[:4] == ("aligner", "pivot", "learning\nrate", "other")
    assert [row[:4] for row in table.rows] == [
        ("linear", "image", "0.001", "hidden=64"),
        ("per_language(residual)", "text:en", "0.002", ""),
        ("residual", "image", "0.003", ""),
    ]
    assert [row[-1] for row in table.rows] == ["", "", "4 of 5"]
    assert [row[-2] for row in table.rows] == ["2–3"] * 3
    assert "The same in all trials: l2 0.0005." in table.notes


def test_no_change_has_no_sign():
    values = [0.0, -0.0, -0.0004, 0.0004, -0.0005001, 1.0, -1.0]
    assert [signed(value) for value in values] == [".000", ".000", ".000", ".000", "−.001", "+1.000", "−1.000"]
    assert signed_spread({"mean": -0.0, "std": 0.0}) == ".000±.000"
    assert plain(10.5) == "10.500" and plain(math.inf) == "inf"


def test_what_the_summary_lacks_is_left_empty(make):
    summary = make()
    del summary["baselines"]["identity_train"]
    assert main_table(summary).rows[0][-2:] == ("", "")

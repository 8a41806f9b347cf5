"""What the tables of a study say."""

import math

import pytest

from ccalign_jax.reporting import diagnostics_table, headline, language_table, main_table, to_markdown, trials_table
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
    assert lines[0] == "**toy: retrieval on the holdout, image pivot, loss InfoNCE**"
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
        "image pivot",
        "linear W (unconstrained)",
        "residual W = I + ΔW",
        "text pivot (en)",
        "residual W = I + ΔW per language",
        "selected",
        "chance",
    ]
    assert table.rules == (1, 4, 6)
    assert table.title.endswith(", loss InfoNCE")
    assert "per language: a map for each language." in table.notes


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


def test_one_of_anything_is_singular(make):
    summary = make()
    assert trials_table(summary).title.startswith("1 trial, ")
    assert "among all trials and identity (1 trial)" in notes(main_table(summary))
    assert "the best of 1 trial." in notes(main_table(make(protocol="seed")))


def test_chosen_trials_are_called_by_what_tells_them_apart(make):
    summary = make()
    trial = summary["trials"][0]
    trial["name"] += "/learning_rate=0.001,temperature=0.03"
    summary["selected"]["per_fold"] = [trial["name"]] * 5
    assert headline(summary)[0] == "Chosen: residual W = I + ΔW, learning rate .001, temperature .03 in all 5 folds."


def test_settings_that_closed_forms_do_not_read_are_still_the_same_in_all_others(make):
    summary = make(("image", "residual", "infonce", 0.1, 0.1), ("image", "ridge", "closed_form", 0.1, 0.1))
    summary["trials"][1]["hyper"] = {}
    table = trials_table(summary)
    assert "loss" not in table.columns and "learning\nrate" not in table.columns
    assert "The same in all trials that read it: learning rate 0.001, l2 0.0005." in table.notes


def test_epoch_zero_is_told(make):
    assert "kept the start, which nothing beat on the inner part: residual W = I + ΔW (2 of 5)" in notes(
        main_table(make(epochs=(0, 3, 0, 1, 2)))
    )
    assert "kept the start" not in notes(main_table(make()))


def test_headline_tells_both_directions_and_their_mean(make):
    said = headline(make(("image", "residual", "infonce", 0.041, -0.011), chosen=("a", "b", "b", "b", "b")))
    assert said[0] == "Chosen: b in 4 of 5 folds; a in 1."
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
        ("linear W (unconstrained)", "image pivot", "0.001", "hidden=64"),
        ("residual W = I + ΔW per language", "text pivot (en)", "0.002", ""),
        ("residual W = I + ΔW", "image pivot", "0.003", ""),
    ]
    assert [row[-1] for row in table.rows] == ["", "", "4 of 5"]
    assert [row[-2] for row in table.rows] == ["2–3"] * 3
    assert "The same in all trials that read it: l2 0.0005." in table.notes


def test_diagnostics_stand_under_the_names_of_families_and_of_pivots(make, evaluation):
    summary = make(*MANY)
    one = evaluation()["diagnostics"]["identity"]
    summary["diagnostics"] = {"identity": one, "image/residual/infonce": one, "text:en": one}
    summary["diagnostics"]["identity"] = one | {"rows": 90.4, "sampled_rows": 90.4, "neighbours": 10.0}
    table = diagnostics_table(summary)
    assert table.notes[0] == "90 images with every language, one caption each. Neighbours: 10 nearest."
    columns = table.columns
    assert [name.replace("\n", " ") for name in columns] == [
        *("figure", "identity", "image pivot: residual W = I + ΔW", "text pivot (en)", "better"),
    ]


def test_no_change_has_no_sign():
    values = [0.0, -0.0, -0.0004, 0.0004, -0.0005001, 1.0, -1.0]
    assert [signed(value) for value in values] == [".000", ".000", ".000", ".000", "−.001", "+1.000", "−1.000"]
    assert signed_spread({"mean": -0.0, "std": 0.0}) == ".000±.000"
    assert plain(10.5) == "10.500" and plain(math.inf) == "inf"


def test_what_the_summary_lacks_is_left_empty(make):
    summary = make()
    del summary["baselines"]["identity_train"]
    assert main_table(summary).rows[0][-2:] == ("", "")

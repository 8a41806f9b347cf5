"""What the tables of a study say."""

import math

import pytest

from ccalign_jax.reporting import main_table, to_markdown
from ccalign_jax.reporting.format import changed, plain, signed
from ccalign_jax.reporting.panels.configurations import configurations_table
from ccalign_jax.reporting.panels.diagnostics import diagnostics_table
from ccalign_jax.reporting.panels.families import trials_table
from ccalign_jax.reporting.panels.languages import languages_table
from ccalign_jax.reporting.scope import interval_words, reading_notes
from ccalign_jax.reporting.sentences import selected_words

MANY = [
    ("image", "linear", "infonce", -0.27, -0.25),
    ("text:en", "per_language(residual)", "infonce", 0.02, 0.01),
    ("image", "residual", "infonce", 0.041, 0.02),
]


def notes(table) -> str:
    return " ".join(table.notes)


def test_main_table_of_one_family(make):
    lines = to_markdown(main_table(make())).splitlines()
    assert lines[0] == "**toy: retrieval on the test part, image pivot, loss InfoNCE**"
    half = ".500 [.480, .520]"
    same = [".541 [.521, .561]", "+.041 [+.021, +.061] p<.001", half, ".000 [−.020, +.020] p=.400"]
    mine = ["gain (t2i)", "+.020 [.000, +.040] p<.001", *same]
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[4:8]] == [
        ["identity", "", "", *[half, ""] * 2],
        ["residual W = I + ΔW", *mine],
        ["selected", *mine],
        ["chance", "", "", *[".050", ""] * 2],
    ]


def test_main_table_of_what_was_summarised_before_there_were_intervals(make, before):
    table = main_table(before(make()))
    assert "verdict" not in table.columns and "mean of both\nchange\n±fold std" in table.columns
    same = (".541", "+.041±.010", ".500", ".000±.010")
    assert table.rows == (
        ("identity", "", *(".500", "") * 2),
        ("residual W = I + ΔW", "+.020±.010", *same),
        ("selected", "+.020±.010", *same),
        ("chance", "", *(".050", "") * 2),
    )
    assert "not a confidence interval" in notes(table) and "verdict" not in notes(table)


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
    for words in ("about 20 images", "over 5 folds", "95 % interval", "on a fifth of the training images", "3 trials"):
        assert words in said
    assert "p: paired sign flips over images, adjusted (Holm) for the number of families (3)" in said
    assert "Optimistic" not in said and "±" not in said and "fold std" not in to_markdown(main_table(make(*MANY)))


def test_repeats_and_groups_of_images_are_noted(make):
    summary = make(folds=10) | {"repeats": 2}
    summary["statistics"]["cluster"] = "group of images"
    said = notes(main_table(summary))
    assert "Means over 10 folds (2 × 5)." in said and "paired sign flips over groups of images" in said
    assert "groups of images with all their captions" in " ".join(reading_notes(summary))


def test_gains_under_the_seed_protocol_are_claimed(make):
    summary = make(("image", "residual", "infonce", 0.06, 0.05), protocol="seed")
    told, table = selected_words(summary), main_table(summary)
    assert any(sentence.startswith("Claimed gain: the mean of both directions rose by .055") for sentence in told)
    assert "p < .001): claimed gain" in " ".join(told) and "): gain" not in " ".join(told)
    assert [row[1] for row in table.rows if row[0] == "selected"] == ["claimed gain"]
    assert "claimed gain: the map was chosen on the images that are reported" in notes(table)
    assert "claimed gain" not in notes(main_table(make()))


def test_seed_protocol_is_called_optimistic_and_its_gap_is_not_comparable(make):
    summary = make(protocol="seed")
    said = notes(main_table(summary))
    assert "Optimistic: settings and epoch were chosen on the very folds that are reported" in said
    gaps = notes(configurations_table(summary))
    assert "whole training part" in gaps and "about 80 images" in gaps
    assert "apart from its test part" not in said
    claims = (
        "In the mean of both directions the seed protocol claims +.022; choosing on the other folds earns +.009: "
        "optimism +.013."
    )
    assert claims in said and claims in " ".join(reading_notes(summary))
    del summary["optimism"]
    assert "optimism" not in notes(main_table(summary))


def test_one_fold_has_no_spread_and_says_so(make, before):
    summary = before(make(folds=1, std=None, epochs=(3,)))
    table = main_table(summary)
    assert "±" not in to_markdown(table)
    assert table.rows[1][3] == "+.041"
    assert "One fold." in notes(table)
    assert reading_notes(summary)[-1] == "No interval was computed."
    assert "±" not in to_markdown(languages_table(summary))


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
    assert (
        selected_words(summary)[0] == "Chosen: residual W = I + ΔW, learning rate .001, temperature .03 in all 5 folds."
    )


def test_settings_that_closed_forms_do_not_read_are_still_the_same_in_all_others(make):
    summary = make(("image", "residual", "infonce", 0.1, 0.1), ("image", "ridge", "closed_form", 0.1, 0.1))
    summary["trials"][1]["hyper"] = {}
    table = trials_table(summary)
    assert "loss" not in table.columns and "learning\nrate" not in table.columns
    assert "The same in all trials that read it: learning rate 0.001, l2 0.0005." in table.notes


def test_a_trial_that_diverged_is_marked(make):
    summary = make(epochs=(0, 3, 0, 1, 2))
    assert trials_table(summary).rows[0][-2] == "0–3" and "diverged" not in notes(trials_table(summary))
    summary["trials"][0]["diverged"] = [0, 7, 0, 0, 0]
    assert trials_table(summary).rows[0][-2] == "0–3 (diverged)"
    assert "diverged: parameters became NaN or infinite" in notes(trials_table(summary))


def test_epoch_zero_is_noted(make):
    assert "kept the start, which nothing beat on the inner part: residual W = I + ΔW (2 of 5)" in notes(
        main_table(make(epochs=(0, 3, 0, 1, 2)))
    )
    assert "kept the start" not in notes(main_table(make()))


def test_headline_tells_both_directions_and_their_mean(make):
    summary = make(("image", "residual", "infonce", 0.081, -0.011), chosen=("a", "b", "b", "b", "b"))
    said = selected_words(summary)
    assert said[0] == "Chosen: b in 4 of 5 folds; a in 1."
    assert said[1] == (
        "Against identity, on images kept out of training: "
        "text to image R@1 .500 → .581 (+.081, 95 % interval +.061 to +.101, p < .001): gain; "
        "image to text R@1 .500 → .489 (−.011, 95 % interval −.031 to +.009, p = .400): no evidence."
    )
    assert said[2] == "Gain: the mean of both directions rose by .035 (95 % interval +.015 to +.055, p < .001)."
    scope = interval_words(summary)
    assert "these 5 maps, one a fold, on new images, in a gallery of the same size (about 20 images)" in scope
    assert "10,000 times are images with all their captions" in scope and "(Holm) for all 1 trial" in scope
    assert reading_notes(summary)[-2] == scope
    assert reading_notes(summary)[-1].endswith("(Nadeau–Bengio): p = .010 for the mean of both directions.")
    assert not any("spread" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("t2i", "i2t", "words"),
    [
        (-0.02, 0.01, "No evidence of a gain: the mean of both directions changed by −.005 ("),
        (0.0001, -0.0003, "No evidence of a gain: the mean of both directions changed by .000 ("),
        (0.1, 0.1, "Gain: the mean of both directions rose by .100 ("),
        (-0.3, 0.1, "Loss: the mean of both directions fell by .100 ("),
    ],
)
def test_the_words_of_the_headline_follow_the_estimates(make, t2i, i2t, words):
    assert selected_words(make(("image", "residual", "infonce", t2i, i2t)))[2].startswith(words)


def test_a_gain_that_folds_do_not_confirm_is_called_open(make):
    summary = make(("image", "residual", "infonce", 0.1, 0.1))
    assert "is open" not in " ".join(reading_notes(summary))
    summary["selected"]["delta"]["both"]["R@1"]["p_folds"] = 0.2
    assert "p = .200 for the mean of both directions, so that whether other maps" in reading_notes(summary)[-1]


@pytest.mark.parametrize(
    ("t2i", "i2t", "words"),
    [(-0.02, 0.01, "fell by .005"), (0.0001, -0.0003, "did not change"), (0.1, 0.1, "rose by .100")],
)
def test_headline_without_intervals_says_how_the_mean_changed(make, before, t2i, i2t, words):
    summary = before(make(("image", "residual", "infonce", t2i, i2t)))
    said = selected_words(summary)
    assert said[2] == f"The mean of both directions {words}."
    assert "(+.100 ± .010); image to text R@1 .500 → .600 (+.100 ± .010)." in said[1] or t2i != 0.1
    assert reading_notes(summary)[-1] == "No interval was computed."


def test_headline_where_nothing_beats_identity(make):
    said = selected_words(make(chosen=("identity",) * 5))
    assert said[0] == "Chosen: identity in all 5 folds."
    assert len(said) == 2 and "nothing is changed" in said[1]


def test_languages_have_a_row_each_and_the_unmapped_pivot_is_compared_with_itself(make, before):
    summary, half = make(), ".500 [.480, .520]"
    for direction in ("t2i", "i2t"):
        each = summary["baselines"]["identity"][direction]["per_language"]
        summary["selected"]["metrics"][direction]["per_language"]["en (unmapped)"] = each["en"]
    table = languages_table(summary)
    assert table.rows == (
        ("de", half, ".541 [.521, .561]", "+.041 [+.021, +.061] p<.001", half, half, ".000 [−.020, +.020] p=.400"),
        ("en", half, ".541 [.521, .561]", "+.041 [+.021, +.061] p<.001", half, half, ".000 [−.020, +.020] p=.400"),
        ("en (unmapped)", half, half, "—", half, half, "—"),
        ("mean", half, ".541 [.521, .561]", "+.041 [+.021, +.061] p<.001", half, half, ".000 [−.020, +.020] p=.400"),
    )
    assert "unmapped:" in notes(table) and "not adjusted for the number of languages" in notes(table)
    table = languages_table(before(summary))
    assert table.rows[0] == ("de", ".500", ".541", "+.041±.010", ".500", ".500", ".000±.010")


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
    assert [row[4:7] for row in table.rows] == [
        ("loss", ".230 [.210, .250]", "−.270 [−.290, −.250] p<.001"),
        ("no evidence", ".520 [.500, .540]", "+.020 [.000, +.040] p=.400"),
        ("gain (t2i)", ".541 [.521, .561]", "+.041 [+.021, +.061] p<.001"),
    ]
    assert "adjusted (Holm) for the number of trials (3)" in notes(table)


def test_diagnostics_stand_under_the_names_of_families_and_of_pivots(make, evaluation):
    summary = make(*MANY)
    one = evaluation()["diagnostics"]["identity"]
    summary["diagnostics"] = {"identity": one, "image/residual/infonce": one, "text:en": one}
    summary["diagnostics"]["identity"] = one | {"rows": 90.4, "sampled_rows": 90.4, "neighbours": 10.0}
    table = diagnostics_table(summary)
    assert table.notes[0] == "90 images with every language, one caption each. Neighbours: 10 nearest."
    columns = table.columns
    assert [name.replace("\n", " ") for name in columns] == [
        *("diagnostic", "identity", "image pivot: residual W = I + ΔW", "text pivot (en)", "better"),
    ]


def test_no_change_has_no_sign():
    values = [0.0, -0.0, -0.0004, 0.0004, -0.0005001, 1.0, -1.0]
    assert [signed(value) for value in values] == [".000", ".000", ".000", ".000", "−.001", "+1.000", "−1.000"]
    assert changed({"mean": -0.0, "std": 0.0}) == ".000±.000"
    assert changed({"mean": -0.0, "std": None, "low": -0.0001, "high": 0.25}) == ".000 [.000, +.250]"
    assert plain(10.5) == "10.500" and plain(math.inf) == "inf"


def test_what_the_summary_lacks_is_left_empty(make):
    summary = make()
    del summary["baselines"]["identity_train"]
    table = configurations_table(summary)
    assert [row[0] for row in table.rows] == ["residual W = I + ΔW", "selected"]


def test_configurations_say_what_generalises_and_what_overfits(make, row):
    summary = make(("image", "linear", "infonce", -0.27, -0.25), ("image", "residual", "infonce", 0.041, 0.02))
    summary["families"][0]["train_metrics"]["t2i"]["R@1"]["mean"] = 0.9
    table = configurations_table(summary)
    assert table.columns[:2] == ("configuration", "R@1, mean of both\nchange, p\n[95 %]")
    assert row(table, "linear W (unconstrained)")[0] == "−.260 [−.280, −.240] p<.001"
    assert row(table, "linear W (unconstrained)")[-1] == "strong"
    assert row(table, "residual W = I + ΔW")[-1] == "some" and row(table, "identity")[-1] == ""
    assert "gap: R@1 on as many training images" in notes(table)

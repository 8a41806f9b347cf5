"""What the tables of pivots say: order, signs, dashes, spread, and languages."""

import pytest

from ccalign_jax._names import MAX_FAMILIES
from ccalign_jax.reporting import main_table, to_latex
from ccalign_jax.reporting.panels.families import pivots_by_language_table, pivots_table, text_to_text_table

TWO_PIVOTS = [
    ("image", "linear", "infonce", -0.27, -0.25),
    ("image", "shift", "infonce", 0.03, -0.05),
    ("image", "residual", "infonce", 0.041, -0.011),
    ("symmetric", "dual(residual)", "infonce", 0.02, 0.01),
]
PIVOTS = ("image", "text:en", "centroid", "auxiliary:en", "symmetric", "consensus", "gcca")


def notes(table) -> str:
    return " ".join(table.notes)


def with_text_to_text(summary, *changes, std=0.002):
    """Identity is .600 from text to text; each family changes it by so much, or was not measured (None)."""
    summary["baselines"]["identity"]["t2t"] = {"R@1": {"mean": 0.6, "std": std}}
    for family, change in zip(summary["families"], changes, strict=True):
        if change is not None:
            family["metrics"]["t2t"] = {"R@1": {"mean": 0.6 + change, "std": std}}
            family["delta"]["t2t"] = {"R@1": {"mean": change, "std": std}}
    return summary


def many(make, **settings):
    """Two trained aligners and a closed form under each of seven pivots: the residual map selects best."""
    each = [("linear", "infonce", -0.1), ("residual", "infonce", 0.05), ("ridge", "closed_form", 0.02)]
    return make(*((pivot, *rest, change, change) for pivot in PIVOTS for *rest, change in each), **settings)


def test_families_stand_under_their_pivot_the_best_mean_of_both_first(make, before):
    summary = with_text_to_text(make(*TWO_PIVOTS, std=None, folds=1), -0.1, None, 0.004, -0.0001, std=None)
    table = pivots_table(before(summary))
    assert table.columns == (
        "aligner",
        "both\nΔR@1",
        "t2i\nΔR@1",
        "i2t\nΔR@1",
        "t2i\nΔmAP",
        "i2t\nΔmAP",
        "t2t\nΔR@1",
        "gap\nt2i",
        "gap\ni2t",
    )
    assert table.rows == (
        ("identity (levels)", ".500", ".500", ".500", ".500", ".500", ".600", "+.010", "−.010"),
        ("image pivot", *[""] * 8),
        ("residual W = I + ΔW", "+.015", "+.041", "−.011", "+.041", "−.011", "+.004", "+.100", "+.100"),
        ("shift x + b", "−.010", "+.030", "−.050", "+.030", "−.050", "—", "+.100", "+.100"),
        ("linear W (unconstrained)", "−.260", "−.270", "−.250", "−.270", "−.250", "−.100", "+.100", "+.100"),
        ("symmetric", *[""] * 8),
        ("dual residual W = I + ΔW", "+.015", "+.020", "+.010", "+.020", "+.010", ".000", "+.100", "+.100"),
    )
    assert table.rules == (1, 5)
    assert "choose on the images that are reported" in notes(table)
    assert "±" not in notes(table)


def test_what_kept_its_start_in_every_fold_is_marked(make):
    summary = make(*TWO_PIVOTS)
    summary["families"][1]["epochs"] = [0] * 5
    table = pivots_table(summary)
    assert [row[0] for row in table.rows if "(start)" in row[0]] == ["shift x + b (start)"]
    assert "the start was kept" in notes(table)
    summary["families"][1]["epochs"] = [0, 0, 1, 0, 0]
    assert "(start)" not in notes(pivots_table(summary))


def test_without_intervals_changes_over_folds_have_a_spread_and_levels_and_gaps_have_none(make, before):
    table = pivots_table(before(with_text_to_text(make(*TWO_PIVOTS), 0.1, 0.1, 0.1, 0.1)))
    assert table.rows[2][2:] == (*["+.041±.010", "−.011±.010"] * 2, "+.100±.002", "+.100", "+.100")
    assert "±" not in "".join(table.rows[0])
    assert "± is the standard deviation over folds" in notes(table)


def test_every_change_has_its_interval_and_p_and_every_family_a_verdict(make):
    table = pivots_table(make(*TWO_PIVOTS))
    rows = {row[0]: row[1:] for row in table.rows}
    half = ".500 [.480, .520]"
    assert rows["identity (levels)"] == ("", *[half] * 5, "—", "+.010", "−.010")
    assert rows["linear W (unconstrained)"][:3] == (
        *("loss", "−.260 [−.280, −.240] p<.001", "−.270 [−.290, −.250] p<.001"),
    )
    assert rows["shift x + b"][0] == "no evidence (t2i gain, i2t loss)"
    assert rows["shift x + b"][-1] == "+.100 [+.080, +.120]"
    assert "±" not in notes(table) and "adjusted (Holm) for the number of families (4)" in notes(table)


def test_one_pivot_needs_no_heading_and_what_was_not_measured_is_a_dash(make):
    summary = make()
    del summary["baselines"]["identity_train"], summary["families"][0]["train_metrics"], summary["families"][0]["gap"]
    table = pivots_table(summary)
    assert table.title == "What each pivot changes on the test part, image pivot, loss InfoNCE"
    assert [row[0] for row in table.rows] == ["identity (levels)", "residual W = I + ΔW"]
    assert [row[7:] for row in table.rows] == [("—", "—", "—")] * 2


def test_several_losses_are_named_and_closed_forms_have_none(make):
    table = pivots_table(
        make(
            ("image", "residual", "mse", 0.1, 0.1),
            ("image", "residual", "infonce", 0.2, 0.2),
            ("image", "ridge", "closed_form", 0.0, 0.0),
        )
    )
    assert [row[0] for row in table.rows[1:]] == [
        "residual W = I + ΔW, InfoNCE",
        "residual W = I + ΔW, MSE",
        "ridge regression",
    ]


def test_of_many_families_the_main_table_has_the_best_of_each_pivot_and_this_one_all(make):
    summary = many(make)
    assert len(summary["families"]) > MAX_FAMILIES
    names = [row[0] for row in main_table(summary).rows]
    assert names == [
        "identity",
        *(
            f"{pivot}: residual W = I + ΔW"
            for pivot in (
                *("image pivot", "text pivot (en)", "centroid pivot", "text pivot (en) with images", "symmetric"),
                *("consensus pivot", "GCCA pivot"),
            )
        ),
        "selected",
        "chance",
    ]
    assert "Of 21 combinations of pivot, aligner and loss" in notes(main_table(summary))
    assert "7 pivots; all are in tables/pivots" in notes(main_table(summary))
    assert len(pivots_table(summary).rows) == 1 + len(PIVOTS) * (1 + 3)
    assert "tables/pivots" not in notes(main_table(make(*TWO_PIVOTS)))


def test_each_language_has_a_column_and_each_direction_a_block(make, before):
    summary = make(*TWO_PIVOTS[2:], languages=("de", "zh"), std=None, folds=1)
    summary["families"][0]["delta"]["i2t"]["per_language"]["zh"]["R@1"]["mean"] = 0.009
    assert pivots_by_language_table(summary).rows[2][1] == "+.041 [+.021, +.061] p<.001"
    assert "No p is adjusted for the number of languages" in notes(pivots_by_language_table(summary))
    table = pivots_by_language_table(before(summary))
    assert table.columns == ("aligner", "de", "zh", "mean")
    assert table.rows == (
        ("text to image", "", "", ""),
        ("identity (levels)", ".500", ".500", ".500"),
        ("image pivot: residual W = I + ΔW", "+.041", "+.041", "+.041"),
        ("symmetric: dual residual W = I + ΔW", "+.020", "+.020", "+.020"),
        ("image to text", "", "", ""),
        ("identity (levels)", ".500", ".500", ".500"),
        ("image pivot: residual W = I + ΔW", "−.011", "+.009", "−.011"),
        ("symmetric: dual residual W = I + ΔW", "+.010", "+.010", "+.010"),
    )
    assert table.rules == (4,)


def test_many_languages_are_summarised(make, before):
    languages = tuple(f"l{number:02}" for number in range(13))
    summary = make(languages=languages, std=None, folds=1)
    each = summary["families"][0]["delta"]["t2i"]["per_language"]
    each["l03"]["R@1"]["mean"], each["l07"]["R@1"]["mean"] = -0.2, 0.3
    table = pivots_by_language_table(summary)
    assert table.columns[-1] == "gain,\nlose"
    assert [row[-1] for row in table.rows[2::3]] == ["12, 1", "0, 0"]
    table = pivots_by_language_table(before(summary))
    assert table.rows[2] == ("residual W = I + ΔW", "+.041", "l03 −.200", "l07 +.300", "12 of 13")
    assert table.rows[1] == ("identity (levels)", ".500", "l00 .500", "l00 .500", "")


def test_text_to_text_has_the_tasks_that_were_taken(make, before):
    summary = with_text_to_text(make(*TWO_PIVOTS[2:]), 0.004, None)
    assert text_to_text_table(summary).columns[2] == "change, p\n[95 %]"
    table = text_to_text_table(before(summary))
    assert table.columns == ("aligner", "directly\nR@1", "change\n±fold std")
    assert table.rows == (
        ("identity", ".600", ""),
        ("image pivot: residual W = I + ΔW", ".604", "+.004±.002"),
        ("symmetric: dual residual W = I + ΔW", "—", "—"),
    )


@pytest.mark.parametrize("table", [pivots_table, pivots_by_language_table, main_table])
def test_wide_tables_are_set_small_and_long_names_broken(make, table):
    family = ("auxiliary:en", "dual(conditional,residual)", "infonce", 0.1, 0.1)
    languages = ("ar", "de", "en", "es", "fr", "it", "ja", "pt", "zh")
    wide = to_latex(table(make(family, ("image", "linear", "infonce", 0.1, 0.1), languages=languages)))
    assert r"\footnotesize" in wide and "residual W, low rank per language" not in wide

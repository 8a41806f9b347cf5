"""Text to text in an evaluation: the tasks, and every pair of languages."""

from ccalign_jax.reporting import EVALUATION, make_tables
from ccalign_jax.reporting.panels.languages import pairs_table

MANY = tuple(f"l{number:02d}" for number in range(36))


def test_text_to_text_has_a_row_a_task(evaluation, before, row):
    assert row(make_tables(EVALUATION, evaluation())["text_to_text"], "directly")[2] == "+.030 [+.010, +.050] p<.001"
    table = make_tables(EVALUATION, before(evaluation()))["text_to_text"]
    assert [cells[0] for cells in table.rows] == [
        "directly",
        "via nearest image",
        "via soft mean of images",
        "via right image",
    ]
    assert row(table, "directly")[:3] == (".410", ".440", "+.030")


def test_pairs_have_their_interval_and_means_of_a_row_have_none(evaluation, block):
    table = pairs_table(evaluation(("de", "en", "zh")), "t2t")
    assert block(table, "identity")["de"] == ("", ".400 [.380, .420]", ".400 [.380, .420]", ".400")
    assert block(table, "change")["de"] == ("", *["+.030 [+.010, +.050] p<.001"] * 2, "+.030")
    assert "not adjusted for the number of pairs" in table.notes[1]


def test_pairs_have_the_query_in_the_row(evaluation, before, block):
    table = pairs_table(before(evaluation(("de", "en", "zh"))), "t2t")
    assert len(table.notes) == 1
    assert table.columns == ("query", "de", "en", "zh", "mean")
    assert block(table, "identity") == {
        "de": ("", ".400", ".400", ".400"),
        "en": (".410", "", ".410", ".410"),
        "zh": (".420", ".420", "", ".420"),
        "mean": (".415", ".410", ".405", ".410"),
    }
    assert block(table, "mapped")["zh"][0] == ".450"
    assert set(block(table, "change")["de"][1:]) == {"+.030"}


def test_pairs_without_a_map_need_no_heading(evaluation, before):
    table = pairs_table(before(evaluation(("de", "en"), mapped=False)), "t2t")
    assert table.rows == (("de", "", ".400", ".400"), ("en", ".410", "", ".410"), ("mean", ".410", ".400", ".405"))


def test_a_pair_without_a_query_is_left_blank(evaluation, before, row):
    summary = before(evaluation(mapped=False))
    del summary["baselines"]["identity"]["t2t"]["per_language"]["de->zh"]
    assert row(pairs_table(summary, "t2t"), "de") == ("", ".400", "", ".400")


def test_many_languages_are_summarised_and_that_is_said(evaluation, before, row):
    assert row(pairs_table(evaluation(MANY), "t2t"), "l01")[8] == "l00 .430 [.410, .450]"
    table = pairs_table(before(evaluation(MANY)), "t2t")
    assert len(table.rows) == 36 and len(table.columns) == 11
    assert row(table, "l01")[:3] == (".410", ".440", "+.030")
    assert row(table, "l01")[7:] == ("+.030", "l00 .430", "l35 .780")
    assert "36 languages" in table.notes[0] and "CSV" in table.notes[0]

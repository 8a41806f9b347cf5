"""Tables and headline of one evaluation, with a map and without, for one language and for many."""

import json

import pytest

from ccalign_jax.reporting import (
    EVALUATION,
    evaluation_headline,
    make_tables,
    print_table,
    to_html,
    to_latex,
    to_markdown,
)
from ccalign_jax.reporting.panels.retrieval import retrieval_table

MANY = tuple(f"l{number:02d}" for number in range(36))
ALL = [
    *("retrieval", "scores", "text_to_text", "pairs_direct", "pairs_through_image", "metrics", "diagnostics"),
    *("calibration", "diagnostics_by_language", "map"),
]


@pytest.mark.parametrize("languages", [("en",), ("de", "en", "zh"), MANY])
@pytest.mark.parametrize("mapped", [True, False])
def test_every_table_is_written_in_every_format(evaluation, languages, mapped, tmp_path):
    tables = make_tables(EVALUATION, evaluation(languages, mapped=mapped))
    pairs = ("text_to_text", "pairs_direct", "pairs_through_image")
    assert list(tables) == [n for n in ALL if (mapped or n != "map") and (len(languages) > 1 or n not in pairs)]
    with (tmp_path / "out.txt").open("w", encoding="ascii") as file:
        for table in tables.values():
            assert to_markdown(table).count("\n| ") == len(table.rows) + 2
            assert to_html(table).count("<tr") - len(table.rows) in (1, 2)  # one or two rows of headings
            to_latex(table).encode("latin-1")  # every sign beyond is written as LaTeX
            print_table(table, file, width=100)


def test_what_the_summary_lacks_makes_no_table(evaluation):
    summary = evaluation()
    for key in ("scores", "diagnostics", "map"):
        del summary[key]
    assert list(make_tables(EVALUATION, summary)) == ALL[:1] + ALL[2:6]
    summary = evaluation()
    for one in summary["diagnostics"].values():
        del one["nulls"]
    assert "calibration" not in make_tables(EVALUATION, summary)
    summary = evaluation()
    for part in (summary["baselines"]["identity"], summary["metrics"], summary["delta"]):
        del part["t2t"], part["via_image"]
    tables = make_tables(EVALUATION, summary)
    assert not [name for name in tables if name.startswith("pairs")]
    assert [cells[0] for cells in tables["text_to_text"].rows] == ["via soft mean of images", "via right image"]


def test_identity_between_unlike_widths_is_called_near_chance(evaluation):
    summary = evaluation()
    assert "near chance" not in " ".join(retrieval_table(summary).notes)
    summary["data"]["d_text"] = 2
    assert "near chance" in " ".join(retrieval_table(summary).notes)


def test_tables_take_what_json_gives_back(evaluation):
    summary = evaluation()
    assert make_tables(EVALUATION, json.loads(json.dumps(summary))) == make_tables(EVALUATION, summary)


def test_retrieval_compares_each_language_with_identity(evaluation, before, row):
    table = retrieval_table(evaluation())
    assert table.columns[1:4] == ("t2i R@1\nidentity", "t2i R@1\nmapped", "change, p\n[95 %]")
    assert row(table, "zh")[:3] == (".120 [.100, .140]", ".140 [.120, .160]", "+.020 [.000, +.040] p=.400")
    assert row(table, "chance")[:3] == (".010", "", "")
    assert "about this map on new images, in a gallery of the same size" in " ".join(table.notes)
    table = retrieval_table(before(evaluation()))
    assert table.title == "Retrieval on toy, split test, 100 images"
    assert table.columns[1:4] == ("t2i R@1\nidentity", "t2i R@1\nmapped", "change")
    assert row(table, "zh")[:6] == (".120", ".140", "+.020", ".140", ".130", "−.010")
    assert row(table, "mean")[:3] == (".110", ".130", "+.020")
    assert row(table, "chance")[:3] == (".010", "", "")
    said = " ".join(table.notes)
    assert (
        "mapped: image/residual/infonce" in said
        and "None of the 100 images is a training" in said
        and "No interval was" in said
    )


def test_retrieval_without_a_map_has_more_metrics(evaluation, before, row):
    assert row(retrieval_table(evaluation(mapped=False)), "mean")[0] == ".110 [.090, .130]"
    table = retrieval_table(before(evaluation(mapped=False)))
    assert table.columns[1:4] == ("t2i\nR@1", "i2t\nR@1", "t2i\nR@5")
    assert row(table, "mean")[:3] == (".110", ".130", ".310")
    assert "mapped" not in " ".join(table.notes)


def test_every_metric_stands_beside_chance_and_ranks_have_one_decimal(evaluation, before, row):
    table = make_tables(EVALUATION, evaluation())["metrics"]
    assert row(table, "R@1")[2:4] == ("+.020 [.000, +.040] p=.400", ".010")
    assert row(table, "median rank")[2] == "−2.0 [−2.0, −2.0] p<.001"
    table = make_tables(EVALUATION, before(evaluation()))["metrics"]
    assert row(table, "R@1") == (".110", ".130", "+.020", ".010", ".130", ".120", "−.010", ".010")
    assert row(table, "median rank")[:3] == ("20.0", "18.0", "−2.0")


def test_fresh_images_are_claimed_only_where_known(evaluation, before):
    """The change of a map on images that it was trained on says nothing about others."""

    def words(summary):
        table = retrieval_table(summary)
        return " ".join(evaluation_headline(summary)), " ".join(table.notes)

    for said in words(evaluation()):
        assert "on new images, in a gallery" in said and "None of the 100 images is a training image" in said
    unknown = evaluation()
    del unknown["training_images"]  # as earlier versions wrote it
    for summary in (unknown, evaluation() | {"training_images": {"known": False, "images": 100, "seen": None}}):
        for said in words(summary):
            assert "Training images unknown" in said and "fresh" not in said
    part = evaluation()
    figures = {"identity": part["baselines"]["identity"], "metrics": part["metrics"], "delta": part["delta"]}
    part["training_images"] = {"known": True, "images": 120, "seen": 20, "by_key": 20, "by_row": 19, **figures}
    for said in words(part):
        assert "20 of 120 images are training images of the map (20 by key, 19 by row) and are left out" in said
        assert "without verdict: R@1 text to image .110 → .130, image to text .130 → .120." in said
    every = before(evaluation())
    every["training_images"] = {"known": True, "images": 100, "seen": 100, "by_key": 0, "by_row": 100}
    for said in words(every):
        assert "All 100 images are training images of the map (0 by key, 100 by row)" in said
        assert "on new images, in a gallery" not in said and ": gain" not in said and "Gain" not in said
        assert "Without any training, the best" not in said


def test_the_words_of_the_headline_follow_the_estimates(evaluation):
    said = evaluation_headline(evaluation())
    assert "R@1 .110 → .130 (+.020, 95 % interval .000 to +.040, p = .400): no evidence; image to text" in said[2]
    assert "text to text R@1 .410 → .440 (+.030, 95 % interval +.010 to +.050, p < .001): gain." in said[2]
    assert said[3].startswith(
        "No evidence of a gain: the mean of both directions changed by +.005 (95 % interval −.015"
    )
    assert said[-1].startswith("Intervals (95 %) and p are about this map")
    summary = evaluation()
    summary["delta"]["both"]["R@1"] |= {"mean": -0.1, "low": -0.2, "high": -0.05, "p": 0.01, "p_adjusted": 0.01}
    assert evaluation_headline(summary)[3].startswith("Loss: the mean of both directions fell by .100 (")


def test_scores_are_compared_with_identity_under_the_cosine(evaluation, before, block):
    table = make_tables(EVALUATION, before(evaluation()))["scores"]
    alone, mapped = block(table, "identity"), block(table, "mapped")
    assert alone["cosine"][:6] == (".120", ".000", ".110", ".000", ".130", ".000")
    assert alone["CSLS"][:6] == (".140", "+.020", ".130", "+.020", ".150", "+.020")
    assert mapped["cosine"][:6] == (".125", "+.005", ".130", "+.020", ".120", "−.010")
    table = make_tables(EVALUATION, evaluation())["scores"]
    assert block(table, "mapped")["CSLS"][:3] == ("gain (t2i)", ".145 [.125, .165]", "+.025 [+.005, +.045] p<.001")
    assert "for all scores on all states" in " ".join(table.notes)
    assert make_tables(EVALUATION, evaluation(mapped=False))["scores"].columns[3] == "change, p\n[95 %]"
    assert "4000 images and their captions: other rows of the data, none of those scored" in table.notes[1]
    summary = evaluation()
    summary["scores"]["bank"]["most_rows"] = 50
    assert "at most 50 rows of each language" in make_tables(EVALUATION, summary)["scores"].notes[1]


def test_transductive_scores_say_so_by_name(evaluation, block):
    summary = evaluation()
    assert "transductive" not in to_markdown(make_tables(EVALUATION, summary)["scores"])
    summary["scores"]["bank"]["transductive"] = True
    rows = block(make_tables(EVALUATION, summary)["scores"], "identity")
    assert [name for name in rows if not name.endswith(" (transductive)")] == ["cosine"]
    assert "(transductive)" in " ".join(evaluation_headline(summary))


def test_headline_compares_the_map_with_what_costs_nothing(evaluation, before):
    said = evaluation_headline(before(evaluation()))
    assert said[0] == "Map image/residual/infonce on toy, split test, 100 images."
    assert "text to image R@1 .110 → .130 (+.020); image to text R@1 .130 → .120 (−.010)" in said[2]
    assert "text to text R@1 .410 → .440 (+.030)" in said[2]
    assert said[3] == "The mean of both directions rose by .005."
    assert "best of 4 scores on identity, CSLS, reads .140" in said[4] and said[4].endswith("reads .125.")
    assert said[5] == "No interval was computed."


def test_headline_without_a_map_tells_chance(evaluation):
    said = evaluation_headline(evaluation(mapped=False))
    assert said[0] == "The embeddings as they are, on toy, split test, 100 images."
    assert "text to image R@1 .110 (chance .010)" in said[1]

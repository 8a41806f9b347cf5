"""Tables of diagnostics and of linear maps."""

import pytest

from ccalign_jax.reporting import EVALUATION, make_tables


def test_diagnostics_say_which_side_is_better(evaluation, block):
    table = make_tables(EVALUATION, evaluation())["diagnostics"]
    captions = block(table, "captions, mean over languages")
    assert captions["effective rank, of the variances"] == ("60.0", "66.0", "+6.0", "depends on n")
    assert captions["hubs within the set, skew"] == ("1.20", "1.32", "+0.12", "lower, at equal n")
    assert block(table, "images")["IsoScore"] == (".150", ".150", ".000", "higher, at equal n")
    assert block(table, "between languages, mean over pairs")["CKA, biased"][-1] == "depends on n"
    probe = block(table, "language probe")
    assert probe["accuracy, images split"] == (".500", ".550", "+.050", "lower")
    assert probe["chance"][0] == ".333"
    assert "read on 60 of them" in table.notes[0]


def test_one_language_has_neither_pairs_nor_probe(evaluation):
    tables = make_tables(EVALUATION, evaluation(("en",)))
    headings = [cells[0] for cells in tables["diagnostics"].rows if not any(cells[1:])]
    assert headings == ["captions, mean over languages", "images", "captions with images, mean over languages"]
    assert not [cells for cells in tables["calibration"].rows if cells[0].startswith("between")]


def test_calibration_gives_the_mean_and_the_largest_p(evaluation, block):
    summary = evaluation(mapped=False)
    pairs = summary["diagnostics"]["identity"]["nulls"]["between_languages"]["gram_correlation"]
    pairs["de|zh"] |= {"p": 0.4, "value": 0.29, "calibrated": 0.27}
    table = make_tables(EVALUATION, summary)["calibration"]
    assert table.columns == ("diagnostic", "value", "by chance", "calibrated", "largest p")
    between = block(table, "between languages, mean over pairs")
    assert between["Gram correlation, Pearson"] == (".490", ".020", ".478", ".400")
    assert "1/201" in table.notes[1]


def test_diagnostics_of_each_language_and_of_the_images(evaluation, block):
    table = make_tables(EVALUATION, evaluation())["diagnostics_by_language"]
    assert list(block(table, "mapped")) == ["de", "en", "zh", "images"]
    assert block(table, "mapped")["de"][0] == "66.0" and block(table, "mapped")["images"][0] == "60.0"
    assert block(table, "identity")["images"][-4:] == ("", "", "", "")


def test_diagnostics_without_images_or_a_common_width(evaluation, block):
    summary = evaluation()
    for one in summary["diagnostics"].values():
        for key in ("image", "with_image", "spectra_image"):
            del one[key]
        del one["nulls"]["with_image"]
        for figures in (one["macro"], *one["per_language"].values()):
            del figures["modality_gap"]
    tables = make_tables(EVALUATION, summary)
    assert list(block(tables["diagnostics_by_language"], "identity")) == ["de", "en", "zh"]
    assert "modality\ngap" not in tables["diagnostics_by_language"].columns
    assert not [cells for cells in tables["diagnostics"].rows if "images" in cells[0] and not any(cells[1:])]


@pytest.mark.parametrize(("each_map", "names"), [(False, ["all languages"]), (True, ["de", "en", "zh"])])
def test_one_row_a_map(evaluation, each_map, names):
    table = make_tables(EVALUATION, evaluation(each_map=each_map))["map"]
    assert [cells[0] for cells in table.rows] == names
    assert table.rows[0][1:] == ("1.12", ".645", ".200", "4.0", "2.5", "20.0", "30.0", "2.00", "0.50")


def test_a_map_that_is_not_square_turns_nothing_and_a_singular_one_has_no_condition(evaluation):
    summary = evaluation()
    summary["map"] |= dict.fromkeys(("rotation_mean", "rotation_max", "rotation_degrees", "condition"))
    assert make_tables(EVALUATION, summary)["map"].rows[0][4:8] == ("—", "2.5", "—", "—")

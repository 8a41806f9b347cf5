"""Numbers as printed, and the values that texts keep."""

import csv
import io
import itertools

import pytest

from ccalign_jax.reporting import Preview, main_table, to_csv
from ccalign_jax.reporting.cells import Cell, fixed
from ccalign_jax.reporting.format import changed, difference, level, plain, signed
from ccalign_jax.reporting.table import Table, make_table


@pytest.mark.parametrize("places", [1, 3])
def test_two_ways_to_one_number_print_alike(places):
    """A tie goes to the even digit, whatever the last bit of floating point says."""
    for tenths, step in itertools.product(range(-40, 41), (1e-15, -1e-15, 0.0)):
        tie = (tenths + 0.5) / 10**places
        assert signed(tie + step, places) == signed(tie, places)
        assert int(fixed(tie + step, places)[-1]) % 2 == 0, (tie, step)


def test_terminal_and_page_round_a_tie_alike(capsys):
    """The preview subtracts means over folds, the page takes the mean of changes, and the last bit differs."""
    folds = [0.1, 0.2, 0.4], [0.1 - 0.0225, 0.2 - 0.0225, 0.4 - 0.0225]
    preview = Preview()
    for name, values in zip(("identity", "image/shift/mse"), folds, strict=True):
        preview(name, [{task: {"R@1": value} for task in ("t2i", "i2t", "both")} for value in values])
    assert "mean of both −.022 " in capsys.readouterr().out
    change = sum(after - before for before, after in zip(*folds, strict=True)) / 3
    assert changed({"mean": change}) == changed({"mean": -0.0225}) == "−.022" == difference(0.1, 0.0775)


def test_texts_keep_their_values_in_full():
    estimate = {"mean": 0.0411234, "std": None, "low": -0.02, "high": 0.1, "p": 0.1, "p_adjusted": 0.2}
    for cell in (changed(estimate), level(estimate)):
        assert isinstance(cell, Cell) and cell.values == {key: x for key, x in estimate.items() if x is not None}
    assert plain(0.12345).values == signed(0.12345).values == {"mean": 0.12345}


def test_csv_has_plain_numbers_in_columns_of_their_own(make):
    rows = list(csv.DictReader(io.StringIO(to_csv(main_table(make(("image", "shift", "mse", 0.04123456, 0.02)))))))
    found = next(one for one in rows if one["aligner"] == "shift x + b")
    assert float(found["t2i R@1 change"]) == 0.04123456 and float(found["t2i R@1 change low"]) == 0.04123456 - 0.02
    assert found["t2i R@1 change p_adjusted"] == "0.0004"
    chance = next(one for one in rows if one["aligner"] == "chance")
    assert chance["t2i R@1"] == "0.05" and chance["t2i R@1 low"] == chance["t2i R@1 change"] == ""
    for name, text in (item for row in rows for item in row.items()):
        if name not in ("group", "aligner", "verdict") and text:
            float(text)


def test_csv_gives_a_heading_to_each_row_below_it():
    table = make_table("t", ("map", "x"), [("", [("a", "1")]), ("many, words", [("b", "—")]), ("", [("c", "y")])])
    assert to_csv(table).splitlines() == ["group,map,x", ",a,1", '"many, words",b,', ",c,y"]
    assert to_csv(Table("t", ("map", "two\nlines"), (("a", "b\nc"),), "ll")) == "map,two lines\na,b c\n"

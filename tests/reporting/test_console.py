"""Tables and progress, in a terminal and piped."""

import io
import sys

import pytest

from ccalign_jax.reporting import Table, main_table, print_table, progress_bar
from ccalign_jax.reporting.panels.families import trials_table

MANY = [
    ("image", "linear", "infonce", -0.27, -0.25),
    ("text:en", "per_language(residual_mlp)", "infonce", 0.02, 0.01),
    ("symmetric", "dual(per_language(residual_mlp))", "infonce", 0.041, 0.02),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(table: Table, **options) -> list[str]:
    file = io.StringIO()
    print_table(table, file, **options)
    return file.getvalue().splitlines()


def test_piped_tables_fit_120_columns_without_colour(make):
    for table in (main_table(make(*MANY)), trials_table(make(*MANY))):
        lines = printed(table)
        assert max(map(len, lines)) <= 120
        assert not any("\x1b" in line or line != line.rstrip() for line in lines)


def test_the_verdict_and_both_directions_stand_side_by_side_at_120(make):
    lines = printed(main_table(make(*MANY)))
    header = next(line for line in lines if line.startswith("aligner"))
    assert header.split() == ["aligner", "verdict", *["[95", "%]"], *["R@1", "[95", "%]"] * 2]
    place = next(place for place, line in enumerate(lines) if line.startswith("linear W (unconstrained)"))
    assert lines[place].split()[3:] == [
        *("loss", "−.260", "p<.001", ".230", "−.270", "p<.001", ".250", "−.250", "p<.001"),
    ]
    assert lines[place + 1].split() == [
        *("[−.280,", "−.240]", "[.210,", ".250]", "[−.290,", "−.250]", "[.230,", ".270]", "[−.270,", "−.230]"),
    ]


def test_a_table_that_fits_keeps_its_intervals_on_the_line():
    table = Table("t", ("a", "change"), (("x", "+.100 [+.080, +.120] p<.001"),), "lr")
    assert printed(table)[-1] == "x  +.100 [+.080, +.120] p<.001"
    assert printed(table, width=20)[-1].split() == ["[+.080,", "+.120]"]


def test_long_names_take_two_lines_only_where_space_is_short(make):
    table = main_table(make(("symmetric", "dual(per_language(residual_mlp))", "infonce", 0.1, 0.1)))
    assert any(line.startswith("dual residual MLP per") and "language" not in line for line in printed(table))
    assert any(line.startswith("dual residual MLP per language") for line in printed(table, width=400))


def test_what_was_summarised_before_there_were_intervals_fits_too(make, before):
    lines = printed(main_table(before(make(*MANY))), width=140)
    header = next(line for line in lines if line.startswith("aligner"))
    spread = ["±fold", "std"]
    assert header.split() == ["aligner", *spread, *["R@1", *spread] * 2]


def test_a_narrow_terminal_gets_the_rest_of_the_columns_below(make):
    lines = printed(main_table(make(*MANY)), width=80)
    assert max(map(len, lines)) <= 80
    rows = [line for line in lines if line.startswith("linear W (unconstrained)")]
    assert len(rows) > 1
    assert rows[0].split()[3:] == ["loss", "−.260", "p<.001"]
    assert rows[1].split()[3:] == [".230", "−.270", "p<.001"]
    assert sum(line.startswith("toy: retrieval") for line in lines) == 1


def test_no_change_is_torn_from_its_estimate(make):
    table = main_table(make(*MANY))
    for width in range(60, 121):
        headers = [line for line in printed(table, width=width) if line.startswith("aligner")]
        for header in headers:
            assert header.split()[1] in ("verdict", "R@1", "mAP", "t2i", "i2t"), (width, header)


def test_notes_hang_under_their_first_word():
    lines = printed(Table("t", ("a",), (("x",),), "l", ("one two three four five six",)), width=20)
    assert lines[-2:] == ["- one two three four", "  five six"]


def test_default_is_stdout(capsys):
    print_table(Table("t", ("a",), (("x",),), "l"))
    assert "x" in capsys.readouterr().out


def test_a_file_of_another_encoding_gets_what_it_can_hold(make):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    print_table(main_table(make(*MANY, ("image", "residual", "infonce", 0.0, 0.0))), file)
    file.flush()
    text = raw.getvalue().decode("ascii")
    assert "residual W = I + DW" in text and "[-.020, +.020]" in text and "no evidence" in text


def test_characters_that_an_encoding_has_are_kept():
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="cp1252")
    print_table(Table("t", ("a",), (("+.1 ± .2 − ∞",),), "l"), file)
    file.flush()
    assert raw.getvalue().decode("cp1252").splitlines()[-1] == "+.1 ± .2 - inf"


def test_progress_is_a_line_at_each_tenth_when_piped(capsys):
    with progress_bar() as update:
        for done in range(0, 41):
            update(f"trial {done}", done, 40)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and len(lines) == 10
    assert lines[0].startswith("4/40 runs, 0:00:0") and lines[0].endswith("left: trial 4")
    assert lines[-1].startswith("40/40 runs") and "left" not in lines[-1]


def test_progress_is_a_bar_on_a_terminal(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar() as update:
        update("identity", 0, 4)
        update("image/[residual]/infonce" + "/long" * 20, 4, 4)
    shown = terminal.getvalue()
    assert "4/4" in shown and "runs" in shown and "image/[resid" in shown
    assert capsys.readouterr().out == ""


def test_what_fails_within_progress_is_raised(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(KeyboardInterrupt), progress_bar() as update:
        update("identity", 0, 4)
        raise KeyboardInterrupt

"""One table as Markdown and HTML and in a terminal."""

import io
from html.parser import HTMLParser

import pytest
from rich.console import Console

from ccalign_jax.reporting import Table, to_html, to_markdown
from ccalign_jax.reporting.console import to_rich
from ccalign_jax.reporting.table import column_blocks, make_table

SMALL = Table(
    title="A & B",
    columns=("map", "t2i\nR@1", "change"),
    rows=(("identity", ".500", ""), ("pivot image", "", ""), ("W = I + ΔW", ".541", "+.041±.017")),
    alignment="lrr",
    notes=("gap_1 is 5 %.",),
    rules=(1,),
)
HOSTILE = r"\&%$#_{}~^<>|[x]*`é" + '"'


def test_markdown_is_padded_and_a_line_break_in_the_header_is_a_space():
    assert to_markdown(SMALL) == (
        "**A &amp; B**\n"
        "\n"
        "| map         | t2i R@1 |     change |\n"
        "| :---------- | ------: | ---------: |\n"
        "| identity    |    .500 |            |\n"
        "| pivot image |         |            |\n"
        "| W = I + ΔW  |    .541 | +.041±.017 |\n"
        "\n"
        "- gap_1 is 5 %.\n"
    )


WIDE = Table(
    title="Wide",
    columns=("map", *("t2i\nR@1", "change") * 3),
    rows=(("pivot", *[""] * 6), ("W", *(".591 [.575, .607]", "+.105 [+.091, +.119] p<.001") * 3)),
    alignment="l" + "r" * 6,
    rules=(1,),
)


def test_markdown_leaves_intervals_as_they_are():
    line = to_markdown(WIDE.take([0, 2])).splitlines()[-1]
    assert line == "| W     | +.105 [+.091, +.119] p<.001 |"
    assert "| x p>.999 |" in to_markdown(Table("", ("a",), (("x p>.999",),), "l"))
    assert r"\[a, b\] &lt;b" in to_markdown(Table("", ("a",), (("[a, b] <b",),), "l"))


def test_html_has_the_interval_of_its_own_and_few_words_on_a_line():
    written = to_html(Table("t", ("a", "b", "c"), (("x", "no evidence (t2i gain)", "+.1 [−.105, .300] p=.4"),), "llr"))
    assert '<td class="few">no evidence (t2i gain)</td>' in written
    assert '<td class="r">+.1</td><td class="interval">[−.105, .300]</td><td class="r p">.4</td>' in written


def test_a_row_that_says_nothing_in_a_block_is_no_heading():
    table = Table("t", ("a", "b", "c"), (("pivot", "", ""), ("chance", ".1", "")), "lrr")
    assert table.take([0, 2]).rows == (("pivot", ""), ("chance", "—"))
    assert table.take([0, 1]).rows == (("pivot", ""), ("chance", ".1"))


def test_columns_that_no_row_fills_go():
    table = make_table("t", ("a", "b", "c"), [("", [("", "", "1"), ("", "", "")])])
    assert table.columns == ("a", "c") and table.alignment == "lr"


def test_blocks_have_their_heading_and_a_rule_above_each_but_the_first():
    table = make_table("t", ("a", "b"), [("", [("x", "1")]), ("more", [("y", "2"), ("z", "")])], notes=["n"])
    assert table.rows == (("x", "1"), ("more", ""), ("y", "2"), ("z", "")) and table.rules == (1,)
    assert table.alignment == "lr" and table.notes == ("n",)


def test_blocks_keep_a_change_with_its_estimate():
    assert [list(block) for block in column_blocks(WIDE, 55)] == [[0, 1, 2], [0, 3, 4], [0, 5, 6]]
    assert list(column_blocks(WIDE, 10)) == [[0, 1, 2], [0, 3, 4], [0, 5, 6]]
    assert list(column_blocks(WIDE, 1000)) == [list(range(7))]


def test_markdown_escapes_what_would_end_a_cell_or_be_markup():
    line = to_markdown(Table("", ("a",), ((HOSTILE,),), "l")).splitlines()[4]
    assert line == r"| \\&amp;%$#\_{}~^&lt;&gt;\|\[x\]\*\`é" + '" |'


def test_markdown_leaves_underscores_within_words():
    assert "| per_language(residual_mlp) \\_x\\_ |" in to_markdown(
        Table("", ("a",), (("per_language(residual_mlp) _x_",),), "l")
    )


def test_html_gives_back_every_cell():
    class Cells(HTMLParser):
        def __init__(self):
            super().__init__()
            self.found: list[str] = []

        def handle_data(self, data):
            self.found.append(data)

    parser = Cells()
    parser.feed(to_html(Table("t", ("<a>", "b"), (("<script>alert(1)</script>", HOSTILE),), "ll", ("n & m",))))
    assert [text for text in parser.found if text.strip()] == [
        "t", "<a>", "b", "<script>alert(1)</script>", HOSTILE, "n & m",
    ]  # fmt: skip


def test_html_marks_rules_headings_and_sides():
    written = to_html(SMALL)
    assert '</tbody>\n<tbody>\n<tr><th scope="rowgroup" colspan="3"><bdi>pivot image</bdi></th></tr>' in written
    assert '<th scope="row"><bdi>identity</bdi></th><td class="r">.500</td><td class="r"></td>' in written
    assert '<th scope="colgroup" colspan="2" class="group">text to image (t2i)</th>' in written


def test_rich_takes_names_as_they_are():
    file = io.StringIO()
    Console(file=file, width=80).print(to_rich(Table("t", ("a",), (("[bold]x[/bold] :smile:",),), "l")))
    assert "[bold]x[/bold] :smile:" in file.getvalue()


@pytest.mark.parametrize(
    ("rows", "alignment", "message"),
    [((("a",),), "lr", "has 1 cells for 2"), ((("a", "b"),), "l", "each of 2"), ((("a", "b"),), "lx", "l or r")],
)
def test_a_table_that_does_not_fit_is_refused(rows, alignment, message):
    with pytest.raises(ValueError, match=message):
        Table("t", ("x", "y"), rows, alignment)

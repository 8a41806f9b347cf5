"""Tables as the page lays them out: groups of headings, changes in columns of their own, marks that are explained."""

from ccalign_jax.reporting import main_table
from ccalign_jax.reporting.html_table import DAGGER, lay_out
from ccalign_jax.reporting.table import Table, make_table


def test_changes_are_grouped_under_their_direction(make):
    grid = lay_out(main_table(make(("image", "residual", "infonce", 0.1, 0.1))))
    above, below = grid.heads
    assert [(head.text, head.columns, head.rows) for head in above] == [
        *(("aligner", 1, 2), ("verdict", 1, 2), ("mean of both", 3, 1)),
        *(("text to image (t2i)", 5, 1), ("image to text (i2t)", 5, 1)),
    ]
    assert [head.text for head in below] == [*("change", "95 %", "p"), *("R@1", "95 %", "change", "95 %", "p") * 2]
    assert [head.column for head in (*above[:2], *below)] == list(range(15)) and grid.wide == 15
    (row,) = grid.blocks[1].rows
    assert row[0] == "residual W = I + ΔW"
    assert [cell.text for cell in row[2][:4]] == ["gain", "+.100", "[+.080, +.120]", "<.001"]


def test_rows_below_a_heading_are_a_block_of_their_own():
    grid = lay_out(make_table("T", ("a", "b"), [("", [("x", "1")]), ("more", [("y", "2"), ("z", "3")])]))
    assert [(block.heading, [row[0] for row in block.rows]) for block in grid.blocks] == [
        ("", ["x"]),
        ("more", ["y", "z"]),
    ]
    assert grid.heads[1] == () and [head.rows for head in grid.heads[0]] == [1, 1]


def test_a_table_that_is_too_wide_keeps_intervals_below_their_changes():
    change = "+.100 [+.080, +.120] p=.041"
    wide = Table("T", ("a", *["change, p\n[95 %]"] * 9), (("x", *[change] * 9),), "l" + "r" * 9)
    grid = lay_out(wide)
    assert grid.wide == 10 and grid.blocks[0].rows[0][2][0][:] == ("+.100 p .041", "r", "[+.080, +.120]")
    assert {head.text for head in grid.heads[0][1:]} == {"change, p"}


def test_an_interval_without_zero_beside_a_large_p_is_explained():
    def grid(cell):
        return lay_out(Table("T", ("a", "b"), (("x", cell),), "lr"))

    marked = grid("+.030 [+.010, +.050] p>.999")
    assert marked.blocks[0].rows[0][2][-1].text == f">.999{DAGGER}" and len(marked.notes) == 1
    for cell in ("+.030 [+.010, +.050] p=.049", "+.030 [−.010, +.050] p>.999", "+.030 [+.010, +.050] p<.001", "+.1"):
        assert grid(cell).notes == ()
    assert grid("−.030 [−.050, −.010] p≤.161").notes  # an upper bound that is not below .05 either

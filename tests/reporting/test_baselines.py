"""Training-free baselines: which there are, in which order, and how the best map compares with them."""

import xml.etree.ElementTree as ElementTree

import pytest

from ccalign_jax.reporting import baselines_words, to_svg
from ccalign_jax.reporting.panels.baselines import MAX_TRAINED, baselines_plot, baselines_table
from ccalign_jax.reporting.sentences import selected_words

FAMILIES = [
    ("symmetric", "centring", "closed_form", 0.004, -0.01),
    ("image", "ridge", "closed_form", 0.01, -0.024),
    ("text:en", "ridge", "closed_form", 0.012, 0.01),
    ("image", "residual", "infonce", 0.003, 0.002),
    ("image", "linear", "infonce", -0.27, -0.25),
    ("text:en", "residual", "infonce", 0.006, 0.004),
]
SCORES = {"cosine": (0.0, 0.0), "centred_cosine": (-0.004, -0.012), "csls": (0.03, -0.02), "nnn": (0.029, -0.007)}


def scored(t2i, i2t):
    """As a summary has it: each direction and their mean, and their change, which .02 makes certain."""
    changes = {"t2i": t2i, "i2t": i2t, "both": (t2i + i2t) / 2}

    def estimate(mean, **more):
        return {"R@1": {"mean": mean, "std": None, "low": mean - 0.02, "high": mean + 0.02, **more}}

    delta = {way: estimate(change, p_adjusted=0.0004 if abs(change) > 0.02 else 0.4) for way, change in changes.items()}
    return {**{way: estimate(0.5 + change) for way, change in changes.items()}, "delta": delta}


def with_scores(summary, *states, scores=SCORES, shift=0.0):
    """Each score changes t2i and i2t by so much, on top of the states after identity by `shift` more."""
    found = {
        state: {
            name: scored(*(change + shift * (state != "identity") for change in changes))
            for name, changes in scores.items()
        }
        for state in ("identity", *states)
    }
    summary["scores"] = {"bank": {"images": 64, "most_rows": 5000, "transductive": False}, **found}
    return summary


def notes(table) -> str:
    return " ".join(table.notes)


def test_baselines_go_from_identity_over_scores_and_closed_forms_to_trained_maps(make, before):
    summary = before(with_scores(make(*FAMILIES, std=None, folds=1), "text:en/residual/infonce", shift=0.001))
    for direction, value in (("t2i", 0.508), ("i2t", 0.507)):
        summary["selected"]["metrics"][direction]["R@1"]["mean"] = value
        summary["selected"]["delta"][direction]["R@1"]["mean"] = value - 0.5
    table = baselines_table(summary)
    assert table.columns == ("map", "mean of both\nchange", "t2i\nR@1", "change", "i2t\nR@1", "change")
    rows = [(name, *cells, both) for name, both, *cells in table.rows]
    assert rows == [
        ("identity", ".500", "", ".500", "", ""),
        ("no parameters", *[""] * 5),
        ("centred cosine", ".496", "−.004", ".488", "−.012", "−.008"),
        ("CSLS", ".530", "+.030", ".480", "−.020", "+.005"),
        ("nearest-neighbour normalisation", ".529", "+.029", ".493", "−.007", "+.011"),
        ("symmetric: centring", ".504", "+.004", ".490", "−.010", "−.003"),
        ("closed forms", *[""] * 5),
        ("text pivot (en): ridge regression", ".512", "+.012", ".510", "+.010", "+.011"),
        ("trained", *[""] * 5),
        ("text pivot (en): residual W = I + ΔW", ".506", "+.006", ".504", "+.004", "+.005"),
        ("image pivot: linear W (unconstrained)", ".230", "−.270", ".250", "−.250", "−.260"),
        ("what each fold chose of all", *[""] * 5),
        ("selected", ".508", "+.008", ".507", "+.007", "+.005"),
        ("score corrections of text pivot (en): residual W = I + ΔW", *[""] * 5),
        ("centred cosine", ".497", "−.003", ".489", "−.011", "−.007"),
        ("CSLS", ".531", "+.031", ".481", "−.019", "+.006"),
        ("nearest-neighbour normalisation", ".530", "+.030", ".494", "−.006", "+.012"),
    ]
    assert table.rules == (1, 6, 8, 11, 13)
    assert "every fold chose for itself" in notes(baselines_table(with_scores(make(*FAMILIES))))
    assert "not selected in a nested way" in notes(table) and "64 images and their captions" in notes(table)


def test_without_scores_there_are_fewer_baselines_and_nothing_is_claimed(make):
    summary = make(("image", "residual", "infonce", 0.1, 0.1))
    assert [row[0] for row in baselines_table(summary).rows] == [
        "identity",
        "trained",
        "residual W = I + ΔW",
        "what each fold chose of all",
        "selected",
    ]
    assert baselines_words(summary) == ""
    assert "in a nested way" not in notes(baselines_table(summary))


def test_every_baseline_has_a_verdict_an_interval_and_a_p(make):
    table = baselines_table(with_scores(make(*FAMILIES), "text:en/residual/infonce"))
    rows = {row[0]: row[1:] for row in table.rows}
    assert table.columns[1:3] == ("verdict", "mean of both\nchange, p\n[95 %]")
    assert rows["identity"][:2] == ("", "") and rows["identity"][2] == ".500 [.480, .520]"
    assert rows["image pivot: linear W (unconstrained)"][:2] == ("loss", "−.260 [−.280, −.240] p<.001")
    csls = next(row for row in table.rows if row[0] == "CSLS")
    assert csls[1:5] == (
        *("no evidence (t2i gain)", "+.005 [−.015, +.025] p=.400", ".530 [.510, .550]", "+.030 [+.010, +.050] p<.001"),
    )
    assert "p of a score is adjusted (Holm) for all scores" in notes(table)


def test_the_best_map_and_the_best_score_stand_with_their_evidence(make):
    said = baselines_words(with_scores(make(("image", "residual", "infonce", 0.1, 0.1))))
    assert "by +.011 (95 % interval −.009 to +.031, p = .400: no evidence);" in said
    assert said.endswith(
        "by +.100 (95 % interval +.080 to +.120, p < .001: gain): it is .089 ahead, a difference that is not tested "
        "itself."
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [(0.1, "by +.100: it is .089 ahead."), (0.001, "by +.001: it is .010 behind."), (0.011, "it does no better.")],
)
def test_the_best_map_is_set_against_the_best_score(make, before, change, words):
    summary = before(with_scores(make(("image", "residual", "infonce", change, change))))
    said = baselines_words(summary)
    assert said.startswith(
        "Without training, nearest-neighbour normalisation changes the mean of both directions by +.011; the best "
        "trained map by its mean selection score, residual W = I + ΔW, "
    )
    assert said.endswith(words)
    assert said in selected_words(summary) and said in baselines_table(summary).notes


def test_the_best_map_is_the_one_that_selects_best_not_the_one_that_scores_best(make):
    summary = with_scores(make(*FAMILIES))
    for family in summary["families"]:
        family["selection"]["mean"] = 0.9 if family["aligner"] == "linear" else 0.1
    assert "linear W (unconstrained), by −.260" in baselines_words(summary)


def test_scores_that_only_harm_leave_identity_as_the_best_without_training(make):
    summary = with_scores(make(), scores={"csls": (-0.1, -0.1)})
    assert baselines_words(summary).startswith(
        "Without training, identity changes the mean of both directions by .000;"
    )


def test_where_nothing_was_trained_the_best_closed_form_is_compared(make):
    summary = with_scores(make(*FAMILIES[:3]))
    assert "the best closed form by its mean selection score, text pivot (en): ridge regression" in baselines_words(
        summary
    )
    assert not any(row[0].startswith(("trained", "score corrections")) for row in baselines_table(summary).rows)


def test_scores_on_top_of_a_pivots_choice_say_so(make):
    table = baselines_table(with_scores(make(*FAMILIES), "text:en"))
    assert ("score corrections of text pivot (en), the choice of each fold", *[""] * 6) in table.rows


def test_of_many_aligners_the_best_stand_and_the_rest_are_named(make):
    families = [("image", f"map{number:02}", "infonce", number / 100, 0.0) for number in range(MAX_TRAINED + 2)]
    table = baselines_table(make(*families))
    assert [row[0] for row in table.rows[2:-2]] == [f"map{number:02}" for number in range(MAX_TRAINED + 1, 1, -1)]
    assert "Left out of the trained, with lower selection scores: map01; map00." in table.notes


def test_plot_has_every_baseline_and_the_same_bytes(make):
    summary = with_scores(make(*FAMILIES), "text:en/residual/infonce")
    svg = to_svg(baselines_plot(summary))
    assert svg == to_svg(baselines_plot(summary))
    words = ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("}text")]
    for word in ("text to image", "image to text", "mean of both", "trained", "CSLS", "symmetric: centring", "−.260"):
        assert word in words
    assert "identity" not in words


def test_a_plot_without_scores_is_one_too(make):
    ElementTree.fromstring(to_svg(baselines_plot(make(("image", "a<b>&c", "infonce", 0.1, 0.1), folds=1, std=None))))

"""The first screen of a sweep: which map generalises, in one sentence, and what to do."""

import pytest

from ccalign_jax.reporting.answer import answer, command_words, evaluation_answer, next_words
from ccalign_jax.reporting.panels.overview import overview_rows

RESIDUAL = ("image", "residual", "infonce")
WHO = "The image pivot (captions move towards their images) with residual W = I + ΔW"
R1 = "R@1 on held-out images, the mean of both directions,"


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        (0.1, "gain", f"{WHO} generalises: {R1} rises by .100 (95 % interval +.080 to +.120, p < .001)."),
        (-0.1, "loss", f"{WHO} does not generalise: {R1} falls by .100 (95 % interval −.120 to −.080, p < .001)."),
        (
            *(0.01, "no evidence"),
            f"{WHO} is not shown to generalise: {R1} changes by +.010 (95 % interval −.010 to +.030, p = .400).",
        ),
    ],
)
def test_the_answer_names_pivot_aligner_change_and_evidence(make, change, verdict, words):
    assert answer(make((*RESIDUAL, change, change))) == (verdict, words)


def test_a_gain_that_folds_leave_open_is_called_open(make):
    summary = make((*RESIDUAL, 0.1, 0.1))
    summary["selected"]["delta"]["both"]["R@1"]["p_folds"] = 0.2
    assert answer(summary)[1].endswith(
        "; whether it would with other training images stays open (p = .200 over folds)."
    )


def test_claims_and_what_was_not_tested_are_not_called_gains(make, before):
    verdict, words = answer(make((*RESIDUAL, 0.1, 0.1), protocol="seed"))
    assert verdict == "claimed gain" and words.endswith("but it was chosen on the very images that are reported.")
    verdict, words = answer(before(make((*RESIDUAL, 0.1, 0.1))))
    assert verdict == "" and "changes by +.100 ± .010; no interval was computed" in words


def test_folds_that_select_different_maps_are_all_named(make):
    both = ((*RESIDUAL, 0.1, 0.1), ("image", "shift", "infonce", 0.05, 0.05))
    chosen = ("image/residual/infonce", "image/residual/infonce", "image/shift/infonce")
    words = answer(make(*both, chosen=chosen))[1]
    assert words.startswith(f"{WHO} or shift x + b, as each fold selects, generalises")
    other = ("text:en", "shift", "infonce", 0.05, 0.05)
    words = answer(make(both[0], other, chosen=(*chosen[:2], "text:en/shift/infonce")))[1]
    assert words.startswith(
        "What each fold selects, residual W = I + ΔW (image pivot) or shift x + b (text pivot (en)), g"
    )


def test_maps_that_differ_are_told_apart_and_one_map_is_not_explained(make):
    families = ((*RESIDUAL, 0.1, 0.1), ("image", "ridge", "closed_form", 0.08, 0.08))
    told = next_words(make(*families), folder="RUN", data="x.npz")
    assert (
        told[0] == "Of the trained maps residual W = I + ΔW has the best validation score (+.100 on held-out images)."
    )
    told = next_words(make(*families, chosen=("image/residual/infonce",) * 5), folder="RUN", data="x.npz")
    assert told[0] == (
        "This change is that of what each fold selected: residual W = I + ΔW in all 5 folds. `RUN/best` holds the best "
        "over all folds, refitted: ridge regression."
    )
    assert len(next_words(make(families[0]), folder="RUN", data="x.npz")) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (0.1, "To apply the kept map: `ccalign apply --checkpoint=RUN/best --data='my x.npz' --out=aligned.npz`"),
        (0.01, "Until there is evidence, keep the embeddings as they are. Another pivot may do better: `--pivot=all`."),
        (-0.1, "Keep the embeddings as they are. Another pivot may do better: `--pivot=all`."),
    ],
)
def test_a_map_is_to_be_applied_only_if_it_gained(make, change, words):
    assert next_words(make((*RESIDUAL, change, change)), folder="RUN", data="my x.npz")[-1] == words


def test_identity_is_kept_where_nothing_beats_it(make):
    summary = make(chosen=("identity",) * 5) | {"best": "identity"}
    assert answer(summary)[1].startswith("No map generalises here: of 1 trial, none did better")
    assert not any("apply" in words for words in next_words(summary, folder="RUN", data="x.npz"))
    assert [name for name, *_ in overview_rows(summary)] == ["best map: residual W = I + ΔW"]


def test_the_command_is_that_of_the_config_and_arrays_have_none():
    config = {"data": "x.npz", "pivots": ["image", "text:en"], "aligners": None, "race": False}
    flags = "--data=x.npz --pivot=image,text:en --race=false '--out=my run'"
    assert command_words({"config": config, "data_sha256": "abc"}, "my run") == f"ccalign sweep {flags}"
    assert command_words({"config": {**config, "data": "arrays"}, "data_sha256": "abc"}, "my run") == ""


def test_an_evaluation_is_answered_by_its_verdict(evaluation):
    verdict, words = evaluation_answer(evaluation(("de", "en")))
    assert verdict == "no evidence" and words.endswith("(95 % interval −.015 to +.025, p = .400).")
    assert "on toy, split test, 100 images, the mean of both directions, by +.005 (" in words
    verdict, words = evaluation_answer(evaluation(("de", "en"), mapped=False))
    assert verdict == "" and words == (
        "R@1 of the embeddings as they are, on toy, split test, 100 images: text to image .105 (chance .010), image to "
        "text .125 (chance .010)."
    )

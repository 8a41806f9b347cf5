"""Notes on results, from choices and levels made by hand."""

import dataclasses

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.evaluation.evaluate import evaluate
from ccalign_jax.study.result_notes import edge_notes, pairing_notes
from ccalign_jax.training import Hyper, Recipe


@pytest.fixture
def tried(outcome):
    """`tried(aligner=, epoch=, **settings)`, a trial of two folds with these numbers."""

    def make(aligner="residual", epoch=3, **settings):
        one = outcome(f"{aligner}/{settings}", [0.5, 0.5], [0.5, 0.5], aligner=aligner)
        one.epochs = [epoch] * 2
        one.trial = dataclasses.replace(one.trial, hyper=Hyper()._replace(**settings), recipe=Recipe(epochs=5))
        return one

    return make


def test_a_choice_at_the_edge_is_said_once_with_its_side(tried):
    grid = [tried(learning_rate=rate, temperature=0.07) for rate in (0.001, 0.01, 0.1)]
    [note] = edge_notes([grid[2]] * 2, grid)
    assert note.startswith(
        "image/residual/infonce: in 2 of 2 folds the choice is at the edge of the grid: "
        "learning_rate 0.1 (the largest of 3); "
    )
    assert "learning_rate 0.001 (the smallest of 3)" in next(edge_notes([grid[0]] * 2, grid))
    assert not list(edge_notes([grid[1]] * 2, grid))
    assert not list(edge_notes([grid[0], grid[2]], grid))  # folds do not agree


def test_nothing_is_smaller_than_zero_and_one_value_has_no_edge(tried):
    grid = [tried(l2=value) for value in (0.0, 0.1)]
    assert not list(edge_notes([grid[0]] * 2, grid))
    assert not list(edge_notes([grid[1]] * 2, [grid[1]]))


def test_the_last_epoch_is_an_edge_of_what_is_trained(tried):
    one = tried(epoch=5)
    assert "grid: the last epoch;" in next(edge_notes([one, one], [one]))
    assert not list(edge_notes([tried("ridge", epoch=5)] * 2, []))  # epoch is a point of its path


def test_edges_of_few_folds_and_of_identity_are_not_noted(tried, outcome):
    grid = [tried(learning_rate=rate) for rate in (0.001, 0.01)]
    identity = outcome("identity", [0.5] * 2, [0.5] * 2)
    assert not list(edge_notes([identity, identity], grid))
    assert not list(edge_notes([grid[0], identity, identity], grid))


def levels(low):
    return {"both": {"MRR": {"mean": 0.5, "low": low}}}


CHANCE = {"both": {"MRR": {"mean": 0.2}}}


@pytest.mark.parametrize(
    ("identity", "maps", "d_image", "words"),
    [
        (0.3, [0.1], 8, None),
        (None, [0.1], 8, None),
        (0.1, [None], 8, "identity is at chance although widths are equal: are your rows paired by key?"),
        (0.1, [], 8, "identity is at chance although widths are equal: are your rows paired by key?"),
        (0.1, [0.1, 0.2], 8, "although widths are equal, and so is every map: are your rows paired by key?"),
        (0.1, [0.1, 0.3], 8, None),  # two spaces that maps align
        (0.1, [0.1], 9, "identity is at chance, and so is every map: are your rows paired by key?"),
        (0.1, [0.3], 9, None),
        (0.1, [], 9, None),
    ],
)
def test_identity_at_chance_is_noted(identity, maps, d_image, words):
    summary = {"data": {"d_text": 8, "d_image": d_image}, "baselines": {"identity": levels(identity), "chance": CHANCE}}
    found = list(pairing_notes(summary, [levels(low) for low in maps]))
    assert found == [] if words is None else len(found) == 1 and words in found[0]


def test_shuffled_rows_are_noted(toy_rows):
    rows = np.random.default_rng(1).standard_normal((60, 8))
    for captions, asked in ((rows, False), (np.roll(rows, 7, axis=0), True)):
        data = EmbeddingSet.build("toy", rows, {"en": captions})
        notes = evaluate(data, tasks=(), scores=False, diagnostics=False).summary["notes"]
        assert any("paired by key" in note for note in notes) == asked

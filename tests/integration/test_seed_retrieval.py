"""The retrieval figures that the seed study's own program printed, from our code and its learned maps.

Its definitions, as far as its figures tell them: captions and images are unit rows, and mapped captions are
scaled to length one again. Every split is its own gallery: 3,742 training or 936 holdout images, with one caption
of each language. t2i: captions of one language among all images; i2t: images among that language's captions,
although it trains against the pool of all languages. Pivot, a→b: the row of the image nearest to a caption of a
is scored against all captions of b, gold is the caption of the query's own image; before and after alike, both
languages from the same side. Macro: the plain mean over languages or ordered pairs. Ties fall as
`torch.argsort(descending=True)` leaves them, which is not stable: sorted so, our scores give every figure to 3e-6,
but with another torch they need not. Captions do repeat, so i2t and pivot figures must fall between every tie won
and every tie lost. Images hardly ever tie, so that t2i is exact.
"""

import json
from functools import cache

import numpy as np
import pytest

from ccalign_jax.evaluation import apply
from ccalign_jax.metrics import Ranks, macro, ordered_pairs, rank_tasks, resolve_ties, retrieval_metrics
from ccalign_jax.numerics import unit_float32
from ccalign_jax.seed_maps import load_seed_map

pytest.importorskip("torch")
TOLERANCE = 1e-4  # a tenth of what one holdout query weighs


@pytest.fixture(scope="module")
def seed(seed_study):
    """The folder of the seed program's output, and a function that gives a split of fold 0 before or after a map."""
    folder, data, fold = seed_study

    @cache
    def rows(split, kind):
        part = data.take(fold.train if split == "train" else fold.test)
        if kind is None:
            return part
        return apply(load_seed_map(folder / f"W_full_ar-de-en-fr-zh_fold0_{kind}.pt"), part)

    @cache
    def figures(split, kind):
        """`{"t2i": {language: bounds}, "i2t": …, "pivot": {pair: bounds}}`, bounds as (lost, won)."""
        part = rows(split, kind)
        there = np.arange(len(part))
        for language in part.languages:
            np.testing.assert_array_equal(part.image_of[language], there)
        text, count = [unit_float32(part.text[language]) for language in part.languages], len(part.languages)
        ranks = rank_tasks(
            text, unit_float32(part.image), [there] * count, [there[:, None]] * count, tasks=["via_image"]
        )
        pairs = [f"{part.languages[a]}->{part.languages[b]}" for a, b in ordered_pairs(count)]
        found = {
            "t2i": dict(zip(part.languages, map(bounds, ranks.t2i), strict=True)),
            "i2t": dict(zip(part.languages, map(bounds, ranks.i2t), strict=True)),
            "pivot": dict(zip(pairs, map(bounds, ranks.via_image), strict=True)),
        }
        return found

    return folder, figures


def bounds(ranks):
    ranks = Ranks(*map(np.asarray, ranks))
    return tuple(retrieval_metrics(resolve_ties(ranks, how)) for how in ("pessimistic", "optimistic"))


def check(theirs, ours, *, exact=False):
    """Each of their figures lies between ours; where nothing ties, or `exact`, it is ours."""
    assert set(theirs) == {"R@1", "R@5", "R@10", "MRR"}
    lost, won = ours
    for metric, figure in theirs.items():
        assert lost[metric] - TOLERANCE <= figure <= won[metric] + TOLERANCE, (metric, figure, ours)
        assert not exact or won[metric] - lost[metric] < TOLERANCE, (metric, ours)


def minus(after, before):
    (lost, won), (base_lost, base_won) = after, before
    return ({key: lost[key] - base_won[key] for key in lost}, {key: won[key] - base_lost[key] for key in won})


def mean_of(each):
    return tuple(macro([one[end] for one in each.values()]) for end in (0, 1))


@pytest.mark.parametrize(
    ("kind", "split"), [pytest.param("linear", "train", marks=pytest.mark.optimised), ("mlp", "holdout")]
)
def test_the_seed_programs_metrics_come_back(seed, kind, split):
    folder, figures = seed
    report = json.loads((folder / f"report_full_ar-de-en-fr-zh_fold0_{kind}.json").read_text())
    before, after = figures(split, None), figures(split, kind)
    results = {one["kind"]: one for one in report["results"]}
    for direction in ("t2i", "i2t"):
        theirs, exact = results[f"{split}_{direction}"], direction == "t2i"
        assert theirs["n_pairs"] == {"train": 3742, "holdout": 936}[split]
        ours = {"before": before[direction], "after": after[direction]}
        ours["delta"] = {key: minus(ours["after"][key], ours["before"][key]) for key in ours["after"]}
        for when, each in ours.items():
            assert set(theirs["per_lang"][when]) == set(each)
            for language, one in each.items():
                check(theirs["per_lang"][when][language], one, exact=exact)
            check(theirs["macro_avg"][when], mean_of(each), exact=exact)
    for when, each in (("before", before["pivot"]), ("after", after["pivot"])):
        theirs = report["pivot_retrieval"][split][when]
        assert set(theirs["per_pair"]) == set(each)
        for pair, one in each.items():
            check(theirs["per_pair"][pair], one)
        check(theirs["macro_avg"], mean_of(each))

"""Adapters of queries in worlds where the answer is known: a rotation is found, and nothing where there is nothing."""

import json

import numpy as np
import pytest

from ccalign_jax.checkpoints import load_aligner
from ccalign_jax.numerics import unit_float32
from ccalign_jax.query_adapters import adapt_queries, make_query_task
from ccalign_jax.query_adapters.negatives import mine_negatives
from ccalign_jax.query_adapters.task import assign_folds, task_embeddings
from ccalign_jax.query_adapters.write import write_adapter
from ccalign_jax.reporting.panels.query_adapter import adapter_words
from ccalign_jax.reporting.rebuild import write_report
from ccalign_jax.reporting.results_folder import read_results
from ccalign_jax.runs.kinds import ADAPTER_FOLDER
from ccalign_jax.runs.store import Store

QUICK = {
    "hyper": ["epochs=4", "steps_per_epoch=8", "batch_images=16", "learning_rate=0.03"],
    "folds": 3,
    "negatives": 2,
}


def world(*, null=False):
    """Two noisy queries of each of 60 among 80 documents, rotated; of a null world the answers are drawn."""
    rng = np.random.default_rng(0)
    documents = unit_float32(rng.normal(size=(80, 16)))
    turn = np.linalg.qr(rng.normal(size=(16, 16)))[0].astype(np.float32)
    asked = np.repeat(np.arange(60), 2)
    shown = rng.integers(80, size=120) if null else asked
    queries = unit_float32(documents[shown] + 0.15 * rng.normal(size=(120, 16)))
    return make_query_task(queries @ turn, documents, asked), documents, turn


@pytest.fixture(scope="module")
def found():
    return adapt_queries(world()[0], **QUICK)


def test_a_rotation_is_recovered(found):
    _, documents, turn = world()
    summary = found.summary
    assert summary["verdict"] == "gain" and summary["selected"]["verdict"] == "gain"
    chosen, identity = summary["selected"]["metrics"], summary["baselines"]["identity"]
    assert chosen["R@1"]["mean"] > 0.5 > 0.1 > identity["R@1"]["mean"]
    assert chosen["R@1"]["low"] < chosen["R@1"]["mean"] < chosen["R@1"]["high"]
    assert chosen["R@10"]["mean"] >= chosen["MRR"]["mean"] >= chosen["R@1"]["mean"]
    mapped = found.best(3 * documents @ turn)
    assert (mapped * documents).sum(axis=1).min() > 0.9


def test_every_kind_of_map_is_compared_on_the_same_queries(found):
    summary = found.summary
    families = {"shift", "procrustes", "scaled_procrustes", "low_rank", "ridge", "clusters", "residual/infonce"}
    assert set(summary["families"]) == families | {"residual/infonce with hard negatives"}
    assert summary["families"]["residual/infonce"]["delta"]["R@1"]["mean"] > 0
    with_, without = (
        summary["families"][f"residual/infonce{hard}"]["metrics"] for hard in (" with hard negatives", "")
    )
    assert with_["MRR"] != without["MRR"]  # they do join the batches
    assert len(summary["selected"]["per_fold"]) == 3 and json.loads(json.dumps(summary)) == summary
    scores = [one["score"] for one in summary["candidates"]]
    best = summary["candidates"][0]["name"]
    assert scores == sorted(scores, reverse=True) and summary["best"]["name"] == f"queries/{best}"


def test_everything_is_written_and_made_again(found, tmp_path):
    with Store(tmp_path / "out", ADAPTER_FOLDER) as store:
        store.acquire()
        write_adapter(store, found)
    folder = tmp_path / "out"
    assert json.loads((folder / "adapter.json").read_text()) == found.summary
    page = (folder / "report.html").read_text()
    assert 'class="verdict gain"' in page and "residual, infonce with hard negatives" in page
    write_report(read_results(folder), tmp_path / "again", ["svg"])
    assert (tmp_path / "again" / "report.html").read_text() == page
    learned = load_aligner(folder / "best")
    np.testing.assert_array_equal(learned(np.eye(16)), found.best(np.eye(16)))
    assert "right more often than" in adapter_words(found.summary)[1]


def test_nothing_is_gained_where_answers_are_drawn():
    task, *_ = world(null=True)
    summary = adapt_queries(task, **QUICK).summary
    assert summary["verdict"] == "no evidence"
    assert not any(one["verdict"] == "gain" for one in summary["families"].values())


def test_hard_negatives_are_near_and_answer_nothing():
    """By hand: of each training document the nearest others, without those of held queries or the like."""
    task, documents, turn = world()
    fold_of = assign_folds(task, 3, seed=0)
    train = fold_of == 0
    mined = mine_negatives(task, task.queries @ turn.T, train, 4)
    held = set(task.relevant[~train].ravel().tolist())
    trained = np.unique(task.relevant[train])
    for row in trained:
        assert not held & (set(mined[row].tolist()) - {row})
    mean = (task.queries @ turn.T)[task.relevant[:, 0] == trained[0]].sum(axis=0)
    left = [n for n in range(80) if n not in held and n != trained[0]]
    scores = documents @ mean
    left = [n for n in left if scores[n] <= 0.95 * scores[trained[0]]]
    assert set(mined[trained[0]].tolist()) == set(sorted(left, key=lambda n: -scores[n])[:4])
    untouched = np.setdiff1d(np.arange(80), trained)
    assert (mined[untouched] == untouched[:, None]).all()


def test_clusters_are_queries_that_share_documents():
    rows = np.eye(30, dtype=np.float32)
    relevant = np.stack([np.arange(30), np.where(np.arange(30) < 4, 5, -1)], axis=1)
    relevant[29] = -1
    task = make_query_task(rows, rows, relevant)
    assert len(task.queries) == 29 and len(set(task.cluster[[0, 1, 2, 3, 5]])) == 1
    assert task.document_cluster[5] == task.cluster[0] and task.document_cluster[29] not in task.cluster
    fold_of = assign_folds(task, 3, seed=1)
    assert len(set(fold_of[task.cluster == task.cluster[0]])) == 1
    inside = task_embeddings(task)
    assert inside.caption_counts[0, 5] == 5 and set(inside.caption_rows[0, 5, :5]) == {0, 1, 2, 3, 5}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda q, d, r: (q, d, r[:5]), "give integers"),
        (lambda q, d, r: (q, d, r + 60), "largest row 119"),
        (lambda q, d, r: (q, d, r // 30), "at least 15"),
        (lambda q, d, r: (q * (np.arange(120) != 3)[:, None], d, r), "queries: row 3 is zero"),
    ],
)
def test_what_does_not_fit_is_one_line(change, words, one_line):
    task, documents, _ = world()
    one_line(lambda: make_query_task(*change(task.queries, documents, task.relevant)), words)
    one_line(lambda: adapt_queries(task, folds=2), "folds: 2")
    one_line(lambda: adapt_queries(task, aligners=["dual(residual)"]), "--aligners")

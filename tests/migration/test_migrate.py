"""Recovery on rows where it is known: 1 after a rotation, chance without pairs, and the interval of a ratio."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

from ccalign_jax.checkpoints import load_aligner, save_checkpoint
from ccalign_jax.exporting import export
from ccalign_jax.measurement.measure import measure_search
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.metrics import rank
from ccalign_jax.migration import make_task, migrate
from ccalign_jax.migration.inputs import pair_by_id, read_ids, read_relevant, read_rows
from ccalign_jax.migration.migrate import judge, recovery, sample_sizes
from ccalign_jax.migration.task import nearest
from ccalign_jax.migration.write import write_migration
from ccalign_jax.numerics import unit_float32
from ccalign_jax.reporting.panels.migration import curve_table, maps_table, migration_words
from ccalign_jax.reporting.rebuild import write_report
from ccalign_jax.reporting.results_folder import read_results
from ccalign_jax.runs.kinds import MIGRATION_FOLDER
from ccalign_jax.runs.store import Store


@pytest.fixture(scope="module")
def rows():
    """Documents by two encoders whose spaces are one, rotated; and three noisy queries of each of 40 documents."""
    rng = np.random.default_rng(0)
    old = unit_float32(rng.normal(size=(240, 16)))
    turn = np.linalg.qr(rng.normal(size=(16, 16)))[0].astype(np.float32)
    relevant = np.repeat(np.arange(40), 3)
    queries = unit_float32(old[relevant] + 0.25 * rng.normal(size=(120, 16)))
    return old, old @ turn, queries, queries @ turn, relevant


@pytest.fixture(scope="module", params=["queries", "documents"])
def found(rows, request):
    old, new, old_queries, queries, relevant = rows
    task = make_task(old, new, queries=queries, old_queries=old_queries, relevant=relevant)
    return migrate(task, direction=request.param, draws=2)


def test_a_rotation_is_recovered_whole(found, rows):
    summary = found.summary
    assert summary["reference"] == "re-embedded" and summary["verdict"] == "map"
    assert [point["pairs"] for point in summary["curve"]] == [60, 120, 240]
    last, reference = summary["curve"][-1], summary["baselines"]["re-embedded"]
    assert last["metrics"]["R@1"]["mean"] == pytest.approx(reference["R@1"]["mean"], abs=1e-6)
    assert 0.2 < reference["R@1"]["mean"] < 1 and last["recovery"]["R@1"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    old = summary["baselines"]["old encoder"]["R@1"]
    assert old["mean"] == pytest.approx(reference["R@1"]["mean"], abs=1e-6) and old["low"] < old["mean"] < old["high"]
    assert summary["maps"]["identity"]["recovery"]["R@1"]["high"] < 0.5
    assert last["delta"]["R@1"]["p"] == 1.0 and summary["maps"]["identity"]["delta"]["R@1"]["p_adjusted"] < 0.05
    assert summary["best"]["map"] in ("procrustes", "scaled_procrustes", "ridge")
    words = " ".join(migration_words(summary))
    assert "reaches 100.0 % of the R@10 of the re-embedded index" in words and "The map suffices" in words


def test_the_map_is_a_function_of_the_right_side(found, rows):
    old, new, *_ = rows
    source, target = (new, old) if found.summary["direction"] == "queries" else (old, new)
    np.testing.assert_allclose(found.best(3 * source), target, atol=2e-2)


def test_without_queries_documents_are_held_out(rows):
    old, new, *_ = rows
    task = make_task(old, new, seed=3)
    assert task.held_out and len(task.queries_new) == 48 and len(task.index_old) == 192
    kept = {row.tobytes() for row in task.pairs_new}
    assert not any(row.tobytes() in kept for row in task.queries_new)
    scores = task.queries_new @ task.index_new.T
    np.testing.assert_array_equal(task.relevant[:, 0], scores.argmax(axis=1))
    summary = migrate(task, draws=1).summary
    assert summary["baselines"]["re-embedded"]["R@1"]["mean"] == 1.0
    assert "held out" in migration_words(summary)[-1]


def test_an_index_that_was_not_embedded_anew_is_compared_with_the_old_encoder(rows):
    old, new, old_queries, queries, relevant = rows
    images = unit_float32(old[:60] + 0.1 * np.random.default_rng(1).normal(size=(60, 16)))
    task = make_task(old, new, index=images, queries=queries, old_queries=old_queries, relevant=relevant)
    summary = migrate(task, draws=1).summary
    assert summary["reference"] == "old encoder" and list(summary["baselines"]) == ["old encoder"]
    assert summary["curve"][-1]["recovery"]["R@10"]["mean"] == pytest.approx(1.0, abs=0.02)
    with pytest.raises(ValueError, match="nothing to compare with"):
        make_task(old, new, index=images, queries=queries, relevant=relevant)


def test_recovery_is_a_ratio_resampled_by_pairs():
    """By hand: replicates of both sums under the same weights, one divided by the other."""
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(30), 2)
    gallery = np.eye(8, dtype=np.float32)
    golds = rng.integers(8, size=60)
    both = []
    for share in (0.9, 0.6):
        shown = np.where(rng.random(60) < share, golds, rng.integers(8, size=60))
        both.append(measure_search(as_numpy(rank(gallery[shown], gallery, golds[:, None])), clusters, "search"))
    replicates = draw_replicates(np.arange(30), seed=0, replicates=400, flips=10)
    found = recovery([both[1]], [both[0]], replicates)["R@1"]
    sums = [one.sums["search", "queries"].sums[:, 0] for one in both]
    ratios = (replicates.weights @ sums[1]) / (replicates.weights @ sums[0])
    assert found["mean"] == pytest.approx(sums[1].sum() / sums[0].sum(), abs=1e-6)
    np.testing.assert_allclose([found["low"], found["high"]], np.quantile(ratios, [0.025, 0.975]), atol=1e-5)
    assert judge(found, 0.95) == "re-embed" or found["high"] >= 0.95


def as_numpy(ranks):
    return type(ranks)(*(np.asarray(leaf) for leaf in ranks))


def test_sizes_halve_and_nearest_is_the_first_of_equals():
    assert sample_sizes(1000) == [62, 125, 250, 500, 1000]
    gallery = np.float32([[0, 1], [1, 0], [1, 0]])
    assert nearest(np.float32([[1, 0], [0, 1]]), gallery).tolist() == [[1], [0]]


@pytest.mark.skipif(find_spec("faiss") is None, reason="faiss is not installed")
@pytest.mark.filterwarnings("ignore:builtin type .* has no __module__ attribute:DeprecationWarning")
@pytest.mark.parametrize("family", ["procrustes", "ridge"])
def test_an_exported_map_has_the_same_rows_in_faiss(rows, family, tmp_path):
    import faiss

    old, new, *_ = rows
    found = migrate(make_task(old, new), draws=1, maps=[family]).best
    save_checkpoint(tmp_path / "best", found)
    export(tmp_path / "best", to="faiss", out=tmp_path / "faiss")
    index = faiss.read_index(str(tmp_path / "faiss" / "captions.faiss"))
    mapped = 3 * new
    for place in range(index.chain.size()):
        mapped = faiss.downcast_VectorTransform(index.chain.at(place)).apply(mapped)
    np.testing.assert_allclose(mapped, found(new), atol=2e-6)


def test_clusters_survive_their_checkpoint_and_are_refused_by_faiss(rows, tmp_path, one_line):
    old, new, *_ = rows
    found = migrate(make_task(old, new), draws=1, maps=["clusters"]).best
    save_checkpoint(tmp_path / "best", found)
    np.testing.assert_array_equal(load_aligner(tmp_path / "best")(new), found(new))
    one_line(
        lambda: export(tmp_path / "best", to="faiss", out=tmp_path / "faiss"), "faiss", "neither linear nor an MLP"
    )
    one_line(lambda: migrate(make_task(old, new), maps=["rotation"]), "'rotation' is none of identity")
    one_line(lambda: migrate(make_task(old, new[:, :8]), maps=["identity"]), "need equal widths")


def test_everything_is_written(found, tmp_path):
    with Store(tmp_path / "out", MIGRATION_FOLDER) as store:
        store.acquire()
        write_migration(store, found)
    folder = tmp_path / "out"
    assert json.loads((folder / "migration.json").read_text()) == json.loads(json.dumps(found.summary))
    assert {path.name for path in folder.iterdir()} >= {"best", "figures", "records.csv", "tables"}
    page = (folder / "report.html").read_text()
    assert 'class="verdict map"' in page and "<svg" in page
    assert "report.html" in write_report(read_results(folder), tmp_path / "again", ["svg"])
    assert (tmp_path / "again" / "report.html").read_text() == page
    assert "R@10" in curve_table(found.summary).columns[3] and len(maps_table(found.summary).rows) >= 6


def test_files(tmp_path, one_line):
    np.save(tmp_path / "rows.npy", np.ones((3, 2), np.float32))
    (tmp_path / "ids.txt").write_text("a\nb\nc\n")
    assert read_rows(str(tmp_path / "rows.npy")).shape == (3, 2)
    assert read_ids(str(tmp_path / "ids.txt"), 3, "--old") == ["a", "b", "c"]
    one_line(lambda: read_ids(str(tmp_path / "ids.txt"), 2, "--old"), "ids.txt", "3 ids for the 2 rows")
    (tmp_path / "ids.txt").write_text("a\nb\na\n")
    one_line(lambda: read_ids(str(tmp_path / "ids.txt"), 3, "--old"), "the id a stands twice")
    one_line(lambda: read_rows(str(tmp_path / "none.npy")), "none.npy", "no such file")
    assert [part.tolist() for part in pair_by_id(["x", "y"], ["z"])] == [[], []]
    relevant = tmp_path / "relevant.jsonl"
    relevant.write_text('{"query": 1, "positive_ids": ["c", "a"]}\n\n{"query": 0, "positive_ids": ["d"]}\n')
    found = read_relevant(str(relevant), 2, ["a", "b", "c"], 3, elsewhere={"d"})
    assert found.tolist() == [[-1, -1], [2, 0]]
    one_line(lambda: read_relevant(str(relevant), 2, ["a", "b", "c"], 3), "jsonl:3", "no document has the id d")
    for line in ("{", '{"query": "0", "positive_ids": []}', '{"query": 5, "positive_ids": []}', "[]"):
        relevant.write_text(line)
        one_line(lambda: read_relevant(str(relevant), 2, None, 3), "jsonl:1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"new": lambda rows: rows[1][:100]}, "old has 240 rows, new 100"),
        ({"queries": lambda rows: rows[3][:, :8], "relevant": lambda rows: rows[4]}, "queries: width 8"),
        ({"queries": lambda rows: rows[3]}, "relevant documents are missing"),
        ({"queries": lambda rows: rows[3], "relevant": lambda rows: rows[4] + 230}, "counted from 0"),
        ({"old": lambda rows: rows[0] * (np.arange(240) != 7)[:, None]}, "old: row 7 is zero"),
        ({"index": lambda rows: rows[0]}, "index: without queries"),
    ],
)
def test_what_does_not_fit_is_one_line(rows, change, words, one_line):
    given = {"old": rows[0], "new": rows[1]} | {name: take(rows) for name, take in change.items()}
    one_line(lambda: make_task(given.pop("old"), given.pop("new"), **given), words)

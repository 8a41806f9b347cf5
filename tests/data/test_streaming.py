"""Batches from disk: every pair once, the same however it is read, and on from where it stopped."""

import json
import subprocess
import sys

import numpy as np
import pytest

from ccalign_jax.data import BatchStream, split_chunks, write_shards

pytest.importorskip("grain", reason="grain streams the shards")
ROWS = 103


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """103 pairs whose first number is their row, in shards of 40; de lacks every third; neighbours show one image."""
    return write_shards(tmp_path_factory.mktemp("shards"), in_shards(40))


def in_shards(size):
    numbers = np.arange(1, ROWS + 1, dtype=np.float32)
    rows = np.stack([numbers, np.ones(ROWS, np.float32)], 1)
    arrays = {"image": rows, "text_de": -rows, "text_en": 2 * rows, "mask_de": numbers % 3 > 0}
    arrays["image_groups"] = np.arange(ROWS) // 2 * 2**33
    return [{key: part[start : start + size] for key, part in arrays.items()} for start in range(0, ROWS, size)]


def rows_of(batches):
    """The rows of the batches in their order."""
    return [int(row) - 1 for batch in batches for row in batch.image[:, 0]]


def small(shards, **changes):
    """A stream with windows of a few batches only."""
    options = {"batch": 8, "memory": 8 * 8 * shards.row_bytes, "chunks": split_chunks(len(shards), chunk_rows=5)[0]}
    return BatchStream(shards, **(options | changes))


def same(left, right):
    for one, other in zip(left, right, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_array_equal(one, other)


def test_an_epoch_has_every_pair_once_but_for_a_remainder(shards):
    stream = small(shards, epochs=3)
    assert (stream.steps_per_epoch, stream.left_out, len(stream)) == (12, 7, 36)
    assert stream.window_rows < ROWS / 2
    rows = np.reshape(rows_of(stream), (3, 96))
    for epoch in rows:
        assert len(set(epoch)) == 96
    left = [frozenset(range(ROWS)) - set(epoch) for epoch in rows]
    assert len(set(left)) == 3, "others are left out each time"
    assert not np.array_equal(rows[0], rows[1])


def test_a_batch_holds_what_belongs_together(shards):
    for batch in small(shards):
        number = batch.image[:, 0]
        np.testing.assert_array_equal(batch.text[1], 2 * batch.image)
        np.testing.assert_array_equal(batch.mask, [number % 3 > 0, np.ones(8, bool)])
        np.testing.assert_array_equal(batch.text[0], np.where(batch.mask[0][:, None], -batch.image, 0))
        assert batch.image_mask.all() and batch.groups.dtype == np.int32
        alike = (number[:, None] - 1) // 2 == (number - 1) // 2
        np.testing.assert_array_equal(batch.groups[:, None] == batch.groups, alike)


def test_rows_are_shuffled_well(shards):
    """A batch comes from many places, and neighbours do not follow each other."""
    for batch in small(shards):
        rows = np.sort(rows_of([batch]))
        assert rows[-1] - rows[0] > 20
    order = np.array(rows_of(small(shards)))
    assert np.mean(np.diff(order) == 1) < 0.1


def test_the_seed_decides(shards):
    same_seed = rows_of(small(shards, seed=1))
    assert rows_of(small(shards, seed=1)) == same_seed
    assert rows_of(small(shards, seed=2)) != same_seed


def test_how_rows_are_spread_over_shards_does_not_matter(shards, tmp_path):
    for size in (7, ROWS):
        other = write_shards(tmp_path / str(size), in_shards(size))
        for one, two in zip(small(shards), small(other), strict=True):
            same(one, two)


@pytest.mark.parametrize("chunk_rows", [1, 4, 50, 500])
@pytest.mark.parametrize("batches", [4, 9, 1000])
def test_chunks_and_memory_change_the_order_alone(shards, chunk_rows, batches):
    chunks, _ = split_chunks(ROWS, chunk_rows=chunk_rows)
    stream = small(shards, batch=1, chunks=chunks, memory=batches * shards.row_bytes, epochs=2)
    rows = np.reshape(rows_of(stream), (2, ROWS))
    np.testing.assert_array_equal(np.sort(rows), [np.arange(ROWS)] * 2)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_every_epoch(shards, processes):
    alone = small(shards, epochs=2)
    streams = [small(shards, epochs=2, process_index=index, process_count=processes) for index in range(processes)]
    assert {(len(one), one.batch, one.left_out) for one in streams} == {(len(alone), 8 // processes, 7)}
    shares = [np.reshape(rows_of(one), (2, -1)) for one in streams]
    whole = np.sort(np.concatenate(shares, axis=1))
    np.testing.assert_array_equal(whole, np.sort(np.reshape(rows_of(alone), (2, -1))))
    assert all(len(set(epoch)) == 96 for epoch in whole)


@pytest.mark.parametrize("stop", [0, 1, 5, 12, 13, 23])
def test_a_stream_goes_on_where_it_stopped(shards, stop):
    whole = list(small(shards, epochs=2))
    first = iter(small(shards, epochs=2))
    for _ in range(stop):
        next(first)
    state = json.loads(json.dumps(first.get_state()))
    later = iter(small(shards, epochs=2))
    later.set_state(state)
    for one, two in zip(later, whole[stop:], strict=True):
        same(one, two)


GO_ON = """
import json, sys
import numpy as np
from ccalign_jax.data import BatchStream, open_shards, split_chunks
shards = open_shards(sys.argv[1])
chunks = split_chunks(len(shards), chunk_rows=5)[0]
batches = iter(BatchStream(shards, batch=8, memory=64 * shards.row_bytes, chunks=chunks, epochs=2))
batches.set_state(json.loads(sys.argv[2]))
print(json.dumps([int(row) - 1 for batch in batches for row in batch.image[:, 0]]))
"""


def test_another_process_goes_on(shards):
    batches = iter(small(shards, epochs=2))
    for _ in range(9):
        next(batches)
    folder = str(next(iter(shards.files))["image"].path.parent)
    command = [sys.executable, "-c", GO_ON, folder, json.dumps(batches.get_state())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == rows_of(batches)


def test_any_batch_can_be_asked_for(shards):
    stream = small(shards, epochs=2)
    whole = list(stream)
    for index in (23, 0, 11, 12, 5):
        same(stream[index], whole[index])
    with pytest.raises(IndexError):
        stream[24]


@pytest.mark.parametrize("held", [0, 1, 20, 50, 102])
@pytest.mark.parametrize("chunk_rows", [1, 6, 1000])
def test_held_out_rows_and_the_rest_are_everything(held, chunk_rows):
    chunks, apart = split_chunks(ROWS, held=held, chunk_rows=chunk_rows, seed=3)
    assert np.all(np.diff(chunks, axis=1) <= chunk_rows) and np.all(np.diff(chunks, axis=1) > 0)
    rows = [[row for start, stop in part for row in range(start, stop)] for part in (chunks, apart)]
    assert sorted(rows[0] + rows[1]) == list(range(ROWS)) and len(rows[1]) == held
    assert rows[1] == sorted(rows[1])


@pytest.mark.parametrize(("held", "kept"), [(1, 5), (7, 5), (20, 20), (99, 95)])
def test_groups_are_held_out_whole(held, kept):
    groups = np.random.default_rng(0).permutation(np.arange(100) // 5)
    chunks, apart = split_chunks(100, held=held, groups=groups, chunk_rows=3, seed=1)
    train, out = ([row for start, stop in part for row in range(start, stop)] for part in (chunks, apart))
    assert sorted(train + out) == list(range(100)) and len(out) == kept and out == sorted(out)
    assert not set(groups[train]) & set(groups[out]) and np.diff(chunks, axis=1).max() <= 3


def test_what_is_held_out_never_comes(shards):
    chunks, apart = split_chunks(ROWS, held=20, chunk_rows=5)
    rows = rows_of(small(shards, chunks=chunks, epochs=5))
    assert not set(rows) & {row for start, stop in apart for row in range(start, stop)}


def test_a_bad_row_ends_the_stream_in_one_line(tmp_path, one_line):
    arrays = in_shards(ROWS)[0]
    arrays["text_en"][50] = np.nan
    stream = small(write_shards(tmp_path, [arrays]))
    one_line(lambda: list(stream), "shard-00000.npz: text_en row 50 is NaN or infinite; remove or re-encode it")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"batch": 104}, ("103 pairs to train on fill no batch of 104; take a smaller batch",)),
        ({"batch": 0}, ("a batch of 0 pairs",)),
        ({"process_count": 3}, ("a batch of 8 pairs cannot be shared by 3 processes",)),
        ({"process_index": 1}, ("process 1 of 1",)),
        ({"memory": 100}, ("100 bytes cannot hold three batches", "give more memory or smaller batches")),
    ],
)
def test_numbers_that_do_not_fit(shards, one_line, changes, parts):
    one_line(lambda: small(shards, **changes), *parts)


def test_only_what_is_larger_than_memory_needs_grain(shards, one_line, monkeypatch):
    monkeypatch.setitem(sys.modules, "grain", None)
    one_line(lambda: small(shards), 'needs grain: pip install "ccalign_jax[stream]"')
    held = {"memory": 2**20, "epochs": 2}
    in_turn, again = iter(small(shards, **held)), iter(small(shards, **held))
    batches = [next(in_turn) for _ in range(5)]
    again.set_state(json.loads(json.dumps(in_turn.get_state())))
    batches += again
    first, second = np.reshape(rows_of(batches), (2, 96)).tolist()
    assert len(set(first)) == len(set(second)) == 96 and first != second


def test_a_place_is_the_same_with_and_without_grain(shards):
    held, streamed = iter(small(shards, memory=2**20)), iter(small(shards))
    for batches in (held, streamed):
        next(batches), next(batches)
    assert held.get_state() == streamed.get_state()


def test_nothing_left_to_train_on(one_line):
    one_line(lambda: split_chunks(5, held=5), "5 of 5 pairs held out leave none to train on")
    one_line(lambda: split_chunks(5, held=1, groups=np.zeros(5, int)), "all 5 pairs are of one group")

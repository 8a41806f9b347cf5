"""Sweeps on several processes of this machine, as on several machines: the same results, and what a loss leaves."""

import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import jax
import numpy as np
import pytest

from ccalign_jax.checkpoints import load_tree
from ccalign_jax.processes import LOST

FLAGS = [
    *("--folds=3", "--inner_folds=1", "--aligners=residual,ridge", "--nodiagnostics", "--hyper=temperature=0.1"),
    *("--hyper=learning_rate=0.003,0.01,0.02,0.03,0.1,0.3,0.5", "--hyper=epochs=20"),
]
LOST_AFTER = 8  # seconds
PATIENCE = 120  # seconds, after which a test has failed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """90 images; captions are bent images with noise, so that there is something to learn; some images have none."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((90, 8)).astype(np.float32)
    bend = np.eye(8) + 0.5 * rng.standard_normal((8, 8))
    keys = np.array([f"k{number:02d}" for number in range(90)])
    arrays = {"image": image, "image_keys": keys}
    owner = np.flatnonzero(np.arange(90) % 8)
    rows = image[owner] @ bend + 0.4 * rng.standard_normal((len(owner), 8))
    arrays |= {"text_en": rows.astype(np.float32), "text_en_keys": keys[owner]}
    path = tmp_path_factory.mktemp("data") / "bent.npz"
    np.savez(path, **arrays)
    return path


Started = list  # of `Script`


@pytest.fixture
def start(data, tmp_path, started, quick_environment) -> Iterator[Callable[..., Started]]:
    """`start(processes, devices, out, *flags)` starts a sweep on so many processes, with so many devices each."""
    every: Started = []

    def begin(processes: int, devices: int, out: Path, *flags: str) -> Started:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        of_devices = f"{quick_environment['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"
        found = []
        for number in range(processes):
            command = ["sweep.py", f"--data={data}", f"--out={out}", f"--devices={devices}", *FLAGS]
            if processes > 1:
                command += [f"--coordinator=127.0.0.1:{port}", f"--processes={processes}", f"--process={number}"]
            command += [f"--lost_after={LOST_AFTER}", *flags]
            found.append(started(*command, cwd=tmp_path, XLA_FLAGS=of_devices))
        every.extend(found)
        return found

    yield begin
    for process in every:
        process.kill()


def finish(started: Started, statuses: Sequence[int]) -> list[tuple[str, str]]:
    """What each printed on stdout and stderr, once all have ended as they should."""
    said = [process.communicate(timeout=PATIENCE) for process in started]
    assert [process.returncode for process in started] == list(statuses), said
    return said


def wait_for_trials(out: Path, count: int, started: Started) -> None:
    """Until so many trials are kept and the run is not at its end."""
    until = time.monotonic() + PATIENCE
    while len([path for path in out.glob("unfinished/trials/*.npz") if "draft" not in path.name]) < count:
        assert time.monotonic() < until
        assert all(process.poll() is None for process in started), finish(started, [0] * len(started))
        time.sleep(0.01)


def numbers(tree) -> list[tuple[str, float]]:
    """Every number of nested JSON with the way to it; null and text as they are."""
    leaves = jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda leaf: leaf is None)
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in leaves]


def assert_same_run(one: Path, other: Path) -> None:
    mine, theirs = (numbers(json.loads((path / "summary.json").read_text())) for path in (one, other))
    assert len(mine) == len(theirs) > 300
    for (path, left), (same, right) in zip(mine, theirs, strict=True):
        assert path == same
        assert left == (pytest.approx(right, abs=1e-4) if isinstance(right, float) else right), path
    stored = sorted(path.name for path in (other / "checkpoints").iterdir())
    assert stored == sorted(path.name for path in (one / "checkpoints").iterdir()) and len(stored) == 2
    for name in (*(f"checkpoints/{each}" for each in stored), "best"):
        left, right = load_tree(one / name)[0], load_tree(other / name)[0]
        for each, same in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
            np.testing.assert_allclose(each, same, atol=1e-5)
    assert not (one / "unfinished").exists()


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory, script) -> Path:
    """The folder of the same sweep by one process on one device."""
    out = tmp_path_factory.mktemp("alone") / "run"
    done = script("sweep.py", f"--data={data}", f"--out={out}", *FLAGS, cwd=out.parent)
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["best"] != "identity"  # something was learned
    return out


def test_several_processes_of_several_devices_find_what_one_finds(alone, start, tmp_path):
    processes, devices, out = 3, 2, tmp_path / "run"
    (first, *others) = finish(start(processes, devices, out), [0] * processes)
    assert f"{processes} processes" in first[0] and "best:" in first[0]
    assert all(said == ("", "") for said in others)  # process 0 alone prints
    assert "Gloo" not in first[0]
    assert_same_run(out, alone)
    (first, *others) = finish(start(processes, devices, out, "--resume"), [0] * processes)
    assert "complete already" in first[0] and all(said == ("", "") for said in others)


def test_a_lost_process_ends_the_run_which_goes_on_elsewhere(alone, start, tmp_path):
    out = tmp_path / "run"
    started = start(2, 1, out)
    wait_for_trials(out, 2, started)
    started[1].kill()
    first, _ = finish(started, [LOST, -9])
    last = first[1].strip().splitlines()[-1]
    assert last.startswith("error: a process of this run was lost") and "--resume" in last
    kept = {path: path.read_bytes() for path in out.glob("unfinished/trials/???-????-*.npz")}
    assert len(kept) >= 2 and not (out / "summary.json").exists()
    finish(start(1, 4, out, "--resume"), [0])
    assert_same_run(out, alone)


def test_the_loss_of_process_0_ends_the_others(start, tmp_path):
    out = tmp_path / "run"
    started = start(2, 1, out)
    wait_for_trials(out, 1, started)
    started[0].kill()
    _, other = finish(started, [-9, LOST])
    assert "was lost" in other[1].strip().splitlines()[-1] and not other[0]


def test_a_mistake_ends_all_with_a_line(alone, start):
    """The folder holds a sweep already: only process 0 can know."""
    first, other = finish(start(2, 1, alone), [2, 2])
    assert first[1].strip().count("\n") == 0 and "holds a sweep already" in first[1]
    assert other[1].strip().count("\n") == 0 and "process 0 has ended" in other[1]

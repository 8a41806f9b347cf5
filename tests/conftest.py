"""Shared by all tests: strict JAX settings, real data, and checks of error messages."""

import atexit
import gc
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Eight devices, for the tests that spread a batch; must stand before jax starts.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
# Must stand before NumPy starts: threads of its BLAS spin while they wait, and toy matrices give them nothing to do.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# One store of compiled programs for this run: its workers and the scripts they start compile much the same.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    store = tempfile.TemporaryDirectory(prefix="ccalign_jax-compiled-")
    atexit.register(store.cleanup)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = store.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import jax
import numpy as np
import pytest
from quick_pages import without_plots
from quick_programs import compile_quickly, optimise, quick_options

from ccalign_jax.aligners import ALIGNERS
from ccalign_jax.data import EmbeddingSet, load, seed_folds
from ccalign_jax.data.splits import Fold
from ccalign_jax.errors import InputError
from ccalign_jax.losses import LOSSES
from ccalign_jax.measurement.measure import ImageSums, Measurement, Place, add_measurement, subgroup
from ccalign_jax.metrics import METRICS, mean_metrics
from ccalign_jax.pivots import PIVOTS

jax.config.update("jax_numpy_rank_promotion", "allow")

MAPS = Path("/proc/self/maps")
MAX_MAPS = 45_000
LONGEST = (
    "test_raw_photographs.py",
    *("test_registry.py", "test_processes.py", "test_scripts.py", "test_ranks.py", "test_evaluation.py"),
    *("test_axis.py", "test_docs.py", "test_run.py", "test_text_tasks.py", "test_compare.py", "test_streaming.py"),
)

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
DATA = Path(os.environ.get("CCALIGN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="module", autouse=True)
def few_programs() -> Iterator[None]:
    """Drop compiled programs when there are very many: Linux gives a process 65,530 maps, each program takes several.

    A process that runs out of them dies without a word.
    """
    yield
    if MAPS.exists() and MAPS.read_bytes().count(b"\n") > MAX_MAPS:
        jax.clear_caches()


def pytest_sessionstart() -> None:
    """Compile quickly, in a quarter of the time.

    What a test says of the optimised program, as a user runs it, it says with the mark `optimised`: ties, bits, memory.
    """
    compile_quickly()
    os.fsync = lambda opened: None  # no test ends in a power cut
    sys.addaudithook(refuse_network)


def refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    """Let no test connect to another machine."""
    address = arguments[1] if event == "socket.connect" else None
    if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1", "localhost", "0.0.0.0")):
        raise AssertionError(f"a test connects to {address[0]}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest files first, so that none is begun when all others are done; optimised tests last in their file."""
    files = list(dict.fromkeys(item.path for item in items))
    files.sort(key=lambda path: LONGEST.index(path.name) if path.name in LONGEST else len(LONGEST))
    place = {path: number for number, path in enumerate(files)}
    items.sort(key=lambda item: (place[item.path], item.get_closest_marker("optimised") is not None))


def pytest_collection_finish() -> None:
    """Leave what is imported out of garbage collections, which else look through all of it thousands of times."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session")
def quick_environment() -> dict[str, str]:
    """The environment of a process that compiles quickly, too, and is silent about programs still being written."""
    flags = " ".join(f"--{name}={str(value).lower()}" for name, value in quick_options().items())
    silent = ",".join(f"ignore:Error {what} persistent compilation cache" for what in ("reading", "writing"))
    quick = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "JAX_TRACEBACK_IN_LOCATIONS_LIMIT": "0", "XLA_FLAGS": flags}
    return {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": silent, **quick}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Optimise, fixtures included, where a test is marked `optimised`."""
    optimise(item.get_closest_marker("optimised") is not None)
    try:
        return (yield)
    finally:
        optimise(False)


@pytest.fixture(scope="module")
def nothing_kept() -> Iterator[None]:
    """Store no compiled program: one whose CPU devices exchange may hang (jax 0.10) if it is read back."""
    name = "jax_persistent_cache_min_compile_time_secs"
    before = getattr(jax.config, name)  # `read` refuses what has a context manager
    jax.config.update(name, 1e9)
    yield
    jax.config.update(name, before)


@pytest.fixture(scope="module")
def no_plots() -> Iterator[None]:
    """Leave the plots out of pages and folders."""
    with without_plots():
        yield


@pytest.fixture
def as_before(tmp_path) -> Iterator[None]:
    """Forget after a test what it registered, and the plugins that it imported."""
    registries = (ALIGNERS, LOSSES, PIVOTS, METRICS)
    before, path = [dict(registry) for registry in registries], list(sys.path)
    yield
    for registry, old in zip(registries, before, strict=True):
        registry.clear()
        registry.update(old)
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith((str(tmp_path), str(EXAMPLES))):
            del sys.modules[name]
    sys.path[:] = path


@pytest.fixture(scope="session")
def one_line() -> Callable[..., str]:
    """`one_line(call, *parts)` is what the `InputError` of the call says, in flags: one line, with every part in it."""

    def refused(call: Callable[[], object], *parts: str) -> str:
        with pytest.raises(InputError) as caught:
            call()
        message = caught.value.in_flags
        assert "\n" not in message
        for part in parts:
            assert part in message, message
        return message

    return refused


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """`real_data(name)` is the path of a real data set, or skips where it is absent."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"real data {name} is not at {DATA}; set CCALIGN_DATA to test with it")
        return path

    return find


class SeedStudy(NamedTuple):
    """The folder of its program's reports and maps, the data that it ran on, and its fold 0."""

    folder: Path
    data: EmbeddingSet
    fold: Fold


@pytest.fixture(scope="session")
def seed_study(real_data) -> SeedStudy:
    """What the seed study's own program read and wrote, or skips where it is absent."""
    pytest.importorskip("torch")
    path = real_data("flickr8k5_seed_format")
    folder = path.parents[1] / "reference" / "seed_program"
    if not folder.is_dir():
        pytest.skip(f"the seed program's reports and maps are not beside the real data, at {folder}")
    data = load(path)
    return SeedStudy(folder, data, seed_folds(data)[0])


def sums_of(ranks: Sequence[int], owner: Sequence[int], images: int) -> ImageSums:
    """Per-image sums of queries at these ranks, each with one answer and no tie."""
    rank, owner = np.asarray(ranks, float), np.asarray(owner, int)
    gain = np.where(rank <= 10, 1 / np.log2(1 + rank), 0)
    values = np.stack([rank <= 1, rank <= 5, rank <= 10, 1 / rank, 1 / rank, gain], axis=1)
    assert len(values.T) == len(mean_metrics())
    sums = np.zeros((images, len(mean_metrics())))
    np.add.at(sums, owner, values)
    return ImageSums(sums, np.bincount(owner, minlength=images).astype(float), rank, owner)


@pytest.fixture(scope="session")
def image_sums() -> Callable[..., ImageSums]:
    """`image_sums(ranks, owner, images)`; see `sums_of`."""
    return sums_of


@pytest.fixture(scope="session")
def measured() -> Callable[..., Measurement]:
    """`measured(images, languages, seed=, most=, better=)` is a random measurement of these rows of the data.

    Captions of an image are none to `most`, ranks 1 to 12; a larger `better` moves more of them to the front.
    """

    def make(
        images: Sequence[int],
        languages: Sequence[str] = ("de", "en"),
        *,
        seed: int = 0,
        most: int = 3,
        better: float = 0.0,
        tasks: Sequence[str] = ("t2i", "i2t"),
    ) -> Measurement:
        rng, count = np.random.default_rng(seed), len(images)
        sums: dict[Place, ImageSums] = {}
        for task in tasks:
            for language in languages:
                owner = np.repeat(np.arange(count), rng.integers(0 if most > 1 else 1, most + 1, size=count))
                rank = 1 + rng.integers(12, size=len(owner))
                moved = np.random.default_rng([seed, 1]).random(len(owner)) < better
                sums[task, language] = sums_of(np.where(moved, 1, rank), owner, count)
        return with_values(sums, images)

    return make


def with_values(sums: dict[Place, ImageSums], images: Sequence[int]) -> Measurement:
    """A measurement of these sums; its values are those of both directions."""
    found = Measurement({}, sums, np.asarray(images))
    return add_measurement(found, subgroup(found, np.ones(len(images), bool)))

"""What every test shares: strict JAX settings, the way to real data, and what an error message looks like."""

import atexit
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Eight devices, for the tests that spread a batch; must stand before jax starts.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
# One store of compiled programs for this run: its workers and the scripts they start compile much the same.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    store = tempfile.TemporaryDirectory(prefix="ccalign_jax-compiled-")
    atexit.register(store.cleanup)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = store.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"

import jax
import pytest

from ccalign_jax.data import EmbeddingSet, load, seed_folds
from ccalign_jax.data.splits import Fold
from ccalign_jax.errors import InputError

jax.config.update("jax_numpy_rank_promotion", "allow")

MAPS = Path("/proc/self/maps")
MOST_MAPS = 20_000

DATA = Path(os.environ.get("CCALIGN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="module", autouse=True)
def few_programs() -> Iterator[None]:
    """Drop compiled programs when there are very many: Linux gives a process 65,530 maps, each program takes several.

    A process that runs out of them dies without a word.
    """
    yield
    if MAPS.exists() and MAPS.read_bytes().count(b"\n") > MOST_MAPS:
        jax.clear_caches()


@pytest.fixture(scope="module")
def quick_compilation() -> Iterator[None]:
    """Little work and much code: what the compiler would win by thinking is lost many times over."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="module")
def nothing_kept() -> Iterator[None]:
    """Store no compiled program: one whose CPU devices exchange may hang (jax 0.10) if it is read back."""
    name = "jax_persistent_cache_min_compile_time_secs"
    before = getattr(jax.config, name)  # `read` refuses what has a context manager
    jax.config.update(name, 1e9)
    yield
    jax.config.update(name, before)


@pytest.fixture(scope="session")
def one_line() -> Callable[..., str]:
    """`one_line(call, *parts)` is what the `InputError` of the call says: one line, with every part in it."""

    def refused(call: Callable[[], object], *parts: str) -> str:
        with pytest.raises(InputError) as caught:
            call()
        message = str(caught.value)
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

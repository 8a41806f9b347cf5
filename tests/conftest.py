"""What every test shares: strict JAX settings, and the way to real data."""

import os
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Eight devices, for the tests that spread a batch; must stand before jax starts.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "allow")

DATA = Path(os.environ.get("CCALIGN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data():
    """`real_data(name)` is the path of a real data set, or skips where it is absent."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"real data {name} is not at {DATA}; set CCALIGN_DATA to test with it")
        return path

    return find

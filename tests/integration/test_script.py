"""Functions that the scripts share, called without a script."""

import importlib
from pathlib import Path

import jax
import pytest


@pytest.fixture
def shared(monkeypatch):
    """The module `_script`."""
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "experiments")
    return importlib.import_module("_script")


def test_sizes_of_memory(shared):
    assert [shared.as_bytes(given) for given in ("1", "512MiB", "1.5 KiB", "1024GiB")] == [1, 1 << 29, 1536, 1 << 40]


@pytest.mark.parametrize("given", ["0", "0.1", "-1", "1e9", "1TiB", "1" + "0" * 400, "9" * 300 + "GiB", ""])
def test_an_impossible_memory_size_is_one_line(given, shared, one_line):
    one_line(lambda: shared.as_bytes(given), f"--memory={given}")


@pytest.mark.parametrize("error", [AssertionError(), RuntimeError("Unable to initialize backend 'cuda': why\nmore")])
def test_a_missing_device_is_one_line(error, shared, one_line, monkeypatch):
    def devices():
        raise error

    monkeypatch.setattr(jax, "devices", devices)
    one_line(shared.start_jax, f"JAX_PLATFORMS={jax.config.jax_platforms}: ", "JAX_PLATFORMS=cpu")

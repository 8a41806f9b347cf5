"""The examples run, each once, and print what they should; the plugin has tests of its own."""

import re
import runpy
from pathlib import Path

import jax
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

pytestmark = pytest.mark.usefixtures("nothing_kept")


def output(name: str, capsys) -> list[str]:
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out.splitlines()


def numbers(line: str) -> list[float]:
    return [float(found) for found in re.findall(r"\d+\.\d+", line)]


def test_a_loop_of_flax_learns(capsys):
    before, after = output("flax_nnx.py", capsys)
    assert numbers(after)[-1] > numbers(before)[0] + 0.05


@pytest.mark.skipif(jax.device_count() < 8, reason="needs eight devices")
def test_gradients_over_devices_are_those_of_the_whole_batch(capsys):
    whole, *spread = output("devices.py", capsys)
    assert [line.split(": ")[0] for line in spread] == ["8 devices, shard_map", "8 devices, pmap"]
    assert all(line.endswith(": right") for line in spread)
    assert [numbers(line)[0] for line in spread] == pytest.approx([numbers(whole)[0]] * 2, abs=2e-4)


def test_a_module_of_ones_own_learns_what_is_trained_alone(capsys):
    losses, changed = output("module.py", capsys)
    before, after = numbers(losses)
    assert after < before - 0.1 and numbers(changed)[0] > 0 and changed.endswith("mean unchanged: True")


def test_examples_are_short():
    assert all(
        len(path.read_text("utf-8").splitlines()) <= 80 for path in EXAMPLES.glob("*.py") if path.stem != "plugin"
    )

"""The examples run, each once, and print what they should; the plugin and devices are tested elsewhere."""

import json
import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def output(name: str, capsys) -> list[str]:
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out.splitlines()


def numbers(line: str) -> list[float]:
    return [float(found) for found in re.findall(r"\d+\.\d+", line)]


def test_a_loop_of_flax_learns(capsys):
    before, after = output("flax_nnx.py", capsys)
    assert numbers(after)[-1] > numbers(before)[0] + 0.05


def test_a_module_of_ones_own_learns_what_is_trained_alone(capsys):
    losses, changed = output("module.py", capsys)
    before, after = numbers(losses)
    assert after < before - 0.1 and numbers(changed)[0] > 0 and changed.endswith("mean unchanged: True")


def test_examples_are_short():
    assert all(
        len(path.read_text("utf-8").splitlines()) <= 80 for path in EXAMPLES.glob("*.py") if path.stem != "plugin"
    )


def test_the_notebook_runs_from_start_to_end(capsys):
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    text = (EXAMPLES / "first_map.ipynb").read_text("utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    namespace: dict = {}
    for number, cell in enumerate(cells, start=1):
        assert cell["execution_count"] == number and len(cell["source"]) <= 10
        exec(compile("".join(cell["source"]), f"cell {number}", "exec", dont_inherit=True), namespace)
    assert namespace["data"].languages == ("de", "en") and namespace["found"].best is namespace["learned"]
    assert namespace["right"] > 0.6 and capsys.readouterr().out.count("\n") == 1  # one cell prints
    shown = [output for cell in cells for output in cell["outputs"]]  # outputs are committed, so that it reads well
    assert len(shown) >= 6 and not any(place in text for place in ("/home", "/root", "/tmp", "Traceback"))

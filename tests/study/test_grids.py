"""Grids: what a YAML file may say, and the one line for each thing it may not."""

import pytest

from ccalign_jax.grids import GRIDS
from ccalign_jax.study.grids import load_grid, parse_settings


def written(folder, text):
    path = folder / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", GRIDS)
def test_built_in_grids_are_valid(name):
    blocks = load_grid(name)
    assert all(isinstance(values, list) and values for block in blocks for values in block.values())


def test_a_yaml_file_is_a_list_of_blocks(tmp_path):
    path = written(
        tmp_path,
        """
- aligners: [residual, dual]
  temperature: [1e-2, 0.05]   # YAML reads the first as a string
  epochs: 3.0
- pivots: text
  losses: mse
  replacement: true
  i2t_pool: per_language
""",
    )
    first, second = load_grid(path)
    assert first == {"aligners": ["residual", "dual(residual)"], "temperature": [0.01, 0.05], "epochs": [3]}
    assert isinstance(first["epochs"][0], int)
    assert second == {"pivots": ["text"], "losses": ["mse"], "replacement": [True], "i2t_pool": ["per_language"]}
    assert load_grid(str(path)) == [first, second]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("- temperatur: 0.1", ["unknown hyper-parameter 'temperatur'", "temperature"]),
        ("- temperature: []", ["temperature is an empty list"]),
        ("- prox: -1", ["prox is -1", "at least 0"]),
        ("- temperature: 0", ["temperature is 0", "at least 0.0001"]),
        ("- temperature: 1e-300", ["temperature is 1e-300", "at least 0.0001"]),
        ("- dropout: 1.0", ["dropout is 1.0", "[0, 1)"]),
        ("- l2: true", ["l2 is True", "finite number"]),
        ("- l2: .nan", ["finite number"]),
        ("- l2: 1e999", ["finite number"]),
        ("- l2: 1e39", ["l2 is too large"]),
        (f"- l2: 1{'0' * 400}", ["l2", "too large"]),
        ("- epochs: 1.5", ["epochs is 1.5", "whole number"]),
        ("- epochs: 0", ["from 1 to"]),
        ("- hidden: 3000000000", ["hidden is 3000000000", "from 1 to 1048576"]),
        ("- temperature: warm", ["temperature is 'warm'"]),
        ("- temperature: 1:30", ["temperature is '1:30'"]),
        ("- hidden: 0x10", ["hidden is '0x10'"]),
        ("- temperature: 2001-01-01", ["temperature is '2001-01-01'"]),
        ("- replacement: yes", ["replacement is 'yes'", "true or false"]),
        ("- replacement: Off", ["replacement is 'Off'", "true or false"]),
        (f"- hidden: {'1' * 5000}", ["hidden is inf"]),
        ("- temperature:", ["temperature is None"]),
        ("- temperature: [[0.1]]", ["temperature has a list"]),
        ("- replacement: 1", ["replacement is 1", "true or false"]),
        ("- criterion: i2t", ["criterion is 'i2t'", "mean or t2i"]),
        ("- normalization: [sum, [1]]", ["normalization has a list"]),
        ("- aligners: residul", ["unknown aligner 'residul'"]),
        ("- aligners: []", ["aligners is an empty list"]),
        ("- pivots: images", ["unknown name 'images' among pivots"]),
        ("- losses: [mse, hinge]", ["unknown name 'hinge' among losses"]),
        ("- 5: 1", ["unknown hyper-parameter '5'"]),
    ],
)
def test_mistakes_are_named_by_file_line_block_and_key(tmp_path, text, parts, one_line):
    path = written(tmp_path, "- temperature: 0.1\n\n# the second\n" + text)
    message = one_line(lambda: load_grid(path), "block 2", *parts)
    assert message.startswith(f"{path}:4: block 2: ")


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("- aligners: linear\n  prox: 1\n  epoch: 3", 3, "unknown hyper-parameter 'epoch'"),
        ("- temperature:\n    - 0.1\n    - 0.2\n    - 0", 4, "temperature is 0"),
        ("- temperature: [0.1,\n    -1]", 2, "temperature is -1"),
        ("- losses:\n  - mse\n  - hinge", 3, "unknown name 'hinge'"),
        ("- &first\n  l2: 0\n  prox: -1\n- *first", 3, "block 1: prox is -1"),
        ("- l2: 0\n- prox: 0\n  l2: 0\n  prox: 1", 4, "block 2: prox is given twice, first in line 2"),
        ("- {l2: 0, l2: 1}", 1, "l2 is given twice"),
        ("- ? [l2]\n  : 0", 1, "unknown hyper-parameter"),
        ("- l2: 0\n- 3", 2, "block 2: a grid is a list of blocks"),
        ("temperature: 0.1", 1, "list of blocks"),
        ("# nothing\n[]", 2, "list of blocks"),
        ("- l2: 0\n- l2: {\n", 3, "not YAML"),
        ("- l2: 0\n  prox: a: b", 2, "not YAML"),
        ("- l2: 0\n- !!python/object:os.system {}", 2, "list of blocks"),
        ("- l2: 0\n- l2: !!python/object:os.system x", 2, "not YAML"),
        ("- l2: 0\n- prox: *nobody", 2, "not YAML"),
        ("- l2: 0\n- prox: !!timestamp 2020-13-01", 2, "not YAML"),
        ("- l2: 0\n- prox: !!timestamp soon", 2, "not YAML"),
        ("- l2: 0\n- prox: !!bool soon", 2, "not YAML"),
        ("- l2: 0\n- <<: 3", 2, "block 2: a grid is a list of blocks"),
        ("- l2: 0\n- prox: \a", 2, "not YAML"),
        ("- l2: 0\n---\n- l2: 0", 2, "not YAML"),
    ],
)
def test_the_line_is_that_of_the_mistake(tmp_path, text, line, part, one_line):
    path = written(tmp_path, text)
    assert one_line(lambda: load_grid(path), part).startswith(f"{path}:{line}: ")


def test_a_block_may_begin_with_what_another_says(tmp_path):
    path = written(tmp_path, "- &base\n  l2: 0.5\n  prox: [1, 2]\n- <<: *base\n  l2: 0.25\n")
    assert load_grid(path) == [{"l2": [0.5], "prox": [1.0, 2.0]}, {"l2": [0.25], "prox": [1.0, 2.0]}]


def test_numbers_are_read_as_on_the_command_line(tmp_path):
    numbers = ["010", "1e-3", ".5", "+1.", "2E1", "1_000"]
    path = written(tmp_path, "- l2: [" + ", ".join(numbers) + "]\n- hidden: !!int 010\n  replacement: TRUE\n")
    assert load_grid(path) == [{"l2": [10.0, 0.001, 0.5, 1.0, 20.0, 1000.0]}, {"hidden": [10], "replacement": [True]}]
    assert parse_settings(["l2=" + ",".join(numbers)]) == load_grid(path)[0]


NESTED = {
    "lists": "- l2: " + "[" * 500 + "]" * 500,
    "open lists": "[" * 5000,
    "mappings": "- {l2: " * 500,
    "a block within itself": "- &a {l2: 0.1, <<: *a}",
    "a list within itself": "- l2: &a [*a]",
    "lists of the same lists": "- l2: &a0 [1, 1]\n"
    + "".join(f"- l2: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)),
}


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED)
def test_deep_nesting_is_refused(tmp_path, text, one_line):
    one_line(lambda: load_grid(written(tmp_path, text)), "my.yaml")


def test_blocks_that_begin_with_the_same_blocks_stay_small(tmp_path):
    text = "- &a0 {l2: 1, prox: 1}\n" + "".join(
        f"- &a{n} {{<<: [*a{n - 1}, *a{n - 1}], l2: {n}}}\n" for n in range(1, 60)
    )
    assert load_grid(written(tmp_path, text))[-1] == {"l2": [59.0], "prox": [1.0]}


@pytest.mark.parametrize("text", ["", "{}", "temperature: 0.1", "- 3", "[]", "- temperature: 0.1\n-"])
def test_what_is_no_list_of_blocks(tmp_path, text, one_line):
    one_line(lambda: load_grid(written(tmp_path, text)), "my.yaml", "list of blocks")


def test_bytes_and_names_that_are_no_file(tmp_path, one_line):
    path = tmp_path / "my.yaml"
    path.write_bytes(b"- l2: 1\n- l2: \xff\xfe")
    one_line(lambda: load_grid(path), "my.yaml:2: not YAML", "UTF-8")
    for name in ("nope.yaml", tmp_path):
        one_line(lambda name=name: load_grid(name), f"unknown grid '{name}'", "no such YAML file", *GRIDS)
    one_line(lambda: load_grid("x" * 5000), "--grid=xx", "file name too long")
    one_line(lambda: load_grid("defaults"), "unknown grid 'defaults'", "did you mean default?")


def test_settings_of_the_command_line():
    assert parse_settings(["temperature=0.01,3e-2", "epochs=4", "replacement=True", "criterion=t2i"]) == {
        "temperature": [0.01, 0.03],
        "epochs": [4],
        "replacement": [True],
        "criterion": ["t2i"],
    }
    assert parse_settings([]) == {}


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        (["temperature"], ["--hyper=temperature", "NAME=VALUE"]),
        (["temperature="], ["temperature is ''"]),
        (["temperature=0.1,"], ["temperature is ''"]),
        (["temprature=1"], ["unknown hyper-parameter 'temprature'"]),
        (["l2=-1"], ["--hyper=l2=-1", "at least 0"]),
        (["l2=true"], ["l2 is True"]),
        (["l2=inf"], ["finite"]),
        (["replacement=yes"], ["true or false"]),
        (["aligners=residual"], ["aligners are not a setting"]),
        (["l2=0.1", "l2=0.2"], ["l2 is given twice"]),
    ],
)
def test_mistakes_on_the_command_line(settings, parts, one_line):
    one_line(lambda: parse_settings(settings), *parts)

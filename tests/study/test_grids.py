"""Grids: what a YAML file may say, and the one line for each thing it may not."""

import pytest

from ccalign_jax.study.grids import GRIDS, load_grid, parse_settings


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
        ("- temperature: 0", ["temperature is 0", "above 0"]),
        ("- dropout: 1.0", ["dropout is 1.0", "[0, 1)"]),
        ("- l2: true", ["l2 is True", "finite number"]),
        ("- l2: .nan", ["finite number"]),
        ("- l2: 1e999", ["finite number"]),
        ("- l2: 1e39", ["l2 is too large"]),
        (f"- l2: 1{'0' * 400}", ["l2", "too large"]),
        ("- epochs: 1.5", ["epochs is 1.5", "whole number"]),
        ("- epochs: 0", ["at least 1"]),
        ("- hidden: 3000000000", ["below 2**31"]),
        ("- temperature: warm", ["temperature is 'warm'"]),
        ("- temperature:", ["temperature is None"]),
        ("- temperature: [[0.1]]", ["temperature is [0.1]"]),
        ("- replacement: 1", ["replacement is 1", "true or false"]),
        ("- criterion: i2t", ["criterion is 'i2t'", "mean or t2i"]),
        ("- normalization: [sum, [1]]", ["normalization is [1]"]),
        ("- aligners: residul", ["unknown aligner 'residul'"]),
        ("- aligners: []", ["aligners is an empty list"]),
        ("- pivots: images", ["unknown name 'images' among pivots"]),
        ("- losses: [mse, hinge]", ["unknown name 'hinge' among losses"]),
        ("- 5: 1", ["unknown hyper-parameter '5'"]),
    ],
)
def test_mistakes_are_named_by_file_block_and_key(tmp_path, text, parts, one_line):
    path = written(tmp_path, "- temperature: 0.1\n" + text)
    one_line(lambda: load_grid(path), str(path), "block 2", *parts)


@pytest.mark.parametrize("text", ["", "{}", "temperature: 0.1", "- 3", "[]", "- temperature: 0.1\n-"])
def test_what_is_no_list_of_blocks(tmp_path, text, one_line):
    one_line(lambda: load_grid(written(tmp_path, text)), "my.yaml", "list of blocks")


@pytest.mark.parametrize("text", ["- {", "- a: b: c", "- !!python/object:os.system {}", "- l2: 2020-13-01"])
def test_what_is_no_yaml(tmp_path, text, one_line):
    one_line(lambda: load_grid(written(tmp_path, text)), "my.yaml", "not YAML")


def test_bytes_and_names_that_are_no_file(tmp_path, one_line):
    path = tmp_path / "my.yaml"
    path.write_bytes(b"- l2: \xff\xfe")
    one_line(lambda: load_grid(path), "my.yaml", "not YAML")
    one_line(lambda: load_grid("defaults"), "unknown grid 'defaults'", "seed_recipe")
    one_line(lambda: load_grid(tmp_path), "unknown grid")


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

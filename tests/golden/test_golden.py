"""Small sweeps of three data sets find what they found before."""

import json

import pytest
from summaries import FOLDER, REAL, find, tolerance


@pytest.mark.parametrize("name", ["synthetic", *REAL])
def test_a_small_sweep_finds_what_it_found(name, real_data):
    data = real_data(REAL[name]).parent if name in REAL else FOLDER
    golden, found = json.loads((FOLDER / f"{name}.json").read_text()), find(name, data)
    assert list(found) == list(golden)
    assert (found["rows"], found["tests"]) == (golden["rows"], golden["tests"])
    far = {
        key: (value, golden[key])
        for key, value in found.items()
        if isinstance(value, float) and abs(value - golden[key]) > tolerance(key)
    }
    assert not far

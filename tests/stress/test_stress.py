"""Short forms of the stress programs; `python tests/stress/NAME.py` runs them in full."""

import corruption
import pytest


@pytest.mark.slow
def test_damaged_files_are_refused_by_name():
    found = corruption.corrupt(60, seed=1)
    unseen = {case: times for case, times in found.items() if case[2] not in ("refused", "same content")}
    assert not unseen
    assert sum(times for case, times in found.items() if case[2] == "refused") > 40

"""The table of settings beside the fields that it describes."""

import dataclasses
from typing import get_args

import pytest

from ccalign_jax.precision import Precision
from ccalign_jax.settings import SETTINGS
from ccalign_jax.study.grids import CHOICES, NUMBERS, parse_settings
from ccalign_jax.training import Hyper, Recipe


def test_the_table_has_every_field_and_its_default_in_order():
    fields = Hyper()._asdict() | {
        field.name: field.default for field in dataclasses.fields(Recipe) if field.name != "terms"
    }
    assert {name: setting.default for name, setting in SETTINGS.items()} == fields
    assert tuple(SETTINGS) == NUMBERS + CHOICES
    assert all(type(setting.default) is type(fields[name]) for name, setting in SETTINGS.items())
    assert SETTINGS["precision"].words == get_args(Precision)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_default_is_a_value_that_is_taken(name):
    setting = SETTINGS[name]
    assert setting.takes(setting.default) and parse_settings([f"{name}={setting.default}"]) == {name: [setting.default]}
    assert setting.summary and setting.allowed and "\n" not in setting.summary


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("learning_rate", 0.0), ("temperature", 0.0), ("dropout", 1.0), ("prox", -1.0), ("bias", -1e39)),
        *(("epochs", 0), ("hidden", 1.5), ("epochs", True), ("criterion", "i2t"), ("replacement", 1), ("l2", "much")),
    ],
)
def test_what_is_not_taken(name, value):
    assert not SETTINGS[name].takes(value)

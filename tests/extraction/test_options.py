"""Options of an extraction from Python: shown, checked, and one value in place of several."""

import inspect

import pytest

import ccalign_jax as cc
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.api import _strings
from ccalign_jax.options import ExtractConfig, ExtractOptions


def test_every_option_is_named_in_the_signature_and_the_help():
    shown = inspect.signature(cc.extract).parameters
    assert set(ExtractConfig.options()) <= set(shown) and "options" not in shown
    for name in ExtractOptions.__annotations__:
        assert f"        {name}: {ExtractConfig.options()[name].help}." in (cc.extract.__doc__ or "")


def test_an_unknown_option_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"pool: no such option; did you mean pooling\?"):
        cc.extract(out=tmp_path / "out", pool="mean")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("de", ("de",)), (["de", "en"], ("de", "en")), (6, ("6",)), ((6, -2), ("6", "-2")), (None, None)],
)
def test_a_name_alone_is_a_name_and_not_its_letters(value, wanted):
    assert _strings(value) == wanted

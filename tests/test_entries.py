"""Aligners, losses and pivots registered from outside: names that are refused, and what is made of the others."""

from functools import partial

import numpy as np
import pytest

import ccalign_jax as cc
from ccalign_jax import aligners
from ccalign_jax.aligners import ALIGNERS, canonical_name, registered_by, settings_read
from ccalign_jax.data import synthetic
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import PIVOTS, make_pivot
from ccalign_jax.pivots import text_terms as to_language

pytestmark = pytest.mark.usefixtures("as_before")


def make_shift(d_text, d_out, sizes, *, scale=1.0):
    return aligners.shift(d_text, d_out)


def mean_gap(text, target, *, mask, image_mask, groups, axis_name, margin):
    return (((text - target) ** 2).sum(-1) * (mask & image_mask)).mean() * margin


def image_terms(aligner, params, batch, map_text, hyper):
    return cc.pivots.image_terms(aligner, params, batch, map_text, hyper)


REGISTER = {
    "aligner": (cc.register_aligner, make_shift, ALIGNERS, "residual"),
    "loss": (cc.register_loss, mean_gap, LOSSES, "infonce"),
    "pivot": (cc.register_pivot, image_terms, PIVOTS, "image"),
}
KINDS = pytest.mark.parametrize("kind", REGISTER)


@KINDS
@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "a,b", "a(b)", "a=b", "a->b", "a:b", "1a", "-a", "é", None, 3])
def test_an_ill_formed_name_is_refused(kind, name, one_line):
    register, function, registry, _ = REGISTER[kind]
    before = dict(registry)
    one_line(lambda: register(name, function, summary="mine"), f"{kind} {name!r}", "letters, digits")
    assert registry == before


@KINDS
def test_names_that_mean_something_else_are_refused(kind, one_line):
    register, function, registry, known = REGISTER[kind]
    for name in ("all", "list", "closed", "closed_form"):
        one_line(lambda name=name: register(name, function, summary="mine"), f"{kind} {name!r}", "another name")
    one_line(lambda: register(known, function, summary="mine"), f"{kind} {known!r} is registered already")
    register("mine", function, summary="mine")
    entry = registry["mine"]
    one_line(lambda: register("mine", function, summary="mine"), "'mine' is registered already")
    assert registry["mine"] is entry and list(registry)[-1] == "mine"


def test_combinators_are_no_names_of_aligners(one_line):
    for name in ("dual", "per_language"):
        one_line(lambda name=name: cc.register_aligner(name, make_shift, summary="mine"), "registered already")


@KINDS
@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"summary": ""}, ["summary=''", "one line"]),
        ({"summary": "two\nlines"}, ["one line"]),
        ({"summary": "mine", "reads": "temperature"}, ["('temperature',)"]),
        ({"summary": "mine", "reads": ["tempature"]}, ["cannot read tempature", "may read"]),
        ({"summary": "mine", "reads": ["epochs"]}, ["cannot read epochs"]),
    ],
)
def test_what_else_is_refused(kind, changes, parts, one_line):
    register, function, registry, _ = REGISTER[kind]
    one_line(lambda: register("mine", function, **changes), f"{kind} 'mine'", *parts)
    one_line(lambda: register("mine", "function", summary="mine"), "str is no function")
    assert "mine" not in registry


def test_an_aligner_tells_its_module_and_settings():
    cc.register_aligner("mine", partial(make_shift, scale=2.0), summary="a shift", reads={"rank"}, by_language=True)
    assert settings_read("dual(mine,linear)") == {"rank", "ortho"}
    assert registered_by("mine") == [__name__] and canonical_name("dual(mine)") == "dual(mine,residual)"


def test_a_loss_is_given_what_it_reads_and_no_more():
    cc.register_loss("mine", mean_gap, summary="a gap", reads=["margin"], has_negatives=False)
    assert LOSSES["mine"].reads == {"margin"} and not LOSSES["mine"].has_negatives
    data = synthetic(40, languages=("de", "en"), dimensions=8)
    found = cc.fit(data, loss="mine", hyper={"epochs": 1, "margin": 0.5, "start_counts": False})
    assert found.about["hyper"]["margin"] == 0.5 and np.any(found.params["delta"])


def test_a_pivot_may_take_a_language(one_line):
    cc.register_pivot("towards", to_language, summary="like text", takes_language=True, within_text=True)
    pivot = make_pivot("towards:en", ("de", "en"))
    assert (pivot.name, pivot.language, pivot.within_text) == ("towards:en", "en", True)
    one_line(lambda: make_pivot("towards", ("de", "en")), "towards:<language>")
    one_line(lambda: make_pivot("towards:xx", ("de", "en")), "towards:xx", "no captions in 'xx'")
    data = synthetic(40, languages=("de", "en"), dimensions=8)
    settings = {"hyper": {"epochs": 1}, "seed": 1}
    mine, plain = (cc.fit(data, pivot=f"{name}:en", **settings) for name in ("towards", "text"))
    assert mine.about["pivot"] == "towards:en"
    np.testing.assert_array_equal(mine.params["delta"], plain.params["delta"])

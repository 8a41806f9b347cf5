"""The grammar of names: one spelling each, and one line for what is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.aligners import (
    ALIGNERS,
    COMBINATORS,
    canonical_name,
    list_names,
    make_aligner,
    parse_name,
    settings_read,
    split_name,
)
from ccalign_jax.errors import InputError

# Closed forms stand alone; what knows languages already takes no more of them.
SHARED = [name for name, entry in ALIGNERS.items() if not entry.closed and not entry.by_language and name != "identity"]
TRAINED = [name for name, entry in ALIGNERS.items() if not entry.closed]
NAMES = [
    *ALIGNERS,
    *(f"per_language({name})" for name in SHARED),
    *(f"dual({name})" for name in SHARED),
    *(f"dual({one},{other})" for one in TRAINED for other in SHARED if one != other),
    *(f"dual(per_language({one}),{other})" for one in SHARED for other in SHARED if one != other),
    *(f"dual(per_language({name}))" for name in SHARED),
]


@pytest.mark.parametrize("spelling", ["{}", " {} "])
def test_canonical_names_are_their_own_canonical_name(spelling):
    assert [canonical_name(spelling.format(name)) for name in NAMES] == NAMES


def test_names_are_taken_apart_and_put_together_again():
    assert len({parse_name(name) for name in NAMES}) == len(NAMES) == len({str(parse_name(name)) for name in NAMES})
    for name in NAMES:
        outer, text = split_name(name)
        parsed = parse_name(name)
        assert text == parsed.text and set(outer) <= set(COMBINATORS)
        assert ("dual" in outer) == (parsed.image is not None) and ("per_language" in outer) == parsed.per_language


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("dual", "dual(residual)"),
        ("dual( linear )", "dual(linear)"),
        ("dual(linear, linear)", "dual(linear)"),
        ("dual(per_language(linear),linear)", "dual(per_language(linear))"),
        ("per_language(dual)", "dual(per_language(residual))"),
        ("per_language(dual(linear, shift))", "dual(per_language(linear),shift)"),
        ("dual(conditional)", "dual(conditional,residual)"),
        ("dual(film)", "dual(film,residual)"),
    ],
)
def test_other_spellings_of_the_same_aligner(spelling, name):
    assert canonical_name(spelling) == name and name in NAMES


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "unknown aligner ''; there are identity"),
        ("residul", "unknown aligner 'residul'; did you mean residual"),
        ("Residual", "unknown aligner 'Residual'"),
        ("dual(residul)", "unknown aligner 'residul'"),
        ("dual(linear,residul)", "unknown aligner 'residul'"),
        ("per_language", r"per_language needs an aligner inside, such as per_language\(residual\)"),
        ("per_language()", "per_language needs an aligner inside"),
        ("dual()", "dual needs an aligner inside"),
        ("dual( )", "dual needs an aligner inside"),
        ("dual(per_language())", "per_language needs an aligner inside"),
        ("dual(residual", r"write per_language\(A\), dual\(A\) or dual\(A,B\)"),
        ("dual(residual))", "unknown aligner"),
        ("residual)", "unknown aligner"),
        ("linear,shift", "unknown aligner"),
        ("dual(linear,)", "unknown aligner ''"),
        ("(residual)", r"write per_language\(A\)"),
        ("residual(linear)", r"write per_language\(A\)"),
        ("dual(dual(residual))", "once each"),
        ("dual(dual)", "once each"),
        ("dual(linear,dual)", "once each"),
        ("per_language(per_language(linear))", "once each"),
        ("per_language(dual(per_language(linear)))", "once each"),
        ("per_language(linear,shift)", "per_language takes one aligner"),
        ("dual(linear,shift,linear)", "there are two sides"),
        ("dual(identity)", "identity has no parameters"),
        ("per_language(identity)", "identity has no parameters"),
        (
            "dual(per_language(linear),identity)",
            r"identity leaves the images as they are; write per_language\(linear\)",
        ),
        ("dual(linear,per_language(shift))", r"images have no language; write dual\(linear,shift\)"),
        ("dual(residual,film)", r"images have no language; write dual\(residual\)"),
        ("dual(film,conditional)", r"images have no language; write dual\(film,residual\)"),
        ("per_language(film)", "film has a part for each language already; write film"),
        ("per_language(dual(film))", r"film has a part for each language already; write dual\(film,residual\)"),
        ("dual(ridge)", "ridge is a closed form, which stands alone; write ridge"),
        ("dual(linear,procrustes)", "procrustes is a closed form, which stands alone; write procrustes"),
        ("per_language(centring)", "centring is a closed form, which stands alone; write centring"),
        ("a\nb", "unknown aligner"),
        pytest.param("dual(" * 100_000 + "linear" + ")" * 100_000, "once each", id="nested"),
        pytest.param("dual(" * 100_000, "once each", id="open"),
        pytest.param("dual(" + "dual(linear)," * 100_000 + "linear)", "once each", id="listed"),
    ],
)
def test_malformed_names_are_refused_in_one_line(name, message):
    for function in (canonical_name, split_name, settings_read, lambda name: make_aligner(name, 2, 2, languages=2)):
        with pytest.raises(InputError, match=message) as refusal:
            function(name)
        assert "\n" not in str(refusal.value)


def test_what_a_refusal_says_to_write_is_a_name():
    for name in ("dual(linear,per_language(shift))", "dual(residual,film)", "per_language(dual(film))", "per_language"):
        with pytest.raises(InputError) as refusal:
            canonical_name(name)
        canonical_name(str(refusal.value).replace("such as ", "write ").rpartition("write ")[2])


@given(st.text(alphabet="()dual residper_ng,\n", max_size=24) | st.sampled_from(NAMES).map(lambda name: name[:-1]))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_name_or_one_line(text):
    try:
        assert canonical_name(canonical_name(text)) == canonical_name(text)
    except InputError as refusal:
        assert "\n" not in str(refusal)


def test_lists_keep_the_commas_inside_brackets():
    assert list_names(",".join(NAMES)) == NAMES
    assert list_names("linear, dual(linear, shift)") == ["linear", "dual(linear, shift)"]


def test_settings_are_those_of_both_sides():
    assert settings_read("identity") == frozenset()
    assert settings_read("dual(per_language(low_rank),fourier)") == {"rank", "ortho", "features"}
    known = {"hidden", "rank", "features", "experts", "dropout", "ortho"}
    assert frozenset().union(*(settings_read(name) for name in TRAINED)) == known

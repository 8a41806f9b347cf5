"""Nulls against permuting the rows for real, and the whole block of diagnostics."""

import json

import jax
import numpy as np
import pytest

from ccalign_jax import diagnostics as d
from ccalign_jax.diagnostics.null import _orders


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def pair():
    a = noise(0, 40, 12)
    return unit(a + 0.3), unit(a[:, :9] + 0.7 * noise(1, 40, 9))


@pytest.fixture(scope="module")
def text():
    common = noise(0, 70, 16)
    return {name: (common + 0.6 * noise(seed, 70, 16)).astype(np.float32) for seed, name in enumerate("abc", 1)}


def test_permuted_structure_is_permuted_rows(pair, diagnostics_of):
    """Permuted Gram matrices and neighbours give the values of permuted rows, permutation by permutation."""
    a, b = pair
    key = jax.random.key(3)
    found = d.calibrate_pairs([a, b], key, 6, k=5)
    every = [diagnostics_of(a, b[order]) for order in np.asarray(_orders(key, 6, 40))]
    for name in d.PAIRED:
        read = np.array([one[name] for one in every])
        got = found[name][0, 1]
        assert got.value == pytest.approx(read[0], abs=1e-5), name
        assert got.null_mean == pytest.approx(read[1:].mean(), abs=1e-5), name
        assert got.null_std == pytest.approx(read[1:].std(ddof=1), abs=1e-5), name
        assert got.p == (1 + np.sum(read[1:] >= read[0])) / 7, name
        assert got.calibrated == pytest.approx((got.value - got.null_mean) / (1 - got.null_mean)), name


def calibrated(name, a, b, key=0, permutations=200, **options):
    return d.calibrate_pairs([a, b], jax.random.key(key), permutations, names=[name], **options)[name][0, 1]


def test_noise_is_calibrated_away():
    a, b = unit(noise(0, 100, 90)), unit(noise(1, 100, 90))
    found = calibrated("biased_cka", a, b)
    assert found.value > 0.4 and abs(found.calibrated) < 0.05 and found.p > 0.01
    assert abs(calibrated("unbiased_cka", a, b).null_mean) < 0.01


def test_equal_sets_are_perfect(pair):
    found = calibrated("mutual_neighbours", pair[0], pair[0], permutations=49)
    assert found.value == found.calibrated == 1 and found.p == 0.02 and found.gated > 0.9


def test_equal_keys_equal_nulls(pair):
    one, other, third = (calibrated("cknna", *pair, seed, 20, k=5) for seed in (0, 0, 1))
    assert one == other and one.value == third.value and one.null_mean != third.null_mean


def test_sample_is_the_seeds():
    assert d.sample_rows(2000).tolist() == list(range(2000))
    wanted = np.sort(np.random.default_rng(0).choice(2001, 2000, replace=False))
    np.testing.assert_array_equal(d.sample_rows(2001), wanted)


def test_block_is_its_parts(text, diagnostics_of):
    image = noise(9, 70, 16)
    found = d.diagnose(text, image, k=5, nulls=True, permutations=10)
    json.dumps(found)
    unit_text = {name: unit(rows) for name, rows in text.items()}
    wanted = diagnostics_of(unit_text["a"], unit_text["c"])
    across = diagnostics_of(unit_text["b"], unit(image))
    for name in d.PAIRED:
        assert found["between_languages"][name]["matrix"][0][2] == pytest.approx(wanted[name], abs=1e-5)
        assert found["with_image"][name]["per_language"]["b"] == pytest.approx(across[name], abs=1e-5)
        assert found["nulls"]["between_languages"][name]["a|c"]["value"] == pytest.approx(wanted[name], abs=1e-5)
        assert set(found["nulls"]["with_image"][name]) == set("abc")
    one = found["per_language"]["a"]
    assert one["effective_rank"] == pytest.approx(d.effective_rank(d.variances(unit_text["a"])), rel=1e-5)
    assert one["modality_gap"] == pytest.approx(d.modality_gap(unit_text["a"], unit(image)), abs=1e-6)
    scores = unit_text["a"] @ unit(image).T
    assert one["hub_skew_t2i"] == pytest.approx(d.hub_skew(d.k_occurrence(scores, 5, same=False)))
    assert one["hub_skew_i2t"] == pytest.approx(d.hub_skew(d.k_occurrence(scores.T, 5, same=False)))
    assert found["macro"]["PoZ"] == pytest.approx(np.mean([found["per_language"][x]["PoZ"] for x in "abc"]))
    assert found["probe"]["seed"] == d.language_probe(unit_text)._asdict()


def test_block_does_not_see_order_scale_or_rotation(text):
    image = noise(9, 70, 16).astype(np.float32)
    order = np.random.default_rng(1).permutation(70)
    turn = np.linalg.qr(noise(2, 16, 16))[0].astype(np.float32)
    base = d.diagnose(text, image, probe=False)
    moved = d.diagnose(
        {name: 3 * (rows[order] @ turn) for name, rows in text.items()}, image[order] @ turn, probe=False
    )
    turned_too = {"PoZ", "PoZ_relative", "entropy", "entropy_relative"}  # these look at the axes
    for name, value in base["macro"].items():
        if name not in turned_too:
            assert moved["macro"][name] == pytest.approx(value, abs=1e-4), name
    for name in d.PAIRED:
        assert moved["with_image"][name]["mean"] == pytest.approx(base["with_image"][name]["mean"], abs=1e-4)


def test_block_without_what_is_missing(text):
    alone = d.diagnose({"a": text["a"]}, nulls=True, permutations=3)
    assert "image" not in alone and "probe" not in alone and alone["between_languages"]["cknna"]["mean"] is None
    other = d.diagnose(text, noise(9, 70, 10))
    assert "with_image" in other and "modality_gap" not in other["macro"]
    few = d.diagnose({name: rows[:6] for name, rows in text.items()}, probe=False)
    assert few["neighbours"] == 5
    with pytest.raises(ValueError, match=r"\[70, 69\] rows"):
        d.diagnose({"a": text["a"], "b": text["b"][1:]})
    with pytest.raises(ValueError, match="no language"):
        d.diagnose({})


def test_a_zero_row_and_repeats_stay_finite(text):
    changed = {name: rows.copy() for name, rows in text.items()}
    changed["a"][3] = 0
    changed["b"][::2] = changed["b"][0]
    found = d.diagnose(changed, noise(9, 70, 16), nulls=True, permutations=3)
    assert "NaN" not in json.dumps(found)

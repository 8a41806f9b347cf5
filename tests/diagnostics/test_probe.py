"""The language probe against scikit-learn, and what a split by image cures."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from ccalign_jax.diagnostics import fit_logistic, language_probe, language_probe_by_image
from ccalign_jax.diagnostics.probe import stratified_split


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("counts", [(10, 10), (33, 35, 31), (7, 50, 12, 9), (936,) * 5])
def test_split_is_scikit_learns(counts):
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    train, test = stratified_split(labels)
    wanted = train_test_split(np.arange(len(labels)), stratify=labels, random_state=0, test_size=0.3)
    np.testing.assert_array_equal(train, wanted[0])
    np.testing.assert_array_equal(test, wanted[1])


@pytest.mark.parametrize(("classes", "gap"), [(2, 0.5), (4, 0.3), (3, 40.0)])
def test_fit_is_scikit_learns(classes, gap):
    """Also where the classes lie far apart, and probabilities reach 0 and 1."""
    labels = np.random.default_rng(0).integers(classes, size=300)
    rows = noise(1, 300, 8) + gap * noise(2, classes, 8)[labels]
    weight, intercept = fit_logistic(rows, labels, classes)
    wanted = LogisticRegression(tol=1e-10, max_iter=5000).fit(rows, labels)
    mine = rows @ weight + intercept
    mine = np.exp(mine - mine.max(axis=1, keepdims=True))
    np.testing.assert_allclose(mine / mine.sum(axis=1, keepdims=True), wanted.predict_proba(rows), atol=1e-4)


def test_probe_is_the_seeds():
    text = {"a": noise(0, 60, 5), "b": noise(1, 70, 5) + 0.7, "c": noise(2, 50, 5)}
    draw = np.random.default_rng(0)
    parts = [rows[draw.choice(len(rows), min(2000, len(rows)), replace=False)] for rows in text.values()]
    labels = np.repeat([0, 1, 2], [60, 70, 50])
    train, test, truth, gold = train_test_split(
        np.concatenate(parts), labels, stratify=labels, random_state=0, test_size=0.3
    )
    wanted = LogisticRegression(tol=1e-10, max_iter=5000).fit(train, truth).score(test, gold)
    found = language_probe(text)
    assert found.accuracy == pytest.approx(wanted, abs=1e-3)
    assert (found.rows, found.chance, found.shuffled) == (180, 1 / 3, None)


def test_nothing_to_find_and_everything():
    """Rows of two languages that are alike: by image the probe reads chance, and so does its control."""
    common = noise(0, 400, 6)
    alike = language_probe_by_image({"a": common, "b": common.copy()})
    assert alike.accuracy == 0.5
    found = language_probe_by_image({"a": common + 9, "b": common, "c": common - 9})
    assert found.accuracy == 1 and found.shuffled == pytest.approx(1 / 3, abs=0.1)
    assert language_probe_by_image({"a": common + 9, "b": common}, control=False).shuffled is None


def test_the_seeds_split_leaks_translations():
    """Many dimensions, few images: a test row whose translations it saw under other labels is told below chance."""
    common = noise(0, 120, 200)
    text = {name: common + 0.05 * noise(seed, 120, 200) for seed, name in enumerate("abc", 1)}
    assert language_probe(text).accuracy < 0.2
    assert language_probe_by_image(text).accuracy == pytest.approx(1 / 3, abs=0.15)


def test_invariances():
    text = {"a": noise(0, 80, 5), "b": noise(1, 80, 5) + 0.5}
    turn = np.linalg.qr(noise(2, 5, 5))[0]
    turned = {name: rows @ turn for name, rows in text.items()}
    assert language_probe(turned).accuracy == language_probe(text).accuracy
    zero = {name: np.where(np.arange(80)[:, None] == 3, 0.0, rows) for name, rows in text.items()}
    assert np.isfinite(language_probe(zero).accuracy)


def test_what_cannot_be_probed():
    with pytest.raises(ValueError, match="only en"):
        language_probe({"en": np.eye(3)})
    with pytest.raises(ValueError, match="common images"):
        language_probe_by_image({"en": np.eye(3), "de": np.eye(4)})

"""Spectra of rows and maps by hand, against scikit-learn, and IsoScore step by step."""

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from ccalign_jax import diagnostics as d
from ccalign_jax.diagnostics.spectrum import deviation_from_identity


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def stepwise_iso_score(rows):
    """The steps of Rudman et al., one by one."""
    width = rows.shape[1]
    spread = PCA(n_components=width).fit_transform(rows).var(axis=0)
    spread = spread * np.sqrt(width) / np.linalg.norm(spread)
    defect = np.linalg.norm(spread - 1) / np.sqrt(2 * (width - np.sqrt(width)))
    return ((width - defect**2 * (width - np.sqrt(width))) ** 2 - width) / (width * (width - 1))


@pytest.fixture(scope="module")
def rows():
    return noise(0, 90, 7) * np.arange(1, 8) + 2


def test_against_pca(rows):
    pca = PCA().fit(rows)
    found = d.variances(rows)
    np.testing.assert_allclose(found, pca.singular_values_**2, rtol=1e-9)
    assert d.components_for(found) == np.searchsorted(np.cumsum(pca.explained_variance_ratio_), 0.9) + 1
    assert d.effective_rank(found) == pytest.approx(np.exp(stats.entropy(pca.explained_variance_ratio_)))
    assert d.iso_score(found, 7) == pytest.approx(stepwise_iso_score(rows))
    np.testing.assert_allclose(d.variances(rows[:4])[:3], PCA(3).fit(rows[:4]).singular_values_ ** 2, rtol=1e-9)


def test_by_hand():
    corners = np.vstack([np.eye(4), -np.eye(4)])
    assert d.effective_rank(d.variances(corners)) == pytest.approx(4)
    assert d.iso_score(d.variances(corners), 4) == pytest.approx(1)
    assert d.components_for(np.full(10, 0.1)) in (9, 10)
    assert d.components_for(np.array([0.9, 0.1])) == 1
    # Roy and Vetterli's own, from singular values, reads higher than from their squares.
    assert d.effective_rank(np.sqrt(np.array([9.0, 1.0]))) > d.effective_rank(np.array([9.0, 1.0]))


def test_rows_that_do_not_vary():
    same = d.variances(np.ones((5, 3)))
    assert (d.effective_rank(same), d.components_for(same), d.iso_score(same, 3)) == (0, 0, 0)
    line = d.variances(np.outer(np.arange(5.0), [1, 2, 2]))
    assert d.effective_rank(line) == pytest.approx(1) and d.iso_score(line, 3) == pytest.approx(0)


def test_invariances(rows):
    """Order, rotation, a shift and scale: diagnostics of the spectrum stay; doubled rows, too."""
    turn = np.linalg.qr(noise(1, 7, 7))[0]
    base = d.variances(rows)
    for changed in (rows[::-1], rows @ turn, rows + 5, 3 * rows, np.vstack([rows, rows])):
        found = d.variances(changed)
        for diagnostic in (d.effective_rank, d.components_for, lambda one: d.iso_score(one, 7)):
            assert diagnostic(found) == pytest.approx(diagnostic(base))


def test_near_zero():
    rows = np.array([[0.0, 5e-4, 2e-3, 1.0]])
    assert d.near_zero_share(rows) == 0.5
    assert d.near_zero_share(rows, relative=True) == 0.75  # the bound is 0.0113 in four dimensions
    wide, narrow = (noise(0, 500, width) / width**0.5 for width in (512, 32))
    absolute = [d.near_zero_share(one) for one in (wide, narrow)]
    relative = [d.near_zero_share(one, relative=True) for one in (wide, narrow)]
    assert absolute[0] > 3 * absolute[1] and relative[0] == pytest.approx(relative[1], rel=0.15)


def test_entropy():
    rows = noise(0, 300, 5) / 3
    rows = rows[(np.abs(rows) < 1).all(axis=1)]
    wanted = [stats.entropy(np.histogram(one, bins=30, range=(-1, 1))[0]) for one in rows.T]
    assert d.histogram_entropy(rows) == pytest.approx(np.mean(wanted))
    assert d.histogram_entropy(np.ones((4, 2))) == 0
    for width in (64, 512):
        unit = noise(1, 2000, width)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        assert d.histogram_entropy(unit, relative=True) == pytest.approx(2.74, abs=0.02)
    assert d.histogram_entropy(unit) == pytest.approx(1.09, abs=0.01)


def test_rotation():
    angle = np.radians(30)
    plane = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = np.block([[plane, np.zeros((2, 1))], [np.zeros((1, 2)), np.ones((1, 1))]])
    stretch = np.diag([1.0, 1.0, 5.0])
    np.testing.assert_allclose(d.rotation_angles(turned @ stretch), [30, 30, 0], atol=1e-5)
    assert d.rotation_angles(np.diag([1.0, -1.0])).tolist() == [180, 0]
    with pytest.raises(ValueError, match="square"):
        d.rotation_angles(np.ones((2, 3)))


def test_map():
    assert deviation_from_identity(np.eye(2, 3)) == (0, 0)
    found = d.diagnose_map(np.eye(2, 3) * 2)
    assert found["singular_values"] == [2, 2] and found["rotation_degrees"] is None
    assert found["relative_deviation"] == pytest.approx(1) and found["orthogonality"] == pytest.approx(3)
    orthogonal = np.linalg.qr(noise(0, 6, 6))[0]
    found = d.diagnose_map(orthogonal)
    assert found["condition"] == pytest.approx(1) and found["orthogonality"] == pytest.approx(0, abs=1e-12)
    cosines = np.cos(np.radians(found["rotation_degrees"]))
    assert cosines.sum() == pytest.approx(np.trace(orthogonal))
    assert d.diagnose_map(np.diag([1.0, 0.0]))["condition"] is None

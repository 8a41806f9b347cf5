"""Chains of faiss transforms, alone and in front of a filled index."""

from importlib.util import find_spec

import numpy as np
import pytest

import ccalign_jax as cc
from ccalign_jax.numerics import unit_float32

pytestmark = [
    pytest.mark.skipif(find_spec("faiss") is None, reason="faiss is not installed"),
    pytest.mark.filterwarnings("ignore:builtin type .* has no __module__ attribute:DeprecationWarning"),
]


def apply(path, rows):
    """Rows through the transforms in front of an index."""
    import faiss

    index = faiss.read_index(str(path))
    for place in range(index.chain.size()):
        rows = faiss.downcast_VectorTransform(index.chain.at(place)).apply(rows)
    return rows


@pytest.mark.parametrize("name", ["residual", "shift", "dual(per_language(linear),shift)", "centred_ridge"])
def test_chains_map_rows(name, tmp_path, learned, captions, images):
    map_ = learned(name)
    done = cc.export(map_, to="faiss", out=tmp_path / "out")
    language = "de" if "per_language" in name else None
    stem = f"captions_{language}" if language else "captions"
    np.testing.assert_allclose(apply(done.path / f"{stem}.faiss", captions), map_(captions, language), atol=2e-6)
    np.testing.assert_allclose(apply(done.path / "images.faiss", images), map_.images(images), atol=2e-6)


def test_a_zero_row_stays_zero(tmp_path, learned):
    done = cc.export(learned("linear"), to="faiss", out=tmp_path / "out")
    for stem, width in (("captions", 6), ("images", 5)):
        assert not apply(done.path / f"{stem}.faiss", np.zeros((1, width), np.float32)).any()


def test_a_filled_index_is_searched_by_captions(tmp_path, learned, captions, one_line):
    import faiss

    map_ = learned("per_language(residual)")
    gallery = unit_float32(np.random.default_rng(3).standard_normal((20, 5)))
    filled = faiss.IndexFlatIP(5)
    filled.add(gallery)
    faiss.write_index(filled, str(tmp_path / "filled.faiss"))
    options = {"to": "faiss", "index": str(tmp_path / "filled.faiss"), "out": tmp_path / "out"}
    one_line(lambda: cc.export(map_, **options), "--language")
    done = cc.export(map_, language="de", **options)
    index = faiss.read_index(str(done.path / "index.faiss"))
    scores, found = index.search(captions, 3)
    wanted = map_(captions, "de") @ gallery.T
    np.testing.assert_array_equal(found, np.argsort(-wanted, axis=1)[:, :3])
    np.testing.assert_allclose(scores, -np.sort(-wanted, axis=1)[:, :3], atol=2e-6)
    assert "index.index.add" in done.notes[0]
    index.index.add(gallery[:1])  # as it is
    assert index.index.ntotal == 21
    two_sided = cc.export(learned("dual(linear)"), **{**options, "out": tmp_path / "dual"})
    assert "moves images" in two_sided.notes[1]


def test_an_index_that_does_not_fit_is_refused(tmp_path, learned, one_line):
    import faiss

    def export(index):
        return lambda: cc.export(learned("linear"), to="faiss", index=str(index), out=tmp_path / "out")

    one_line(export(tmp_path / "none.faiss"), "no such file")
    (tmp_path / "text.faiss").write_text("no index")
    one_line(export(tmp_path / "text.faiss"), "no index that faiss reads")
    faiss.write_index(faiss.IndexFlatIP(6), str(tmp_path / "wide.faiss"))
    one_line(export(tmp_path / "wide.faiss"), "6 wide", "5")
    faiss.write_index(faiss.IndexFlat(5, faiss.METRIC_L1), str(tmp_path / "other.faiss"))
    one_line(export(tmp_path / "other.faiss"), "inner products")
    assert not (tmp_path / "out").exists()

"""The teacher pivot: captions learn the rows that another encoder gives the same keys."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ccalign_jax as cc
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.options import SweepConfig
from ccalign_jax.pivots import make_pivot
from ccalign_jax.study.arrays import device_embeddings
from ccalign_jax.study.closed import gather_pairs
from ccalign_jax.study.inputs import prepare_data
from ccalign_jax.study.plan import plan_folds, plan_sweep
from ccalign_jax.study.run import run_sweep
from ccalign_jax.training import Space, draw_batch, towards_teacher

KEYS, D_TEXT, D_TEACHER = [f"{number:02d}" for number in range(30)], 6, 5


def world(*, apart: bool = False, images: bool = True) -> EmbeddingSet:
    """Captions are the images turned into a wider space; the teacher has the rows of the images, or turned ones."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(30, D_TEACHER)).astype(np.float32)
    turn = np.linalg.qr(rng.normal(size=(D_TEXT, D_TEXT)))[0][:D_TEACHER].astype(np.float32)
    text = {language: image @ turn for language in ("de", "zh")}
    taught = image @ np.linalg.qr(rng.normal(size=(D_TEACHER, D_TEACHER)))[0].astype(np.float32) if apart else image
    return EmbeddingSet.build("world", image if images else None, text, teachers={"en": taught})


def recalls(data: EmbeddingSet, pivot: str, **options) -> tuple[float, float]:
    (outcome,) = run_sweep(planned(data, pivots=(pivot,), aligners=("procrustes",), **options)).outcomes
    values = outcome.test[0].values
    return values["t2i", None]["R@1"], values["i2t", None]["R@1"]


def test_captions_meet_the_teacher_and_so_its_images():
    assert recalls(world(), "teacher:en") == (1, 1)
    assert recalls(world(), "teacher", heldout_language="zh") == (1, 1)  # never trained on
    apart = world(apart=True)
    assert max(recalls(apart, "teacher")) < 0.5  # the images are not in the teacher's space
    assert recalls(apart, "teacher", gallery="teacher") == (1, 1)


def test_the_rows_of_the_images_teach_what_the_images_do():
    """Also where they take the images' place, and for trained maps to the bit."""
    options = {"aligners": ("linear", "ridge"), "hyper": ("epochs=2", "learning_rate=0.1", "temperature=0.1")}
    given = [(world(), "image"), (world(), "teacher:en"), (world(images=False), "teacher")]
    one, *others = (run_sweep(planned(data, pivots=(pivot,), **options)).outcomes for data, pivot in given)
    assert [outcome.trial.aligner for outcome in one] == ["linear", "ridge"]
    for other in others:
        jax.tree.map(np.testing.assert_array_equal, [each.params for each in other], [each.params for each in one])
        assert [each.test[0].values for each in other] == [each.test[0].values for each in one]


def test_a_key_without_a_teacher_row_is_no_target():
    data = world()
    rows = data.teachers["en"].copy()
    rows[[3, 7]] = 0
    data = dataclasses.replace(data, teachers={"en": rows})
    embeddings, pivot = device_embeddings(data), make_pivot("teacher:en", data.languages)
    space = Space(D_TEXT, D_TEACHER, data.languages)
    pairs = gather_pairs(pivot, space, embeddings, np.arange(10), image_weight=1.0)
    assert [owner.tolist() for owner in pairs.image_of] == [[0, 1, 2, 4, 5, 6, 8, 9]] * 2
    np.testing.assert_allclose([weights.sum() for weights in pairs.weights], 1, rtol=1e-6)
    batch = draw_batch(jax.random.key(0), towards_teacher(embeddings, pivot), jnp.arange(10))
    assert np.flatnonzero(~np.asarray(batch.image_mask)).tolist() == [3, 7]
    assert towards_teacher(embeddings, make_pivot("image", data.languages)) is embeddings
    with pytest.raises(ValueError, match="no teacher rows in fr"):
        towards_teacher(embeddings, make_pivot("teacher:fr", data.languages))


def planned(data: EmbeddingSet, **options):
    config = SweepConfig(folds=2, inner_folds=1, **options)
    data = prepare_data(data, config)
    return plan_sweep(data, config, plan_folds(data, config))


def test_what_cannot_be_taught_is_one_line(one_line):
    data = world()
    wide = dataclasses.replace(data, teachers={"en": np.random.default_rng(0).normal(size=(30, 9))})
    one_line(lambda: planned(wide, pivots=("teacher",)), "rows [9]", "images [5]", "--gallery=teacher")
    assert planned(wide, pivots=("teacher",), gallery="teacher").space.d_image == 9
    one_line(lambda: planned(data, pivots=("teacher:fr",)), "no such teacher rows", "there are en")
    bare = dataclasses.replace(data, teachers={})
    one_line(lambda: planned(bare, pivots=("teacher",)), "no such teacher rows", "teacher_<language>")
    one_line(lambda: planned(bare, gallery="teacher"), "no teacher rows to judge on", "--gallery=image")
    assert not any(trial.pivot.startswith("teacher") for trial in planned(bare, pivots=("all",)).trials)
    one_line(lambda: cc.sweep("set.npz", teachers={"en": np.eye(2)}), "teachers need captions as a mapping")


def test_closed_forms_are_tried_beside_what_is_trained():
    names = {trial.aligner for trial in planned(world(), pivots=("teacher",)).trials}
    assert {"linear", "ridge", "procrustes"} <= names


def test_without_images_a_run_has_its_page_and_its_map(tmp_path):
    data = world(images=False)
    found = cc.sweep(data, pivot="teacher", aligners="ridge", out=tmp_path / "run", folds=2, inner_folds=1)
    assert any("text to teacher" in note for note in found.summary["notes"])
    assert "text to teacher" in (tmp_path / "run" / "report.html").read_text()
    mapped = cc.apply(tmp_path / "run" / "best", data)
    assert mapped.d_text == D_TEACHER and not mapped.teachers and "teacher rows are left out" in mapped.notes[-1]
    judged = cc.evaluate(data, tmp_path / "run" / "best", scores=False, diagnostics=False)
    assert judged.summary["metrics"]["t2i"]["R@1"]["mean"] > 0.5

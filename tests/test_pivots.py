"""What each pivot asks of a batch, by hand on four images with captions missing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ccalign_jax.aligners import dual, per_language, residual, residual_mlp
from ccalign_jax.errors import InputError
from ccalign_jax.losses import clip_loss
from ccalign_jax.pivots import PIVOTS, Batch, make_pivot, map_languages
from ccalign_jax.training import Hyper

LANGUAGES = ("de", "en", "ja")
MASK = np.array([[True, True, False, True], [True, False, True, True], [False, True, True, True]])
IMAGE_MASK = np.array([True, True, True, False])


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


HYPER = Hyper()


@pytest.fixture
def batch() -> Batch:
    return Batch(normal(3, 4, 5), MASK, normal(4, 5, seed=1), IMAGE_MASK, np.arange(4))


def terms_of(name: str, batch: Batch, aligner=None, params=None, hyper=HYPER):
    aligner = residual(5, 5) if aligner is None else aligner
    params = {"delta": normal(5, 5, seed=2)} if params is None else params
    pivot = make_pivot(name, LANGUAGES)
    return pivot.terms(aligner, params, batch, lambda rows: rows @ params.get("delta", np.eye(5)), hyper)


def test_image_captions_move_to_their_frozen_image(batch):
    (term,) = terms_of("image", batch)
    np.testing.assert_array_equal(term.anchors, batch.text @ normal(5, 5, seed=2))
    assert term.targets is batch.image and term.mask is batch.mask and term.target_mask is batch.image_mask
    assert term.weight == 1.0


def test_text_captions_move_to_the_frozen_caption_of_the_pivot(batch):
    (term,) = terms_of("text:en", batch)
    np.testing.assert_array_equal(term.targets, batch.text[1])  # as it is: no map, though its anchors are mapped
    np.testing.assert_array_equal(term.anchors[1], batch.text[1] @ normal(5, 5, seed=2))
    # image 1 has no English caption and image 3 is padding: neither target nor anchor of any language
    np.testing.assert_array_equal(term.target_mask, [True, False, True, False])
    np.testing.assert_array_equal(
        term.mask, [[True, False, False, False], [True, False, True, False], [False, False, True, False]]
    )


def test_what_a_missing_pivot_caption_holds_is_never_seen(batch):
    def loss(text):
        (term,) = terms_of("text:en", batch._replace(text=text))
        masks = {"mask": term.mask, "image_mask": term.target_mask}
        return clip_loss(term.anchors, term.targets, temperature=0.5, groups=batch.groups, **masks)

    seen = np.array(batch.text)
    other = np.where(np.array([True, False, True, False])[:, None], seen, 77.0).astype(np.float32)
    gradient = jax.jit(jax.grad(loss))
    assert float(jax.jit(loss)(seen)) == float(jax.jit(loss)(other))
    assert not np.asarray(gradient(seen))[:, [1, 3]].any() and gradient(seen)[:, 2].any()


def test_symmetric_both_sides_move_through_their_own_map(batch):
    aligner = dual(residual(5, 5), residual(5, 5))
    params = {"text": {"delta": normal(5, 5, seed=3)}, "image": {"delta": normal(5, 5, seed=4)}}
    pivot = make_pivot("symmetric", LANGUAGES)
    (term,) = pivot.terms(aligner, params, batch, lambda rows: aligner.text(params, rows, 0), HYPER)
    np.testing.assert_allclose(term.anchors, batch.text + batch.text @ params["text"]["delta"], rtol=1e-5)
    np.testing.assert_allclose(term.targets, batch.image + batch.image @ params["image"]["delta"], rtol=1e-5)
    assert pivot.moves_images and term.mask is batch.mask and term.target_mask is batch.image_mask


def test_targets_are_frozen_but_for_symmetric(batch):
    """No gradient reaches the parameters through the targets, unless the image side has some of its own."""
    aligner = dual(residual(5, 5), residual(5, 5))
    params = aligner.init(jax.random.key(0))
    for name in ("image", "text:de", "symmetric"):
        pivot = make_pivot(name, LANGUAGES)

        def targets(params, pivot=pivot):
            (term,) = pivot.terms(aligner, params, batch, lambda rows: aligner.text(params, rows, 0), HYPER)
            return jnp.sum(jnp.square(term.targets))

        gradient = jax.grad(targets)(params)
        assert not gradient["text"]["delta"].any()
        assert bool(gradient["image"]["delta"].any()) == pivot.moves_images == (name == "symmetric")


def test_centroid_is_the_mean_of_the_other_languages_and_never_the_own_caption(batch):
    (term,) = terms_of("centroid", batch)
    there = MASK & IMAGE_MASK
    for language in range(3):
        for image in range(4):
            others = [batch.text[other, image] for other in range(3) if other != language and there[other, image]]
            assert bool(term.target_mask[language, image]) == bool(others)
            assert bool(term.mask[language, image]) == bool(others and MASK[language, image])
            if others:
                mean = np.sum(others, axis=0)
                np.testing.assert_allclose(
                    term.targets[language, image], mean / np.linalg.norm(mean), rtol=1e-4, atol=1e-6
                )
    changed = np.array(batch.text)
    changed[1] = 55.0
    (again,) = terms_of("centroid", batch._replace(text=changed))
    np.testing.assert_allclose(again.targets[1], term.targets[1], atol=1e-5)


def test_auxiliary_goes_from_the_text_pivot_to_the_image_pivot(batch):
    def value(terms):
        return sum(
            float(term.weight)
            * float(clip_loss(term.anchors, term.targets, temperature=0.5, mask=term.mask, image_mask=term.target_mask))
            for term in terms
        )

    text, image = value(terms_of("text:en", batch)), value(terms_of("image", batch))
    for weight, expected in ((0.0, text), (1e9, image), (3.0, 0.25 * text + 0.75 * image)):
        found = value(terms_of("auxiliary:en", batch, hyper=Hyper(image_weight=weight)))
        assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["consensus", "gcca"])
def test_consensus_moves_captions_and_images_to_the_prepared_rows(batch, name):
    aligner = dual(residual(5, 5), residual(5, 5))
    params = {"text": {"delta": normal(5, 5, seed=3)}, "image": {"delta": normal(5, 5, seed=4)}}
    consensus = normal(4, 5, seed=5)
    pivot = make_pivot(name, LANGUAGES)
    captions, images = pivot.terms(
        aligner, params, batch._replace(consensus=consensus), lambda rows: aligner.text(params, rows, 0), HYPER
    )
    assert captions.targets is consensus and images.targets is consensus and captions.weight + images.weight == 1
    np.testing.assert_allclose(images.anchors[0], batch.image + batch.image @ params["image"]["delta"], rtol=1e-5)
    with pytest.raises(ValueError, match="no consensus"):
        pivot.terms(aligner, params, batch, lambda rows: rows, HYPER)


# names


def test_named_pivots_know_their_language_and_name():
    for name, language, moves in (("image", None, False), ("text:ja", "ja", False), ("symmetric", None, True)):
        pivot = make_pivot(name, LANGUAGES)
        assert (pivot.name, pivot.language, pivot.moves_images) == (name, language, moves)
    assert all(entry.summary and "\n" not in entry.summary for entry in PIVOTS.values())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "unknown pivot ''; there are image, text:<language>, centroid, "),
        ("pictures", "unknown pivot 'pictures'"),
        ("text", "unknown pivot 'text'; there are .*text:<language>"),
        ("image:en", "unknown pivot 'image:en'"),
        ("symmetric:", "unknown pivot 'symmetric:'"),
        ("text:fr", "pivot text:fr: no captions in 'fr'; the data has de, en, ja"),
        ("text:", "no captions in ''"),
        ("text:EN", "no captions in 'EN'"),
    ],
)
def test_unknown_pivots_are_refused_in_one_line(name, message):
    with pytest.raises(InputError, match=message) as refusal:
        make_pivot(name, LANGUAGES)
    assert "\n" not in str(refusal.value)


# the languages of a batch through an aligner


def test_each_language_goes_through_its_own_map():
    aligner, rows = per_language(residual(5, 4), 3), normal(3, 6, 5)
    params = {"delta": normal(3, 5, 4, seed=1)}
    mapped = map_languages(aligner, params, rows, key=None, dropout=0.5)
    expected = [row @ np.eye(5, 4) + row @ delta for row, delta in zip(rows, params["delta"], strict=True)]
    np.testing.assert_allclose(mapped, expected, rtol=1e-5, atol=1e-6)


def test_each_language_drops_other_units_and_the_key_decides_which():
    aligner = residual_mlp(5, 5, hidden=32)
    params = jax.tree.map(lambda leaf: leaf + 1.0, aligner.init(jax.random.key(0)))
    rows = jnp.broadcast_to(normal(1, 4, 5), (3, 4, 5))

    @jax.jit
    def mapped(key):
        return map_languages(aligner, params, rows, key=key, dropout=0.5)

    first, again, other = (mapped(jax.random.key(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1]) and not np.array_equal(first[1], first[2])

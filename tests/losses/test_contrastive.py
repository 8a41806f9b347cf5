"""InfoNCE against torch, NumPy and itself under every change that must not matter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from ccalign_jax.losses import clip_loss, learned_temperature

POOLS = ("union", "per_language")
HOT = 0.2


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def problem(seed: int = 0, languages: int = 3, size: int = 6, width: int = 5) -> dict:
    """A ragged batch: captions and an image missing, images that show the same thing."""
    rng = np.random.default_rng(seed)
    mask = rng.random((languages, size)) > 0.3
    mask[0] = True
    return {
        "text": unit(rng.normal(size=(languages, size, width))),
        "image": unit(rng.normal(size=(size, width))),
        "mask": mask,
        "image_mask": np.arange(size) != 4,
        "groups": np.array([7, 3, 3, 9, 7, 1])[:size],
    }


def by_hand(text, image, mask, image_mask, groups, *, temperature, mask_positives, i2t_pool):
    """The definition, a pair at a time."""
    exists = mask & image_mask
    languages, size = mask.shape
    losses = [[] for _ in range(languages)]
    for own, i in np.argwhere(exists):
        rival = (groups != groups[i]) if mask_positives else np.arange(size) != i
        score = text[own, i] @ image[i]
        images = [text[own, i] @ image[j] for j in range(size) if rival[j] and image_mask[j]]
        captions = [
            text[other, j] @ image[i]
            for other, j in np.argwhere(exists)
            if (i2t_pool == "union" or other == own) and (rival[j] or (not mask_positives and j == i and other != own))
        ]
        losses[own] += [
            logsumexp(np.array([score, *rivals]) / temperature) - score / temperature for rivals in (images, captions)
        ]
    return np.mean([np.mean(loss) for loss in losses if loss])


STATIC = ("mask_positives", "i2t_pool")
loss_and_gradient = jax.jit(jax.value_and_grad(lambda both, **rest: clip_loss(*both, **rest)), static_argnames=STATIC)
jitted = jax.jit(clip_loss, static_argnames=STATIC)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("mask_positives", [True, False])
def test_the_definition_by_hand(mask_positives, pool):
    for seed in range(4):
        batch, rest = problem(seed), {"temperature": HOT, "mask_positives": mask_positives, "i2t_pool": pool}
        expected = by_hand(
            **{k: v.astype(np.float64) if k in ("text", "image") else v for k, v in batch.items()}, **rest
        )
        (text, image), masks = (batch.pop("text"), batch.pop("image")), batch
        np.testing.assert_allclose(loss_and_gradient((text, image), **masks, **rest)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("languages", [1, 4])
def test_the_seed_programs_loss_on_repeated_pairs_in_torch(languages):
    """Each image is repeated for its L captions, labels count the pairs: ours is that less ½ log L, same gradients."""
    torch = pytest.importorskip("torch")
    batch = problem(languages=languages, size=5, width=8)
    text = torch.tensor(batch["text"], requires_grad=True)
    image = torch.tensor(batch["image"], requires_grad=True)
    logits = text.reshape(-1, 8) @ image.repeat(languages, 1).T / HOT
    labels = torch.arange(len(logits))
    entropy = torch.nn.functional.cross_entropy
    theirs = 0.5 * (entropy(logits, labels) + entropy(logits.T, labels))
    theirs.backward()
    ours, gradients = loss_and_gradient((batch["text"], batch["image"]), temperature=HOT, mask_positives=False)
    np.testing.assert_allclose(ours, theirs.item() - 0.5 * np.log(languages), rtol=1e-5)
    for mine, other in zip(gradients, (text.grad, image.grad), strict=True):
        np.testing.assert_allclose(mine, other.numpy(), atol=1e-6)


def test_image_to_text_with_positives_kept_is_supcon_out():
    batch = problem()
    scores = np.einsum("bd,lcd->blc", batch["image"], batch["text"]).astype(np.float64) / HOT
    total = logsumexp(scores, axis=(1, 2), keepdims=True)
    supcon = np.mean([total[i, 0, 0] - scores[i, :, i].mean() for i in range(6)])  # −1/|P| Σ log of each positive
    t2i = np.einsum("lbd,cd->lbc", batch["text"], batch["image"]).astype(np.float64) / HOT
    forward = np.mean(logsumexp(t2i, axis=2) - np.einsum("lbb->lb", t2i))
    ours = jitted(batch["text"], batch["image"], temperature=HOT, mask_positives=False)
    np.testing.assert_allclose(ours, (forward + supcon) / 2, rtol=1e-5)


# what must not matter


@given(seed=st.integers(0, 99), mask_positives=st.booleans(), pool=st.sampled_from(POOLS))
@settings(max_examples=12, deadline=None)
def test_order_rotation_labels_and_scale_do_not_matter(seed, mask_positives, pool):
    batch, rng = problem(seed), np.random.default_rng(seed)
    rest = {"temperature": HOT, "mask_positives": mask_positives, "i2t_pool": pool}
    text, image = batch.pop("text"), batch.pop("image")

    def value(text, image, masks, **changes):
        return float(loss_and_gradient((text, image), **masks, **rest | changes)[0])

    expected = value(text, image, batch)
    order, turn = rng.permutation(6), np.linalg.qr(rng.normal(size=(5, 5)))[0].astype(np.float32)
    permuted = {name: leaf[..., order] for name, leaf in batch.items()}
    for changed in (
        value(text[:, order], image[order], permuted),
        value(text[::-1], image, batch | {"mask": batch["mask"][::-1]}),
        value(text @ turn, image @ turn, batch),
        value(text, image, batch | {"groups": batch["groups"] * -5 + 2}),
        value(4 * text, image / 2, batch, temperature=2 * HOT),
    ):
        np.testing.assert_allclose(changed, expected, rtol=1e-5)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("mask_positives", [True, False])
def test_masked_equals_sliced_in_value_and_gradient(mask_positives, pool):
    batch, rest = problem(), {"temperature": HOT, "mask_positives": mask_positives, "i2t_pool": pool}
    text, image, groups = batch["text"], batch["image"], batch["groups"]
    kept, mask = np.array([0, 1, 2, 3, 5]), np.ones((3, 6), bool)
    mask[1] = False
    masked, (d_text, d_image) = loss_and_gradient(
        (text, image), mask=mask, image_mask=batch["image_mask"], groups=groups, **rest
    )
    sliced, (s_text, s_image) = loss_and_gradient((text[::2, kept], image[kept]), groups=groups[kept], **rest)
    np.testing.assert_allclose(masked, sliced, rtol=1e-6)
    np.testing.assert_allclose(d_text[::2, kept], s_text, atol=1e-6)
    np.testing.assert_allclose(d_image[kept], s_image, atol=1e-6)
    assert not d_text[1].any() and not d_text[:, 4].any() and not d_image[4].any()
    # whatever a missing row holds, no gradient and no value comes of it
    other = np.where(mask[..., None] & batch["image_mask"][:, None], text, 1e6).astype(np.float32)
    again, (d_other, _) = loss_and_gradient(
        (other, image), mask=mask, image_mask=batch["image_mask"], groups=groups, **rest
    )
    assert float(again) == float(masked) and np.array_equal(d_other, d_text)


def test_an_image_given_twice_in_one_group_is_no_rival_of_itself():
    batch = problem(languages=2, size=4)
    text, image = batch["text"], batch["image"]
    once = jitted(text, image, temperature=HOT)
    twice = np.concatenate([text, text[:, :1]], 1), np.concatenate([image, image[:1]])
    apart = jitted(*twice, temperature=HOT)
    joined = jitted(*twice, temperature=HOT, groups=np.array([0, 1, 2, 3, 0]))
    assert float(apart) > float(once) + 0.05  # its own copy is the hardest rival it can have
    # every copy's terms are the same, so that a batch of copies of everything changes only what it weighs
    whole = np.concatenate([text, text], 1), np.concatenate([image, image])
    doubled = jitted(*whole, temperature=HOT, groups=np.tile(np.arange(4), 2))
    rivals_twice = by_hand(
        *(half.astype(np.float64) for half in whole), np.ones((2, 8), bool), np.ones(8, bool), np.tile(np.arange(4), 2),
        temperature=HOT, mask_positives=True, i2t_pool="union",
    )  # fmt: skip
    np.testing.assert_allclose(doubled, rivals_twice, rtol=1e-5)
    assert float(joined) < float(apart)


def test_every_language_weighs_the_same_however_few_its_captions():
    batch = problem(languages=2)
    mask = np.array([[True] * 6, [True, True] + [False] * 4])
    each = [
        jitted(batch["text"], batch["image"], temperature=HOT, mask=mask, i2t_pool="per_language"),
        *(jitted(batch["text"][one], batch["image"], temperature=HOT, mask=mask[one]) for one in range(2)),
    ]
    np.testing.assert_allclose(each[0], (each[1] + each[2]) / 2, rtol=1e-5)
    empty = np.array([[True] * 6, [False] * 6])  # a language without captions is not counted at all
    np.testing.assert_allclose(jitted(batch["text"], batch["image"], temperature=HOT, mask=empty), each[1], rtol=1e-6)


# corners


def test_bfloat16_rows_are_scored_in_float32():
    batch = problem(size=6)
    half = [jnp.asarray(batch[name], jnp.bfloat16) for name in ("text", "image")]
    wide = [rows.astype(jnp.float32) for rows in half]
    np.testing.assert_allclose(jitted(*half, temperature=0.01), jitted(*wide, temperature=0.01), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.zeros((5, 5))}, r"\(3, 6, 5\).*\(5, 5\)"),
        ({"text": np.zeros(5)}, r"\(5,\).*\(6, 5\)"),
        ({"mask": np.ones(6, bool)}, r"mask \(6,\) must be \(3, 6\)"),
        ({"image_mask": np.ones(1, bool)}, r"image_mask \(1,\) must be \(6,\)"),
        ({"groups": np.zeros(1, int)}, r"groups \(1,\) must be \(6,\)"),
        ({"i2t_pool": "all"}, "'union' or 'per_language'"),
    ],
)
def test_shapes_that_do_not_fit_are_named(change, message):
    batch = problem() | change
    with pytest.raises(ValueError, match=message):
        clip_loss(batch.pop("text"), batch.pop("image"), temperature=HOT, **batch)


# the temperature as a parameter


def test_a_learned_temperature_is_clipped_where_clip_clips_it():
    scales = np.array([1.0, 1 / 0.07, 99.9, 100.0, 1e4, 1e30], np.float32)
    found = jax.vmap(learned_temperature)(np.log(scales))
    np.testing.assert_allclose(found, 1 / np.minimum(scales, 100), rtol=1e-5)
    np.testing.assert_allclose(learned_temperature(np.log(50.0), largest=20.0), 1 / 20, rtol=1e-6)


def test_a_temperature_that_overshot_comes_back():
    """Wrong pairs score best: less than the coldest temperature is what the loss asks for, and what it gets."""
    rows = np.eye(4, dtype=np.float32)

    @jax.jit
    @jax.value_and_grad
    def loss(log_scale, image):
        return clip_loss(rows, image, temperature=learned_temperature(log_scale))

    for log_scale in (np.log(30.0), np.log(5000.0)):
        value, wrong = loss(log_scale, rows[[1, 2, 3, 0]])
        assert float(wrong) > 1, "downhill lies a smaller scale, on either side of the bound"
    np.testing.assert_allclose(value, 100, rtol=1e-3)  # and yet no logit exceeds the bound
    np.testing.assert_allclose(wrong, loss(np.log(100.0), rows[[1, 2, 3, 0]])[1], rtol=1e-4)

"""The built-in set: its untouched geometry against the published values, and its stated truth against its rows."""

import dataclasses

import numpy as np
import pytest

from ccalign_jax.data.synthetic import synthetic, truth
from ccalign_jax.data.synthetic_world import LANGUAGES, World
from ccalign_jax.errors import InputError

POOL = 554
# The seed study's values before any alignment: R@1, R@5, R@10, MRR, mean over five folds and nine languages.
T2I = (0.4735, 0.7284, 0.8091, 0.5898)
I2T = (0.4808, 0.7255, 0.8064, 0.5937)
PIVOT = (0.3265, 0.5518, 0.6410, 0.4336)
T2I_BY_LANGUAGE = (0.3335, 0.5043, 0.6019, 0.5159, 0.5105, 0.4993, 0.3562, 0.5228, 0.4169)
COSINE_BY_LANGUAGE = (0.736, 0.641, 0.553, 0.620, 0.635, 0.635, 0.756, 0.623, 0.740)
DIAGNOSTICS = {
    "effective rank": 112.24,
    "dimensions for 90 % (PCA)": 146.04,
    "near-zero entries (PoZ)": 0.0363,
    "entropy": 0.745,
    "Gram correlation": 0.345,
    "neighbour overlap (Jaccard, 10)": 0.083,
    "hubness skew (10)": 4.889,
    "hubness, top 1 % share": 0.135,
}


def scores(ranks):
    return np.array([(ranks < 1).mean(), (ranks < 5).mean(), (ranks < 10).mean(), (1 / (ranks + 1)).mean()])


def gold_ranks(similarity):
    return (similarity > np.diagonal(similarity)[:, None]).sum(1)


def folds(size):
    order = np.random.default_rng(0).permutation(size)
    return [np.sort(order[start : start + POOL]) for start in range(0, size - POOL + 1, POOL)]


def retrieval(data):
    """`[languages, 4]` each: text to image and image to text, mean over disjoint galleries."""
    there, back = [], []
    for fold in folds(len(data)):
        similarity = [data.text[language][fold] @ data.image[fold].T for language in data.languages]
        there.append([scores(gold_ranks(part)) for part in similarity])
        back.append([scores(gold_ranks(part.T)) for part in similarity])
    return np.mean(there, 0), np.mean(back, 0)


def mean_cosine(rows):
    total = rows.sum(0, dtype=np.float64)
    return (total @ total - len(rows)) / (len(rows) * (len(rows) - 1))


def through_image(data, fold):
    """Caption to its nearest image, from there to the captions of every other language."""
    similarity = {language: data.text[language][fold] @ data.image[fold].T for language in data.languages}
    rows, found = np.arange(len(fold)), []
    ranks = {language: np.argsort(np.argsort(-part.T, 1), 1) for language, part in similarity.items()}
    for source in data.languages:
        reached = similarity[source].argmax(1)
        found += [scores(ranks[target][reached, rows]) for target in data.languages if target != source]
    return np.mean(found, 0)


def neighbours(rows, count=10):
    similarity = rows @ rows.T
    np.fill_diagonal(similarity, -np.inf)
    near = np.zeros(similarity.shape, bool)
    np.put_along_axis(near, np.argpartition(-similarity, count, 1)[:, :count], True, 1)
    return near


def diagnostics(text, image):
    power = np.linalg.svd(text - text.mean(0), compute_uv=False).astype(float) ** 2
    power /= power.sum()
    bins = np.stack([np.histogram(column, 30, (-1, 1))[0] for column in text.T]) / len(text)
    upper = np.triu_indices(len(text), 1)
    near, near_image = neighbours(text), neighbours(image)
    both = (near & near_image).sum(1)
    counts = np.sort(near.sum(0))
    return [
        np.exp(-(power * np.log(power + 1e-30)).sum()),
        (np.cumsum(power) < 0.9).sum() + 1,
        (np.abs(text) < 1e-3).mean(),
        -(bins * np.log(np.where(bins > 0, bins, 1))).sum(1).mean(),
        np.corrcoef((text @ text.T)[upper], (image @ image.T)[upper])[0, 1],
        (both / (20 - both)).mean(),
        ((counts - counts.mean()) ** 3).mean() / counts.std() ** 3,
        counts[-round(len(text) / 100) :].sum() / counts.sum(),
    ]


@pytest.fixture(scope="module")
def default():
    return synthetic()


@pytest.fixture(scope="module")
def default_retrieval(default):
    return retrieval(default)


@pytest.mark.parametrize(("images", "seed"), [(2770, 0), (2770, 1), (2770, 100), (1500, 0)])
def test_untouched_geometry_is_the_published_one(images, seed, default, default_retrieval):
    """The noise scales were fitted on seeds 0 to 7; 100 is the first one tried that had no part in it."""
    data, (there, back) = default, default_retrieval
    if (images, seed) != (len(default), 0):
        data = synthetic(images, seed=seed)
        there, back = retrieval(data)
    cosine = np.array([mean_cosine(data.text[language]) for language in LANGUAGES])
    print(f"\n{images} images, seed {seed}: fitted, published")
    for language, row, mean, published, target in zip(
        LANGUAGES, there, cosine, T2I_BY_LANGUAGE, COSINE_BY_LANGUAGE, strict=True
    ):
        print(f"  {language}  t2i R@1 {row[0]:.3f} {published:.3f}   mean cosine {mean:.3f} {target:.3f}")
    print(f"  all t2i R@1 {there[:, 0].mean():.3f} {T2I[0]:.3f}   mean cosine {cosine.mean():.3f} 0.660")
    print(f"  all i2t R@1 {back[:, 0].mean():.3f} {I2T[0]:.3f}")
    assert abs(there[:, 0].mean() - T2I[0]) < 0.04
    assert abs(back[:, 0].mean() - I2T[0]) < 0.04
    np.testing.assert_allclose(there[:, 0], T2I_BY_LANGUAGE, atol=0.04)
    np.testing.assert_allclose(cosine, COSINE_BY_LANGUAGE, atol=0.06)
    assert abs(cosine.mean() - 0.66) < 0.06
    # Published neighbours lie as near as .005, within the noise of a seed: pairs further apart must keep their order.
    wrong = [
        (LANGUAGES[a], LANGUAGES[b])
        for a in range(9)
        for b in range(9)
        if T2I_BY_LANGUAGE[a] - T2I_BY_LANGUAGE[b] > 0.01 and there[a, 0] <= there[b, 0]
    ]
    assert not wrong


def test_other_numbers_stand_beside_the_published_ones(default, default_retrieval):
    there, back = default_retrieval
    fold = folds(len(default))[0]
    texts = [default.text[language][fold] for language in LANGUAGES]
    pivot = through_image(default, fold)
    print("\nbeside the fit: here, published (R@1, R@5, R@10, MRR)")
    for name, here, published in (
        ("t2i", there.mean(0), T2I),
        ("i2t", back.mean(0), I2T),
        ("text through image", pivot, PIVOT),
    ):
        print(f"  {name:32}{here.round(3)}  {np.round(published, 3)}")
        np.testing.assert_allclose(here, published, atol=0.06)
    for (name, published), here in zip(
        DIAGNOSTICS.items(), np.mean([diagnostics(rows, default.image[fold]) for rows in texts], 0), strict=True
    ):
        print(f"  {name:32}{here:9.4f}  {published:9.4f}")
        assert published / 3 < here < 3 * published


def share(values):
    """Of directions 2 to 32: unit length takes a scale off all of them, and a little more off the strongest."""
    return values[1:32] / values[1:32].sum()


def test_rows_follow_the_stated_spectra():
    """Without distortion and shifts, same-image covariance is the signal, and variance is signal plus scaled noise."""
    world = World(distortion=0, leak=0, text_cosine={}, other_cosine=0, image_cosine=0, shared=0)
    data, known = synthetic(4000, dimensions=64, languages=("en", "ja"), world=world), truth(64, world=world)
    np.testing.assert_allclose(known.basis @ known.basis.T, np.eye(64), atol=1e-5)
    image, en, ja = (rows @ known.basis.T for rows in (data.image, data.text["en"], data.text["ja"]))
    for rows, scale in ((image, known.image_noise), (en, known.text_noise["en"]), (ja, known.text_noise["ja"])):
        np.testing.assert_allclose(share((rows**2).mean(0)), share(known.signal + scale * known.noise), rtol=0.2)
        np.testing.assert_allclose((rows[:, 32:] ** 2).sum(), 0, atol=1e-6)
    for one, other in ((image, en), (en, ja)):
        np.testing.assert_allclose(share((one * other).mean(0))[:8], share(known.signal)[:8], rtol=0.25)


def test_identity_weighs_every_direction_as_the_likelihood_ratio_does():
    known = truth()
    signal, noise = (values[:256].astype(float) for values in (known.signal, known.noise))
    np.testing.assert_allclose(signal / ((signal + noise) ** 2 - signal**2), World().weight, rtol=1e-3)
    assert not known.signal[256:].any() and not known.noise[256:].any()


def test_shifts_and_distortion_are_those_stated(default):
    known = truth()
    for language in LANGUAGES:
        length = np.linalg.norm(known.text_shift[language])
        assert length**2 / (1 + length**2) == pytest.approx(World().text_cosine[language], abs=1e-5)
        centre = default.text[language].mean(0)
        along = centre @ known.text_shift[language] / (np.linalg.norm(centre) * length)
        assert along > 0.98
    assert np.linalg.matrix_rank(known.distortion.astype(float), tol=1e-3) == 64
    assert np.linalg.norm(known.distortion) / np.sqrt(512) == pytest.approx(0.3, rel=0.05)


def test_same_seed_same_bits_other_seed_other_rows():
    one, two, other = (synthetic(80, dimensions=24, seed=seed) for seed in (3, 3, 4))
    assert one.sha256() == two.sha256() != other.sha256()
    few = synthetic(80, dimensions=24, seed=3, languages=("ja", "en"))
    assert np.array_equal(few.text["ja"], one.text["ja"]) and np.array_equal(few.image, one.image)


@pytest.mark.parametrize(("images", "dimensions", "captions"), [(60, 16, 1), (1, 4, 1), (30, 48, 5)])
def test_shapes_keys_and_unit_rows(images, dimensions, captions):
    data = synthetic(images, dimensions=dimensions, captions=captions, languages=("en", "sw"))
    assert data.name == "synthetic" and data.languages == ("en", "sw") and not data.notes
    assert data.image.shape == (images, dimensions) and data.text["sw"].shape == (images * captions, dimensions)
    assert data.keys[-1] == f"{images - 1:06d}"
    assert (data.caption_counts() == captions).all()
    for rows in (data.image, *data.text.values()):
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_captions_of_an_image_are_nearer_to_each_other_than_to_the_rest():
    data = synthetic(50, captions=3, languages=("en",))
    similarity = data.text["en"] @ data.text["en"].T
    same = data.image_of["en"][:, None] == data.image_of["en"]
    assert similarity[same & ~np.eye(150, dtype=bool)].mean() > similarity[~same].mean() + 0.1
    first = synthetic(50, languages=("en",))
    np.testing.assert_allclose(data.first_captions().text["en"], first.text["en"], atol=1e-6)


def test_a_world_without_signal_retrieves_by_chance():
    data = synthetic(POOL, world=dataclasses.replace(World(), weight=1e-6, shared=0.0), languages=("en", "ja"))
    there, back = retrieval(data)
    assert max(there[:, 0].max(), back[:, 0].max()) < 0.02


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": 0},
        {"captions": 0},
        {"dimensions": 3},
        {"languages": ()},
        {"languages": ("en", "en")},
        {"languages": "en"},
        {"seed": -1},
    ],
)
def test_senseless_sizes_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        synthetic(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"weight": 0}, {"span": 0}, {"shared": 2}, {"leak": -1}, {"image_cosine": 1}, {"distortion_rank": 0}]
)
def test_senseless_worlds_are_refused(wrong):
    with pytest.raises(InputError, match="World"):
        World(**wrong)

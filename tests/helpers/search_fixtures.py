"""A small set that is searched, with texts and pictures, and a map that turns its captions towards its images."""

from pathlib import Path

import numpy as np

from ccalign_jax.aligners import residual
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.fingerprints import fingerprint
from ccalign_jax.encoders import Encoder
from ccalign_jax.encoders.base import Choices
from ccalign_jax.encoders.functions import encoder_of
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.search import Searcher, open_searcher

IMAGES, WIDTH, PICTURES = 120, 8, 30
COLOURS = {"en": ["red", "green", "blue", "white"], "de": ["rotes", "grünes", "blaues", "weißes"]}
THINGS = {"en": ["house", "dog", "boat", "tree"], "de": ["Haus", "Tier", "Boot", "Ding"]}


def words(language: str, image: int) -> str:
    colour, thing = COLOURS[language][image % 4], THINGS[language][image // 4 % 4]
    return f"{'a' if language == 'en' else 'ein'} {colour} {thing} {image}"


def make_data(folder: Path) -> EmbeddingSet:
    """Images at random, the first of them as files in a folder; captions near them, but turned by one place."""
    from PIL import Image

    for image in range(PICTURES):
        Image.new("RGB", (300, 200), (8 * image, 60, 90)).save(folder / f"{image:03d}.png")
    random = np.random.default_rng(0)
    image = random.standard_normal((IMAGES, WIDTH)).astype(np.float32)
    text = {
        language: (np.roll(image, -1, axis=1) + 0.3 * random.standard_normal(image.shape)).astype(np.float32)
        for language in ("de", "en")
    }
    keys = [f"{number:03d}.png" for number in range(IMAGES)]
    captions = {language: [words(language, number) for number in range(IMAGES)] for language in text}
    return EmbeddingSet.build("made", image, text, image_keys=keys, captions=captions, folder=folder)


def make_map(data: EmbeddingSet) -> LearnedMap:
    """The map that turns captions back; it says that it was trained on the first half of the images."""
    turn = np.roll(np.eye(WIDTH, dtype=np.float32), 1, axis=1) - np.eye(WIDTH, dtype=np.float32)
    about = {"aligner": "residual", "trial": "image/residual/infonce", "languages": ["de", "en"]}
    about |= {"d_text": WIDTH, "d_image": WIDTH}
    seen = fingerprint(data.take(np.arange(IMAGES // 2)))
    return LearnedMap(residual(WIDTH, WIDTH), {"delta": turn}, about, seen)


def make_encoder(data: EmbeddingSet) -> Encoder:
    """Gives the row of the caption whose number the text ends with."""

    def rows(captions):
        return np.stack([data.text["de" if one.startswith("ein ") else "en"][int(one.split()[-1])] for one in captions])

    return encoder_of(rows, "text", Choices())


def make_searcher(folder: Path) -> Searcher:
    data = make_data(folder)
    return open_searcher(make_map(data), data, encoder=make_encoder(data))

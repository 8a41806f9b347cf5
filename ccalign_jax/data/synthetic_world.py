"""Parameters of the generator of synthetic data, fitted to published values (see `synthetic`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ccalign_jax.errors import InputError

__all__ = ["LANGUAGES", "World"]

LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "ja", "pt", "zh")

# Noise scale, fitted, and mean cosine, as published.
_TEXT = {
    "ar": (1.483, 0.736),
    "de": (0.951, 0.641),
    "en": (0.714, 0.553),
    "es": (0.899, 0.62),
    "fr": (0.907, 0.635),
    "it": (0.965, 0.635),
    "ja": (1.337, 0.756),
    "pt": (0.861, 0.623),
    "zh": (1.096, 0.74),
}


@dataclasses.dataclass(frozen=True)
class World:
    """Parameters of the generator; the defaults are the fitted ones.

    An image row is `unit(unit(s + e) + shift)` and a caption row `unit(unit((s + e)(I + D)) + shift)`: a signal s that
    an image and its captions have in common, noise e, a distortion D that every caption suffers, and a shift for the
    modality. Direction j has the signal variance λ ∝ j^-exponent (sum 1) and the noise variance ν = −λ + √(λ² + λ/c)
    times a scale. Then λ / ((λ + ν)² − λ²) = c for every j: at scale 1 the best bilinear score of a pair, its
    log-likelihood ratio, weighs all directions alike, so that identity is near optimal and a learnt map gains little.

    A null world is one `dataclasses.replace` away: `distortion=0, leak=0` leaves no systematic error to correct.

    Attributes:
        exponent: how fast the signal decays over the directions.
        span: the part of the dimensions that has any content.
        weight: c above; larger is cleaner, and towards 0 images and captions become independent.
        text_noise: noise scale of each language; `other_noise` is that of a language not listed.
        image_noise: noise scale of the images.
        shared: the part of the caption noise that all captions of an image share, in whatever language.
        text_cosine: mean pairwise cosine of the rows of each language, which sets the length of its shift,
            √(q / (1 − q)) against content of length 1; `other_cosine` is that of a language not listed.
        image_cosine: the same for images.
        leak: length of the part of a shift's direction that lies among the content, against 1 for the part that does
            not. The first part biases images in text-to-image retrieval; the second does nothing.
        distortion: length of the part that D adds to a row, against 1.
        distortion_rank: rank of D.

    Raises:
        InputError: a number outside its range.
    """

    exponent: float = 1.24
    span: float = 0.5
    weight: float = 13.4
    text_noise: Mapping[str, float] = dataclasses.field(
        default_factory=lambda: {lang: pair[0] for lang, pair in _TEXT.items()}
    )
    other_noise: float = 1.0
    image_noise: float = 0.65
    shared: float = 0.65
    text_cosine: Mapping[str, float] = dataclasses.field(
        default_factory=lambda: {lang: pair[1] for lang, pair in _TEXT.items()}
    )
    other_cosine: float = 0.66
    image_cosine: float = 0.39
    leak: float = 0.6
    distortion: float = 0.3
    distortion_rank: int = 64

    def __post_init__(self) -> None:
        noises = (self.image_noise, self.other_noise, *self.text_noise.values(), self.leak, self.distortion)
        cosines = (self.image_cosine, self.other_cosine, *self.text_cosine.values())
        for what, good in (
            ("weight must be above 0", self.weight > 0),
            ("span must be above 0 and at most 1", 0 < self.span <= 1),
            ("shared must lie in [0, 1]", 0 <= self.shared <= 1),
            ("noise scales, leak and distortion must be 0 or more", min(noises) >= 0),
            ("mean cosines must lie in [0, 1)", min(cosines) >= 0 and max(cosines) < 1),
            ("distortion_rank must be 1 or more", self.distortion_rank >= 1),
        ):
            if not good:
                raise InputError(f"World: {what}; got {self}")

"""A learned map: a function of caption and image rows, with what it was learned from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, PyTree

from ccalign_jax.aligners import (
    Aligner,
    Layer,
    caption_layers,
    image_layers,
    map_captions,
    map_images,
    maps_unseen_languages,
)
from ccalign_jax.data.checks import unsound_rows
from ccalign_jax.data.fingerprints import Fingerprints
from ccalign_jax.data.frames import Backend, make_frame
from ccalign_jax.errors import InputError
from ccalign_jax.numerics import AnyArray, unit_float32

__all__ = ["LearnedMap", "Linear"]

ROWS = 65536  # rows mapped at once


class Linear(NamedTuple):
    """The linear map x ↦ xW + b of unit rows.

    Attributes:
        weight: W `[d_in, d_out]` float32.
        offset: b `[d_out]` float32; zero for most maps.
    """

    weight: Float[np.ndarray, "d_in d_out"]
    offset: Float[np.ndarray, " d_out"]


class LearnedMap(NamedTuple):
    """A learned map; called with caption rows, it maps them.

    Attributes:
        aligner: pure functions.
        params: tree of NumPy arrays.
        about: names of aligner, pivot, loss and trial, widths, languages, hyper-parameters: the JSON of its checkpoint.
        training_images: fingerprints of the images that fitted the map or chose its settings; None where the file
            does not have them, as those of earlier versions and of the seed study do not.

    Example:
        >>> from ccalign_jax.aligners import residual
        >>> about = {"aligner": "residual", "d_text": 2, "d_image": 2, "languages": ["de", "en"]}
        >>> learned = LearnedMap(residual(2, 2), {"delta": np.array([[-1.0, 1.0], [0.0, 0.0]], np.float32)}, about)
        >>> learned([[4.0, 0.0], [0.0, 3.0]], language="de").tolist()
        [[0.0, 1.0], [0.0, 1.0]]
        >>> learned.images([[5.0, 0.0]]).tolist(), learned.matrix("de").weight.tolist()
        ([[1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]])
    """

    aligner: Aligner
    params: PyTree[np.ndarray]
    about: dict[str, Any]
    training_images: Fingerprints | None = None

    def __call__(self, rows: Float[AnyArray, "m d_text"], language: str | None = None) -> Float[np.ndarray, "m d_out"]:
        """Caption rows in the shared space: float32 unit rows, in the order of the input.

        Args:
            rows: `[m, d_text]` of any float dtype, scaled to unit length first.
            language: of the captions; one that was not in training, or None, takes what all languages share.

        Raises:
            InputError: another width, a language that the map has no part for, or a row that is mapped to NaN, infinity
                or zero.
        """
        return self.map_captions(rows, self.language_number(language), name="the rows")

    def images(self, rows: Float[AnyArray, "n d_image"]) -> Float[np.ndarray, "n d_out"]:
        """Image rows in the shared space, as captions: float32 unit rows, in the order of the input.

        Raises:
            InputError: another width, or a row that is mapped to NaN, infinity or zero.
        """
        return self.map_images(rows, name="the rows")

    def frame(self, backend: Backend = "pandas") -> Any:
        """Scores on the images that picked the epoch, before and after training; by column `metric`, `before`, `after`.

        Raises:
            InputError: the map has none, such as one of an earlier version, or the backend is not installed.
        """
        scores = self.about.get("scores")
        if scores is None:
            raise InputError("the map has no scores: it was not chosen on images of its own; evaluate it")
        columns = {when: np.array(list(scores[when].values())) for when in ("before", "after")}
        return make_frame({"metric": list(scores["before"]), **columns}, backend)

    def __repr__(self) -> str:
        about = self.about
        name, known = about.get("trial", about["aligner"]), ", ".join(about["languages"])
        lines = [f"LearnedMap {name}: captions [{about['d_text']}] in {known}, images [{about['d_image']}]"]
        if "scores" in about:
            before, after = about["scores"]["before"], about["scores"]["after"]
            changes = ", ".join(f"{key.replace('_', ' ')} {before[key]:.3f} → {after[key]:.3f}" for key in before)
            lines.append(f"  on the images that picked the epoch: {changes}")
        return "\n".join(lines)

    def matrix(self, language: str | None = None) -> Linear:
        """W and offset of the map of captions, where it is linear: unit rows x go to xW + b, scaled to unit length.

        Raises:
            InputError: the map is not linear, or has no part for the language.
        """
        layers = self.layers(language)
        if layers is None or len(layers) > 1:
            raise InputError(f"{self.about['aligner']} is not linear and has no matrix; call the map with rows instead")
        return Linear(layers[0].weight.astype(np.float32), layers[0].bias.astype(np.float32))

    def layers(self, language: str | None = None) -> tuple[Layer, ...] | None:
        """Layers of the map of captions, as `aligners.caption_layers`; None where it has no such form."""
        number, width = self.language_number(language), self.about["d_text"]
        return caption_layers(self.about["aligner"], self.aligner, self.params, d_text=width, language=number)

    def image_layers(self) -> tuple[Layer, ...] | None:
        """Layers of the map of images, as `aligners.image_layers`; None where it has no such form."""
        return image_layers(self.about["aligner"], self.aligner, self.params, d_image=self.about["d_image"])

    def language_number(self, language: str | None) -> int:
        """The number of a language, or -1 for one that was not in training, which the shared part maps.

        Raises:
            InputError: the map has parts of its own for each language, and none for this one.
        """
        known = self.about["languages"]
        if language in known:
            return known.index(language)
        if not maps_unseen_languages(self.about["aligner"]):
            name = "a language that is not named" if language is None else language
            raise InputError(
                f"{self.about['aligner']} has no map for {name}; leave it out with --languages={','.join(known)}"
            )
        return -1

    def check_widths(self, name: str, *, d_text: int | None = None, d_image: int | None = None) -> None:
        """Refuse rows of another width than those of training; `name` says which rows they are.

        Raises:
            InputError: a width differs.
        """
        for side, width in (("d_text", d_text), ("d_image", d_image)):
            known = self.about[side]
            if width not in (None, known):
                raise InputError(f"{name}: {side} is {width}, but the map was trained for {known}; use its encoder")

    def map_captions(self, rows: AnyArray, number: int, *, name: str) -> Float[np.ndarray, "m d_out"]:
        """Caption rows of the language of that number, mapped in blocks; errors begin with `name`."""
        rows = _matrix(name, rows)
        self.check_widths(name, d_text=rows.shape[1])
        return _map_blocks(name, partial(_captions, self.aligner, self.params, number=number), rows)

    def map_images(self, rows: AnyArray, *, name: str) -> Float[np.ndarray, "n d_out"]:
        """Image rows, mapped in blocks; errors begin with `name`."""
        rows = _matrix(name, rows)
        self.check_widths(name, d_image=rows.shape[1])
        return _map_blocks(name, partial(_images, self.aligner, self.params), rows)


@partial(jax.jit, static_argnums=0)
def _captions(aligner: Aligner, params: Any, rows: Any, *, number: int) -> Any:
    return map_captions(aligner, params, rows, number)


@partial(jax.jit, static_argnums=0)
def _images(aligner: Aligner, params: Any, rows: Any) -> Any:
    return map_images(aligner, params, rows)


def _matrix(name: str, rows: Any) -> np.ndarray:
    found = np.asarray(rows)
    if found.ndim != 2:
        raise InputError(f"{name}: shape {found.shape} is no matrix; give rows [m, d], a single one as row[None]")
    return found


def _map_blocks(name: str, function: Callable[[np.ndarray], Any], rows: np.ndarray) -> np.ndarray:
    blocks = [_map_padded(function, unit_float32(rows[start : start + ROWS])) for start in range(0, len(rows), ROWS)]
    if not blocks:  # of the width that rows would have
        blocks = [_map_padded(function, np.zeros((1, rows.shape[1]), np.float32))[:0]]
    found = np.concatenate(blocks)
    if (lost := unsound_rows(found)).any():
        raise InputError(
            f"{name} row {int(lost.argmax())} is mapped to NaN, infinity or zero ({int(lost.sum())} of {len(lost)} "
            "rows are): the map diverged or does not suit these rows; train it with a lower learning_rate"
        )
    return found


def _map_padded(function: Callable[[np.ndarray], Any], rows: np.ndarray) -> np.ndarray:
    """`function(rows)`, compiled once for all numbers of rows up to the same power of two."""
    size = 1 << max(len(rows) - 1, 0).bit_length()
    padded = np.zeros((size, rows.shape[1]), np.float32)
    padded[: len(rows)] = rows
    return np.asarray(function(padded))[: len(rows)]

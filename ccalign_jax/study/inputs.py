"""The data of a study: read, and reduced to what its options ask for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ccalign_jax.data import EmbeddingSet, load, synthetic
from ccalign_jax.data.duplicates import group_duplicates
from ccalign_jax.errors import InputError
from ccalign_jax.options import ARRAYS, SYNTHETIC, SweepConfig

if TYPE_CHECKING:
    from ccalign_jax.data.objects import Source


def read_data(
    data: Source | EmbeddingSet,
    images: Any = None,
    teachers: Mapping[str, Any] | None = None,
    *,
    languages: Sequence[str] | None = None,
) -> EmbeddingSet:
    """An `EmbeddingSet` from whatever a caller has: what `load` takes, "synthetic", or texts and images.

    Args:
        data: what `load` takes, "synthetic", or a mapping of language to rows `[n, d_text]`.
        images: `[n, d_image]` where `data` is a mapping; row i of each language describes image i. Rows may be NumPy
            or JAX arrays, PyTorch tensors, data frames or lists.
        teachers: likewise, language to rows `[n, d_teacher]` by the encoder that captions are to meet; beside images or
            in their place.
        languages: a subset to use.

    Raises:
        InputError: data of another kind, or that `load` or `EmbeddingSet.build` refuses.
    """
    if isinstance(data, Mapping) and (images is not None or teachers is not None):
        data = EmbeddingSet.build(ARRAYS, images, data, teachers=teachers)
    elif images is not None or teachers is not None:
        raise InputError(
            f"{'teachers' if images is None else 'images'} need captions as a mapping of language to rows, such as "
            "{'en': rows}, row i for image i"
        )
    elif isinstance(data, str | os.PathLike) and str(data) == SYNTHETIC:
        data = synthetic()
    else:
        data = load(data, languages=languages)
    return data if languages is None else data.with_languages(languages)


def prepare_data(data: EmbeddingSet, config: SweepConfig) -> EmbeddingSet:
    """The part of the data that the config asks for; what is left out is in its notes."""
    if config.gallery == "teacher":
        data = data.on_teachers()
    if config.limit is not None:
        data = data.limit(config.limit, seed=config.seed)
    if config.protocol == "seed":
        data = data.complete().first_captions()
    return group_duplicates(data, cosine=config.duplicate_cosine)

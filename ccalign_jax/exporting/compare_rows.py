"""Rows of an exported folder beside those that its encoders and the map make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.encoders.base import FINAL, Choices, Side
from ccalign_jax.encoders.registry import ENCODERS, resolve
from ccalign_jax.errors import InputError, reason
from ccalign_jax.exporting.stock_encoders import EXTRA
from ccalign_jax.learned_map import LearnedMap

__all__ = ["OTHER", "EncoderChoice", "compare_rows"]

OTHER = "other"  # the route of captions of no named language, or of one that was not in training
CAPTIONS = ["a dog runs in the snow", "ein rotes Haus"]
TOLERANCE = 1e-3  # of float32 rows of two programs; the same rows differ by some 1e-6


class EncoderChoice(NamedTuple):
    """An encoder, and what an extraction with it was told.

    Attributes:
        spec: its name, as for an extraction.
        pooling: of a transformers model that is no dual encoder; None for the default.
        prompt: the text before every caption; None for the model's own.
        weights, versions: SHA-256 of its weights, and versions of libraries, then; None if unknown.
    """

    spec: str
    pooling: str | None = None
    prompt: str | None = None
    weights: str | None = None
    versions: Mapping[str, str] | None = None


def compare_rows(
    library: Any,
    learned: LearnedMap,
    folder: Path,
    text: EncoderChoice,
    image: EncoderChoice | None,
    languages: Sequence[str | None],
    notes: list[str],
) -> float:
    """The largest difference between rows of a folder and the same of its encoders, mapped.

    The encoders are loaded as for an extraction, so that what the folder leaves out is seen.

    Args:
        library: `sentence_transformers`.
        learned: the map.
        folder: that the library loads.
        text, image: the encoders; without `image`, captions are compared alone.
        languages: that the folder has maps for; of several, each is a task of its router.
        notes: to which what the user should know is added.

    Raises:
        InputError: the library cannot load the folder or encode with it, rows differ, or an encoder has other weights
            than in the extraction.
    """
    try:
        model = library.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        loaded: dict[Any, Any] = {}  # one model of both sides is loaded once
        rows = _encode("text", text, CAPTIONS, notes, loaded)
        learned.check_widths(f"--text_encoder={text.spec}", d_text=rows.shape[1])
        pairs = []
        for language in languages:
            task = {"task": language or OTHER} if len(languages) > 1 else {}
            pairs.append((model.encode(CAPTIONS, show_progress_bar=False, **task), learned(rows, language)))
        if image is not None:
            picture = _picture()
            rows = _encode("image", image, [picture], notes, loaded)
            learned.check_widths(f"--image_encoder={image.spec}", d_image=rows.shape[1])
            pairs.append((model.encode([picture], show_progress_bar=False), learned.images(rows)))
    except InputError:
        raise
    except Exception as error:  # of any module of the library
        raise InputError(
            f"{text.spec}: sentence-transformers cannot encode with it ({reason(error)}); use --to=onnx"
        ) from error
    difference = max(float(np.abs(np.asarray(mine) - theirs).max()) for mine, theirs in pairs)
    if not difference < TOLERANCE:
        raise InputError(
            f"{text.spec}: in the folder its rows differ by {difference:.1g} from those of an extraction; use --to=onnx"
        )
    return difference


def _encode(
    side: Side, choice: EncoderChoice, items: Sequence[Any], notes: list[str], loaded: dict[Any, Any]
) -> np.ndarray:
    """Rows as an extraction makes them, in float32."""
    kind, name = resolve(choice.spec, side)
    options: dict[str, Any] = {"pooling" if side == "text" else "image_pooling": choice.pooling}
    choices = Choices(prompt=choice.prompt, precision="float32", devices=1, models=loaded, **options)
    encoder = ENCODERS[kind].load(name, side, choices)
    if choice.weights not in (None, encoder.about["weights_sha256"]):
        if choice.versions == encoder.about["versions"]:
            raise InputError(
                f"--{side}_encoder={choice.spec}: its weights are not those that the map was learned from (SHA-256 "
                f"{choice.weights[:12]}…); give that model, or its revision after @"
            )
        notes.append(  # libraries rename parameters, which changes the digest
            f"{choice.spec}: its weights, or their names in other versions of its library, differ from the extraction's"
        )
    return encoder.replicas[0](encoder.collate([encoder.prepare(item) for item in items]))[FINAL]


def _picture() -> Any:
    """A small picture of smooth colours."""
    pillow = import_library("--to=sentence-transformers", "PIL.Image", EXTRA)
    across = np.linspace(0, 255, 64, dtype=np.uint8)
    return pillow.fromarray(np.stack(np.broadcast_arrays(across[:, None], across[None], across[::-1, None]), axis=-1))

"""Text into a row of the encoder that captions were embedded with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from ccalign_jax.encoders import ENCODERS, Choices, Encoder
from ccalign_jax.encoders.base import FINAL
from ccalign_jax.encoders.registry import resolve
from ccalign_jax.errors import InputError, reason

__all__ = ["MAX_QUERY", "clean_query", "encode_text", "load_text_encoder"]

MAX_QUERY = 1000  # signs; captions are shorter, and encoders cut longer ones


def load_text_encoder(spec: str, record: Mapping[str, Any] | None = None) -> tuple[Encoder, list[str]]:
    """The encoder of captions by its name, and notes where it is not the one that embedded the data.

    Args:
        spec: as for an extraction.
        record: what the extraction recorded, whose prompt and pooling are used.

    Raises:
        InputError: no such encoder, or a library that is not installed.
    """
    known = {} if record is None else record["encoders"]["text"]
    config = {} if record is None else record["config"]
    kind, name = resolve(spec, "text")
    if "text" not in ENCODERS[kind].sides:
        raise InputError(f"--text_encoder={spec}: it encodes no captions")
    choices = Choices(prompt=config.get("prompt"), pooling=config.get("pooling"), precision="float32", devices=1)
    encoder = ENCODERS[kind].load(name, "text", choices)
    notes = []
    if known and known["weights_sha256"] != encoder.about["weights_sha256"]:
        notes.append(
            f"{spec}: other weights than those that embedded the captions ({known['name']}): results may be poor"
        )
    return encoder, notes


def clean_query(text: str) -> str:
    """A query without line ends and spaces around.

    Raises:
        InputError: empty, too long, or not text.

    Example:
        >>> clean_query("  a  red circle ")
        'a red circle'
    """
    found = " ".join(text.split())
    if not found:
        raise InputError("the query is empty; type a caption")
    if len(found) > MAX_QUERY:
        raise InputError(f"the query has {len(found)} signs; captions have {MAX_QUERY} at most")
    try:
        found.encode()
    except UnicodeEncodeError:
        raise InputError("the query holds bytes that are not text; type it in UTF-8") from None
    return found


def encode_text(encoder: Encoder, text: str) -> Float[np.ndarray, "1 d"]:
    """The row of one caption.

    Raises:
        InputError: the encoder fails, or gives no row.
    """
    try:
        rows = np.asarray(encoder.replicas[0](encoder.collate([encoder.prepare(text)]))[FINAL], np.float32)
    except Exception as error:  # of many libraries
        raise InputError(f"encoder {encoder.name}: {reason(error)}; try other words") from error
    if rows.ndim != 2 or not np.isfinite(rows).all() or not rows.any():
        raise InputError(f"encoder {encoder.name}: gives no direction for this query; try other words")
    return rows

"""Encoders of the sentence-transformers library."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.encoders.base import FINAL, Choices, Encoder, Side, versions
from ccalign_jax.encoders.images import open_image
from ccalign_jax.encoders.torch_models import load_error, replicate, state_digest

__all__ = ["load_sentence_transformers"]

EXTRA = "encode"


def load_sentence_transformers(name: str, side: Side, choices: Choices) -> Encoder:
    """The encoder of a folder or a hub name, which `@REVISION` may follow; its default prompt is respected.

    Raises:
        InputError: a missing library, or no such model.
    """
    library, torch = (import_library(name, each, EXTRA) for each in ("sentence_transformers", "torch"))
    if name not in choices.models:
        choices.models[name] = _load(library, torch, name, side, choices)
    model, revision, weights, copies, precision = choices.models[name]
    named = choices.prompt in (model.prompts or {})
    key = choices.prompt if named else model.default_prompt_name
    prompt = (model.prompts or {}).get(key, "") if named or choices.prompt is None else choices.prompt

    def forward(one: Any, batch: Sequence[Any]) -> dict[str, np.ndarray]:
        asked = {} if side == "image" else {"prompt": prompt}
        rows = one.encode(list(batch), batch_size=len(batch), show_progress_bar=False, convert_to_tensor=True, **asked)
        return {FINAL: rows.float().cpu().numpy()}

    about = {
        "name": name,
        "revision": revision,
        "weights_sha256": weights,
        "pooling": " + ".join(type(module).__name__ for module in model),
        "prompt": prompt if side == "text" else None,
        "preprocessing": f"at most {model.max_seq_length} tokens" if side == "text" else "the model's own",
        "precision": precision,
        "versions": versions("sentence-transformers", "transformers", "torch"),
    }
    replicas = tuple(functools.partial(forward, one) for one, _, _ in copies)
    if side == "text":
        return Encoder(name, about, lambda caption: caption, list, replicas, len)
    return Encoder(name, about, open_image, list, replicas)


def _load(library: Any, torch: Any, name: str, side: Side, choices: Choices) -> tuple[Any, ...]:
    local = Path(name).is_dir()
    path, _, revision = (name, "", None) if local else name.partition("@")
    try:
        model = library.SentenceTransformer(
            path, revision=revision or None, device="cpu", local_files_only=local, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise load_error(side, name, error) from error
    weights = state_digest(torch, model)
    copies, precision = replicate(torch, model.float(), choices)
    return model, revision or None, weights, copies, precision

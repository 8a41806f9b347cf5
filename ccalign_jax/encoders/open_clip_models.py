"""Encoders of the OpenCLIP library."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.encoders.base import FINAL, Choices, Encoder, Side, versions
from ccalign_jax.encoders.images import ImageReference, open_image
from ccalign_jax.encoders.torch_models import load_error, replicate, state_digest
from ccalign_jax.errors import InputError

__all__ = ["load_open_clip"]

EXTRA = "encode"


def load_open_clip(name: str, side: Side, choices: Choices) -> Encoder:
    """The encoder of `MODEL/PRETRAINED`, where the latter is one of the library's tags or a file of weights.

    A folder with `open_clip_config.json`, or a hub name, stand for both.

    Raises:
        InputError: a missing library, or no such model.
    """
    library, torch = (import_library(name, each, EXTRA) for each in ("open_clip", "torch"))
    if name not in choices.models:
        choices.models[name] = _load(library, torch, name, side, choices)
    model_name, preprocess, weights, copies, precision = choices.models[name]
    prompt = choices.prompt or ""
    tokenizer = library.get_tokenizer(model_name) if side == "text" else None

    def prepare_image(image: ImageReference) -> np.ndarray:
        return np.asarray(preprocess(open_image(image)))

    def collate_text(batch: Sequence[str]) -> Any:
        assert tokenizer is not None
        return tokenizer(list(batch))

    def forward(model: Any, device: Any, dtype: Any, batch: Any) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            inputs = torch.as_tensor(batch).to(device)
            rows = model.encode_text(inputs) if side == "text" else model.encode_image(inputs.to(dtype))
            return {FINAL: rows.float().cpu().numpy()}

    about = {
        "name": name,
        "revision": None,
        "weights_sha256": weights,
        "pooling": "projected",
        "prompt": prompt if side == "text" else None,
        "preprocessing": type(tokenizer).__name__ if side == "text" else " ".join(str(preprocess).split()),
        "precision": precision,
        "versions": versions("open_clip_torch", "torch"),
    }
    replicas = tuple(functools.partial(forward, *one) for one in copies)
    if side == "text":
        return Encoder(name, about, lambda caption: prompt + caption, collate_text, replicas, len)
    return Encoder(name, about, prepare_image, np.stack, replicas)


def _load(library: Any, torch: Any, name: str, side: Side, choices: Choices) -> tuple[Any, ...]:
    if Path(name).is_dir():
        model_name, pretrained = f"local-dir:{name}", None
    elif name.startswith("hf-hub:"):
        model_name, pretrained = name, None
    else:
        model_name, _, pretrained = name.partition("/")
        if not pretrained:
            raise InputError(f"--{side}_encoder={name}: its weights would be random; give {name}/openai or the like")
    try:
        model, _, preprocess = library.create_model_and_transforms(model_name, pretrained=pretrained, device="cpu")
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise load_error(side, name, error, "give MODEL/PRETRAINED, such as ViT-B-32/openai") from error
    weights = state_digest(torch, model)
    copies, precision = replicate(torch, model.float(), choices)
    return model_name, preprocess, weights, copies, precision

"""Encoders of the transformers library: dual encoders such as CLIP and SigLIP, text models and vision models."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.encoders.base import FINAL, Choices, Encoder, Side, versions
from ccalign_jax.encoders.images import ImageReference, open_image
from ccalign_jax.encoders.pooling import POOLINGS, pool
from ccalign_jax.encoders.torch_models import load_error, replicate, state_digest
from ccalign_jax.errors import InputError, reason

__all__ = ["load_transformers", "longest_caption", "pads_captions"]

EXTRA = "encode"
UNLIMITED = 1 << 20  # a tokenizer without a limit says 1e30
COUNT_FROM_2 = ("altclip_text_model", "camembert", "mpnet")  # and all with roberta in their name
PADDED = ("siglip", "siglip2")  # trained on captions that are filled up to the longest allowed


class _Loaded(NamedTuple):
    """A model on its devices, and what is known of it."""

    config: Any
    copies: list[tuple[Any, Any, Any]]
    precision: str
    weights: str
    where: dict[str, Any]
    revision: str | None


def load_transformers(name: str, side: Side, choices: Choices) -> Encoder:
    """The encoder of a folder or a hub name, which `@REVISION` may follow.

    Raises:
        InputError: a missing library, no such model, or a choice that does not suit it.
    """
    transformers, torch = (import_library(name, each, EXTRA) for each in ("transformers", "torch"))
    loaded = choices.models.get(name) or _load(transformers, torch, name, side, choices)
    choices.models[name] = loaded
    dual = hasattr(loaded.copies[0][0], "get_text_features")
    pooling = choices.pooling if side == "text" else choices.image_pooling
    if dual and pooling is not None:
        raise InputError(f"--{side}_encoder={name}: a dual encoder pools by itself; leave --{_flag(side)} out")
    if not dual and side == "text":
        pooling = pooling or "mean"
    elif not dual:
        pooling = pooling or "pooler"
    if pooling is not None and pooling not in POOLINGS:
        raise InputError(f"--{_flag(side)}={pooling}: it must be {', '.join(POOLINGS)}")
    make = _text_inputs if side == "text" else _image_inputs
    prepare, collate, preprocessing = make(transformers, loaded, name, choices)
    forward = _forward(torch, loaded, side, pooling, dual, choices.layers)
    about = {
        "name": name,
        "revision": loaded.revision,
        "weights_sha256": loaded.weights,
        "pooling": "projected" if dual else pooling,
        "prompt": choices.prompt or "" if side == "text" else None,
        "preprocessing": preprocessing,
        "precision": loaded.precision,
        "versions": versions("transformers", "torch", *(["tokenizers"] if side == "text" else ["pillow"])),
    }
    if choices.layers:
        about["layers"] = list(choices.layers)
    replicas = tuple(functools.partial(forward, *one) for one in loaded.copies)
    return Encoder(name, about, prepare, collate, replicas, len if side == "text" else lambda item: 0)


def _flag(side: Side) -> str:
    return "pooling" if side == "text" else "image_pooling"


def _load(transformers: Any, torch: Any, name: str, side: Side, choices: Choices) -> _Loaded:
    local = Path(name).is_dir()
    path, _, revision = (name, "", None) if local else name.partition("@")
    where: dict[str, Any] = {"pretrained_model_name_or_path": path, "local_files_only": local}
    where["trust_remote_code"] = False  # else transformers asks in a terminal whether to run a model's own code
    if revision:
        where["revision"] = revision
    try:
        model = transformers.AutoModel.from_pretrained(**where, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise load_error(side, name, error) from error
    weights = state_digest(torch, model)
    copies, precision = replicate(torch, model, choices)
    commit = getattr(model.config, "_commit_hash", None)
    return _Loaded(model.config, copies, precision, weights, where, revision or commit)


def _text_inputs(
    transformers: Any, loaded: _Loaded, name: str, choices: Choices
) -> tuple[Callable[[str], str], Callable[[Sequence[str]], Any], str]:
    tokenizer = _part(transformers.AutoTokenizer, loaded, "text", name)
    longest, padded = longest_caption(loaded.config, tokenizer), pads_captions(loaded.config)
    prompt = choices.prompt or ""

    def collate(batch: Sequence[str]) -> Mapping[str, Any]:
        padding = "max_length" if padded else True
        return tokenizer(
            list(batch), return_tensors="pt", padding=padding, truncation=longest is not None, max_length=longest
        )

    words = f"{type(tokenizer).__name__}, at most {longest or 'any'} tokens" + ", filled up to these" * padded
    return lambda caption: prompt + caption, collate, words


def longest_caption(config: Any, tokenizer: Any) -> int | None:
    """The tokens at which captions are cut, of a model and its tokenizer; None for no limit."""
    most = min(tokenizer.model_max_length, _positions(getattr(config, "text_config", config)))
    return int(most) if most < UNLIMITED else None


def pads_captions(config: Any) -> bool:
    """Whether a model reads captions that are filled up to the longest allowed."""
    return config.model_type in PADDED


def _positions(config: Any) -> float:
    """The tokens that a text model has positions for; models of the RoBERTa family count from 2."""
    positions = getattr(config, "max_position_embeddings", None) or math.inf
    kind = str(getattr(config, "model_type", ""))
    return positions - 2 if "roberta" in kind or kind in COUNT_FROM_2 else positions


def _image_inputs(
    transformers: Any, loaded: _Loaded, name: str, choices: Choices
) -> tuple[Callable[[ImageReference], Any], Callable[[Sequence[Any]], Any], str]:
    processor = _part(transformers.AutoImageProcessor, loaded, "image", name)

    def prepare(image: ImageReference) -> Mapping[str, np.ndarray]:
        found = processor(images=open_image(image), return_tensors="np")
        return {key: np.asarray(values) for key, values in found.items()}

    def collate(batch: Sequence[Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
        return {key: np.concatenate([item[key] for item in batch]) for key in batch[0]}

    size = getattr(processor, "size", None)
    words = type(processor).__name__ if size is None else f"{type(processor).__name__}, {dict(size)}"
    return prepare, collate, words


def _part(kind: Any, loaded: _Loaded, side: Side, name: str) -> Any:
    try:
        return kind.from_pretrained(**loaded.where)
    except (OSError, ValueError, KeyError, ImportError) as error:
        what = "a tokenizer" if side == "text" else "an image processor"
        raise InputError(
            f"--{side}_encoder={name}: {what} cannot be loaded ({reason(error)}); save it beside the model"
        ) from error


def _forward(
    torch: Any, loaded: _Loaded, side: Side, pooling: str | None, dual: bool, layers: Sequence[int]
) -> Callable[..., dict[str, np.ndarray]]:
    """Function of a model, its device, its dtype and a batch to rows by layer."""

    def forward(model: Any, device: Any, dtype: Any, batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            inputs = {key: torch.as_tensor(values).to(device) for key, values in batch.items()}
            inputs = {key: each.to(dtype) if each.is_floating_point() else each for key, each in inputs.items()}
            call = (model.get_text_features if side == "text" else model.get_image_features) if dual else model
            if "token_type_ids" not in inspect.signature(call if dual else model.forward).parameters:
                inputs.pop("token_type_ids", None)  # of a tokenizer that serves other models, too
            output = call(**inputs, **({"output_hidden_states": True} if layers else {}))
            mask = inputs.get("attention_mask" if side == "text" else "pixel_attention_mask")
            final = output.pooler_output if dual else pool(torch, output, mask, pooling or "mean")
            found = {FINAL: final}
            for layer in layers:
                states = output.hidden_states
                if states is None or not -len(states) <= layer < len(states):
                    there = 0 if states is None else len(states)
                    raise InputError(f"--layers={layer}: the {side} encoder has {there} hidden states; give others")
                how = "mean" if pooling in (None, "pooler") else pooling
                found[f"layer{layer}"] = pool(torch, states[layer], mask, how or "mean")
            return {layer: rows.flatten(1).float().cpu().numpy() for layer, rows in found.items()}

    return forward

"""Encoders as stock modules of sentence-transformers: their own files, and a pooling where they have none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ccalign_jax._libraries import import_library
from ccalign_jax.data.json_files import read_json
from ccalign_jax.encoders.base import Side
from ccalign_jax.encoders.registry import resolve
from ccalign_jax.encoders.transformers_models import longest_caption, pads_captions
from ccalign_jax.errors import InputError, reason
from ccalign_jax.exporting.stock_modules import STOCK, Module, copied, write_json_file

__all__ = ["EXTRA", "MODALITIES_SINCE", "SINCE", "STOCK_KINDS", "StockEncoder", "model_folder", "stock_encoders"]

SINCE, MODALITIES_SINCE = "5.0", "5.4"  # releases with routers, and with modules that tell captions from images
EXTRA = "encode"
STOCK_KINDS = ("sentence-transformers", "transformers")
CONFIG = "config_sentence_transformers.json"
# In the folder of a model, but not of any of its modules, or the same weights in another format.
OTHER_FILES = frozenset(["README.md", "modules.json", CONFIG, ".git", ".gitattributes", ".cache", "onnx", "openvino"])
OTHER_WEIGHTS = (".h5", ".msgpack", ".ot", ".onnx", ".tflite")
# Of ours to theirs.
POOLINGS = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens", "last": "lasttoken"}
LEGACY_MODES = (*POOLINGS.values(), "mean_sqrt_len_tokens", "weightedmean_tokens")  # all releases read these


class StockEncoder(NamedTuple):
    """A frozen encoder as modules.

    Attributes:
        modules: its own, in order.
        config: of the model: prompts and similarity function; empty where it is none of this library.
        since: the first release of sentence-transformers that loads them.
        folder: of its files.
    """

    modules: tuple[Module, ...]
    config: Mapping[str, Any]
    since: str
    folder: Path


def stock_encoders(
    text: str, image: str | None = None, *, pooling: str | None = None, image_pooling: str | None = None
) -> tuple[StockEncoder, StockEncoder | None]:
    """The encoders of both sides; a dual encoder of both is one module.

    Args:
        text, image: as for an extraction.
        pooling, image_pooling: of transformers models that are no dual encoders; None for the default.

    Raises:
        InputError: one that no stock module can hold, no such model, or a library that is not installed.
    """
    if text == image and resolve(text, "text")[0] == "transformers":
        both = _transformers("text", text, pooling, modalities=("text", "image"))
        return both, both
    return _encoder("text", text, pooling), None if image is None else _encoder("image", image, image_pooling)


def _encoder(side: Side, spec: str, pooling: str | None) -> StockEncoder:
    kind, _ = resolve(spec, side)
    if kind == "sentence-transformers":
        return _sentence_transformers(side, spec)
    if kind == "transformers":
        return _transformers(side, spec, pooling, modalities=(side,))
    raise InputError(f"--{side}_encoder={spec}: sentence-transformers has no module for {kind}; use --to=onnx")


def model_folder(spec: str, side: Side) -> Path:
    """The folder of a model's files, fetched from the hub if it is no folder itself.

    Raises:
        InputError: no such model.
    """
    name = resolve(spec, side)[1]
    if Path(name).is_dir():
        return Path(name)
    name, _, revision = name.partition("@")
    hub = import_library(spec, "huggingface_hub", EXTRA)
    full = name if "/" in name else f"sentence-transformers/{name}"
    try:
        return Path(hub.snapshot_download(full, revision=revision or None, ignore_patterns=_unused()))
    except Exception as error:  # of many libraries: no network, no such name, no permission
        raise InputError(
            f"--{side}_encoder={spec}: cannot be fetched ({reason(error)}); give a folder or a hub name"
        ) from error


def _unused() -> list[str]:
    return [*(f"*{suffix}" for suffix in OTHER_WEIGHTS), "onnx/*", "openvino/*"]


def _sentence_transformers(side: Side, spec: str) -> StockEncoder:
    folder = model_folder(spec, side)
    flag = f"--{side}_encoder={spec}"
    try:
        listed = read_json(folder / "modules.json")
        config = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
        kinds, paths = [one["type"] for one in listed], [one["path"] for one in listed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{flag}: modules.json cannot be read ({reason(error)}); save the model again") from error
    if own := [kind for kind in kinds if not kind.startswith("sentence_transformers.")]:
        raise InputError(f"{flag}: {own[0]} is code of its own; --to=onnx exports the map alone")
    if config.get("truncate_dim"):
        raise InputError(
            f"{flag}: it cuts rows to truncate_dim={config['truncate_dim']}, which would cut mapped ones, too; remove "
            f"it from {CONFIG}, extract again and learn the map from whole rows"
        )
    modules = [_own_module(kind, folder / path, in_root=path == "") for kind, path in zip(kinds, paths, strict=True)]
    legacy = all(kind.startswith(STOCK) for kind in kinds)
    return StockEncoder(tuple(modules), config, SINCE if legacy else MODALITIES_SINCE, folder)


def _own_module(kind: str, folder: Path, *, in_root: bool) -> Module:
    """A module of a folder's own, computed in float32 as an extraction does."""
    add = {}
    if (folder / "config.json").is_file() and kind.endswith(".Transformer"):
        name = next((path.name for path in sorted(folder.glob("sentence_*_config.json"))), "sentence_bert_config.json")
        known = read_json(folder / name) if (folder / name).is_file() else {}
        add = {name: {**known, **_float32(folder)}}
    return copied(kind, folder, leave=_others(folder, folders=not in_root or kind.endswith(".Router")), add=add)


def _others(folder: Path, *, folders: bool = False) -> set[str]:
    """Names in the folder of a model that are not copied; folders in it may be those of other modules."""
    names = {path.name for path in folder.iterdir()}
    others = set() if folders else {path.name for path in folder.iterdir() if path.is_dir()}
    weights = {name for name in names if name.endswith(OTHER_WEIGHTS)}
    if any(name.endswith(".safetensors") for name in names):
        weights |= {name for name in names if name.startswith("pytorch_model") and ".bin" in name}
    return {*OTHER_FILES, *weights, *others}


def _float32(folder: Path) -> dict[str, Any]:
    """Settings under which weights of another type are read as float32, as the map is."""
    config = read_json(folder / "config.json")
    known = config.get("dtype", config.get("torch_dtype"))
    return {} if known == "float32" else {"model_args": {"torch_dtype": "float32"}}


def _transformers(side: Side, spec: str, pooling: str | None, *, modalities: tuple[Side, ...]) -> StockEncoder:
    folder = model_folder(spec, side)
    transformers = import_library(spec, "transformers", EXTRA)
    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        model = transformers.MODEL_MAPPING[type(config)]
        load = {"pretrained_model_name_or_path": folder, "trust_remote_code": False}
        tokenizer = transformers.AutoTokenizer.from_pretrained(**load) if "text" in modalities else None
        images = transformers.AutoImageProcessor.from_pretrained(**load) if "image" in modalities else None
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(f"--{side}_encoder={spec}: cannot be loaded ({reason(error)}); save it again") from error
    longest = None if tokenizer is None else longest_caption(config, tokenizer)
    most = getattr(images, "max_num_patches", None)  # which the processor of both sides would replace by its default
    settings: dict[str, Any] = _float32(folder)
    pooled: tuple[Module, ...] = ()
    if hasattr(model, "get_text_features"):
        methods = {str(one): (f"get_{one}_features", "pooler_output") for one in modalities}
        settings |= _modalities(methods, "sentence_embedding")
        if longest is not None:
            padding = "max_length" if pads_captions(config) else True
            settings["processing_kwargs"] = {"text": {"padding": padding, "truncation": True, "max_length": longest}}
        if most is not None:
            settings.setdefault("processing_kwargs", {})["image"] = {"max_num_patches": most}
    else:
        pooling = pooling or ("mean" if side == "text" else "pooler")
        settings |= {} if longest is None else {"max_seq_length": longest}
        if pooling == "pooler":
            settings |= _modalities({side: ("forward", "pooler_output")}, "sentence_embedding")
        else:
            pooled = (_pooling(config, pooling),)
            if side == "image":
                settings |= _modalities({side: ("forward", "last_hidden_state")}, "token_embeddings")
    file = {"sentence_bert_config.json": settings}
    module = copied(f"{STOCK}Transformer", folder, leave=_others(folder), add=file)
    since = MODALITIES_SINCE if "modality_config" in settings else SINCE
    return StockEncoder((module, *pooled), {}, since, folder)


def _modalities(methods: Mapping[str, tuple[str, str]], output: str) -> dict[str, Any]:
    """Which method of a model encodes what, and the name of its rows."""
    chosen = {what: {"method": name, "method_output_name": rows} for what, (name, rows) in methods.items()}
    return {"transformer_task": "feature-extraction", "modality_config": chosen, "module_output_name": output}


def _pooling(config: Any, pooling: str) -> Module:
    modes = {f"pooling_mode_{mode}": mode == POOLINGS[pooling] for mode in LEGACY_MODES}
    content = {"word_embedding_dimension": config.hidden_size, **modes, "include_prompt": True}
    return Module(f"{STOCK}Pooling", lambda folder: write_json_file(folder / "config.json", content))

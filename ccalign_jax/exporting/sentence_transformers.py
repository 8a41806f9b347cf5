"""A learned map behind its frozen encoders, as one folder that `SentenceTransformer(path)` loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.aligners import Layer
from ccalign_jax.encoders import ENCODERS
from ccalign_jax.errors import InputError
from ccalign_jax.exporting.compare_rows import OTHER, EncoderChoice, compare_rows
from ccalign_jax.exporting.facts import Facts, read_facts
from ccalign_jax.exporting.job import Job, refuse
from ccalign_jax.exporting.stock_encoders import EXTRA, MODALITIES_SINCE, STOCK_KINDS, StockEncoder, stock_encoders
from ccalign_jax.exporting.stock_modules import Module, dense, normalize, router, write_modules

__all__ = ["write_model"]

NO_MODULE = "sentence-transformers has no module"
TASKS = ("query", "document")  # that `encode_query` and `encode_document` ask for
SAME_ON_UNIT_ROWS = ("cosine", "dot", "euclidean")  # similarity functions that rank as the cosine does


def write_model(job: Job, folder: Path) -> list[str]:
    """Write the modules of the encoder, then the map between two normalisations, and compare their rows with ours.

    A map with a part for each language becomes a router: `encode(…, task="de")`. With images, a router in front tells
    captions from images.

    Args:
        job: an affine map or an MLP, perhaps of each language; its options `text_encoder`, `image_encoder` and `data`.
        folder: empty.

    Returns:
        Notes.

    Raises:
        InputError: a map or an encoder that no stock module can hold, no encoder known, a missing or too old library,
            or an encoder whose rows the map does not take.
    """
    library = import_library(f"--to={job.to}", "sentence_transformers", EXTRA)
    if job.parts[0].name == "images":
        raise refuse(job, "a folder for captions, or for both sides; leave --side=images out")
    facts = read_facts(job)
    notes: list[str] = []
    text, image = _text_choice(job, facts), _image_choice(job, facts, notes)
    if image is None and job.learned.aligner.trains_image:
        notes.append("the map moves images, too; --to=onnx --side=images writes theirs")
    encoders = stock_encoders(
        text.spec, image and image.spec, pooling=text.pooling, image_pooling=image and image.pooling
    )
    since = max((one.since for one in encoders if one is not None), key=_release)
    if image is not None:
        since = max(since, MODALITIES_SINCE, key=_release)
    if _release(library.__version__) < _release(since):
        remedy = "" if image is None else ", or leave images out with --image_encoder=none"
        raise InputError(
            f"sentence-transformers {library.__version__} is installed, but such a folder needs {since} or newer; "
            f'pip install -U "sentence-transformers>={since}"{remedy}'
        )
    routes: dict[str | None, Sequence[Layer]] = {
        part.language: part.layers for part in job.parts if part.name != "images" and part.layers is not None
    }
    write_modules(folder, _modules(job, routes, *encoders), _configuration(encoders[0], text.prompt))
    difference = compare_rows(library, job.learned, folder, text, image, [*routes], notes)
    notes.append(f"sentence-transformers from {since} on loads it; rows differ from ours by at most {difference:.1g}")
    return notes


def _text_choice(job: Job, facts: Facts) -> EncoderChoice:
    spec = job.options.get("text_encoder") or facts.encoder_name("text")
    if spec is None:
        raise InputError(
            "--text_encoder is missing: nothing tells which one the map was learned for; give its name as for an "
            "extraction, or --data=EMBEDDINGS, the folder that the extraction wrote"
        )
    if _no_module(spec):
        raise InputError(f"--text_encoder={spec}: {NO_MODULE} for it; --to=onnx exports the map alone")
    if layer := (facts.extraction or {}).get("layer"):
        raise InputError(
            f"the map was learned from {layer}, hidden states, for which there is no module; use --to=onnx"
        )
    return _choice(spec, facts.encoder("text"))


def _image_choice(job: Job, facts: Facts, notes: list[str]) -> EncoderChoice | None:
    """The encoder of images; None, with a note, where they are left out."""
    asked, recorded = job.options.get("image_encoder"), facts.encoder_name("image")
    if asked == "none" or job.parts[-1].name != "images":
        return None
    spec = asked or recorded
    if spec is None:
        notes.append("captions alone: nothing tells the image encoder; --image_encoder=NAME adds images")
        return None
    if _no_module(spec):
        if asked is not None:
            raise InputError(f"--image_encoder={spec}: {NO_MODULE} for it; none leaves images out")
        notes.append(f"captions alone: {NO_MODULE} for {spec}")
        return None
    return _choice(spec, facts.encoder("image"))


def _no_module(spec: str) -> bool:
    """Whether an encoder is of another library, or a function."""
    kind, colon, _ = spec.partition(":")
    if kind in ENCODERS:
        return kind not in STOCK_KINDS
    return not Path(spec).exists() and (bool(colon) or "/" not in spec)


def _choice(spec: str, known: Mapping[str, Any]) -> EncoderChoice:
    weights, versions = known.get("weights_sha256"), known.get("versions")
    return EncoderChoice(spec, _pooling(known), known.get("prompt"), weights, versions)


def _pooling(known: Mapping[str, Any]) -> str | None:
    """What a transformers model was told; dual encoders and those of sentence-transformers have their own."""
    found = known.get("pooling")
    return None if found is None or found == "projected" or not found.islower() else found


def _release(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def _modules(
    job: Job, routes: Mapping[str | None, Sequence[Layer]], text: StockEncoder, image: StockEncoder | None
) -> list[Module]:
    chains = {name or OTHER: [dense(layer) for layer in layers] for name, layers in routes.items()}
    mapped = [module for chain in chains.values() for module in chain]
    if len(chains) > 1:
        shared = chains.get(OTHER)
        aliases = {} if shared is None else dict.fromkeys(TASKS, shared)
        mapped = [router({**chains, **aliases}, default=None if shared is None else OTHER)]
    captions = [*text.modules, normalize(), *mapped, normalize()]
    if image is None:
        return captions
    layers = job.parts[-1].layers or ()
    images = [*image.modules, normalize(), *(dense(layer) for layer in layers if not _is_identity(layer)), normalize()]
    sides = {"text": captions, "image": images}
    return [router(sides, default="text", modalities={side: side for side in sides})]


def _is_identity(layer: Layer) -> bool:
    return not layer.gelu and not layer.bias.any() and np.array_equal(layer.weight, np.eye(*layer.weight.shape))


def _configuration(encoder: StockEncoder, prompt: str | None) -> dict[str, Any]:
    """Settings of the model: those of the encoder, with the prompt of the extraction as the default one."""
    config = {**encoder.config}
    prompts = {**(config.get("prompts") or {})}
    default = config.get("default_prompt_name")
    if prompt is not None and prompt != (prompts.get(default) or ""):
        default = next((name for name, text in prompts.items() if prompt and text == prompt), None)
        if prompt and default is None:
            default = "captions"
            prompts = {default: prompt, **prompts, **{task: prompts.get(task) or prompt for task in TASKS}}
    similarity = config.get("similarity_fn_name")
    return {
        **config,
        "prompts": prompts,
        "default_prompt_name": default,
        "similarity_fn_name": similarity if similarity in SAME_ON_UNIT_ROWS else "cosine",
    }

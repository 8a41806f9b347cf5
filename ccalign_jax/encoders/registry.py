"""The registry of encoders, by which a name on the command line becomes one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ccalign_jax.encoders.base import Choices, Encoder, Side
from ccalign_jax.encoders.functions import encoder_of, load_function
from ccalign_jax.encoders.offline import EFFICIENTNETS, load_efficientnet, load_use_m3
from ccalign_jax.encoders.open_clip_models import load_open_clip
from ccalign_jax.encoders.sentence_models import load_sentence_transformers
from ccalign_jax.encoders.transformers_models import load_transformers
from ccalign_jax.errors import InputError, check_text, reason

__all__ = ["ENCODERS", "Kind", "load_encoders", "resolve"]


class Kind(NamedTuple):
    """One kind of encoder.

    Attributes:
        summary: what it is, in one line.
        load: makes it, from its name without the kind.
        sides: that it encodes.
        named: a model follows the kind, after a colon.
        reads: choices that change it, of those that not every encoder reads.
    """

    summary: str
    load: Callable[[str, Side, Choices], Encoder]
    sides: tuple[Side, ...] = ("text", "image")
    named: bool = True
    reads: tuple[str, ...] = ()


ENCODERS = {
    "transformers": Kind(
        "a folder or hub name: a dual encoder (CLIP, SigLIP, ...), a text model or a vision model",
        load_transformers,
        reads=("pooling", "image_pooling", "layers"),
    ),
    "sentence-transformers": Kind("a folder or hub name of a SentenceTransformer", load_sentence_transformers),
    "open_clip": Kind("MODEL/PRETRAINED, a folder, or hf-hub:NAME", load_open_clip),
    "use-m3": Kind("Universal Sentence Encoder, multilingual; needs no hub", load_use_m3, ("text",), False),
    **{
        name: Kind(f"trained on ImageNet, {size} pixels a side; needs no hub", load_efficientnet, ("image",), False)
        for name, size in EFFICIENTNETS.items()
    },
    "function": Kind("module:function or file.py:function, your own, of a batch", load_function),
}


Asked = str | Callable[..., Any]


def load_encoders(text: Asked, image: Asked, choices: Choices) -> tuple[Encoder, Encoder]:
    """The encoders of both sides; a model that encodes both is loaded once.

    Args:
        text, image: `KIND:NAME`, `KIND` alone for those without a model's name, a folder or a hub name whose files tell
            the kind, `module:function`, or a function.
        choices: options that some encoders read.

    Raises:
        InputError: an unknown name, one of the other side, or a library that is not installed.

    Example:
        >>> import numpy as np
        >>> length = lambda captions: np.array([[len(caption), 1.0] for caption in captions])
        >>> mean = lambda images: np.array([[image.mean(), 1.0] for image in images])
        >>> encoder, _ = load_encoders(length, mean, Choices())
        >>> encoder.replicas[0](["a", "bcd"])[""].tolist()
        [[1.0, 1.0], [3.0, 1.0]]
    """
    given: dict[Side, Asked] = {"text": text, "image": image}
    found, read = {}, set()
    for side, spec in given.items():
        if callable(spec):
            found[side] = encoder_of(spec, side, choices)
            continue
        kind, name = resolve(spec, side)
        if side not in ENCODERS[kind].sides:
            raise InputError(f"--{side}_encoder={spec}: it encodes no {'captions' if side == 'text' else 'images'}")
        read |= {*ENCODERS[kind].reads}
        found[side] = ENCODERS[kind].load(name, side, choices)
    for option in ("pooling", "image_pooling", "layers"):
        if getattr(choices, option) and option not in read:
            raise InputError(f"--{option} is read by transformers models alone; leave it out")
    return found["text"], found["image"]


def resolve(spec: str, side: Side) -> tuple[str, str]:
    """The kind of an encoder, and its name without the kind.

    Raises:
        InputError: none has such a name.

    Example:
        >>> resolve("open_clip:ViT-B-32/openai", "image"), resolve("use-m3", "text")
        (('open_clip', 'ViT-B-32/openai'), ('use-m3', 'use-m3'))
    """
    flag = f"--{side}_encoder={spec}"
    check_text(f"--{side}_encoder=", spec)
    before, colon, name = spec.partition(":")
    if spec in ENCODERS and not ENCODERS[spec].named:
        return spec, spec
    if colon and before in ENCODERS and ENCODERS[before].named:
        if not name:
            raise InputError(f"{flag}: a name must follow {before}:")
        return before, name
    if Path(spec).is_dir():
        return _kind_of_folder(Path(spec), flag), spec
    if colon and "/" not in spec.rpartition(":")[2]:
        return "function", spec
    if spec.count("/") == 1:
        return _kind_on_hub(spec, flag), spec
    raise InputError(f"{flag}: no such encoder; give {', '.join(_forms())}, a folder, or a hub name ORG/NAME")


def _forms() -> list[str]:
    return [f"{name}:NAME" if kind.named else name for name, kind in ENCODERS.items()]


# The file that tells the kind, in the order in which they are looked for: the first two hold a config.json, too.
_SIGNS = {
    "modules.json": "sentence-transformers",
    "open_clip_config.json": "open_clip",
    "config.json": "transformers",
}


def _kind_of_folder(folder: Path, flag: str) -> str:
    for file, kind in _SIGNS.items():
        if (folder / file).is_file():
            return kind
    raise InputError(f"{flag}: the folder has none of {', '.join(_SIGNS)}; save a whole model there")


def _kind_on_hub(spec: str, flag: str) -> str:
    from ccalign_jax._libraries import import_library

    hub = import_library(spec, "huggingface_hub", "encode")
    name, _, revision = spec.partition("@")
    try:
        files = set(hub.list_repo_files(name, revision=revision or None))
    except Exception as error:  # of many libraries: no network, no such name, no permission
        raise InputError(
            f"{flag}: the hub does not tell its kind ({reason(error)}); write KIND:{spec}, or give a folder"
        ) from error
    for file, kind in _SIGNS.items():
        if file in files:
            return kind
    raise InputError(f"{flag}: it has none of {', '.join(_SIGNS)}; give another")

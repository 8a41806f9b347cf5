"""What an extraction says of its folder: the encoders, and how many shards there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ccalign_jax.data.damage import reading
from ccalign_jax.data.json_files import read_json
from ccalign_jax.data.safetensors_files import read_safetensors_header
from ccalign_jax.errors import InputError
from ccalign_jax.files import whole_file
from ccalign_jax.manifests import text_with_digest

__all__ = ["DESCRIPTION", "SHARD", "check_extracted", "check_shard_name", "differences", "image_places"]
__all__ += ["read_description", "write_description"]

DESCRIPTION = "embeddings.json"
SHARD = "shard"  # key of the metadata of a shard: the name of its file
_IDENTITY = ("name", "revision", "weights_sha256", "pooling", "prompt", "preprocessing", "precision")  # of an encoder


def read_description(folder: Path) -> dict[str, Any] | None:
    """The description of an extraction's folder; None where the folder is of something else.

    Raises:
        InputError: it is damaged.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        return None
    try:
        found = read_json(path)
        digest = found.pop("sha256", None)  # older versions wrote none
        if digest is not None and path.read_text("utf-8") != text_with_digest(found):
            raise ValueError("not as it was written")
        if _is_description(found):
            return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise InputError(f"{path}: damaged, or not the description of an extraction; copy or write it again")


def write_description(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the description of an extraction's folder, with its own SHA-256."""
    with whole_file(folder / DESCRIPTION) as file:
        file.write(text_with_digest(content).encode())


def _is_description(found: Any) -> bool:
    """Whether everything that is read of a description is of its kind."""
    encoders, source, config = found["encoders"], found.get("source") or {}, found.get("config") or {}
    listed = [source.get("splits") or [], source.get("facts", [])]
    return (
        isinstance(encoders["text"], dict)
        and isinstance(encoders["image"], dict)
        and type(found.get("shards") or 0) is int
        and isinstance(config.get("images") or "", str)
        and all(isinstance(each, list) and all(isinstance(one, str) for one in each) for each in listed)
    )


def image_places(folder: Path) -> dict[str, Any]:
    """Where the images of an extraction lie: their `folder`, or the `source` that holds them; empty of others."""
    config = (read_description(folder) or {}).get("config") or {}
    return {"folder": Path(config["images"])} if config.get("images") else {"source": config} if config else {}


def check_extracted(place: Path, paths: Sequence[Path]) -> tuple[str, ...]:
    """Refuse shards of an extraction that is unfinished, or of several that do not belong together.

    Args:
        place: the folder that was given.
        paths: its shards; those of other programs are no matter.

    Returns:
        What retrieval figures on them depend on, one sentence each: which captions and splits were embedded, and what
        is known of the source.

    Raises:
        InputError: shards are missing or there twice, or differ in their encoders.
    """
    folders = sorted({path.parent for path in paths})
    stored = {folder: found for folder in folders if (found := read_description(folder)) is not None}
    if not stored:
        return ()
    first = next(iter(stored))
    for folder, found in stored.items():
        for side in ("text", "image"):
            if changed := differences(found["encoders"][side], stored[first]["encoders"][side]):
                raise InputError(f"{folder}: not of the {side} encoder of {first.name}, {changed[0]}; move it away")
    for path in (path for path in paths if path.parent in stored and path.suffix == ".safetensors"):
        check_shard_name(path)
    names = [path.name for path in paths]
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
        raise InputError(f"{place}: {twice} is there twice, in several folders; remove one of them")
    total = max((found.get("shards") or 0 for found in stored.values()), default=0)
    if not total or len(names) < total:
        known = f" of {total}" if total else ""
        raise InputError(
            f"{place}: the extraction is unfinished, {len(names)}{known} shards are there; go on with "
            "ccalign extract --resume, or add the other parts"
        )
    return tuple(dict.fromkeys(note for found in stored.values() for note in _notes(found.get("source") or {})))


def check_shard_name(path: Path) -> dict[str, str]:
    """The metadata of a shard of an extraction, which must say that it is this file.

    Raises:
        InputError: it is another one, or its header is damaged.
    """
    with reading(f"{path}: not a whole shard"):
        metadata = read_safetensors_header(path)[1]
    if (name := metadata.get(SHARD, path.name)) != path.name:
        raise InputError(f"{path}: holds {name}, so files were exchanged or renamed; give it back its name")
    return metadata


def _notes(source: Mapping[str, Any]) -> list[str]:
    if "captions" not in source:  # of an earlier version
        return []
    policy = "the first caption" if source["captions"] == "first" else "all captions"
    splits = f", splits {', '.join(source['splits'])}" if source.get("splits") else ""
    return [f"embedded: {policy} of each image and language{splits}", *source.get("facts", [])]


def differences(mine: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """`name is mine, not other` for everything in which two encoders differ."""
    return [
        f"{name} is {mine.get(name)!r}, not {other.get(name)!r}"
        for name in _IDENTITY
        if mine.get(name) != other.get(name)
    ]

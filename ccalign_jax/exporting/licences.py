"""Licences of encoders, as the cards of their models say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

__all__ = ["hub_name", "licence"]


def hub_name(encoder: Mapping[str, Any]) -> str | None:
    """The name of an encoder on a hub, without its revision; None for a folder, or what is on no hub.

    Example:
        >>> hub_name({"name": "google/siglip2-base-patch16-224@main"}), hub_name({"name": "use-m3"})
        ('google/siglip2-base-patch16-224', None)
    """
    name = str(encoder.get("name") or "").partition("@")[0]
    return None if name.count("/") != 1 or name.startswith((".", "/", "~")) or Path(name).exists() else name


def licence(encoder: Mapping[str, Any]) -> str | None:
    """What the card beside an encoder's files names; None where there is no card, or it names none.

    Nothing is fetched: of a hub's model, the copy that the extraction left behind is looked at.
    """
    name = hub_name(encoder)
    file = Path(str(encoder.get("name") or "")) / "README.md" if name is None else _cached(name, encoder)
    if file is None or not file.is_file():
        return None
    text = file.read_text(encoding="utf-8", errors="replace")
    if not text.startswith("---"):
        return None
    try:
        head = yaml.safe_load(text.split("\n---", 1)[0])
    except yaml.YAMLError:
        return None
    found = head.get("license") if isinstance(head, dict) else None
    return found if isinstance(found, str) and found not in ("unknown", "other") else None


def _cached(name: str, encoder: Mapping[str, Any]) -> Path | None:
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = try_to_load_from_cache(name, "README.md", revision=encoder.get("revision"))
    return Path(found) if isinstance(found, str) else None

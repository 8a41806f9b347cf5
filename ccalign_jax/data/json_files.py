"""JSON files whose content may be anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["read_json"]


def read_json(path: Path) -> Any:
    """The value that a JSON file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not UTF-8, not JSON, or nested too deeply.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "seed.json"
        ...     _ = path.write_text('{"seed": 0}')
        ...     read_json(path)
        {'seed': 0}
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"{path}: nested too deeply") from None

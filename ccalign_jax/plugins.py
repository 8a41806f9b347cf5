"""Plugins: modules that register aligners, losses, pivots and metrics when they are imported."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from ccalign_jax.errors import InputError

__all__ = ["GROUP", "load_installed", "load_plugin"]

GROUP = "ccalign_jax.plugins"  # of entry points


def load_plugin(plugin: str | os.PathLike[str]) -> ModuleType:
    """Import a plugin, once.

    The file's folder, or else the working directory, comes last on `sys.path`, so that a plugin finds its neighbours.

    Args:
        plugin: a module's name, or the path of a `.py` file, whose module has the name of the file.

    Raises:
        InputError: there is no such module or file, another module has the file's name, or an exception on import.

    Example:
        >>> load_plugin("nowhere.py")
        Traceback (most recent call last):
        ccalign_jax.errors.InputError: plugin=nowhere.py: no such file; give a module's name or the path of a .py file
    """
    given = os.fspath(plugin)
    flag, path = f"--plugin={given}", Path(given).absolute()
    if path.suffix == ".py":
        if not path.is_file():
            raise InputError(f"{flag}: no such file; give a module's name or the path of a .py file")
        _last_on_path(path.parent)
        return _loaded_from(path, flag) or _imported(flag, lambda: _import_file(path))
    _last_on_path(Path.cwd())
    top = given.partition(".")[0]
    if not top or (top not in sys.modules and importlib.util.find_spec(top) is None):
        raise InputError(f"{flag}: no such module on sys.path or here; give its name, or the path of a .py file")
    return _imported(flag, lambda: importlib.import_module(given))


def load_installed() -> None:
    """Import the modules that installed packages name as entry points of the group `ccalign_jax.plugins`.

    Raises:
        InputError: the first that fails, by its name.
    """
    for point in entry_points(group=GROUP):
        _imported(f"installed plugin {point.name} ({point.value})", point.load)


def _last_on_path(folder: Path) -> None:
    importlib.invalidate_caches()
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _loaded_from(path: Path, flag: str) -> ModuleType | None:
    """The module of this file, if it is loaded.

    Raises:
        InputError: its name is that of another module.
    """
    name = path.stem
    loaded = sys.modules.get(name)
    if loaded is not None and os.path.realpath(getattr(loaded, "__file__", None) or "") == os.path.realpath(path):
        return loaded
    if loaded is not None or name in sys.stdlib_module_names or "." in name:
        raise InputError(f"{flag}: {name} is the name of another module; give the file another name")
    return None


def _import_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _imported(flag: str, load: Callable[[], ModuleType]) -> ModuleType:
    """Module that `load` returns; any exception in one line that names the plugin."""
    try:
        return load()
    except (Exception, SystemExit) as error:
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = "" if last.filename.startswith("<frozen") else f" ({last.filename}:{last.lineno})"
        raise InputError(f"{flag}: {kind}{' '.join(str(error).split())}{where}") from error

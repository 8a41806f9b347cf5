"""Programs of tests, compiled quickly: toy problems are little work and much code."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from itertools import count
from threading import Lock
from typing import Any

import jax
import numpy as np
from jax._src import compiler, core
from jax._src.interpreters import mlir

# Of XLA, to compile quickly: no MLIR, and one LLVM module for each program.
QUICK = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}
MAX_LOWERED = 500  # programs that one MLIR context holds the types and places of
OPTIMISED = jax.make_user_context(False)  # in the keys of jax's caches, so that both kinds of programs stay in them


def compile_quickly() -> None:
    """Compile in a quarter of the time, with few optimisations; lower in half of it, with few contexts."""
    jax.config.update("jax_disable_most_optimizations", True)
    jax.config.update("jax_traceback_in_locations_limit", 0)
    if made := getattr(compiler, "get_compile_options", None):
        quick = quick_options()

        def options(*arguments: Any, env_options_overrides: Mapping[str, Any] | None = None, **rest: Any) -> Any:
            asked = dict(env_options_overrides or {})
            if jax.config.read("jax_disable_most_optimizations"):
                asked = quick | asked
            return made(*arguments, env_options_overrides=asked, **rest)

        compiler.get_compile_options = options
    if made_context := getattr(mlir, "make_ir_context", None):
        mlir.make_ir_context = renewed(made_context, MAX_LOWERED)
    if staged := getattr(core, "stage_p", None):
        staged.def_impl(partial(placed, staged.impl))


def renewed(make: Callable[[], Any], uses: int) -> Callable[[], Any]:
    """What gives the same result of `make` so many times, then the next one."""
    results = (one for _ in count() for one in [make()] * uses)
    lock = Lock()  # jax lowers in several threads

    def latest() -> Any:
        with lock:
            return next(results)

    return latest


def placed(stage: Callable[[Any], Any], value: Any) -> Any:
    """What `jnp.asarray` gives of a NumPy array, without the program of its shape that jax compiles to copy it."""
    return jax.device_put(value.copy()) if type(value) is np.ndarray else stage(value)


@cache
def quick_options() -> dict[str, Any]:
    """Those of `QUICK` that this XLA knows."""
    known = {}
    for name, value in QUICK.items():
        with suppress(jax.errors.JaxRuntimeError):
            jax.jit(lambda: 0, compiler_options={name: value})()
            known[name] = value
    return known


def optimise(wanted: bool) -> None:
    """Compile from here on as for users, or quickly."""
    jax.config.update("jax_disable_most_optimizations", not wanted)
    OPTIMISED.set_global(wanted)

"""Matrix products in bfloat16: factors rounded, sums in float32."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, jaxpr_as_fun
from jaxtyping import Array

__all__ = ["PRECISIONS", "Precision", "in_precision", "is_emulated"]

Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
CPU_FLAGS = Path("/proc/cpuinfo")
# By its name in Linux. With AVX512-BF16 alone maps are faster than in float32 and their gradients slower
# (experiments/benchmarks/bfloat16.py).
INSTRUCTION = "amx_bf16"

Function = TypeVar("Function", bound=Callable[..., Any])


def in_precision(function: Function, precision: Precision, *, exact_too: bool = False) -> Function:
    """The function with the float32 products of its matrices in another precision, those of its loops included.

    `bfloat16` rounds both factors of every `dot_general` and sums in float32, on every kind of device. Gradients are
    products, too: transform the function that takes them. All else stays in float32.

    Args:
        function: of arrays; traceable.
        precision: `float32` changes nothing.
        exact_too: also products that ask for `Precision.HIGHEST`.

    References:
        Kalamkar et al., 2019, "A Study of BFLOAT16 for Deep Learning Training".

    Example:
        >>> product = in_precision(jnp.matmul, "bfloat16")
        >>> product(jnp.full((1, 2), 1.001), jnp.ones((2, 1))).tolist()
        [[2.0]]
    """
    if precision == "float32":
        return function

    @functools.wraps(function)
    def rounded(*args: Any, **settings: Any) -> Any:
        closed, shape = jax.make_jaxpr(functools.partial(function, **settings), return_shape=True)(*args)
        outputs = jaxpr_as_fun(_rounded(closed, exact_too))(*jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(shape), outputs)

    return rounded  # type: ignore[return-value]


def is_emulated() -> bool:
    """Whether bfloat16 products are slower here than float32 ones, as on a CPU without AMX; False if unknown."""
    if jax.default_backend() != "cpu" or not CPU_FLAGS.exists():
        return False
    return INSTRUCTION not in CPU_FLAGS.read_text()


def _rounded(program: ClosedJaxpr, exact_too: bool) -> ClosedJaxpr:
    """The program with its float32 products rounded, those of the programs within included."""
    return program.replace(jaxpr=_rounded_equations(program.jaxpr, exact_too))


def _rounded_equations(jaxpr: Jaxpr, exact_too: bool) -> Jaxpr:
    def rounded(equation: JaxprEqn) -> JaxprEqn:
        if equation.primitive is jax.lax.dot_general_p and _is_rounded(equation, exact_too):
            return _rounded_product(equation)
        return equation.replace(params={key: _within(value, exact_too) for key, value in equation.params.items()})

    return jaxpr.replace(eqns=list(map(rounded, jaxpr.eqns)))


def _is_rounded(product: JaxprEqn, exact_too: bool) -> bool:
    asked, factors = product.params["precision"], [factor.aval for factor in product.invars]
    exact = asked is not None and jax.lax.Precision.HIGHEST in asked
    return all(getattr(aval, "dtype", None) == jnp.float32 for aval in factors) and (exact_too or not exact)


def _rounded_product(product: JaxprEqn) -> JaxprEqn:
    dimensions = product.params["dimension_numbers"]

    @jax.jit
    def multiply(left: Array, right: Array) -> Array:
        if is_emulated():  # the same products by float32 arithmetic, faster than XLA's emulation
            left, right = (jax.lax.reduce_precision(side, exponent_bits=8, mantissa_bits=7) for side in (left, right))
            return jax.lax.dot_general(left, right, dimensions)
        left, right = left.astype(jnp.bfloat16), right.astype(jnp.bfloat16)
        # The barrier keeps XLA from folding a transpose into the product, which its CPU kernels then refuse.
        product = jax.lax.dot_general(left, right, dimensions, preferred_element_type=jnp.float32)
        return jax.lax.optimization_barrier(product)

    (equation,) = jax.make_jaxpr(multiply)(*(factor.aval for factor in product.invars)).jaxpr.eqns
    return equation.replace(invars=product.invars, outvars=product.outvars)


def _within(value: Any, exact_too: bool) -> Any:
    """A parameter of a primitive, with the programs in it rounded."""
    if isinstance(value, ClosedJaxpr):
        return _rounded(value, exact_too)
    if isinstance(value, Jaxpr):
        return _rounded_equations(value, exact_too)
    if isinstance(value, tuple) and any(isinstance(each, ClosedJaxpr) for each in value):  # branches
        return tuple(_within(each, exact_too) for each in value)
    return value

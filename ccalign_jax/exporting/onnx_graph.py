"""A function of rows as an ONNX graph: traced by jax, its operations translated one by one, constants computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import export as jax_export
from jax.extend.core import ClosedJaxpr, Literal
from jaxtyping import Array

from ccalign_jax._libraries import import_library

__all__ = ["Equation", "Graph", "Known", "Untranslatable", "Value", "trace"]

Equation = Any  # a `jax.extend.core.JaxprEqn`, whose shapes its types do not have

BATCH = "batch"  # name of the number of rows
# Calls of functions, and the parameter that holds the function.
CALLS = {
    "checkpoint": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "jit": "jaxpr",
    "pjit": "jaxpr",
}


class Untranslatable(Exception):
    """An operation that has no translation; the message says which."""


class Value(NamedTuple):
    """A result within the graph.

    Attributes:
        name: of the ONNX value.
        shape: of the ONNX value; a dimension is 1 where jax has broadcast it and the next operation will.
    """

    name: str
    shape: tuple[Any, ...]


Known = np.ndarray  # does not depend on the rows: computed while the graph is made


class Graph:
    """Nodes and constants, in the order in which they are computed.

    Attributes:
        nodes: of ONNX.
        constants: tensors by name.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self.helper = import_library("--to=onnx", "onnx", "export").helper

    def name_of(self, value: Value | Known) -> str:
        """Name of a value; a known one becomes a constant."""
        if isinstance(value, Value):
            return value.name
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.asarray(value, order="C")
        return name

    def add(
        self,
        operator: str,
        *inputs: Value | Known,
        shape: Sequence[Any] | None = None,
        name: str | None = None,
        **attributes: Any,
    ) -> Value:
        """Add a node; its shape is that to which its inputs broadcast, if it is not given."""
        if shape is None:
            shape = np_broadcast([one.shape for one in inputs])
        output = name or f"value_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(operator, [*map(self.name_of, inputs)], [output], **attributes))
        return Value(output, tuple(shape))

    def expand(self, value: Value | Known, shape: Sequence[Any], rows: Value) -> Value | Known:
        """The value in its whole shape, which jax has broadcast and the graph has not."""
        if tuple(value.shape) == tuple(shape):
            return value
        count = self.add("Shape", rows, shape=(1,), start=0, end=1)
        sizes = [np.array([size], np.int64) if isinstance(size, int) else count for size in shape]
        return self.add("Expand", value, self.add("Concat", *sizes, shape=(len(sizes),), axis=0), shape=shape)

    def unit_rows(self, rows: Value, *, name: str | None = None) -> Value:
        """Rows scaled to length one; a zero row stays zero."""
        one, zero, last = np.array(1.0, np.float32), np.array(0.0, np.float32), np.array([-1])
        narrow = (*rows.shape[:-1], 1)

        def divided(rows: Value, length: Value, name: str | None) -> Value:
            safe = self.add("Where", self.add("Equal", length, zero), one, length)
            return self.add("Div", rows, safe, name=name)

        largest = self.add("ReduceMax", self.add("Abs", rows), last, shape=narrow, keepdims=1)
        rows = divided(rows, largest, None)  # whose squares neither overflow nor vanish
        square = self.add("ReduceSum", self.add("Mul", rows, rows), last, shape=narrow, keepdims=1)
        return divided(rows, self.add("Sqrt", square), name)


class Rule(NamedTuple):
    """Translation of an operation of jax.

    Attributes:
        translate: adds the nodes of an equation, whose inputs follow, and returns its result.
        broadcasts: whether it takes values in a shape that jax has broadcast and the graph has not.
    """

    translate: Callable[[Graph, Equation, list[Value | Known]], Value | Known]
    broadcasts: bool


def np_broadcast(shapes: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """The shape to which these shapes broadcast; the number of rows may be among the sizes.

    Example:
        >>> np_broadcast([("batch", 3), (1, 3), ()])
        ('batch', 3)
    """
    rank = max(map(len, shapes))
    columns = zip(*((1,) * (rank - len(shape)) + tuple(shape) for shape in shapes), strict=True)
    return tuple(next((size for size in sizes if isinstance(size, str) or size != 1), 1) for sizes in columns)


def trace(function: Callable[[Array], Array], width: int, graph: Graph, rows: Value, rules: dict[str, Rule]) -> Value:
    """Add a function of float32 rows `[m, width]` to a graph, for any number of rows m.

    Args:
        function: that jax can trace.
        width: of its rows.
        graph: to add to.
        rows: what the function is applied to.
        rules: translations of operations by the names that they have in jax.

    Raises:
        Untranslatable: an operation that depends on the rows and has no rule.
    """
    (batch,) = jax_export.symbolic_shape(BATCH)
    try:
        with jax.default_matmul_precision("highest"):  # of products of constants, which are computed here
            traced = jax.make_jaxpr(function)(jax.ShapeDtypeStruct((batch, width), np.float32))
    except Exception as error:
        raise Untranslatable(f"it cannot be traced for any number of rows ({str(error).splitlines()[0]})") from error
    (found,) = _Translation(graph, rows, batch, rules).run(traced, [rows])
    return graph.add("Identity", found, shape=found.shape) if isinstance(found, np.ndarray) else found


def dtype_of(place: Any) -> np.dtype:
    """Type of the numbers of a variable of jax's."""
    return place.aval.dtype


class _Translation(NamedTuple):
    graph: Graph
    rows: Value
    batch: Any
    rules: dict[str, Rule]

    def run(self, closed: ClosedJaxpr, inputs: Sequence[Value | Known]) -> list[Value | Known]:
        jaxpr: Any = closed.jaxpr
        known = dict(zip(jaxpr.constvars, map(np.asarray, closed.consts), strict=True))
        values: dict[Any, Value | Known] = {**known, **dict(zip(jaxpr.invars, inputs, strict=True))}

        def read(place: Any) -> Value | Known:
            # A literal may be a Python number, of another type.
            return np.asarray(place.val, dtype_of(place)) if isinstance(place, Literal) else values[place]

        for equation in jaxpr.eqns:
            found = self.equation(equation, [read(place) for place in equation.invars])
            values |= dict(zip(equation.outvars, found, strict=True))
        return [self.whole(read(place), place.aval.shape) for place in jaxpr.outvars]

    def equation(self, equation: Equation, inputs: list[Value | Known]) -> list[Value | Known]:
        name = equation.primitive.name
        if name in CALLS and equation.params.get("name") not in self.rules:
            inner = equation.params[CALLS[name]]
            return self.run(inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ()), inputs)
        static = all(isinstance(size, int) for place in equation.outvars for size in place.aval.shape)
        if static and all(isinstance(value, np.ndarray) for value in inputs):
            found = equation.primitive.bind(*inputs, **equation.params)
            return [np.asarray(one) for one in (found if equation.primitive.multiple_results else [found])]
        name = equation.params["name"] if name in CALLS else name
        if name not in self.rules:
            raise Untranslatable(f"its function uses jax's {name}, which has no translation")
        rule = self.rules[name]
        if not rule.broadcasts:
            shapes = [place.aval.shape for place in equation.invars]
            inputs = [self.whole(value, shape) for value, shape in zip(inputs, shapes, strict=True)]
        return [rule.translate(self.graph, equation, inputs)]

    def whole(self, value: Value | Known, shape: Sequence[Any]) -> Value | Known:
        return self.graph.expand(value, [self.size(size) for size in shape], self.rows)

    def size(self, size: Any) -> int | str:
        if isinstance(size, int):
            return size
        if size == self.batch:
            return BATCH
        raise Untranslatable(f"its function makes an array of {size} rows")

"""Translations of jax's operations on arrays to those of ONNX, by name: shapes, parts, sums and products."""

from __future__ import annotations

from string import ascii_lowercase
from typing import Any

import numpy as np

from ccalign_jax.exporting.onnx_graph import BATCH, Equation, Graph, Untranslatable, Value, dtype_of
from ccalign_jax.exporting.onnx_rules import RULES, Inputs, Translate, rule

__all__ = ["RULES"]

REDUCED = {"reduce_max": "ReduceMax", "reduce_min": "ReduceMin", "reduce_prod": "ReduceProd", "reduce_sum": "ReduceSum"}


@rule("broadcast_in_dim", broadcasts=True)
def _broadcast(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    (value,), rank = inputs, len(equation.outvars[0].aval.shape)
    kept = equation.params["broadcast_dimensions"]
    shape: list[Any] = [1] * rank
    for place, size in zip(kept, value.shape, strict=True):
        shape[place] = size
    added = np.array([place for place in range(rank) if place not in kept], np.int64)
    return graph.add("Unsqueeze", value, added, shape=shape)


@rule("squeeze", broadcasts=True)
def _squeeze(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    (value,), dropped = inputs, equation.params["dimensions"]
    shape = [size for place, size in enumerate(value.shape) if place not in dropped]
    return graph.add("Squeeze", value, np.array(dropped, np.int64), shape=shape)


@rule("transpose", broadcasts=True)
def _transpose(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    (value,), order = inputs, equation.params["permutation"]
    return graph.add("Transpose", value, perm=list(order), shape=[value.shape[place] for place in order])


@rule("reshape")
def _reshape(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    shape = _shape(equation)
    return graph.add("Reshape", *inputs, np.array([-1 if size == BATCH else size for size in shape]), shape=shape)


@rule("slice")
def _slice(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    (value,), settings = inputs, equation.params
    strides = settings["strides"] or (1,) * len(value.shape)
    cut = [
        (start, stop, place, stride)
        for place, (start, stop, stride) in enumerate(
            zip(settings["start_indices"], settings["limit_indices"], strides, strict=True)
        )
        if value.shape[place] != BATCH
    ]
    return graph.add("Slice", value, *map(np.array, zip(*cut, strict=True)), shape=_shape(equation))


@rule("gather")
def _gather(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    """Numbers at known places, as jax writes `rows[:, :3]` and `rows[:, [2, 0]]`."""
    (value, places), settings, shape = inputs, equation.params, _shape(equation)
    numbers, sizes = settings["dimension_numbers"], settings["slice_sizes"]
    axes, dropped = np.array(numbers.start_index_map, np.int64), numbers.collapsed_slice_dims
    if not isinstance(places, np.ndarray) or numbers.operand_batching_dims:
        raise Untranslatable("its function takes numbers by an index that depends on the rows")
    places = places.astype(np.int64)
    sides = [value.shape[axis] - sizes[axis] for axis in axes]
    if (places < 0).any() or (places > np.array(sides)).any():
        raise Untranslatable("its function takes numbers beyond the end of an array")
    if places.ndim == 1:
        stops = places + np.array([sizes[axis] for axis in axes], np.int64)
        cut = [size if isinstance(size, int) else BATCH for size in sizes]
        part = graph.add("Slice", value, places, stops, axes, shape=cut)
        return graph.add("Squeeze", part, np.array(dropped, np.int64), shape=shape) if dropped else part
    rest = tuple(place for place in range(len(shape)) if place != axes[0])
    if places.ndim != 2 or dropped != (axes[0],) or len(axes) > 1 or numbers.offset_dims != rest:
        raise Untranslatable("its function takes numbers by several indices at once")
    return graph.add("Gather", value, places[:, 0], axis=int(axes[0]), shape=shape)


@rule("rev")
def _reverse(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    axes = np.array(equation.params["dimensions"], np.int64)
    ends = np.full(len(axes), np.iinfo(np.int64).min)
    return graph.add(
        "Slice", *inputs, np.full(len(axes), -1), ends, axes, np.full(len(axes), -1), shape=_shape(equation)
    )


@rule("concatenate")
def _concatenate(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    return graph.add("Concat", *inputs, axis=equation.params["dimension"], shape=_shape(equation))


@rule("pad")
def _pad(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    before, after, between = zip(*equation.params["padding_config"], strict=True)
    if any(between):
        raise Untranslatable("its function pads between numbers")
    return graph.add("Pad", inputs[0], np.array([*before, *after], np.int64), inputs[1], shape=_shape(equation))


def _reduced(operator: str) -> Translate:
    def translate(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
        axes = np.array(equation.params["axes"], np.int64)
        return graph.add(operator, *inputs, axes, keepdims=0, shape=_shape(equation))

    return translate


for _name, _operator in REDUCED.items():
    rule(_name)(_reduced(_operator))


@rule("dot_general")
def _dot(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    (summed, batched), ranks = equation.params["dimension_numbers"], [len(value.shape) for value in inputs]
    shape = _shape(equation)
    if not any(map(len, batched)) and summed == ((ranks[0] - 1,), (0,)) and ranks[1] <= 2:
        return graph.add("MatMul", *inputs, shape=shape)
    letters, left = iter(ascii_lowercase), [""] * ranks[0]
    right = [""] * ranks[1]
    for places in (batched, summed):
        for one, other in zip(*places, strict=True):
            left[one] = right[other] = next(letters)
    left = [letter or next(letters) for letter in left]
    right = [letter or next(letters) for letter in right]
    shared = [left[place] for place in batched[0]]
    free = [
        [letter for place, letter in enumerate(side) if place not in {*taken, *added}]
        for side, taken, added in zip((left, right), batched, summed, strict=True)
    ]
    formula = f"{''.join(left)},{''.join(right)}->{''.join(shared + free[0] + free[1])}"
    return graph.add("Einsum", *inputs, equation=formula, shape=shape)


def _shape(equation: Equation) -> list[Any]:
    """Shape of the result; every size that is no number is that of the rows."""
    return [size if isinstance(size, int) else BATCH for size in equation.outvars[0].aval.shape]


@rule("unit_rows")
def _unit_rows(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    """`numerics.unit_rows`, a function of ours: the bits of its exponents have no translation."""
    if dtype_of(equation.outvars[0]) != np.float32:
        raise Untranslatable("its function scales rows of another type than float32")
    (rows,) = inputs
    assert isinstance(rows, Value)  # known ones are computed
    return graph.unit_rows(rows)

"""Translations of jax's functions of single numbers to those of ONNX, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ccalign_jax.exporting.onnx_graph import Equation, Graph, Known, Rule, Untranslatable, Value

__all__ = ["RULES", "Inputs", "Translate", "rule"]

Inputs = list[Value | Known]
Translate = Callable[[Graph, Equation, Inputs], Value | Known]
ONE = np.array(1.0, np.float32)

# The same function of each number, by ONNX's name.
SAME = {
    "abs": "Abs",
    "acos": "Acos",
    "add": "Add",
    "and": "And",
    "asin": "Asin",
    "atan": "Atan",
    "ceil": "Ceil",
    "cos": "Cos",
    "cosh": "Cosh",
    "div": "Div",
    "eq": "Equal",
    "erf": "Erf",
    "exp": "Exp",
    "floor": "Floor",
    "ge": "GreaterOrEqual",
    "gt": "Greater",
    "le": "LessOrEqual",
    "log": "Log",
    "logistic": "Sigmoid",
    "lt": "Less",
    "max": "Max",
    "min": "Min",
    "mul": "Mul",
    "neg": "Neg",
    "not": "Not",
    "or": "Or",
    "pow": "Pow",
    "sign": "Sign",
    "sin": "Sin",
    "sinh": "Sinh",
    "sqrt": "Sqrt",
    "sub": "Sub",
    "tan": "Tan",
    "tanh": "Tanh",
}
KEPT = ("copy", "copy_p", "optimization_barrier", "stop_gradient")

RULES: dict[str, Rule] = {}


def rule(name: str, *, broadcasts: bool = False) -> Callable[[Translate], Translate]:
    """Decorator that registers a rule."""

    def register(translate: Translate) -> Translate:
        RULES[name] = Rule(translate, broadcasts)
        return translate

    return register


def _same(operator: str) -> Translate:
    return lambda graph, equation, inputs: graph.add(operator, *inputs)


for _name, _operator in SAME.items():
    rule(_name, broadcasts=True)(_same(_operator))
for _name in KEPT:
    rule(_name, broadcasts=True)(lambda graph, equation, inputs: inputs[0])


@rule("ne", broadcasts=True)
def _not_equal(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    return graph.add("Not", graph.add("Equal", *inputs))


@rule("square", broadcasts=True)
def _square(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    return graph.add("Mul", inputs[0], inputs[0])


@rule("rsqrt", broadcasts=True)
def _inverse_root(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    return graph.add("Reciprocal", graph.add("Sqrt", *inputs))


@rule("erfc", broadcasts=True)
def _complement(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    return graph.add("Sub", ONE, graph.add("Erf", *inputs))


@rule("log1p", broadcasts=True)
def _log1p(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    return graph.add("Log", graph.add("Add", ONE, *inputs))


@rule("expm1", broadcasts=True)
def _expm1(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    return graph.add("Sub", graph.add("Exp", *inputs), ONE)


@rule("is_finite", broadcasts=True)
def _is_finite(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    return graph.add("Not", graph.add("Or", graph.add("IsNaN", *inputs), graph.add("IsInf", *inputs)))


@rule("exp2", broadcasts=True)
def _exp2(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    return graph.add("Pow", np.array(2.0, np.float32), *inputs)


@rule("integer_pow", broadcasts=True)
def _power(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    return graph.add("Pow", inputs[0], np.array(equation.params["y"], np.float32))


@rule("select_n", broadcasts=True)
def _select(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    which, *cases = inputs
    if equation.invars[0].aval.dtype != bool:
        raise Untranslatable("its function selects among more than two cases")
    return graph.add("Where", which, *reversed(cases))


@rule("clamp", broadcasts=True)
def _clamp(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    low, value, high = inputs
    return graph.add("Min", graph.add("Max", value, low), high)


@rule("convert_element_type", broadcasts=True)
def _cast(graph: Graph, equation: Equation, inputs: Inputs) -> Value:
    return graph.add("Cast", *inputs, to=graph.helper.np_dtype_to_tensor_dtype(equation.outvars[0].aval.dtype))

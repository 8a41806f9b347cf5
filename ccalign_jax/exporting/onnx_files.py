"""A map as ONNX models: one file for the captions of each language that has a part, and one for images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ccalign_jax._libraries import import_library
from ccalign_jax._version import __version__
from ccalign_jax.exporting.job import Job, Part, refuse
from ccalign_jax.exporting.onnx_array_rules import RULES
from ccalign_jax.exporting.onnx_graph import BATCH, Graph, Untranslatable, Value, trace

__all__ = ["make_model", "write"]

INPUT, OUTPUT = "source_embedding", "target_embedding"
OPSET, IR = 18, 8  # of onnx 1.13 (2022), which runtimes since then read
MOST_BYTES = 2**31 - 1  # of a protobuf file


def write(job: Job, folder: Path) -> list[str]:
    """Write a checked model for each part; they take and return float32 rows, scaled to unit length inside.

    A file a language, not an input for the language: its graph has one input, which is what programs that run models
    expect, and holds no parameters but those of the language.
    """
    onnx = import_library(f"--to={job.to}", "onnx", "export")
    for part in job.parts:
        model = make_model(job, part)
        if model.ByteSize() > MOST_BYTES:
            raise refuse(job, f"{part.name} takes {model.ByteSize() >> 20} MiB, more than an ONNX file can hold")
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, folder / f"{part.name}.onnx")
    return []


def make_model(job: Job, part: Part) -> Any:
    """The `onnx.ModelProto` of a part.

    Raises:
        InputError: its function uses an operation that has no translation.
    """
    onnx = import_library(f"--to={job.to}", "onnx", "export")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    graph = Graph()
    try:
        unit = graph.unit_rows(Value(INPUT, (BATCH, part.d_in)))
        graph.unit_rows(trace(part.function, part.d_in, graph, unit, RULES), name=OUTPUT)
    except Untranslatable as error:
        raise refuse(job, str(error)) from error
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    whole = helper.make_graph(
        graph.nodes,
        part.name,
        [helper.make_tensor_value_info(INPUT, float32, [BATCH, part.d_in])],
        [helper.make_tensor_value_info(OUTPUT, float32, [BATCH, job.d_out])],
        constants,
    )
    model = helper.make_model(
        whole,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="ccalign_jax",
        producer_version=__version__,
    )
    helper.set_model_props(model, {**job.provenance, "part": part.name, "language": part.language or ""})
    return model

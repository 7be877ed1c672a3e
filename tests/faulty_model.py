"""The tiny model with an ONNX graph that fails for real: where a picture has a pixel of a certain value.

A run raises, loses its last row, or does not end. All else is read as ever.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import tiny_model
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ocrsvc.models.manifest import Manifest, ModelFile, save

RAISES, LOSES_A_ROW, HANGS = 3, 5, 7  # values that no stripe has
_TIMES = 2**62


def manifest() -> Manifest:
    """The model with its files in memory."""
    tiny = tiny_model.manifest("faulty")
    data = _graph(tiny.files["fp32"].read())
    file = ModelFile(hashlib.sha256(data).hexdigest(), len(data), data=data)
    return replace(tiny, files={**tiny.files, "fp32": file})


def write(folder: Path) -> None:
    """Write the model as ``folder/faulty``."""
    save(folder / "faulty", manifest(), {"fp32": "model.onnx", "head": "head.npz"})


def draw(text: str, fault: int = 0) -> NDArray[np.uint8]:
    """Return the picture of a text, which has a pixel of this value in its last column."""
    picture = tiny_model.draw(text)
    if fault:
        picture[0, -1, 0] = fault
    return picture


def _graph(data: bytes) -> bytes:
    model = onnx.load_from_string(data)
    graph = model.graph
    value = helper.make_tensor_value_info
    steps = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["sum"], ["more"])],
        "steps",
        [
            value("number", TensorProto.INT64, []),
            value("go", TensorProto.BOOL, []),
            value("sum", TensorProto.FLOAT, []),
        ],
        [value("on", TensorProto.BOOL, []), value("more", TensorProto.FLOAT, [])],
    )
    before = [helper.make_node("Cast", ["pixels"], ["whole"], to=TensorProto.INT32)]
    for name, level in (("raise", RAISES), ("lose", LOSES_A_ROW), ("hang", HANGS)):
        graph.initializer.append(numpy_helper.from_array(np.array(level, np.int32), f"{name}_level"))
        before += [
            helper.make_node("Equal", ["whole", f"{name}_level"], [f"{name}_at"]),
            helper.make_node("Cast", [f"{name}_at"], [f"{name}_bits"], to=TensorProto.INT32),
            helper.make_node("ReduceMax", [f"{name}_bits"], [f"{name}_bit"], keepdims=0),
            helper.make_node("Cast", [f"{name}_bit"], [f"{name}_flag"], to=TensorProto.INT64),
        ]
    constants: dict[str, NDArray[np.generic]] = {
        "only": np.array([0.0], np.float32),
        "many": np.array(_TIMES, np.int64),
        "yes": np.array(True),
        "first": np.array([0], np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    before += [
        helper.make_node("Gather", ["only", "raise_flag"], ["nothing"]),  # there is no second element
        helper.make_node("Mul", ["many", "hang_flag"], ["times"]),
        helper.make_node("Loop", ["times", "yes", "nothing"], ["late"], body=steps),
        helper.make_node("Cast", ["pixels"], ["float_pixels"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["float_pixels", "late"], ["float"]),
    ]
    after = [
        helper.make_node("Shape", ["indices_of_all"], ["rows"], start=0, end=1),
        helper.make_node("Sub", ["rows", "lose_flag"], ["kept"]),
    ]
    nodes = [node for node in graph.node if list(node.output) != ["float"]]
    for output in graph.output:
        for node in nodes:
            node.output[:] = [f"{each}_of_all" if each == output.name else each for each in node.output]
            node.input[:] = [f"{each}_of_all" if each == output.name else each for each in node.input]
        after.append(
            helper.make_node("Slice", [f"{output.name}_of_all", "first", "kept", "first"], [output.name])
        )
        output.type.tensor_type.shape.dim[0].dim_param = ""  # rows are no longer those of the input
    del graph.node[:]
    graph.node.extend([*before, *nodes, *after])
    model.opset_import[0].version = 15  # Shape with a start
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())

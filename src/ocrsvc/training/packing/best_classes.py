"""Rewrites the search for the best classes of a recogniser's graph, so that it looks at few of them closely.

ONNX Runtime's TopK over 11 456 classes takes a sixth of the time of ``crnn-fast``. The best k classes lie in the k
blocks with the highest maxima, and maxima are quick: the blocks are found first, then the classes in them. The result
is the same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

_PREFIX = "best_classes/"  # of the names of the steps
BLOCK = 64  # classes; with blocks of 32 or 16, finding the blocks takes longer


def in_blocks(model: onnx.ModelProto) -> None:
    """Let the graph find its best classes in blocks; nothing changes without a TopK of a softmax of many classes.

    A graph that does it already is made anew, for its number of classes may have changed. ValueError if that number is
    unknown.
    """
    graph = model.graph
    _undo(graph)
    softmax = {node.output[0]: node for node in graph.node if node.op_type == "Softmax"}
    found = [node for node in graph.node if node.op_type == "TopK" and node.input[0] in softmax]
    if len(found) != 1:
        return
    (top,) = found
    classes = _classes(graph, softmax[top.input[0]].input[0])
    if classes < BLOCK * BLOCK:  # fewer blocks than are worth the steps
        return
    nodes, constants = _steps(top, classes)
    _replace(graph, [top], nodes)
    graph.initializer.extend(constants)
    onnx.checker.check_model(model)


def _undo(graph: onnx.GraphProto) -> None:
    """Put one TopK in the place of the steps of an earlier call, if there are any."""
    steps = {node.name.removeprefix(_PREFIX): node for node in graph.node if node.name.startswith(_PREFIX)}
    if not steps:
        return
    probabilities, k = steps.get("pad", steps["blocks"]).input[0], steps["best_blocks"].input[1]
    outputs = [steps["best"].output[0], steps["indices"].output[0]]
    _replace(
        graph, list(steps.values()), [helper.make_node("TopK", [probabilities, k], outputs, name="/TopK")]
    )
    kept = [tensor for tensor in graph.initializer if not tensor.name.startswith(_PREFIX)]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _replace(graph: onnx.GraphProto, old: Sequence[onnx.NodeProto], new: Sequence[onnx.NodeProto]) -> None:
    at = list(graph.node).index(old[0])
    nodes = [node for node in graph.node if node not in old]
    del graph.node[:]
    graph.node.extend([*nodes[:at], *new, *nodes[at:]])


def _classes(graph: onnx.GraphProto, logits: str) -> int:
    """Return the number of classes: that of the bias of the matrix product that made the logits."""
    sizes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    made = {node.output[0]: node for node in graph.node}
    product = made.get(logits)
    if product is not None and product.op_type == "Gemm" and len(product.input) == 3:
        bias = product.input[2]
        while bias not in sizes and bias in made:  # stored as float16 or int32
            bias = made[bias].input[0]
        if len(sizes.get(bias, [])) == 1:
            return int(sizes[bias][0])
    raise ValueError("the graph's classes do not come from a Gemm with a bias")


def _steps(top: onnx.NodeProto, classes: int) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return the nodes that give the outputs of ``top``, and their constants."""
    probabilities, k = top.input
    best, indices = top.output
    blocks = -(-classes // BLOCK)
    constants: list[onnx.TensorProto] = []

    def constant(part: str, value: object, dtype: type = np.int64) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, dtype), _PREFIX + part))
        return _PREFIX + part

    nodes: list[onnx.NodeProto] = []

    def step(
        part: str, kind: str, inputs: list[str], outputs: list[str] | None = None, **attributes: Any
    ) -> str:
        outputs = outputs or [_PREFIX + part]
        nodes.append(helper.make_node(kind, inputs, outputs, name=_PREFIX + part, **attributes))
        return outputs[-1]

    if missing := blocks * BLOCK - classes:
        padding = [constant("padding", [0, 0, 0, missing]), constant("nothing", 0, np.float32)]
        probabilities = step("pad", "Pad", [probabilities, *padding])
    last, size = constant("last", [2]), constant("size", BLOCK)
    shaped = step("blocks", "Reshape", [probabilities, constant("shape", [-1, blocks, BLOCK])])
    maxima = step("maxima", "ReduceMax", [shaped, last], keepdims=0)
    numbers = step("best_blocks", "TopK", [maxima, k], [_PREFIX + "best_maxima", _PREFIX + "numbers"])
    taken = step("taken", "GatherND", [shaped, step("places", "Unsqueeze", [numbers, last])], batch_dims=1)
    flat = step("flat", "Reshape", [taken, constant("row", [0, -1])])
    within = step("best", "TopK", [flat, k], [best, _PREFIX + "within"])
    block = step("block", "GatherElements", [numbers, step("which", "Div", [within, size])], axis=1)
    start, inner = step("start", "Mul", [block, size]), step("inner", "Mod", [within, size])
    step("indices", "Add", [start, inner], [indices])
    return nodes, constants

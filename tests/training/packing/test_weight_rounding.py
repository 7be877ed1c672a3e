"""Weights are rounded so that the outputs of a layer change as little as possible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from ocrsvc.training.packing.weight_rounding import compensate, rounded_rows


def test_inputs_that_have_nothing_in_common_are_rounded_to_the_nearest_step() -> None:
    weights = np.random.default_rng(1).normal(size=(5, 7))
    scales = np.abs(weights).max(axis=1) / 127
    assert np.array_equal(
        rounded_rows(weights, np.eye(7), scales), np.round(weights / scales[:, None]).astype(np.int8)
    )


def test_correlated_inputs_leave_a_smaller_error_than_the_nearest_steps() -> None:
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(400, 6)) @ rng.normal(size=(6, 24)) + 0.05 * rng.normal(size=(400, 24))
    weights = rng.normal(size=(9, 24))
    scales = np.abs(weights).max(axis=1) / 15
    nearest = np.round(weights / scales[:, None])

    def error(steps: np.ndarray) -> float:
        return float(((inputs @ (weights - steps * scales[:, None]).T) ** 2).sum())

    assert error(rounded_rows(weights, inputs.T @ inputs, scales)) < 0.3 * error(nearest)


def test_inputs_that_are_always_zero_do_no_harm() -> None:
    weights = np.array([[0.4, -1.0, 0.2]])
    assert rounded_rows(weights, np.zeros((3, 3)), np.array([1 / 127])).tolist() == [[51, -127, 25]]


class _Batches(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
    def __init__(self, batches: list[np.ndarray]) -> None:
        self.rest = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self.rest, None)
        return None if batch is None else {"pixels": batch}


def _float_model(kind: str) -> onnx.ModelProto:
    """Return a net of one layer: a convolution of pictures or lines, or a product of matrices."""
    rng = np.random.default_rng(3)
    shapes = {"dense": (8, 6, 3, 3), "depthwise": (6, 1, 3, 3), "grouped": (8, 3, 1, 1), "lines": (8, 6, 3)}
    shape = shapes.get(kind, (6, 8))
    tensors = [numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), "weights")]
    nodes = [helper.make_node("Cast", ["pixels"], ["x"], to=TensorProto.FLOAT)]
    if kind == "lines":
        tensors.append(numpy_helper.from_array(np.array([0, 6, 240], np.int64), "line"))
        nodes.append(helper.make_node("Reshape", ["x", "line"], ["row"]))
        layer = helper.make_node("Conv", ["row", "weights"], ["answer"], pads=[1, 1])
    elif len(shape) == 4:
        padding, groups = [1, 1, 1, 1] if shape[2] == 3 else [0, 0, 0, 0], 6 // shape[1]
        strides = [2, 1] if kind == "dense" else [1, 1]
        layer = helper.make_node(
            "Conv", ["x", "weights"], ["answer"], group=groups, strides=strides, pads=padding
        )
    else:
        nodes.append(helper.make_node("Transpose", ["x"], ["turned"], perm=[0, 2, 3, 1]))
        if kind == "Gemm":  # of matrices only
            tensors.append(numpy_helper.from_array(np.array([-1, 6], np.int64), "rows"))
            nodes.append(helper.make_node("Reshape", ["turned", "rows"], ["frames"]))
        layer = helper.make_node(kind, ["frames" if kind == "Gemm" else "turned", "weights"], ["answer"])
    graph = helper.make_graph(
        [*nodes, layer],
        "net",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", 6, 12, 20])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, None)],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize("kind", ["dense", "depthwise", "grouped", "lines", "MatMul", "Gemm"])
def test_each_kind_of_layer_comes_closer_to_the_float_graph(kind: str, tmp_path: Path) -> None:
    exact = _float_model(kind)
    onnx.save(exact, tmp_path / "exact.onnx")
    # Neighbouring pixels and channels are alike, so the errors of their weights can make up for each other.
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 200, size=(6, 2, 1, 3, 5))
    batches = [
        (np.kron(each, np.ones((1, 6, 4, 4))) + rng.integers(0, 50, size=(2, 6, 12, 20))).astype(np.uint8)
        for each in coarse
    ]
    quantize_static(
        str(tmp_path / "exact.onnx"),
        str(tmp_path / "int8.onnx"),
        _Batches(batches),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    quantised = onnx.load(tmp_path / "int8.onnx")
    _without_rounded_activations(quantised)
    before = _error(quantised, exact, batches)
    compensate(quantised, exact, batches)
    assert 0 < _error(quantised, exact, batches) < 0.8 * before


def _without_rounded_activations(model: onnx.ModelProto) -> None:
    """Let the readers of dequantised activations read the float ones, so that only the weights' errors are left."""
    rounded = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "QuantizeLinear"}
    exact = {
        n.output[0]: rounded[n.input[0]]
        for n in model.graph.node
        if n.op_type == "DequantizeLinear" and n.input[0] in rounded
    }
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            if name in exact:
                node.input[i] = exact[name]
    last = next(n for n in model.graph.node if n.op_type in ("Conv", "MatMul", "Gemm"))
    model.graph.output[0].name = last.output[0]


def _error(model: onnx.ModelProto, exact: onnx.ModelProto, batches: list[np.ndarray]) -> float:
    answers = []
    for each in (model, exact):
        session = onnxruntime.InferenceSession(each.SerializeToString(), providers=["CPUExecutionProvider"])
        answers.append(np.concatenate([session.run(None, {"pixels": batch})[0] for batch in batches]))
    return float(((answers[0] - answers[1]) ** 2).mean())

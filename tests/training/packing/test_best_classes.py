"""The best classes are the same whether all are searched or blocks of them."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ocrsvc.training.packing.best_classes import BLOCK, in_blocks

FEATURES, BEST = 6, 8


def graph(classes: int, *, halved: bool = False) -> onnx.ModelProto:
    """A head as it is exported: a matrix product, a softmax and the best classes."""
    rng = np.random.default_rng(classes)
    weight = rng.normal(size=(FEATURES, classes)).astype(np.float32)
    bias = rng.normal(size=classes).astype(np.float16 if halved else np.float32)
    stored = "bias.half" if halved else "bias"
    nodes = [
        helper.make_node("Gemm", ["features", "weight", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["shares"], axis=-1),
        helper.make_node("TopK", ["shares", "k"], ["probabilities", "indices"]),
    ]
    if halved:
        nodes.insert(0, helper.make_node("Cast", [stored], ["bias"], to=TensorProto.FLOAT))
    constants = [
        numpy_helper.from_array(value, name)
        for name, value in ((stored, bias), ("weight", weight), ("k", np.array([BEST])))
    ]
    outputs = [
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["M", BEST]),
        helper.make_tensor_value_info("indices", TensorProto.INT64, ["M", BEST]),
    ]
    given = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["M", FEATURES])]
    made = helper.make_graph(nodes, "head", given, outputs, constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def run(model: onnx.ModelProto, features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[NDArray[np.float32]] = session.run(["probabilities", "indices"], {"features": features})
    return found


@pytest.mark.parametrize("classes", [BLOCK * 70, BLOCK * 70 + 1, BLOCK * 71 - 1])
@pytest.mark.parametrize("halved", [False, True])
def test_they_are_the_same_bit_for_bit(classes: int, halved: bool) -> None:
    model = graph(classes, halved=halved)
    features = np.random.default_rng(1).normal(size=(200, FEATURES)).astype(np.float32) * 2
    wanted = run(model, features)
    before = len(model.graph.node)
    in_blocks(model)
    assert len(model.graph.node) > before
    for one, other in zip(wanted, run(model, features), strict=True):
        assert np.array_equal(one, other)


def test_the_best_may_all_lie_in_one_block() -> None:
    model = graph(BLOCK * 70)
    bias = np.zeros(BLOCK * 70, np.float32)
    bias[BLOCK * 3 : BLOCK * 3 + BEST] = np.arange(BEST, 0, -1) * 50
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(bias, "bias"))
    in_blocks(model)
    _, indices = run(model, np.zeros((1, FEATURES), np.float32))
    assert indices[0, 0] == BLOCK * 3


def test_few_classes_are_searched_as_before() -> None:
    model = graph(100)
    in_blocks(model)
    assert [node.op_type for node in model.graph.node] == ["Gemm", "Softmax", "TopK"]


def test_a_graph_is_rewritten_once() -> None:
    model = graph(BLOCK * 70)
    in_blocks(model)
    once = model.SerializeToString()
    in_blocks(model)
    assert model.SerializeToString() == once


def test_logits_of_unknown_number_are_an_error() -> None:
    model = graph(BLOCK * 70)
    model.graph.node[0].op_type = "MatMul"
    del model.graph.node[0].input[2:]
    with pytest.raises(ValueError, match="Gemm"):
        in_blocks(model)

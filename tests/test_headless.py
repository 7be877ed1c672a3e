"""A graph without its head: the same features, nothing of what came after, no library needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import onnx
import pytest
import tiny_model
from onnx import TensorProto, helper

from ocrsvc.errors import CorruptModel
from ocrsvc.headless import keep
from ocrsvc.manifest import ModelFile
from ocrsvc.models import Registry
from ocrsvc.runtime import open_session
from ocrsvc.settings import Settings


def as_file(data: bytes) -> ModelFile:
    return ModelFile(hashlib.sha256(data).hexdigest(), len(data), data=data)


def shipped() -> list[ModelFile]:
    """All weights of the recognisers that are part of the package, and those of the tiny one."""
    registry = Registry(Settings())
    specs = [registry.spec(name) for name in registry.names() if registry.spec(name).files["fp32"].path]
    return [spec.files[name] for spec in specs for name in spec.precisions] + [
        tiny_model.manifest().files["fp32"]
    ]


@pytest.mark.parametrize("file", shipped(), ids=lambda file: str(file.path or "tiny"))
def test_the_features_are_the_same_bit_for_bit(file: ModelFile) -> None:
    small = keep(file, ("features",))
    assert small.size < file.size
    pixels = {"pixels": np.random.default_rng(1).integers(0, 256, (2, *_shape(file), 3), dtype=np.uint8)}
    whole, cut = open_session(file), open_session(small)
    assert [output.name for output in cut.get_outputs()] == ["features"]
    np.testing.assert_array_equal(
        cut.run(["features"], pixels)[0], whole.run(["indices", "probabilities", "features"], pixels)[2]
    )


def _shape(file: ModelFile) -> tuple[int, int]:
    """Height of the model and a width."""
    height = onnx.load_model_from_string(file.read()).graph.input[0].type.tensor_type.shape.dim[1].dim_value
    return height, 64


def test_what_nothing_needs_is_gone() -> None:
    graph = onnx.load_model_from_string(keep(tiny_model.manifest().files["fp32"], ("features",)).read()).graph
    assert {"Softmax", "TopK", "MatMul"}.isdisjoint(node.op_type for node in graph.node)
    assert {tensor.name for tensor in graph.initializer} == {"scale", "shape"}


@pytest.mark.parametrize(
    "damage",
    [lambda data: b"", lambda data: b"hello", lambda data: data[: len(data) // 2], lambda data: b"\x3f" * 40],
    ids=["empty", "no graph", "half", "wrong wire type"],
)
def test_what_is_no_graph_is_a_corrupt_model(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(CorruptModel, match="cannot be cut"):
        keep(as_file(damage(tiny_model.manifest().files["fp32"].read())), ("features",))


def test_an_output_that_is_not_there_is_told() -> None:
    with pytest.raises(CorruptModel, match="no output logits2"):
        keep(tiny_model.manifest().files["fp32"], ("features", "logits2"))


def test_a_graph_in_a_graph_is_refused_because_it_may_read_any_tensor() -> None:
    value = helper.make_tensor_value_info
    out = value("features", TensorProto.FLOAT, ["N"])
    branch = helper.make_graph([helper.make_node("Identity", ["x"], ["features"])], "branch", [], [out])
    node = helper.make_node("If", ["c"], ["features"], then_branch=branch, else_branch=branch)
    inputs = [value("x", TensorProto.FLOAT, ["N"]), value("c", TensorProto.BOOL, [])]
    model = helper.make_model(helper.make_graph([node], "g", inputs, [out]))
    with pytest.raises(CorruptModel, match="graphs of their own"):
        keep(as_file(model.SerializeToString()), ("features",))

"""The detector's graph rewritten to pixels in, probability out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from available import missing
from onnx import TensorProto, helper, numpy_helper

from ocrsvc.models.manifest import load
from ocrsvc.models.registry import default_models_dir
from ocrsvc.training.nets.detector import SOURCES, convert, name_of


def graph(*, first: str = "Conv", inputs: int = 1) -> bytes:
    """A network of one convolution and a sigmoid, named as exporters name things."""
    kernel = np.random.default_rng(0).normal(0, 0.2, (1, 3, 3, 3)).astype(np.float32)
    attributes: dict[str, Any] = {"pads": [1, 1, 1, 1]} if first == "Conv" else {}
    nodes = [
        helper.make_node(first, ["x", "w"], ["y"], **attributes),
        helper.make_node("Sigmoid", ["y"], ["fetch_name_0"]),
    ]
    made = helper.make_graph(
        nodes,
        "detector",
        [
            helper.make_tensor_value_info(f"x{i or ''}", TensorProto.FLOAT, ["N", 3, "H", "W"])
            for i in range(inputs)
        ],
        [helper.make_tensor_value_info("fetch_name_0", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(kernel, "w")],
    )
    return bytes(
        helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    )


def run(content: bytes, name: str, value: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {name: value})[0])


def assert_same(original: bytes, converted: bytes, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (1, *size, 3), dtype=np.uint8)
    normal = ((pixels.astype(np.float32) / 255 - 0.5) / 0.5).transpose(0, 3, 1, 2)
    answer = run(converted, "pixels", pixels)
    assert answer.shape == (1, 1, *size)
    assert np.abs(answer - run(original, "x", normal)).max() < 1e-5


def test_the_rewritten_graph_takes_pixels_and_answers_the_same() -> None:
    original = graph()
    converted = convert(original)
    assert_same(original, converted, (32, 64))
    model = onnx.load_from_string(converted)
    assert [each.name for each in model.graph.input] == ["pixels"]
    assert [each.name for each in model.graph.output] == ["probability"]


@pytest.mark.parametrize("other", [graph(inputs=2), graph(first="MatMul")])
def test_other_graphs_are_refused(other: bytes) -> None:
    with pytest.raises(ValueError, match="detector"):
        convert(other)


@pytest.mark.parametrize("size", SOURCES)
def test_the_models_that_ship_are_the_wheels(size: str) -> None:
    try:
        original = SOURCES[size].path().read_bytes()
    except FileNotFoundError as error:
        missing(str(error))
    folder = default_models_dir() / name_of(size)
    shipped = load(folder).files["fp32"].read()
    assert_same(original, shipped, (64, 96))
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["licence"] == "Apache-2.0"

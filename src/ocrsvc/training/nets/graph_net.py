"""An ONNX graph of convolutions as a network of torch: its weights are learnt and written back into the same graph.

A detector is trained without a description of its layers of our own: the graph that serves is the one that is trained,
and what it computes afterwards differs by its weights alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

Attributes = Mapping[str, Any]
_Operator = Callable[[Sequence[Tensor], Attributes], Tensor]


class GraphNet(nn.Module):
    """The graph of a detector: ``uint8 [N,H,W,3]`` to logits of text ``float32 [N,1,H,W]``.

    Its weights are the graph's initializers of more than one number. ValueError for an operator that is not known, or
    a graph that does not end with a sigmoid.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        model = _in_float32(model)
        self._model = model
        if unknown := sorted({node.op_type for node in model.graph.node} - set(_OPERATORS)):
            raise ValueError(f"the graph has operators that cannot be trained: {', '.join(unknown)}")
        last = model.graph.node[-1]
        if last.op_type != "Sigmoid" or last.output[0] != model.graph.output[0].name:
            raise ValueError("the graph of a detector must end with the sigmoid of its output")
        self._input = model.graph.input[0].name
        self._output = last.input[0]
        self._nodes = [
            (node.op_type, tuple(node.input), node.output[0], _attributes(node))
            for node in model.graph.node[:-1]
        ]
        self._names: dict[str, str] = {}  # of parameters and buffers, by the graph's names
        for i, tensor in enumerate(model.graph.initializer):
            value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
            self._names[tensor.name] = name = f"tensor_{i}"
            if (value.is_floating_point() and value.numel() > 1 and value.dim() > 1) or _is_bias(
                model, tensor
            ):
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)
        self._last_use = {name: i for i, (_, inputs, _, _) in enumerate(self._nodes) for name in inputs}

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits of text."""
        values: dict[str, Tensor] = {self._input: pixels}
        for i, (kind, inputs, output, attributes) in enumerate(self._nodes):
            given = [values[name] if name in values else self._tensor(name) for name in inputs]
            values[output] = _OPERATORS[kind](given, attributes)
            for name in inputs:
                if self._last_use[name] == i:
                    values.pop(name, None)
        return values[self._output]

    def _tensor(self, name: str) -> Tensor:
        found: Tensor = getattr(self, self._names[name])
        return found

    def written(self) -> onnx.ModelProto:
        """Return a copy of the graph with the present weights."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        for tensor in model.graph.initializer:
            value = self._tensor(tensor.name)
            if isinstance(value, nn.Parameter):
                tensor.CopyFrom(numpy_helper.from_array(value.detach().cpu().numpy(), tensor.name))
        return model


def _in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with weights that are stored as float16, each with a Cast, as float32."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    stored = {tensor.name: tensor for tensor in copy.graph.initializer}
    for node in [node for node in copy.graph.node if node.op_type == "Cast" and node.input[0] in stored]:
        tensor, name = stored[node.input[0]], node.output[0]
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), name))
        copy.graph.node.remove(node)
    return copy


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _is_bias(model: onnx.ModelProto, tensor: onnx.TensorProto) -> bool:
    return any(
        node.op_type in ("Conv", "ConvTranspose") and tensor.name in node.input[2:]
        for node in model.graph.node
    )


def _padded(given: Tensor, attributes: Attributes, value: float) -> Tensor:
    """Return the input of a convolution or pool, padded as ONNX says: above, left, below, right, or SAME_UPPER."""
    above, left, below, right = attributes.get("pads", (0, 0, 0, 0))
    if attributes.get("auto_pad") == b"SAME_UPPER":
        sides = zip(given.shape[-2:], attributes["kernel_shape"], attributes["strides"], strict=True)
        down, across = (max((-(-size // s) - 1) * s + k - size, 0) for size, k, s in sides)
        above, below, left, right = down // 2, down - down // 2, across // 2, across - across // 2
    return (
        functional.pad(given, (left, right, above, below), value=value)
        if any((above, left, below, right))
        else given
    )


def _convolution(given: Sequence[Tensor], attributes: Attributes) -> Tensor:
    pixels, weight, *bias = given
    return functional.conv2d(
        _padded(pixels, attributes, 0.0),
        weight,
        bias[0] if bias else None,
        stride=attributes["strides"],
        dilation=attributes.get("dilations", 1),
        groups=attributes.get("group", 1),
    )


def _transposed(given: Sequence[Tensor], attributes: Attributes) -> Tensor:
    pixels, weight, *bias = given
    return functional.conv_transpose2d(
        pixels,
        weight,
        bias[0] if bias else None,
        stride=attributes["strides"],
        groups=attributes.get("group", 1),
    )


def _pooled(given: Sequence[Tensor], attributes: Attributes) -> Tensor:
    padded = _padded(given[0], attributes, -torch.inf)
    return functional.max_pool2d(padded, attributes["kernel_shape"], stride=attributes["strides"])


def _resized(given: Sequence[Tensor], attributes: Attributes) -> Tensor:
    _, _, down, across = (float(scale) for scale in given[2])
    if attributes.get("mode") != b"nearest" or not (down.is_integer() and across.is_integer()):
        raise ValueError("only resizing to whole multiples by the nearest pixel can be trained")
    return given[0].repeat_interleave(int(down), -2).repeat_interleave(int(across), -1)


_OPERATORS: dict[str, _Operator] = {
    "Add": lambda given, _: given[0] + given[1],
    "Cast": lambda given, _: given[0].float(),
    "Concat": lambda given, attributes: torch.cat(list(given), attributes["axis"]),
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Div": lambda given, _: given[0] / given[1],
    "Erf": lambda given, _: torch.erf(given[0]),
    "GlobalAveragePool": lambda given, _: given[0].mean((2, 3), keepdim=True),
    "HardSigmoid": lambda given, attributes: (given[0] * attributes["alpha"] + attributes["beta"]).clamp(
        0, 1
    ),
    "Identity": lambda given, _: given[0],
    "MaxPool": _pooled,
    "Mul": lambda given, _: given[0] * given[1],
    "ReduceMean": lambda given, attributes: given[0].mean(tuple(attributes["axes"]), keepdim=True),
    "Relu": lambda given, _: functional.relu(given[0]),
    "Resize": _resized,
    "Sigmoid": lambda given, _: torch.sigmoid(given[0]),
    "Sub": lambda given, _: given[0] - given[1],
    "Transpose": lambda given, attributes: given[0].permute(*attributes["perm"]),
}

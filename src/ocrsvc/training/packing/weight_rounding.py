"""Rounds the weights of an INT8 graph one after the other, each making up for the errors of those before it.

Rounding every weight to the nearest step leaves errors that add up in the products. GPTQ (Frantar et al. 2022, after
Hassibi and Stork's "Optimal Brain Surgeon", 1993) changes the weights that are still to be rounded so that, on given
inputs, the outputs stay as close as possible to those of the unrounded weights. Scales and everything else stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_DAMPING = 0.01  # share of the mean square of an input that is added to all, so that rare inputs count, too
_MOST = 127  # largest quantised weight; symmetric
_SUFFIX = "_quantized"  # of the names of weights that ONNX Runtime quantised


@dataclass(frozen=True, slots=True)
class _Layer:
    """A node with quantised weights.

    ``weights``: name of the int8 tensor; ``float_name``: of the float one it was made of; ``scales``: of the outputs.
    """

    node: onnx.NodeProto
    weights: str
    float_name: str
    scales: NDArray[np.float64]

    @property
    def groups(self) -> int:
        return int(self._attribute("group", 1)) if self.node.op_type == "Conv" else 1

    def _attribute(self, name: str, default: Any) -> Any:
        values = {each.name: helper.get_attribute_value(each) for each in self.node.attribute}
        return values.get(name, default)

    def rows(self, weights: NDArray[Any]) -> NDArray[Any]:
        """Return weights as ``[groups, outputs, inputs]``; the outputs of a group lie together."""
        if self.node.op_type == "Conv":
            flat = weights.reshape(len(weights), -1)
        else:
            flat = weights if self._outputs_first else weights.T
        return flat.reshape(self.groups, -1, flat.shape[1])

    def shaped(self, rows: NDArray[np.int8], shape: Sequence[int]) -> NDArray[np.int8]:
        """Return ``rows`` as weights of this ``shape``, the inverse of ``rows``."""
        flat = rows.reshape(-1, rows.shape[2])
        if self.node.op_type != "Conv" and not self._outputs_first:
            flat = flat.T
        return np.ascontiguousarray(flat.reshape(shape))

    @property
    def _outputs_first(self) -> bool:
        return self.node.op_type == "Gemm" and bool(self._attribute("transB", 0))

    def products(self, inputs: NDArray[np.float32], shape: Sequence[int]) -> NDArray[np.float64]:
        """Return the sums of products of inputs ``[groups, K, K]`` over all places where the weights are applied."""
        if self.node.op_type != "Conv":
            frames = inputs.reshape(-1, inputs.shape[-1])
            return np.asarray(frames.T @ frames, dtype=np.float64)[None]
        sides = len(shape) - 2
        strides = self._attribute("strides", [1] * sides)
        pads = self._attribute("pads", [0] * 2 * sides)
        if sides == 1:  # of lines instead of pictures
            inputs, shape, strides, pads = (
                inputs[:, :, None],
                (*shape[:2], 1, shape[2]),
                [1, *strides],
                [0, pads[0], 0, pads[1]],
            )
        (rows, columns), (down, across), (top, left, bottom, right) = shape[2:], strides, pads
        total: NDArray[np.float64] | float = 0.0
        for image in inputs:  # one at a time: the windows of a 3 x 3 kernel take nine times the memory
            padded = np.pad(image, ((0, 0), (top, bottom), (left, right)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, (rows, columns), axis=(1, 2))
            windows = windows[:, ::down, ::across].transpose(0, 3, 4, 1, 2)
            flat = windows.reshape(self.groups, shape[1] * rows * columns, -1)
            total = total + (flat @ flat.transpose(0, 2, 1)).astype(np.float64)
        return np.asarray(total)


def compensate(
    quantised: onnx.ModelProto, unrounded: onnx.ModelProto, batches: Iterable[NDArray[np.uint8]]
) -> None:
    """Round the weights of a QDQ graph again, in place, from the float graph it was made of.

    ``batches`` are inputs ``pixels``; the weights are rounded for what the quantised graph computes from them.
    """
    layers = list(_layers(quantised))
    stored = {tensor.name: tensor for tensor in quantised.graph.initializer}
    floats = {tensor.name: numpy_helper.to_array(tensor) for tensor in unrounded.graph.initializer}
    products = _all_products(
        quantised, layers, {each.weights: tuple(stored[each.weights].dims) for each in layers}, batches
    )
    for layer, sums in zip(layers, products, strict=True):
        tensor = stored[layer.weights]
        rows = layer.rows(floats[layer.float_name].astype(np.float64))
        scales = layer.scales.reshape(rows.shape[:2])
        rounded = np.stack([rounded_rows(*each) for each in zip(rows, sums, scales, strict=True)])
        tensor.CopyFrom(numpy_helper.from_array(layer.shaped(rounded, tuple(tensor.dims)), tensor.name))


def rounded_rows(
    weights: NDArray[np.float64], products: NDArray[np.float64], scales: NDArray[np.float64]
) -> NDArray[np.int8]:
    """Return weights ``[outputs, inputs]`` in steps of ``scales [outputs]``, int8.

    ``products [inputs, inputs]`` are sums of products of inputs. The input with the largest mean square comes first.
    """
    size = len(products)
    damping = _DAMPING * float(np.diag(products).mean()) or 1.0  # without any input
    damped = products + np.eye(size) * damping
    order = np.argsort(-np.diag(damped), kind="stable")
    left = weights[:, order]
    factor = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    steps = np.empty_like(left)
    for i in range(size):
        steps[:, i] = np.clip(np.round(left[:, i] / scales), -_MOST, _MOST)
        error = (left[:, i] - steps[:, i] * scales) / factor[i, i]
        left[:, i + 1 :] -= np.outer(error, factor[i, i + 1 :])
    return steps[:, np.argsort(order)].astype(np.int8)


def _layers(model: onnx.ModelProto) -> Iterator[_Layer]:
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    maker = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        source = maker.get(node.input[1]) if node.op_type in ("Conv", "MatMul", "Gemm") else None
        if source is None or source.op_type != "DequantizeLinear" or source.input[0] not in stored:
            continue
        name, scales = source.input[0], numpy_helper.to_array(stored[source.input[1]])
        yield _Layer(node, name, name.removesuffix(_SUFFIX), scales.astype(np.float64))


def _all_products(
    model: onnx.ModelProto,
    layers: Sequence[_Layer],
    shapes: dict[str, tuple[int, ...]],
    batches: Iterable[NDArray[np.uint8]],
) -> list[NDArray[np.float64]]:
    """Return the products of inputs of each layer, summed up over the batches."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    names = list(dict.fromkeys(layer.node.input[0] for layer in layers))
    for name in names:
        shown.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # keeps all tensors
    session = onnxruntime.InferenceSession(shown.SerializeToString(), options, ["CPUExecutionProvider"])
    sums: list[NDArray[np.float64] | float] = [0.0] * len(layers)
    for batch in batches:
        inputs = dict(zip(names, session.run(names, {"pixels": batch}), strict=True))
        for i, layer in enumerate(layers):
            sums[i] = sums[i] + layer.products(inputs[layer.node.input[0]], shapes[layer.weights])
    return [np.asarray(each) for each in sums]

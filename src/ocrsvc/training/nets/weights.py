"""Reads the parameters of a net from the ONNX graphs of its model folder, for further training.

``FOLDER@int8`` means the dequantised parameters of the INT8 graph. A net from quantisation-aware training has its own
parameters, which are stored nowhere else. They lie on the grid of INT8, so quantising them again gives the same
bytes.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor

from ocrsvc.models import manifest
from ocrsvc.models.manifest import Manifest
from ocrsvc.training.nets.net import SHAPES, Crnn

_PREFIX = "net."  # export.Serving holds the net under this name
_ROUNDED = "@int8"
_GATES = (0, 2, 3, 1)  # ONNX stores input, output, forget, cell; PyTorch input, forget, cell, output

Array = NDArray[np.float32]


def bare(path: Path) -> Path:
    """Return the path of a model folder without ``@int8``."""
    return path.with_name(path.name.removesuffix(_ROUNDED))


def is_folder(path: Path) -> bool:
    """Return whether this is a model folder, with or without ``@int8``, and not a checkpoint."""
    return bare(path).is_dir()


def load_net(folder: Path) -> tuple[Crnn, str]:
    """Return the net of a model folder in eval mode, and its charset.

    ValueError if the model is not one of ours or its graph lacks the parameters; UnknownModel and CorruptModel as
    ``manifest.load``.
    """
    spec = manifest.load(bare(folder))
    return from_manifest(spec, "int8" if folder.name.endswith(_ROUNDED) else "fp32"), spec.charset


def from_manifest(spec: Manifest, precision: str = "fp32") -> Crnn:
    """Return the net of a model in eval mode; ValueError and CorruptModel as ``load_net``."""
    if spec.kind != "recogniser":
        raise ValueError(f"{spec.name} is a {spec.kind}; only recognisers learn to read")
    if spec.decoder:
        raise ValueError(
            f"{spec.name} has an attention decoder, which belongs to its weights; name the model without"
        )
    if precision not in spec.files:
        raise ValueError(f"{spec.name} has no {precision} graph, from which its parameters could be read")
    try:
        graph = onnx.load_model_from_string(spec.files[precision].read()).graph
    except DecodeError as error:
        raise ValueError(f"the {precision} file of {spec.name} is not an ONNX graph: {error}") from error
    parameters = _constants(graph)
    if precision == "int8":
        parameters |= _folded(graph, parameters)
    found = {
        name.removeprefix(_PREFIX): torch.from_numpy(array.copy())
        for name, array in parameters.items()
        if name.startswith(_PREFIX)
    }
    classes = len(spec.charset) + 1
    for shape in SHAPES.values():
        with torch.device("meta"):
            net = Crnn(shape, classes)
        if _sizes(net.state_dict()).items() <= _sizes(found).items():
            net.load_state_dict({name: found[name] for name in net.state_dict()}, assign=True)
            return net.eval()
    raise ValueError(
        f"{spec.name} ({spec.architecture or 'of unknown architecture'}) cannot be read as a net: its graph does not "
        f"carry the parameters of one of our nets ({', '.join(SHAPES)}). crnn and crnn-fast of this version do, "
        "and so do models that were fine-tuned from them"
    )


def _constants(graph: onnx.GraphProto) -> dict[str, Array]:
    """Return the constants of a graph by name in float32, dequantised or converted from float16."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found = dict(stored)
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:
            found[node.output[0]] = stored[node.input[0]].astype(np.float32)
        elif node.op_type == "DequantizeLinear" and node.input[0] in stored:
            values, scale = (stored[name] for name in node.input[:2])
            # Quantised weights and biases are symmetric: their zero point is 0.
            rows = scale.reshape(-1, *[1] * (values.ndim - 1)) if scale.ndim else scale
            found[node.input[0].removesuffix("_quantized")] = (values * rows).astype(np.float32)
    return found


def _folded(graph: onnx.GraphProto, constants: dict[str, Array]) -> dict[str, Array]:
    """Return the parameters of linear layers and the LSTM, which quantisation renamed or merged."""
    bias_of = {
        name: constant
        for node in graph.node
        if node.op_type == "Add"
        for name, constant in itertools.permutations(node.input)
        if constant in constants
    }
    found = {}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in constants and node.output[0] in bias_of:
            weight = f"{bias_of[node.output[0]].removesuffix('.bias')}.weight"
            found[weight] = constants[node.input[1]].T
        elif node.op_type == "LSTM":
            prefix = _PREFIX + node.name.strip("/").rpartition("/")[0].replace("/", ".")
            found |= _lstm(prefix, *(constants[name] for name in node.input[1:4]))
    return found


def _lstm(prefix: str, own: Array, recurrent: Array, bias: Array) -> dict[str, Array]:
    """Return PyTorch's parameters of an LSTM from ONNX's ``W`` [2,4H,I], ``R`` [2,4H,H] and ``B`` [2,8H]."""

    def ordered(rows: Array) -> Array:
        return np.concatenate([np.split(rows, 4)[gate] for gate in _GATES])

    found = {}
    for direction, suffix in enumerate(("", "_reverse")):
        halves = np.split(bias[direction], 2)
        found[f"{prefix}.weight_ih_l0{suffix}"] = ordered(own[direction])
        found[f"{prefix}.weight_hh_l0{suffix}"] = ordered(recurrent[direction])
        found[f"{prefix}.bias_ih_l0{suffix}"] = ordered(halves[0])
        found[f"{prefix}.bias_hh_l0{suffix}"] = ordered(halves[1])
    return found


def _sizes(tensors: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}

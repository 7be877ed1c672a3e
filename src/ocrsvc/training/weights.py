"""Reads the parameters of a net back from the ONNX graph of its model folder, so that it can learn on."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper
from torch import Tensor

from ocrsvc import manifest
from ocrsvc.manifest import Manifest
from ocrsvc.training.net import SHAPES, Crnn

_PREFIX = "net."  # export.Serving holds the net under this name


def load_net(folder: Path) -> tuple[Crnn, str]:
    """The net of a model folder in eval mode, and its charset.

    ValueError if the folder's model is none of ours or its graph does not carry its parameters; UnknownModel and
    CorruptModel as ``manifest.load``.
    """
    spec = manifest.load(folder)
    return from_manifest(spec), spec.charset


def from_manifest(spec: Manifest) -> Crnn:
    """The net of a model in eval mode; ValueError and CorruptModel as ``load_net``."""
    if spec.kind != "recogniser":
        raise ValueError(f"{spec.name} is a {spec.kind}; only recognisers learn to read")
    if "fp32" not in spec.files:
        raise ValueError(f"{spec.name} has no fp32 graph, from which its parameters could be read")
    try:
        graph = onnx.load_model_from_string(spec.files["fp32"].read()).graph
    except DecodeError as error:
        raise ValueError(f"the fp32 file of {spec.name} is not an ONNX graph: {error}") from error
    found = {
        tensor.name.removeprefix(_PREFIX): torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in graph.initializer
        if tensor.name.startswith(_PREFIX)
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


def _sizes(tensors: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}

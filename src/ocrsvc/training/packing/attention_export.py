"""Makes the model folder of an attention decoder: the graphs of its base model with one more output, and its own.

The base model's graphs stay as they are, down to the INT8 weights, so CTC reads what it reads there.
"""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from ocrsvc.models.manifest import Manifest, ModelFile, save
from ocrsvc.recognition import attention
from ocrsvc.training.nets.attention import AttentionDecoder, DecoderShape, decoder_for
from ocrsvc.training.nets.net import WIDTH_STRIDE, Crnn
from ocrsvc.training.nets.weights import from_manifest
from ocrsvc.training.packing.export import OPSET
from ocrsvc.training.packing.folder import commit
from ocrsvc.training.packing.quantize import halve

# Default for the CTC peak below which the decoder reads a line. Of 810 hard real lines, crnn has a lower one on 26 %,
# with 94 % of its errors; below 0.98 they are 43 %, with 98 % (decision 0042).
BELOW = 0.9
_PREFIX = "memory/"  # of what is added to a base graph
_POOLED = "/backbone/AveragePool_output_0"  # [N,F,1,T], the features, in a graph of ``export.to_onnx``
_NAMES = {"fp32": "model.onnx", "int8": "model.int8.onnx", "head": "head.npz", attention.FILE: "decoder.onnx"}


class Memory(nn.Module):
    """The decoder's memory as a graph."""

    def __init__(self, decoder: AttentionDecoder) -> None:
        super().__init__()
        self.memory = decoder.memory

    def forward(self, pooled: Tensor, features: Tensor, indices: Tensor) -> Tensor:
        """Map [N,F,1,T], the neck's output [N,T,D] and the best classes int32 [N,T,K] to memory [N,T,d+1]."""
        return self.memory(pooled.squeeze(2).transpose(1, 2), features, indices[:, :, 0])


class Passes(nn.Module):
    """One pass of the decoder as a graph; ``smoothing`` is undone, so that a sure character has a probability of 1."""

    def __init__(self, decoder: AttentionDecoder, net: Crnn, smoothing: float) -> None:
        super().__init__()
        self.decoder, self.smoothing = decoder, smoothing
        # Transposed, so that the graph has them only once.
        rows = decoder.rows_of(net.head.weight).detach().T.contiguous()
        self.rows = nn.Parameter(rows, requires_grad=False)

    def forward(self, memory: Tensor, frames: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Map memory [N,T,d+1], frames int32 [N] and tokens int32 [N,L] to the best class int32 and its peak [N,L]."""
        given = self.rows.index_select(1, tokens.flatten()).T.reshape(*tokens.shape, -1)
        logits = self.decoder.states(memory, frames, given) @ self.rows + self.decoder.bias
        peaks, classes = logits.softmax(-1).max(-1)
        return classes.to(torch.int32), (peaks / (1 - self.smoothing)).clamp(max=1.0)


def export(base: Manifest, checkpoint: Path, folder: Path, below: float = BELOW) -> Manifest:
    """Write a model folder with the base model's graphs and the averaged decoder of a checkpoint; return its manifest.

    Scores and calibration are left out: they belong to CTC's text alone. An INT8 graph whose weights learnt to be
    rounded apart is left out, too. ValueError if the folder exists, ``below`` is negative, or the decoder was trained
    on other weights; FileNotFoundError without the checkpoint.
    """
    if folder.exists():
        raise ValueError(f"{folder} is there already")
    if below < 0:
        raise ValueError(f"no line has a peak below {below}; 0 leaves all lines to CTC")
    net = from_manifest(base)
    decoder, recipe = load(checkpoint, base, net)
    bases = [key for key in base.precisions if key == "fp32" or not base.int8_learnt_apart]
    memory = _memory_graph(decoder, net)
    contents = {key: grafted(base.files[key].read(), memory) for key in bases}
    contents[attention.FILE] = _decoder_graph(decoder, net, recipe["smoothing"])
    files = {
        key: ModelFile(hashlib.sha256(content).hexdigest(), len(content), data=content)
        for key, content in contents.items()
    }
    if "head" in base.files:
        files["head"] = base.files["head"]
    described = replace(
        base,
        name=folder.name,
        architecture=f"{base.architecture} + attention decoder",
        files=files,
        origin=f"{base.name}, with an attention decoder trained by this project. {base.origin}",
        recipe={**base.recipe, "attention": recipe},
        commit=commit(),
        scores={},
        calibration={},
        decoder={"below": below, "longest": int(recipe["longest"])},
    )
    return save(folder, described, {key: _NAMES[key] for key in files})


def load(path: Path, base: Manifest, net: Crnn) -> tuple[AttentionDecoder, dict[str, Any]]:
    """Return the averaged decoder of a checkpoint in eval mode, and the run's recipe as the manifest records it.

    ``net``: that of the model ``base``. ValueError if the decoder was trained on other weights; FileNotFoundError
    without the checkpoint.
    """
    if not path.exists():
        raise FileNotFoundError(f"no {path}; run `ocrsvc train attention` first")
    content = torch.load(path, weights_only=True, map_location="cpu")
    if "average_decoder" not in content:
        raise ValueError(f"{path} is no checkpoint of `ocrsvc train attention`")
    if content["weights"] != base.files["fp32"].sha256:
        raise ValueError(f"{path} was trained on other weights than those of {base.name}")
    decoder = decoder_for(net, DecoderShape(**content["decoder_shape"]))
    decoder.load_state_dict(content["average_decoder"])
    return decoder.eval().requires_grad_(False), content["recipe"] | {"start": content["start"]}


def grafted(content: bytes, memory: onnx.ModelProto) -> bytes:
    """Return a base model's graph with the nodes of the memory graph, and its output ``memory``.

    ValueError if it is not a graph of one of our nets.
    """
    model = onnx.load_model_from_string(content)
    known = {name for node in model.graph.node for name in node.output}
    if _POOLED not in known:
        raise ValueError(f"the graph has no {_POOLED}: it is none of our nets'")
    given = {"pooled": _POOLED, "features": "features", "indices": "indices"}
    for tensor in memory.graph.initializer:
        model.graph.initializer.add().CopyFrom(tensor)
        model.graph.initializer[-1].name = _PREFIX + tensor.name
    for node in memory.graph.node:
        added = model.graph.node.add()
        added.CopyFrom(node)
        added.name = _PREFIX + node.name if node.name else ""
        for names in (added.input, added.output):
            names[:] = [_renamed(name, given) for name in names]
    model.graph.output.add().CopyFrom(memory.graph.output[0])
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _renamed(name: str, given: Mapping[str, str]) -> str:
    return name if name in ("", "memory") else given.get(name, _PREFIX + name)


def _memory_graph(decoder: AttentionDecoder, net: Crnn) -> onnx.ModelProto:
    frames = 20
    pooled = torch.randn(2, net.shape.features, 1, frames)
    features = torch.randn(2, frames, net.shape.embedding)
    indices = torch.randint(0, 3, (2, frames, 4), dtype=torch.int32)
    axes = {"pooled": {0: "N", 3: "T"}, "features": {0: "N", 1: "T"}, "indices": {0: "N", 1: "T", 2: "K"}}
    return _exported(Memory(decoder), (pooled, features, indices), axes, {"memory": {0: "N", 1: "T"}})


def _decoder_graph(decoder: AttentionDecoder, net: Crnn, smoothing: float) -> bytes:
    memory = torch.randn(2, 160 // WIDTH_STRIDE, decoder.shape.width + 1)
    frames = torch.tensor([12, 20], dtype=torch.int32)
    tokens = torch.randint(0, 3, (2, 7), dtype=torch.int32)
    axes = {"memory": {0: "N", 1: "T"}, "frames": {0: "N"}, "tokens": {0: "N", 1: "L"}}
    found = {"classes": {0: "N", 1: "L"}, "peaks": {0: "N", 1: "L"}}
    model = _exported(Passes(decoder, net, smoothing), (memory, frames, tokens), axes, found)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _exported(
    module: nn.Module,
    example: tuple[Tensor, ...],
    inputs: Mapping[str, Mapping[int, str]],
    outputs: Mapping[str, Mapping[int, str]],
) -> onnx.ModelProto:
    """Return a module as a graph with the large weights in float16; ``inputs`` and ``outputs`` give dynamic axes."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            module.eval(),
            example,
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={**inputs, **outputs},
            opset_version=OPSET,
            dynamo=False,
        )
        model = onnx.load(path)
    halve(model)
    return model

"""Exports trained weights as the ONNX graph that serving runs: uint8 pixels in, top-k classes out."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from ocrsvc.training.packing import best_classes

if TYPE_CHECKING:
    from ocrsvc.training.nets.net import Crnn

TOP_K = 8
OPSET = 18
TINY = 1e-30  # smaller weights are set to 0: they make slow denormals in the LSTM and do not affect accuracy


class Net(Protocol):
    """Parts of a recogniser: images [N,3,H,W] in -1..1 to frames [N,T,F], to features [N,T,D], to logits."""

    @property
    def backbone(self) -> nn.Module:
        """Return the module from images to frames."""

    @property
    def neck(self) -> nn.Module:
        """Return the module from frames to features."""

    @property
    def head(self) -> nn.Linear:
        """Return the layer from features to logits; class 0 is the CTC blank."""


class Serving(nn.Module):
    """A net preceded by normalisation and followed by softmax and top-k."""

    def __init__(self, net: Net, top_k: int = TOP_K) -> None:
        super().__init__()
        self.net: Net = net
        self.top_k = min(top_k, net.head.out_features)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map uint8 [N,H,W,3] to indices int32 [N,T,K], probabilities float32 [N,T,K], features float32 [N,T,D]."""
        images = pixels.permute(0, 3, 1, 2).float() * (2 / 255) - 1
        features = self.net.neck(self.net.backbone(images))
        # As a matrix of all frames, because then one operator multiplies and adds the bias.
        logits = self.net.head(features.reshape(-1, self.net.head.in_features))
        best, indices = logits.softmax(-1).topk(self.top_k, dim=-1)
        shape = (features.shape[0], -1, self.top_k)
        return indices.to(torch.int32).reshape(shape), best.reshape(shape), features


def load(checkpoint: Path) -> tuple[Crnn, str]:
    """Return a net with the averaged weights of a stage's checkpoint, in eval mode, and its charset."""
    from ocrsvc.training.nets.net import SHAPES, Crnn

    content = torch.load(checkpoint, weights_only=True)
    charset: str = content["charset"]
    net = Crnn(SHAPES[content["shape"]], len(charset) + 1)
    net.load_state_dict(content["average"])
    return net.eval(), charset


def tiny(array: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which values are below ``TINY`` but not 0."""
    # By their bits, because a thread that has run ONNX Runtime may treat denormals as zero.
    bits = array.view(np.uint32) & 0x7FFFFFFF
    return (bits > 0) & (bits < np.float32(TINY).view(np.uint32))


def to_onnx(net: Net, path: Path, height: int = 48) -> None:
    """Export for lines of ``height`` pixels, with dynamic batch and width; weights below ``TINY`` become 0."""
    serving = Serving(net).eval()
    pixels = torch.randint(0, 256, (2, height, 160, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            serving,
            (pixels,),
            str(path),
            input_names=["pixels"],
            output_names=["indices", "probabilities", "features"],
            dynamic_axes={
                "pixels": {0: "N", 2: "W"},
                "indices": {0: "N", 1: "T"},
                "probabilities": {0: "N", 1: "T"},
                "features": {0: "N", 1: "T"},
            },
            opset_version=OPSET,
            # Parameters keep their names and shapes, so that `weights` can read them. ONNX Runtime folds constants
            # when it loads the graph and before quantisation, so nothing is lost.
            do_constant_folding=False,
            dynamo=False,
        )
    model = onnx.load(path)
    _split(model, serving)
    best_classes.in_blocks(model)
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and (small := tiny(array)).any():
            tensor.CopyFrom(numpy_helper.from_array(np.where(small, np.float32(0), array), tensor.name))
    onnx.save(model, path)


def _split(model: onnx.ModelProto, serving: Serving) -> None:
    """Restore parameters that the exporter merged with others of the same value (norms before training)."""
    graph = model.graph
    names = {tensor.name for tensor in graph.initializer}
    missing = {name: array.numpy() for name, array in serving.state_dict().items() if name not in names}
    stored = [numpy_helper.to_array(tensor) for tensor in graph.initializer] if missing else []
    copies = [node for node in graph.node if node.op_type == "Identity" and node.output[0] in missing]
    for node in copies:  # the exporter keeps some merged parameters as an Identity
        graph.node.remove(node)
    for name, array in missing.items():
        if any(np.array_equal(array, other) for other in stored):
            graph.initializer.append(numpy_helper.from_array(array, name))


def save_head(net: Net, path: Path) -> None:
    """Write the head alone, for readings with a charset: weight float16 [classes,D], bias float32 [classes]."""
    np.savez(
        path,
        weight=net.head.weight.detach().numpy().astype(np.float16),
        bias=net.head.bias.detach().numpy().astype(np.float32),
    )

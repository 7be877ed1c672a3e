"""PP-OCRv6 small, the teacher: its ONNX file, its class embeddings, and its convolutions as our ``Backbone``.

The file lies in the ``rapidocr`` wheel (Apache-2.0); the package is located, never imported.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import numpy_helper, utils
from torch import nn

from ocrsvc.training.net import EMBEDDING, Backbone

FEATURES_TENSOR = "p2o.pd_op.pool2d.1.0"  # [N,384,1,W/8]
EMBEDDING_TENSOR = "p2o.pd_op.transpose.8.0"  # [N,W/8,120]
MIN_WIDTH_PIXELS = 320  # the teacher reads narrow words better when they are padded to this width


def model_path() -> Path:
    """Where the installed wheel keeps PP-OCRv6 small's recogniser; FileNotFoundError says what to install."""
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the teacher is missing: pip install --no-deps rapidocr==3.10.0")
    return Path(next(iter(spec.submodule_search_locations))) / "models" / "PP-OCRv6_rec_small.onnx"


def _tensors(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def load_backbone() -> Backbone:
    """A ``Backbone`` that holds the teacher's convolution weights (the graph's first 41 convolutions, in order)."""
    model = onnx.load(model_path())
    tensors = _tensors(model)
    pending: NDArray[np.float32] | None = None
    weights: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    for node in model.graph.node:
        if node.op_type == "Conv":
            pending = tensors[node.input[1]]
        elif node.op_type == "Add" and pending is not None:
            # Every convolution's bias is an Add of a reshaped constant right behind it.
            bias = next(tensors[name] for name in node.input if name in tensors)
            weights.append((pending, bias.reshape(-1)))
            pending = None
        if FEATURES_TENSOR in node.output:
            break
    backbone = Backbone()
    convolutions = [module for module in backbone.modules() if isinstance(module, nn.Conv2d)]
    if len(convolutions) != len(weights):
        raise ValueError(f"the teacher has {len(weights)} convolutions, our backbone {len(convolutions)}")
    for module, (weight, bias) in zip(convolutions, weights, strict=True):
        module.weight.data.copy_(torch.from_numpy(weight.copy()))
        if module.bias is None:
            raise ValueError("a convolution of our backbone has no bias")
        module.bias.data.copy_(torch.from_numpy(bias.copy()))
    return backbone.eval()


@dataclass(frozen=True)
class Head:
    """The teacher's last linear: ``weight`` float32 [120,18710], ``bias`` [18710], ``characters`` by class."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    characters: tuple[str, ...]

    def rows(self, charset: str) -> tuple[NDArray[np.float32], NDArray[np.float32], list[int]]:
        """Weight [classes,120], bias [classes] and teacher classes (-1 = unknown) for blank + ``charset``.

        Characters that the teacher does not know start at a small random vector and a low bias.
        """
        index = {character: i for i, character in enumerate(self.characters) if character}
        classes = [0, *(index.get(character, -1) for character in charset)]
        generator = np.random.default_rng(0)
        weight = np.empty((len(classes), EMBEDDING), np.float32)
        bias = np.empty(len(classes), np.float32)
        spread = float(self.weight.std())
        floor = float(np.median(self.bias))
        for row, source in enumerate(classes):
            if source < 0:
                weight[row] = generator.normal(0, spread, EMBEDDING)
                bias[row] = floor
            else:
                weight[row] = self.weight[:, source]
                bias[row] = self.bias[source]
        return weight, bias, classes


def load_head() -> Head:
    """The teacher's class embeddings and characters (class 0 blank, last class the space)."""
    model = onnx.load(model_path())
    tensors = _tensors(model)
    listed = next(p.value for p in model.metadata_props if p.key == "character").split("\n")
    weight = tensors["linear_8.w_0"]
    characters = ["", *listed][: weight.shape[1] - 1]
    return Head(weight, tensors["linear_8.b_0"], (*characters, " "))


def open_session(outputs: list[str], threads: int = 1) -> ort.InferenceSession:
    """A session that computes the named inner tensors of the teacher from ``x`` float32 [N,3,48,W]."""
    model = onnx.load(model_path())
    inferred = onnx.shape_inference.infer_shapes(model)
    cut = utils.Extractor(inferred).extract_model(["x"], outputs)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(cut.SerializeToString(), options, providers=["CPUExecutionProvider"])


def open_neck(threads: int = 1) -> ort.InferenceSession:
    """The teacher's SVTR neck alone: features float32 [N,384,1,T] to embeddings [N,T,120]."""
    model = onnx.shape_inference.infer_shapes(onnx.load(model_path()))
    cut = utils.Extractor(model).extract_model([FEATURES_TENSOR], [EMBEDDING_TENSOR])
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(cut.SerializeToString(), options, providers=["CPUExecutionProvider"])

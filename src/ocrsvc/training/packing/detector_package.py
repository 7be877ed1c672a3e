"""Writes the model folder of a trained detector."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from ocrsvc.models.manifest import Manifest
from ocrsvc.training.nets import detector
from ocrsvc.training.nets.graph_net import GraphNet
from ocrsvc.training.packing.folder import commit
from ocrsvc.training.packing.quantize import halve


def write(
    folder: Path,
    net: GraphNet,
    start: Manifest,
    teacher: Manifest,
    recipe: Mapping[str, Any],
    architecture: str,
) -> Manifest:
    """Write the detector that ``net`` became, in place of what is there; return its manifest.

    Its convolutions are kept as float16, which ONNX Runtime turns into float32 when it loads them. Its boxes are made
    with the constants of the teacher, whose probabilities it has learnt.
    """
    model = net.written()
    halve(model)
    onnx.checker.check_model(model)
    return detector.write(
        folder,
        model.SerializeToString(),
        name=folder.name,
        architecture=architecture,
        licence=start.licence,
        origin=f"Begun with {start.name}, trained by this project on what {teacher.name} finds",
        postprocess=teacher.postprocess,
        commit=commit(),
        recipe={
            **recipe,
            "start": start.files["fp32"].sha256,
            "teacher": teacher.files["fp32"].sha256,
        },
    )

"""Static INT8 quantisation of an exported recogniser: QDQ, per-channel weights, calibrated on serving's tensors.

Convolutions, their SiLU and matrix products are quantised; LSTM, normalisations and softmax stay in float32. Dynamic
INT8 convolutions and element-wise INT8 cost more than they save (ONNX Runtime #12854, #6695), except SiLU between two
INT8 convolutions, which is a table and a product of bytes.
"""

from __future__ import annotations

import contextlib
import io
import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from ocrsvc.models.buckets import Buckets, stack
from ocrsvc.training.nets.int8_range import PERCENTILE
from ocrsvc.training.packing import best_classes, weight_rounding

QUANTISED_OPERATORS = ["Conv", "MatMul", "Gemm", "Sigmoid", "Mul"]
_OF_CONVOLUTIONS = {"Sigmoid", "Mul"}  # quantised in the backbone only
MOST_LINES = 112  # most lines to calibrate on; every activation of each is evaluated
_COLUMNS = 2560  # pixels of width per calibration batch, all lines together
# The calibrator keeps all activations of its current batches, about 60 MB a line, before it makes histograms of them,
# and stacks them, so several batches would need one shape. Hence one batch at a time.
_ONE_BATCH_AT_A_TIME = {"CalibStridedMinMax": 1}  # ONNX Runtime applies it to every calibration method


class Calibration(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
    """Padded batches of lines for ONNX Runtime's calibrator, all or a range at a time."""

    def __init__(self, batches: Iterable[NDArray[np.uint8]]) -> None:
        self.batches = list(batches)
        self.set_range(0, len(self.batches))

    def __len__(self) -> int:
        return len(self.batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Restrict the next inputs to the batches from ``start_index`` to before ``end_index``."""
        self.rest = iter(self.batches[start_index:end_index])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next input, None at the end."""
        batch = next(self.rest, None)
        return None if batch is None else {"pixels": batch}


def batches(
    lines: Sequence[NDArray[np.uint8]], buckets: Buckets, pad_value: int
) -> Iterator[NDArray[np.uint8]]:
    """Yield lines uint8 [H,w,3] in batches of up to 8, padded to their bucket as in serving; fewer in wide buckets.

    At most ``MOST_LINES`` evenly spaced lines are used. Lines wider than the widest bucket are cut.
    """
    lines = lines[:: math.ceil(len(lines) / MOST_LINES)]
    groups: dict[int, list[NDArray[np.uint8]]] = {}
    for line in lines:
        fitting = line[:, : buckets.widest]
        groups.setdefault(buckets.of(fitting.shape[1]), []).append(fitting)
    for bucket, group in sorted(groups.items()):
        size = min(8, max(1, _COLUMNS // bucket))
        for i in range(0, len(group), size):
            part = group[i : i + size]
            yield stack(part, height=part[0].shape[0], width=bucket, pad_value=pad_value)


def to_int8(
    source: Path,
    target: Path,
    lines: Sequence[NDArray[np.uint8]],
    buckets: Buckets,
    pad_value: int,
    keep_float: Sequence[str] = (),
) -> None:
    """Quantise ``source`` into ``target``; nodes whose names contain one of ``keep_float`` stay in float32."""
    shown = Calibration(batches(lines, buckets, pad_value))
    # Redirected because the calibrator prints a line for each batch.
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            shown,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED_OPERATORS,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=matching(prepared, keep_float),
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={
                "CalibPercentile": PERCENTILE,
                # The best of 7 000 logits lies beyond such a percentile: clipped, it could tie with others.
                "OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"],
                **_ONE_BATCH_AT_A_TIME,
            },
        )
        model, unrounded = onnx.load(target), onnx.load(prepared)
    weight_rounding.compensate(model, unrounded, shown.batches)
    halve(model)
    best_classes.in_blocks(model)  # in graphs that were exported before
    del model.graph.value_info[:]  # unused shapes
    onnx.checker.check_model(model)
    onnx.save(model, target)


def matching(source: Path, parts: Sequence[str]) -> list[str]:
    """Return the nodes to leave in float32: names with one of ``parts``, and Mul and Sigmoid outside the backbone."""
    nodes = onnx.load(source, load_external_data=False).graph.node
    return [
        n.name
        for n in nodes
        if n.op_type in QUANTISED_OPERATORS
        and (
            any(part in n.name for part in parts)
            or (n.op_type in _OF_CONVOLUTIONS and "/backbone/" not in n.name)
        )
    ]


def halve(model: onnx.ModelProto) -> None:
    """Store the remaining float32 weights of LSTM, matrix products and convolutions as float16 followed by a Cast.

    ONNX Runtime folds the Cast, so they still run in float32. Rounding to 11 bits has no measurable effect, and these
    weights are a third of an INT8 file.
    """
    wanted = {name for node in model.graph.node if node.op_type == "LSTM" for name in node.input[1:3]}
    wanted |= {node.input[1] for node in model.graph.node if node.op_type in ("MatMul", "Gemm", "Conv")}
    casts = []
    for tensor in model.graph.initializer:
        if tensor.name in wanted and tensor.data_type == onnx.TensorProto.FLOAT:
            halved = numpy_helper.from_array(
                numpy_helper.to_array(tensor).astype(np.float16), f"{tensor.name}.half"
            )
            casts.append(
                onnx.helper.make_node("Cast", [halved.name], [tensor.name], to=onnx.TensorProto.FLOAT)
            )
            tensor.CopyFrom(halved)
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)

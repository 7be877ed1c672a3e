"""Sessions of fixed shapes, one a bucket, in the place of one that takes any shape: what Ascend's CANN wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ocrsvc.models.manifest import Manifest, ModelFile


class FixedSessions:
    """Runs batches of any number of lines, each padded to the number that the graphs have; no line sees another."""

    def __init__(self, spec: Manifest, opened: Callable[[ModelFile], ort.InferenceSession]) -> None:
        self._rows = spec.input.rows
        self._sessions = {width: opened(spec.files[file_key(width)]) for width in spec.buckets.widths}

    def run(self, outputs: Sequence[str], feed: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[Any]]:
        """As ort.InferenceSession.run with ``pixels`` uint8 [N,H,W,3], W a bucket."""
        pixels = feed["pixels"]
        session = self._sessions[pixels.shape[2]]
        found = []
        for start in range(0, len(pixels), self._rows):
            part = pixels[start : start + self._rows]
            padding = [(0, self._rows - len(part)), (0, 0), (0, 0), (0, 0)]
            answers = session.run(outputs, {"pixels": np.pad(part, padding)})
            found.append([answer[: len(part)] for answer in answers])
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    def get_providers(self) -> list[str]:
        """What runs the graphs."""
        return list(next(iter(self._sessions.values())).get_providers())


def file_key(width: int) -> str:
    """What a manifest calls the graph of this bucket."""
    return f"fp32-{width}"

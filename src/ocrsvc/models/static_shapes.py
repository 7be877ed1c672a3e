"""Sessions of fixed shape, one for each bucket, instead of one session of dynamic shape, for Ascend's CANN."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ocrsvc.models.manifest import Manifest, ModelFile


class FixedSessions:
    """Sessions by bucket; batches are split and padded to the number of lines of the graphs."""

    def __init__(self, spec: Manifest, opened: Callable[[ModelFile], ort.InferenceSession]) -> None:
        self._rows = spec.input.rows
        self._sessions = {width: opened(spec.files[file_key(width)]) for width in spec.buckets.widths}

    def run(self, outputs: Sequence[str], feed: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[Any]]:
        """Run a batch ``pixels`` uint8 [N,H,W,3], W a bucket, as ort.InferenceSession.run."""
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
        """Return the providers of the graphs, as ort.InferenceSession.get_providers."""
        return list(next(iter(self._sessions.values())).get_providers())


def file_key(width: int) -> str:
    """Return the key of this bucket's graph in a manifest's files."""
    return f"fp32-{width}"

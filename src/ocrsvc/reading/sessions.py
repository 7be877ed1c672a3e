"""The models in memory: opens them and runs them on the batcher's workers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

import numpy as np

from ocrsvc.errors import CorruptModel, OcrError
from ocrsvc.machine.cpu import Cpu
from ocrsvc.models.manifest import Cascade as CascadeSpec
from ocrsvc.models.manifest import Manifest
from ocrsvc.models.providers import choose
from ocrsvc.models.registry import Registry
from ocrsvc.models.run_watch import RunWatch
from ocrsvc.pages.boxes import Boxes
from ocrsvc.pages.detector import Detector
from ocrsvc.pages.source import Pixels
from ocrsvc.pages.tiles import LARGEST
from ocrsvc.reading.cascade import Cascade
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import LineText, ModelId
from ocrsvc.scheduling.batcher import Lane
from ocrsvc.settings import Settings

Answer = LineText | Boxes

_PIXELS_PER_WIDTH = 256  # pixels of a detector's input that cost about as much as one column of a line


class Sessions:
    """The detector and the recognisers opened so far. Only one thread at a time may open models."""

    def __init__(self, settings: Settings, cpu: Cpu) -> None:
        self.registry = Registry(settings)
        self.recognisers: dict[str, Recogniser] = {}
        self.cascades: dict[str, Cascade] = {}
        self.watch = RunWatch()
        self._settings = settings
        self._cpu = cpu
        self._detector: Detector | None = None
        self._identities: dict[str, str] = {}

    @property
    def detector(self) -> Detector:
        """Return the detector; raise RuntimeError before ``open_detector`` has run."""
        if self._detector is None:
            raise RuntimeError("the detector has not been opened")
        return self._detector

    def open_detector(self) -> Detector:
        """Load the detector of the settings or of the default recogniser; raise UnknownModel or CorruptModel."""
        self._detector = Detector(
            self.registry.detector(),
            cpu=self._cpu,
            side_pixels=self._settings.detector_side_pixels,
            arena=self._settings.arena,
            threads=self._settings.run_threads,
            providers=choose(self._settings.providers, fixed_shapes=False),
            watch=self.watch,
        )
        return self._detector

    def open_recogniser(self, name: str) -> Recogniser:
        """Return the recogniser of this name or path, loaded at first use; raise UnknownModel or CorruptModel.

        Of a cascade it is the first one, and afterwards ``cascades`` has the cascade by its name.
        """
        spec = self.registry.spec(name)
        if spec.cascade is None:
            recogniser = self._opened(spec)
        else:
            cascade = self.cascades[name] = self._cascade(spec, spec.cascade)
            recogniser = cascade.first
        self.recognisers[name] = recogniser  # the name may be a path
        return recogniser

    def _cascade(self, spec: Manifest, parts: CascadeSpec) -> Cascade:
        first, second = self._opened(parts.first), self._opened(parts.second)
        below = self._settings.reread_below
        below = parts.below if below is None else below
        about = repr((first.id.digest, second.id.digest, below))
        digest = f"sha256:{hashlib.sha256(about.encode()).hexdigest()}"
        return Cascade(ModelId(spec.name, digest), first, second, below)

    def _opened(self, spec: Manifest) -> Recogniser:
        if spec.name not in self.recognisers:
            self.recognisers[spec.name] = Recogniser(
                spec,
                cpu=self._cpu,
                precision=self._settings.precision,
                arena=self._settings.arena,
                threads=self._settings.run_threads,
                providers=choose(self._settings.providers, fixed_shapes=spec.input.rows > 0),
                context=self._settings.context,
                watch=self.watch,
            )
        return self.recognisers[spec.name]

    def identity(self, model: str) -> str:
        """Return a digest of what the answers of a loaded model depend on, beside the lane."""
        known = self._identities.get(model)
        if known is None:
            is_detector = self._detector is not None and model == self._detector.spec.name
            loaded = self.detector if is_detector else self.recognisers[model]
            spec = loaded.spec
            about = (
                loaded.file.sha256,
                sorted((name, each.sha256) for name, each in spec.files.items()),
                (spec.charset, spec.input, spec.top_k),
                (spec.postprocess, spec.decoder, spec.bigram_weight, spec.lexicon_nats),
                self._settings.context,
            )
            known = self._identities[model] = hashlib.sha256(repr(about).encode()).hexdigest()
        return known

    def run(self, lane: Lane, payloads: Sequence[Pixels]) -> Sequence[Answer]:
        """Read lines of one width, or find the lines on tiles of pages; the batcher's workers call this."""
        if self._detector is not None and lane.model == self._detector.spec.name:
            return [self._detector.run(pixels) for pixels in payloads]
        recogniser = self.recognisers[lane.model]
        charset = recogniser.charset(lane.charset) if lane.charset else None
        return recogniser.run(lane.width, payloads, charset, steps=lane.steps)

    def used_pixels(self, lane: Lane, pixels: Pixels) -> int:
        """Return the width of a line without padding; for a detector, the width of the lane, which has none."""
        return min(pixels.shape[1], lane.width) if lane.model in self.recognisers else lane.width

    def warm(self, *recognisers: Recogniser) -> list[tuple[Lane, int, float]]:
        """Run each lane and return (lane, rows, seconds) of the runs; raise CorruptModel if one fails.

        Of the detector's shapes only the largest runs: afterwards, no other one is slower for the first time.
        """
        measured = []
        try:
            width, height = LARGEST
            blank = np.full((height, width, 3), 255, dtype=np.uint8)
            self.detector.run(blank)
            begun = time.perf_counter()
            self.detector.run(blank)
            measured.append((detector_lane(self.detector, blank), 1, time.perf_counter() - begun))
            for recogniser in recognisers:
                for width, rows, seconds in recogniser.warm():
                    measured.append((Lane(recogniser.spec.name, width), rows, seconds))
        except OcrError:
            raise
        except Exception as error:  # the session or the decoding fails on an ordinary input
            raise CorruptModel(f"The models load but do not run: {error}") from error
        return measured


def detector_lane(detector: Detector, pixels: Pixels) -> Lane:
    """Return the lane of a detector's input. Inputs of similar area share a lane, and its width stands for the area."""
    area = pixels.shape[0] * pixels.shape[1] / _PIXELS_PER_WIDTH
    return Lane(detector.spec.name, 1 << max(0, round(area) - 1).bit_length())

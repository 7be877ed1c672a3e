"""The recogniser, which turns line images into text."""

from __future__ import annotations

import functools
import io
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ocrsvc.errors import CorruptModel, EngineFailure
from ocrsvc.machine.cpu import Cpu
from ocrsvc.models.buckets import stack
from ocrsvc.models.manifest import Manifest
from ocrsvc.models.providers import CPU, gains_from_int8
from ocrsvc.models.run_watch import RunWatch
from ocrsvc.models.runtime import open_session
from ocrsvc.models.static_shapes import FixedSessions
from ocrsvc.recognition import alternatives, attention, ctc
from ocrsvc.recognition.attention import Attention
from ocrsvc.recognition.bigrams import Bigrams
from ocrsvc.recognition.charsets import Charset, resolve
from ocrsvc.recognition.contractions import Contractions
from ocrsvc.recognition.folding import Folding
from ocrsvc.recognition.lexicon import Lexicon
from ocrsvc.recognition.plates import Plates
from ocrsvc.results import LineText, ModelId
from ocrsvc.settings import Precision

T = TypeVar("T")

_MAX_CHARSETS = 64  # most charsets in the cache
# Most numbers in all cached weights of charsets (a plate has 10 000, Chinese a million), and in the logits of lines
# that are computed together.
_MOST_CONSTRAINT_FLOATS = 4_000_000
_MOST_SCORES = 2_000_000


class Recogniser:
    """Recogniser that is ready to run; thread-safe, and every method blocks."""

    def __init__(
        self,
        spec: Manifest,
        *,
        cpu: Cpu,
        precision: Precision = "auto",
        arena: bool = True,
        threads: int = 1,
        providers: Sequence[str] = (CPU,),
        context: bool = True,
        watch: RunWatch | None = None,
    ) -> None:
        self.spec = spec
        self._judges: list[Bigrams | Lexicon | Contractions | Plates] = []
        if context and spec.bigram_weight:
            self._judges.append(Bigrams(spec.charset, spec.bigram_weight))
        if context and spec.lexicon_nats:
            self._judges += [
                Lexicon(spec.charset, spec.lexicon_nats),
                Contractions(spec.charset),
                Plates(spec.charset),
            ]
        if precision == "auto" and "fp32" in spec.files and not gains_from_int8(providers):
            precision = "fp32"
        self.file = spec.weights(precision, cpu)
        self.id = ModelId(spec.name, self.file.digest)
        self._open = functools.partial(
            open_session, arena=arena, threads=threads, providers=providers, watch=watch
        )
        self._session = FixedSessions(spec, self._open) if spec.input.rows else self._open(self.file)
        self._attention = Attention(spec, self._open) if attention.FILE in spec.files else None
        self.precision = next(name for name in spec.precisions if spec.files[name] is self.file)
        self.calibration = spec.calibrations().get(self.precision)
        # Weights that were trained separately have their own head.
        self._head_file = spec.files.get(f"head_{self.precision}", spec.files.get("head"))
        self._folding = Folding(spec.charset)
        self._lock = threading.Lock()
        self._head: tuple[NDArray[np.float16], NDArray[np.float32]] | None = None
        self._charsets: dict[str, Charset] = {}
        self._constraints: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}

    @property
    def providers(self) -> list[str]:
        """Return the execution providers that ONNX Runtime uses for this model, in order."""
        return list(self._session.get_providers())

    def charset(self, spec: str) -> Charset:
        """Return the charset of this specification for this model; raise UnknownCharset if there is none."""
        kept = self._charsets.get(spec)
        if kept is None:
            kept = resolve(spec, self.spec.charset)
            with self._lock:
                _keep(self._charsets, spec, kept)
        return kept

    def run(
        self,
        width: int,
        crops: Sequence[NDArray[np.uint8]],
        charset: Charset | None = None,
        *,
        steps: bool = False,
    ) -> list[LineText]:
        """Read line images ``uint8 [height,w,3]`` (BGR, w <= width), padded to the bucket ``width``, in one batch.

        With a charset, only its characters are read, by CTC alone, and the same run also gives the ``free`` text of
        each line, so that omissions can be reported. Results are in the order of ``crops``; confidences are peaks, not
        calibrated.
        With ``steps``, the texts hold their time steps, and their characters the alternatives.
        """
        if not crops:
            return []
        shape = self.spec.input
        pixels = stack(crops, height=shape.height, width=width, pad_value=shape.pad_value)

        if charset is None:
            outputs = ["indices", "probabilities"] + (["memory"] if self._attention else [])
            indices, probabilities, *more = self._outputs(outputs, pixels)
            return self._decode(indices, probabilities, crops, steps=steps, memory=more[0] if more else None)
        indices, probabilities, features = self._outputs(["indices", "probabilities", "features"], pixels)
        best = self._constrained(features, charset, several=steps or bool(self._judges))
        constrained = self._decode(*best, crops, charset, steps=steps)
        free = self._decode(indices, probabilities, crops)
        return [replace(line, free=other) for line, other in zip(constrained, free, strict=True)]

    def _outputs(self, names: Sequence[str], pixels: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Run the model; raise EngineFailure unless each output has a row for each line, or texts would be lost."""
        outputs: list[NDArray[Any]] = self._session.run(names, {"pixels": pixels})
        if wrong := [len(each) for each in outputs if len(each) != len(pixels)]:
            raise EngineFailure(f"The model gave {wrong[0]} rows for {len(pixels)} lines.")
        return outputs

    def _decode(
        self,
        indices: NDArray[np.int32],
        probabilities: NDArray[np.float32],
        crops: Sequence[NDArray[np.uint8]],
        charset: Charset | None = None,
        *,
        steps: bool = False,
        memory: NDArray[np.float32] | None = None,
    ) -> list[LineText]:
        """Return the text of each line; ``indices`` and ``probabilities`` ``[N,T,K]`` are the best classes.

        With a ``memory`` ``[N,T,d]``, the attention decoder reads the lines in doubt.
        """
        runs = ctc.collapse(indices[:, :, 0], probabilities[:, :, 0])
        widths = [crop.shape[1] for crop in crops]
        for judge in self._judges:
            if charset is None or judge.judges(charset.characters):
                runs = judge.choose(indices, probabilities, runs)
        if self._attention is not None and memory is not None:
            runs = self._attention.choose(indices, probabilities, memory, runs, widths)
        stride = self.spec.input.width_stride
        lines = ctc.lines(
            runs,
            widths=widths,
            alphabet=self.spec.charset,
            stride=stride,
            reach_pixels=self.spec.input.height // 2,
            folded=self._folding.peaks(indices, probabilities, runs) if charset is None else None,
            doubts=alternatives.of_characters(indices, probabilities, runs, self.spec.charset)
            if steps
            else None,
        )
        if not steps:
            return lines
        seen = alternatives.time_steps(indices, probabilities, self.spec.charset, stride)
        return [replace(line, steps=each) for line, each in zip(lines, seen, strict=True)]

    def warm(self, rows: Sequence[int] = (1,)) -> Iterator[tuple[int, int, float]]:
        """Run every bucket with each number of rows, the largest first; yield (width, rows, seconds)."""
        if self._attention is not None:
            self._attention.warm(self.spec.buckets.widest)
        for width in reversed(self.spec.buckets.widths):
            blank = np.full((self.spec.input.height, width, 3), self.spec.input.pad_value, dtype=np.uint8)
            for count in sorted(rows, reverse=True):
                started = time.perf_counter()
                self.run(width, [blank] * count)
                yield width, count, time.perf_counter() - started

    def _constrained(
        self, features: NDArray[np.float32], charset: Charset, *, several: bool
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the best classes and their probabilities ``[N,T,K]`` among the charset's classes and the blank.

        ``features`` ``[N,T,D]`` are the input of the last layer, which is computed only for the allowed classes. K is 1
        unless ``several`` are needed.
        """
        weight, bias = self._constraint(charset)
        count = min(self.spec.top_k, len(bias)) if several else 1
        rows = max(1, _MOST_SCORES // (features.shape[1] * len(bias)))
        parts = [
            _best(features[start : start + rows] @ weight + bias, count)
            for start in range(0, len(features), rows)
        ]
        best, probability = (np.concatenate(column) for column in zip(*parts, strict=True))
        return charset.classes[best], probability

    def _constraint(self, charset: Charset) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return weight and bias of the model's last layer for the charset's classes, cached."""
        with self._lock:
            kept = self._constraints.get(charset.spec)
            if kept is None:
                if self._head is None:
                    self._head = self._read_head()
                weight, bias = self._head
                columns = np.ascontiguousarray(weight[charset.classes].T.astype(np.float32))
                kept = (columns, bias[charset.classes])
                while (
                    self._constraints and _floats(self._constraints) + columns.size > _MOST_CONSTRAINT_FLOATS
                ):
                    del self._constraints[next(iter(self._constraints))]
                _keep(self._constraints, charset.spec, kept)
            return kept

    def _read_head(self) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
        if self._head_file is None:
            raise CorruptModel(f"The model {self.spec.name!r} has no head file, which a charset needs.")
        with np.load(io.BytesIO(self._head_file.read()), allow_pickle=False) as arrays:
            weight, bias = arrays["weight"], arrays["bias"]
        if weight.shape[0] != len(self.spec.charset) + 1 or bias.shape != weight.shape[:1]:
            raise CorruptModel(
                f"The head of {self.spec.name!r} has {weight.shape[0]} classes, not the charset's."
            )
        return weight, bias


def _best(logits: NDArray[np.float32], count: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return indices and softmax probabilities ``[N,T,count]`` of the highest ``logits`` ``[N,T,V]``, best first."""
    best = np.argpartition(-logits, count - 1, axis=-1)[..., :count]
    best = np.take_along_axis(best, np.argsort(-np.take_along_axis(logits, best, axis=-1), axis=-1), axis=-1)
    odds = np.exp(logits - np.take_along_axis(logits, best[..., :1], axis=-1))
    probability = np.take_along_axis(odds, best, axis=-1) / odds.sum(axis=-1, keepdims=True)
    return best, probability.astype(np.float32)


def _floats(constraints: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]) -> int:
    """Return how many numbers the cached weights have in total."""
    return sum(weight.size for weight, _ in constraints.values())


def _keep(cache: dict[str, T], key: str, value: T) -> None:
    """Put a value into a cache; drop the oldest entry if it is full."""
    if len(cache) >= _MAX_CHARSETS:
        del cache[next(iter(cache))]
    cache[key] = value

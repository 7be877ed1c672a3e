"""Answers of earlier runs of the models, for inputs that come again: headings of forms, stamps, whole pages.

The key is the SHA-256 of everything that the answer of a run depends on: the weights, the lane (model, width, charset,
time steps) and the very pixels. Options that do not reach a run, such as the layout, are applied to its answer
afterwards, so no two readings can share more than a run that would have been the same. Answers are kept as bytes:
nothing that a reading does to its answer can change another one's.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ocrsvc.pages.source import Pixels
from ocrsvc.reading.sessions import Answer
from ocrsvc.scheduling.batcher import Lane

ENTRY_BYTES = 250  # of a key, the two objects and their places in the table, beside the answer itself


@dataclass(frozen=True, slots=True)
class CacheUsage:
    """Counts since the start, and what is kept now."""

    hits: int
    misses: int
    evictions: int
    entries: int
    held_bytes: int


class RunCache:
    """Bounded cache of answers; the one that was used last stays longest. Its methods may be called on any thread.

    ``identity`` returns what identifies the weights and settings of a model, by its name in a lane.
    """

    def __init__(self, *, max_bytes: int, max_entries: int, identity: Callable[[str], str]) -> None:
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._identity = identity
        self._lock = threading.Lock()
        self._answers: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0
        self._hits = self._misses = self._evictions = 0

    def find(self, items: Sequence[tuple[Lane, Pixels]]) -> list[tuple[bytes, Answer | None]]:
        """Return for each input its key and, if it is known, its answer."""
        keys = [self._key(lane, pixels) for lane, pixels in items]
        with self._lock:
            kept = [self._answers.get(key) for key in keys]
            for key, answer in zip(keys, kept, strict=True):
                if answer is not None:
                    self._answers.move_to_end(key)
            self._hits += sum(answer is not None for answer in kept)
            self._misses += kept.count(None)
        # The bytes are this process's own.
        return [
            (key, None if answer is None else pickle.loads(answer))  # noqa: S301
            for key, answer in zip(keys, kept, strict=True)
        ]

    def keep(self, keys: Sequence[bytes], answers: Sequence[Answer]) -> None:
        """Keep the answers of inputs; the oldest ones make room."""
        packed = [pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL) for answer in answers]
        with self._lock:
            for key, answer in zip(keys, packed, strict=True):
                if key in self._answers or len(answer) + ENTRY_BYTES > self._max_bytes:
                    continue
                self._answers[key] = answer
                self._bytes += len(answer) + ENTRY_BYTES
                while self._bytes > self._max_bytes or len(self._answers) > self._max_entries:
                    _, oldest = self._answers.popitem(last=False)
                    self._bytes -= len(oldest) + ENTRY_BYTES
                    self._evictions += 1

    def usage(self) -> CacheUsage:
        """Return the counts."""
        with self._lock:
            return CacheUsage(self._hits, self._misses, self._evictions, len(self._answers), self._bytes)

    def _key(self, lane: Lane, pixels: Pixels) -> bytes:
        # The list has one reading only, and no zero byte, so no two inputs are written alike.
        about = [self._identity(lane.model), lane.model, lane.width, lane.charset, lane.steps, *pixels.shape]
        digest = hashlib.sha256(json.dumps(about).encode())
        digest.update(b"\0")
        digest.update(np.ascontiguousarray(pixels).data)
        return digest.digest()

"""Drawn lines that wait to be learnt from, by bucket, on the device that trains."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ocrsvc.training.data.feed import Batch
from ocrsvc.training.data.targets import Label


@dataclass(frozen=True)
class Picked:
    """Lines of a batch: where their columns lie, how wide they are there and in the batch (pixels), their labels."""

    columns: Tensor
    offset: NDArray[np.int64]
    source: NDArray[np.int64]
    width: NDArray[np.int64]
    labels: tuple[Label, ...]


@dataclass
class _Ring:
    """The slots of one bucket: the column at which they begin, own widths and texts, and which are still unused."""

    start: int
    widths: NDArray[np.int64]
    texts: list[str]
    unused: deque[int]
    next: int = 0
    filled: int = 0

    def put(self, text: str, width: int) -> None:
        """Fill the next slot, which may overwrite a line that was never used."""
        slot = self.next
        if self.unused and self.filled == len(self.texts) and self.unused[0] == slot:
            self.unused.popleft()
        self.texts[slot], self.widths[slot] = text, width
        self.unused.append(slot)
        self.next = (slot + 1) % len(self.texts)
        self.filled = max(self.filled, slot + 1)


class Pool:
    """A ring of lines for each bucket; the oldest are overwritten. ``columns``: pixels of width to keep, in all."""

    def __init__(self, buckets: Sequence[int], height: int, columns: int, device: torch.device) -> None:
        self.buckets = tuple(buckets)
        self.arrived = np.zeros(len(buckets), np.int64)  # lines by bucket
        self.rings: list[_Ring] = []
        at = 0
        for bucket in buckets:
            slots = max(2, columns // len(buckets) // bucket)
            self.rings.append(_Ring(at, np.zeros(slots, np.int64), [""] * slots, deque()))
            at += slots * bucket
        self.columns = torch.zeros((at, height * 3), dtype=torch.uint8, device=device)

    @property
    def unused(self) -> int:
        """Return the number of columns of lines that no batch has held yet."""
        return sum(len(ring.unused) * bucket for ring, bucket in zip(self.rings, self.buckets, strict=True))

    def add(self, batch: Batch) -> None:
        """Take in the lines of a drawn batch, whose width must be one of the buckets."""
        lines, height, bucket, _ = batch.pixels.shape
        at = self.buckets.index(bucket)
        ring = self.rings[at]
        upright = np.ascontiguousarray(batch.pixels.transpose(0, 2, 1, 3)).reshape(lines, bucket, height * 3)
        first = 0
        while first < lines:  # in one piece, or in two around the end of the ring
            count = min(lines - first, len(ring.texts) - ring.next)
            self._copy(
                ring.start + ring.next * bucket, upright[first : first + count].reshape(-1, height * 3)
            )
            for line in range(first, first + count):
                ring.put(batch.texts[line], batch.widths[line])
            first += count
        self.arrived[at] += lines

    def _copy(self, start: int, columns: NDArray[np.uint8]) -> None:
        source = torch.from_numpy(columns)
        target = self.columns[start : start + len(columns)]
        if target.is_cuda:  # the copy does not wait for the device
            target.copy_(source.pin_memory(), non_blocking=True)
        else:
            target.copy_(source)

    def pick(self, at: int, count: int, passes: float, rng: np.random.Generator) -> Picked:
        """Return ``count`` lines of the bucket with index ``at``, none if it is empty.

        A line is used ``passes`` times in the mean; more often if there are not enough unused ones.
        """
        ring = self.rings[at]
        if not ring.filled:
            count = 0
        new = min(count, len(ring.unused), int(count / passes + rng.random()))
        slots = np.array([ring.unused.popleft() for _ in range(new)], np.int64)
        slots = np.concatenate((slots, rng.integers(0, max(1, ring.filled), count - new)))
        widths = ring.widths[slots]
        labels = tuple((ring.texts[slot], "drawn", False) for slot in slots)
        return Picked(self.columns, ring.start + slots * self.buckets[at], widths, widths, labels)

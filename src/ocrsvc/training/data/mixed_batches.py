"""Batches of drawn lines and real crops of one bucket, varied on the device that trains."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ocrsvc.training.augmentation.augment import Augment
from ocrsvc.training.augmentation.canvas import stretched
from ocrsvc.training.data.feed import PAD_VALUE, Batch
from ocrsvc.training.data.pool import Picked, Pool
from ocrsvc.training.data.real_lines import RealLines
from ocrsvc.training.data.targets import Label

_MOST_LINES = 2048  # in a batch
_POOR = 0.55  # share of the real crops that get few further faults: they have their own
_WIDTH_JITTER = 0.06  # of half of the lines, within their bucket
_LONGEST_SHARE = 0.25  # of the pool that may wait unused; then drawing waits


@dataclass(frozen=True)
class Mixed:
    """One batch of N lines with their labels: ``images`` float32 [N,3,48,W] in -1 to 1.

    ``clean`` [M,3,48,W] are the first M lines in the same geometry without faults of the camera. The first ``real``
    lines are real crops. ``widths``: of the lines without padding, in pixels.
    """

    images: Tensor
    clean: Tensor
    labels: tuple[Label, ...]
    real: int
    widths: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Chosen:
    """Lines of one batch before they are varied: float32 [N,3,48,W], 0 to 255, their widths in pixels, and a seed."""

    pictures: Tensor
    width: NDArray[np.int64]
    labels: tuple[Label, ...]
    real: int
    seed: int


class Source(Protocol):
    """Where drawn lines come from, such as a ``Feed``."""

    def ready(self, wait: bool = False) -> Batch | None:
        """Return a batch of one bucket; without one, None or, with ``wait``, the next."""


class MixedBatches:
    """Chooses bucket and lines so that, over many batches, ``real_share`` of the lines are real crops.

    Several threads may ask for batches at once.
    """

    def __init__(
        self,
        feed: Source,
        pool: Pool,
        real: RealLines | None,
        *,
        columns: int,
        real_share: float,
        passes: float,
        clean_drawn: bool,
        seed: int,
    ) -> None:
        self.feed, self.pool, self.real = feed, pool, real
        self.device = pool.columns.device
        self.columns, self.passes, self.clean_drawn = columns, passes, clean_drawn
        self.real_share = real_share if real is not None and len(real) else 0.0
        self.rng = np.random.default_rng(seed)
        self.fixed = self.device.type == "cuda"  # cuDNN plans each shape anew
        self.lock = threading.Lock()
        self.sizes = np.array([max(2, min(_MOST_LINES, columns // bucket)) for bucket in pool.buckets])

    def fill(self) -> None:
        """Take in the lines that wait in the feed, as far as the pool has room; wait for the first ones."""
        while self.pool.unused < _LONGEST_SHARE * len(self.pool.columns):
            batch = self.feed.ready(wait=not self.pool.arrived.any())
            if batch is None:
                return
            self.pool.add(batch)

    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the chance of each bucket, and the share of real crops in its batches."""
        drawn = (1 - self.real_share) * self.pool.arrived / max(1, int(self.pool.arrived.sum()))
        real = self.real_share * self.real.by_bucket if self.real is not None else 0 * drawn
        both = drawn + real
        chance = both / self.sizes
        return chance / chance.sum(), real / np.maximum(both, 1e-12)

    def __call__(self, strength: float = 1.0, at: int | None = None) -> Mixed:
        """Return the next batch, varied with this ``strength``; ``at``: index of its bucket (default: random)."""
        with self.lock:  # until the pictures are copied: the pool overwrites its oldest lines
            chosen = self._chosen(at)
        poor = np.ones(len(chosen.labels), bool)  # drawn lines come with faults of a camera
        augment = Augment(self.device, chosen.seed, PAD_VALUE)
        poor[: chosen.real] = augment.draws.rng.random(chosen.real) < _POOR
        clean = len(chosen.labels) if self.clean_drawn else chosen.real
        varied = augment(chosen.pictures, chosen.width, poor, clean, strength)
        return Mixed(varied.spoilt, varied.clean, chosen.labels, chosen.real, tuple(chosen.width.tolist()))

    def _chosen(self, at: int | None) -> _Chosen:
        self.fill()
        chance, real_share = self.shares()
        if at is None:
            at = int(self.rng.choice(len(chance), p=chance))
        size = int(self.sizes[at])
        real = int(size * real_share[at] + (0.5 if self.fixed else self.rng.random()))
        parts: list[Picked] = []
        if self.real is not None and real:
            parts.append(self.real.pick(at, real, self.rng))
            real = len(parts[0].labels)
        parts.append(self.pool.pick(at, size - real, self.passes, self.rng))
        return self._gathered([part for part in parts if part.labels], at, real)

    def _gathered(self, parts: list[Picked], at: int, real: int) -> _Chosen:
        bucket = self.pool.buckets[at]
        least = self.pool.buckets[at - 1] + 1 if at else 1
        widths = [self._jittered(part.width, least, bucket) for part in parts]
        pictures = [
            stretched(part.columns, *self._sent(part.offset, part.source, width), bucket)
            for part, width in zip(parts, widths, strict=True)
        ]
        labels = tuple(label for part in parts for label in part.labels)
        seed = int(self.rng.integers(2**62))
        return _Chosen(torch.cat(pictures), np.concatenate(widths), labels, real, seed)

    def _sent(self, *numbers: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        offset, source, width = torch.from_numpy(np.stack(numbers)).to(self.device)
        return offset, source, width

    def _jittered(self, width: NDArray[np.int64], least: int, most: int) -> NDArray[np.int64]:
        factor = self.rng.uniform(1 - _WIDTH_JITTER, 1 + _WIDTH_JITTER, len(width))
        moved = np.clip(np.rint(width * factor).astype(np.int64), least, most)
        return np.where(self.rng.random(len(width)) < 0.5, moved, width)

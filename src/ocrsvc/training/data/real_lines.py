"""Real crops in memory: labelled lines and crops of photos, each also a little narrower and wider than it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ocrsvc.models.buckets import Buckets, fit
from ocrsvc.training.data.pool import Picked
from ocrsvc.training.data.samples import Sample, crop_each, label_each
from ocrsvc.training.data.targets import Label

PHOTOS = "photos"  # source of the crops of all folders of photos
_NARROWEST_PIXELS = 8
_UNLABELLED = 0.5  # weight of a crop without a label
_JITTER = 0.05  # of a stretch, so that no two variants have the same width


@dataclass(frozen=True)
class Mix:
    """How real crops are chosen.

    ``shares``: shares of their folders by name (``photos``: all folders of photos), ``other`` for a folder that is not
    named. ``stretches``: factors of the width in which each crop takes part.
    """

    shares: Mapping[str, float]
    other: float = 0.05
    stretches: tuple[float, ...] = (1.0, 1.0, 0.8, 0.9, 1.12, 1.28)


class RealLines:
    """Real crops as columns of pixels on the device, chosen at random by weight within a bucket."""

    def __init__(
        self,
        samples: Iterator[Sample],
        mix: Mix,
        buckets: Sequence[int],
        height: int,
        width_stride: int,
        device: torch.device,
        seed: int,
    ) -> None:
        self.buckets = tuple(buckets)
        self.labels: list[Label] = []
        widths: list[int] = []
        columns = bytearray()  # grows without a second copy of all crops
        for sample in samples:
            line = fit(sample.image, height)
            if _NARROWEST_PIXELS <= line.shape[1] <= self.buckets[-1]:
                columns += line.transpose(1, 0, 2).tobytes()
                widths.append(line.shape[1])
                self.labels.append((sample.text, sample.source, sample.case_folded))
        self.widths = np.array(widths, np.int64)
        self.offsets = np.cumsum(self.widths) - self.widths
        whole = np.frombuffer(columns, np.uint8).reshape(-1, height * 3)
        self.columns = (torch.from_numpy(whole) if len(whole) else torch.zeros(whole.shape)).to(device)
        self._spread(mix, width_stride, np.random.default_rng(seed))

    def __len__(self) -> int:
        return len(self.labels)

    def _spread(self, mix: Mix, width_stride: int, rng: np.random.Generator) -> None:
        """Put every crop into the buckets of its stretches, as far as its text fits them."""
        weights = self._weights(mix)
        chances: list[list[tuple[int, int, float]]] = [[] for _ in self.buckets]
        buckets = Buckets(self.buckets)
        least = np.array([frames(text or "") for text, _, _ in self.labels], np.int64)
        for stretch in mix.stretches:
            jitter = rng.uniform(1 - _JITTER, 1 + _JITTER, len(self)) if stretch != 1 else np.ones(len(self))
            for crop, width in enumerate(np.rint(self.widths * stretch * jitter).astype(np.int64).tolist()):
                if not _NARROWEST_PIXELS <= width <= buckets.widest:
                    continue
                bucket = buckets.of(width)
                if least[crop] <= bucket // width_stride:
                    chances[self.buckets.index(bucket)].append((crop, width, weights[crop]))
        self.variants = [np.array([(c, w) for c, w, _ in each], np.int64).reshape(-1, 2) for each in chances]
        self.sums = [np.cumsum([weight for _, _, weight in each]) for each in chances]
        totals = np.array([each[-1] if len(each) else 0.0 for each in self.sums])
        self.by_bucket = totals / max(float(totals.sum()), 1e-12)

    def _weights(self, mix: Mix) -> NDArray[np.float64]:
        sources = [source for _, source, _ in self.labels]
        counts = {source: sources.count(source) for source in set(sources)}
        return np.array(
            [
                mix.shares.get(source, mix.other) / counts[source] * (1 if text is not None else _UNLABELLED)
                for text, source, _ in self.labels
            ]
        )

    def pick(self, at: int, count: int, rng: np.random.Generator) -> Picked:
        """Return ``count`` crops of the bucket with index ``at``, none if it has none."""
        sums, variants = self.sums[at], self.variants[at]
        if not len(sums):
            count = 0
            sums, variants = np.ones(1), np.zeros((1, 2), np.int64)
        chosen = variants[
            np.searchsorted(sums, rng.random(count) * sums[-1], "right").clip(max=len(sums) - 1)
        ]
        crops = chosen[:, 0]
        labels = tuple(self.labels[crop] for crop in crops)
        if not count:
            empty = np.zeros(0, np.int64)
            return Picked(self.columns, empty, empty, empty, ())
        return Picked(self.columns, self.offsets[crops], self.widths[crops], chosen[:, 1], labels)


def frames(text: str) -> int:
    """Return the least number of frames that CTC needs for a text: one a character, one between equal neighbours."""
    return len(text) + sum(a == b for a, b in pairwise(text))


def gathered(
    real: Sequence[Path],
    photos: Sequence[Path],
    charset: str,
    held_out: int,
    left_out: Collection[Path] = (),
) -> Iterator[Sample]:
    """Yield the crops of labelled folders and of photos, without the rows that scoring draws and files ``left_out``.

    A label that ``charset`` cannot write is none.
    """
    known = frozenset(charset)
    for folder in real:
        for sample in label_each(folder, held_out, left_out):
            yield _written(sample, folder.name, known)
    for folder in photos:
        for sample in crop_each(folder, left_out):
            yield _written(sample, PHOTOS, known)


def _written(sample: Sample, source: str, known: frozenset[str]) -> Sample:
    text = sample.text if sample.text and known.issuperset(sample.text) else None
    return Sample(sample.image, text, source, sample.case_folded)

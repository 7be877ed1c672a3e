"""Scores of a net during training, on lines that it is never trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ocrsvc.models.buckets import Buckets, fit, stack
from ocrsvc.recognition.ctc import BLANK
from ocrsvc.text import fold
from ocrsvc.training.data.feed import PAD_VALUE, Batch
from ocrsvc.training.data.samples import rows_of, scored_rows
from ocrsvc.training.nets.net import Crnn, embed, normalise
from ocrsvc.training.texts.charset import canonical

_COLUMNS = 8192  # pixels of width in a batch


@dataclass(frozen=True)
class DevSet:
    """Lines to score on, in batches; ``files`` are their resolved paths, empty for drawn lines."""

    batches: tuple[Batch, ...]
    files: frozenset[Path] = frozenset()

    def __len__(self) -> int:
        return sum(len(batch.texts) for batch in self.batches)


def from_folder(folder: Path, limit: int, buckets: Sequence[int], height: int) -> DevSet:
    """Return the lines of a labelled folder, of a large one the ``limit`` rows that scoring draws.

    ValueError if it has none that fit the buckets.
    """
    groups: dict[int, list[tuple[NDArray[np.uint8], str]]] = {}
    files = set()
    widths = Buckets(tuple(buckets))
    for row in scored_rows(rows_of(folder), limit):
        image = cv2.imread(str(folder / row["file"]))
        if image is None or not image.size or not row["text"]:
            continue
        files.add((folder / row["file"]).resolve())
        line = fit(np.asarray(image, np.uint8), height)
        if line.shape[1] <= widths.widest:
            groups.setdefault(widths.of(line.shape[1]), []).append((line, canonical(row["text"])))
    if not groups:
        raise ValueError(f"{folder}: no labelled line to score on")
    return DevSet(tuple(_stacked(groups, height)), frozenset(files))


def _stacked(groups: Mapping[int, list[tuple[NDArray[np.uint8], str]]], height: int) -> Iterable[Batch]:
    for width, group in sorted(groups.items()):
        size = max(1, _COLUMNS // width)
        for start in range(0, len(group), size):
            lines, texts = zip(*group[start : start + size], strict=True)
            pixels = stack(lines, height=height, width=width, pad_value=PAD_VALUE)
            yield Batch(pixels, texts, tuple(line.shape[1] for line in lines))


@torch.no_grad()
def right(net: Crnn, charset: str, batch: Batch, device: torch.device, *, bfloat16: bool) -> int:
    """Return how many lines of a batch are read right but for case, spaces and width of characters."""
    images = normalise(batch.pixels).to(device)
    paths = net.head(embed(net, images, bfloat16=bfloat16)).argmax(-1).tolist()
    return sum(
        fold("".join(charset[c - 1] for c, _ in groupby(path) if c != BLANK)) == fold(text)
        for path, text in zip(paths, batch.texts, strict=True)
    )

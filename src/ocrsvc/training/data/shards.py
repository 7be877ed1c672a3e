"""Cached training lines: memory-mapped pictures, features and embeddings, with the target of every line."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ocrsvc.training.data.targets import Batch, Label, Truth, Truths, stack
from ocrsvc.training.nets import teacher
from ocrsvc.training.nets.net import HEIGHT, SHAPES, WIDTH_STRIDE, normalise
from ocrsvc.training.texts import charset

_FRAME_BYTES = HEIGHT * WIDTH_STRIDE * 3


@dataclass(frozen=True)
class Line:
    """One line: its frames ``start`` to ``start + length`` in a shard, its source and its target."""

    shard: int
    start: int
    length: int
    source: str
    truth: Truth


class Shards:
    """All shards of some folders, with the teacher's best path over our charset (computed once, then cached)."""

    def __init__(self, folders: Sequence[Path], truths: Truths) -> None:
        self.folders = folders
        self.pixels: list[NDArray[np.uint8]] = []
        self.features: list[NDArray[np.float16]] = []
        self.embedding: list[NDArray[np.float16]] = []
        self.classes: list[NDArray[np.int16]] = []
        self.lines: list[Line] = []
        for shard, folder in enumerate(folders):
            self.pixels.append(np.load(folder / "pixels.npy", mmap_mode="r"))
            self.features.append(np.load(folder / "features.npy", mmap_mode="r"))
            self.embedding.append(np.load(folder / "embedding.npy", mmap_mode="r"))
            classes, confidence = _paths(folder, self.embedding[-1], truths)
            self.classes.append(classes)
            lengths = np.load(folder / "lengths.npy")
            starts = np.concatenate(([0], np.cumsum(lengths)))
            texts = json.loads((folder / "texts.json").read_text("utf-8"))
            for start, length, (text, source, case_folded) in zip(
                starts[:-1].tolist(), lengths.tolist(), texts, strict=True
            ):
                path = classes[start : start + length].tolist()
                sure = confidence[start : start + length].tolist()
                truth = truths.judge(path, sure, text, case_folded)
                self.lines.append(Line(shard, start, length, source, truth))

    def cached(self, lines: Sequence[Line]) -> Tensor:
        """Return the cached features float32 [N,T,F] of lines of one length."""
        return torch.from_numpy(np.stack([self.features[s][span] for s, span in _spans(lines)])).float()

    def images(self, lines: Sequence[Line]) -> Tensor:
        """Return the images float32 [N,3,48,W] of lines of one length."""
        rows = [
            self.pixels[line.shard][line.start * _FRAME_BYTES : (line.start + line.length) * _FRAME_BYTES]
            for line in lines
        ]
        width = lines[0].length * WIDTH_STRIDE
        return normalise(np.stack(rows).reshape(len(rows), HEIGHT, width, 3))

    def batch(self, lines: Sequence[Line]) -> Batch:
        """Return the targets of lines of one length."""
        spans = _spans(lines)
        embedding = np.stack([self.embedding[shard][span] for shard, span in spans])
        classes = np.stack([self.classes[shard][span] for shard, span in spans]).astype(np.int64)
        return stack(
            torch.from_numpy(embedding).float(), torch.from_numpy(classes), [line.truth for line in lines]
        )

    @staticmethod
    def batches(lines: Sequence[Line], frames: int, rng: random.Random) -> Iterator[list[Line]]:
        """Yield random batches of equal length with about ``frames`` frames each, in random order."""
        groups: dict[int, list[Line]] = {}
        for line in rng.sample(lines, len(lines)):
            groups.setdefault(line.length, []).append(line)
        chunks = []
        for length, group in groups.items():
            size = max(4, frames // length)
            chunks += [group[i : i + size] for i in range(0, len(group), size)]
        rng.shuffle(chunks)
        yield from chunks


def donor_of(folder: Path) -> str:
    """Return the name of the net that computed a shard's embeddings, recognised by their size."""
    width = np.load(folder / "embedding.npy", mmap_mode="r").shape[1]
    return next(shape.name for shape in SHAPES.values() if shape.embedding == width)


def teacher_labels(folder: Path) -> list[Label]:
    """Return the labels of a shard for a weaker net: lines without a label get the teacher's reading.

    A weaker net that learnt from its own readings would learn its own errors. A reading that is not certain becomes an
    empty text, which teaches nothing. Labels of unknown case get the teacher's case.
    """
    characters = charset.load()
    lines = Shards([folder], Truths(characters, teacher.donor_head(donor_of(folder), characters))).lines
    labels: list[Label] = json.loads((folder / "texts.json").read_text("utf-8"))
    return [
        (line.truth.text, source, False)
        if line.truth.target and (text is None or case_folded)
        else (text or "", source, case_folded)
        for line, (text, source, case_folded) in zip(lines, labels, strict=True)
    ]


def _spans(lines: Sequence[Line]) -> list[tuple[int, slice]]:
    return [(line.shard, slice(line.start, line.start + line.length)) for line in lines]


def _paths(
    folder: Path, embedding: NDArray[np.float16], truths: Truths
) -> tuple[NDArray[np.int16], NDArray[np.float16]]:
    cache = folder / f"paths-{len(truths.bias)}.npz"
    if not cache.exists():
        classes, confidence = [], []
        for start in range(0, len(embedding), 4096):
            block = torch.from_numpy(embedding[start : start + 4096].astype(np.float32))
            top, sure = truths.paths(block)
            classes.append(top.numpy().astype(np.int16))
            confidence.append(sure.numpy().astype(np.float16))
        building = folder / f".{cache.name}"  # renamed when complete: a killed run leaves no partial cache
        np.savez(building, classes=np.concatenate(classes), confidence=np.concatenate(confidence))
        building.rename(cache)
    stored = np.load(cache)
    return stored["classes"], stored["confidence"]

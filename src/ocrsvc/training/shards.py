"""Cached lines as training sees them: memory-mapped features, what each line should read, how far to trust whom."""

from __future__ import annotations

import itertools
import json
import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ocrsvc.training.teacher import Head

BLANK = 0
_LATIN_RUN = re.compile(r"[A-Za-z]{11,}|[a-z][A-Z]|[A-Za-z][,.;:][A-Za-z]{2,}")


@dataclass(frozen=True)
class Line:
    """Where a line's frames lie and what to learn from it.

    ``target``: classes for CTC (empty: none); ``distil``: weight of the teacher on frames where it reads a
    character; ``distil_blank``: on its blank frames (0 where it missed spaces that the truth has).
    """

    shard: int
    start: int
    length: int
    target: tuple[int, ...]
    distil: float
    distil_blank: float
    source: str
    text: str | None


@dataclass(frozen=True)
class Batch:
    """Lines of one length: features [N,T,384], embedding [N,T,120], teacher's classes [N,T], weights, targets."""

    features: torch.Tensor
    embedding: torch.Tensor
    classes: torch.Tensor
    weights: torch.Tensor
    targets: torch.Tensor
    target_lengths: torch.Tensor
    ctc_weights: torch.Tensor


def folded(text: str) -> str:
    """NFKC, no white space, lower case: equal for two readings that say the same."""
    return "".join(unicodedata.normalize("NFKC", text).split()).lower()


def collapse(path: Sequence[int]) -> list[int]:
    """CTC collapse of a best path: repeats merged, blanks dropped."""
    return [c for i, c in enumerate(path) if c != BLANK and (i == 0 or path[i - 1] != c)]


def recase(label: str, reading: str) -> str:
    """The label's characters and spaces in the reading's case; both say the same but for case and spaces."""
    letters = iter("".join(reading.split()))
    return "".join(c if c == " " else next(letters, c) for c in label)


class Shards:
    """All shards of some folders, with the teacher's best path over our charset (computed once, then cached)."""

    def __init__(self, folders: Sequence[Path], charset: str, head: Head) -> None:
        self.charset = charset
        self.index = {character: i + 1 for i, character in enumerate(charset)}
        weight, bias, _ = head.rows(charset)
        self.features: list[NDArray[np.float16]] = []
        self.embedding: list[NDArray[np.float16]] = []
        self.paths: list[NDArray[np.int16]] = []
        self.lines: list[Line] = []
        for shard, folder in enumerate(folders):
            self.features.append(np.load(folder / "features.npy", mmap_mode="r"))
            self.embedding.append(np.load(folder / "embedding.npy", mmap_mode="r"))
            paths, confidence = self._paths(folder, self.embedding[-1], weight, bias)
            self.paths.append(paths)
            starts = np.concatenate(([0], np.cumsum(lengths := np.load(folder / "lengths.npy"))))
            texts = json.loads((folder / "texts.json").read_text("utf-8"))
            for start, length, (text, source, case_folded) in zip(
                starts[:-1].tolist(), lengths.tolist(), texts, strict=True
            ):
                path = paths[start : start + length].tolist()
                sure = confidence[start : start + length]
                self.lines.append(self._line(shard, start, length, path, sure, text, source, case_folded))

    @staticmethod
    def _paths(
        folder: Path, embedding: NDArray[np.float16], weight: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> tuple[NDArray[np.int16], NDArray[np.float16]]:
        cache = folder / f"paths-{len(bias)}.npz"
        if not cache.exists():
            classes, confidence = [], []
            matrix, offset = torch.from_numpy(weight).T.contiguous(), torch.from_numpy(bias)
            for start in range(0, len(embedding), 4096):
                block = torch.from_numpy(embedding[start : start + 4096].astype(np.float32))
                top = (block @ matrix + offset).softmax(-1).max(-1)
                classes.append(top.indices.numpy().astype(np.int16))
                confidence.append(top.values.numpy().astype(np.float16))
            np.savez(cache, classes=np.concatenate(classes), confidence=np.concatenate(confidence))
        stored = np.load(cache)
        return stored["classes"], stored["confidence"]

    def read(self, path: Sequence[int]) -> str:
        """The text of a best path."""
        return "".join(self.charset[c - 1] for c in collapse(path))

    def _line(
        self,
        shard: int,
        start: int,
        length: int,
        path: list[int],
        confidence: NDArray[np.float16],
        text: str | None,
        source: str,
        case_folded: bool,
    ) -> Line:
        reading = self.read(path)
        distil = blank = 1.0
        truth: str | None = text
        if text is None:
            peaks = [float(p) for c, p in zip(path, confidence, strict=True) if c != BLANK]
            sure = bool(peaks) and min(peaks) > 0.5
            # Without a truth nobody knows the spaces of Latin text: there only the teacher's frames count.
            truth = reading.strip() if sure and not _LATIN_RUN.search(reading) else None
            distil = 1.0 if not peaks or float(np.mean(peaks)) > 0.6 else 0.3
        elif folded(text) != folded(reading):
            distil = blank = 0.0
            if case_folded:
                truth = None  # the label's case is unknown and the teacher cannot lend it
        else:
            if case_folded:
                truth = recase(text, reading)
            if text.count(" ") > reading.count(" "):
                blank = 0.0
        target = [self.index[c] for c in truth or "" if c in self.index]
        repeats = sum(a == b for a, b in itertools.pairwise(target))
        if len(target) + repeats > length:
            target = []
        return Line(shard, start, length, tuple(target), distil, blank, source, truth)

    def batch(self, lines: Sequence[Line]) -> Batch:
        """Lines of one length as tensors."""
        features = np.stack([self.features[l.shard][l.start : l.start + l.length] for l in lines])
        embedding = np.stack([self.embedding[l.shard][l.start : l.start + l.length] for l in lines])
        classes = np.stack([self.paths[l.shard][l.start : l.start + l.length] for l in lines]).astype(
            np.int64
        )
        weights = np.where(
            classes != BLANK,
            np.array([[l.distil] for l in lines], np.float32),
            np.array([[l.distil * l.distil_blank] for l in lines], np.float32),
        )
        longest = max(1, max(len(l.target) for l in lines))
        targets = np.zeros((len(lines), longest), np.int64)
        for row, line in zip(targets, lines, strict=True):
            row[: len(line.target)] = line.target
        return Batch(
            torch.from_numpy(features).float(),
            torch.from_numpy(embedding).float(),
            torch.from_numpy(classes),
            torch.from_numpy(weights),
            torch.from_numpy(targets),
            torch.tensor([len(l.target) for l in lines]),
            torch.tensor([1.0 if l.target else 0.0 for l in lines]),
        )

    @staticmethod
    def batches(lines: Sequence[Line], frames: int, rng: random.Random) -> Iterator[list[Line]]:
        """Random batches of equal length with about ``frames`` frames each, in random order."""
        groups: dict[int, list[Line]] = {}
        for line in rng.sample(lines, len(lines)):
            groups.setdefault(line.length, []).append(line)
        chunks = []
        for length, group in groups.items():
            size = max(4, frames // length)
            chunks += [group[i : i + size] for i in range(0, len(group), size)]
        rng.shuffle(chunks)
        yield from chunks

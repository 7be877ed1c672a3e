"""Training targets of lines: how much the label and the teacher's reading each count.

The teacher drops spaces in Latin text (RapidOCR #723) and receipt labels lack case, so neither suffices alone.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ocrsvc.recognition.ctc import BLANK
from ocrsvc.text import fold
from ocrsvc.training.nets.teacher import Head

# Latin text that may lack spaces: a long run of letters, or a place where a space should be.
_LATIN_RUN = re.compile(r"[A-Za-z]{11,}|[a-z][A-Z]|[A-Za-z][,.;:][A-Za-z]{2,}")
# Recognisers write “ ” ‘ ’ as straight quotes, so their readings do not tell which kind a picture shows.
QUOTES = re.compile("[\"'“”‘’]")

Label = tuple[str | None, str, bool]  # text or None, source, whether the text's case is unknown


@dataclass(frozen=True)
class Truth:
    """Target of one line: ``target`` classes for CTC (empty: none), ``text`` the reference for scoring.

    ``distil``: weight of the teacher on frames where it reads a character; ``distil_blank``: on its blank frames.
    """

    target: tuple[int, ...]
    distil: float
    distil_blank: float
    text: str | None


@dataclass(frozen=True)
class Batch:
    """Targets of lines of one length: teacher's embedding [N,T,120] and classes [N,T], frame weights, CTC targets."""

    embedding: Tensor
    classes: Tensor
    weights: Tensor
    targets: Tensor
    target_lengths: Tensor
    ctc_weights: Tensor


def collapse(path: Sequence[int]) -> list[int]:
    """Return the CTC collapse of a best path: repeats merged, blanks dropped."""
    return [c for i, c in enumerate(path) if c != BLANK and (i == 0 or path[i - 1] != c)]


def recase(label: str, reading: str) -> str:
    """Return the reading's characters with the label's spaces; both must agree except in case and spaces.

    Return the reading alone if a look-alike makes their lengths differ (… and ...).
    """
    letters = "".join(reading.split())
    if len(letters) != len("".join(label.split())):
        return reading.strip()
    rest = iter(letters)
    return "".join(c if c == " " else next(rest) for c in label)


class Truths:
    """Targets of lines, from their labels and the teacher's best path over our charset."""

    def __init__(self, charset: str, head: Head) -> None:
        self.charset = charset
        self.index = {character: i + 1 for i, character in enumerate(charset)}
        weight, bias, _ = head.rows(charset)
        self.matrix, self.bias = torch.from_numpy(weight).T.contiguous(), torch.from_numpy(bias)

    def paths(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Return the teacher's class and its probability for each frame of embeddings [...,120]."""
        top = (embedding @ self.matrix + self.bias).softmax(-1).max(-1)
        return top.indices, top.values

    def read(self, path: Sequence[int]) -> str:
        """Return the text of a best path."""
        return "".join(self.charset[c - 1] for c in collapse(path))

    def judge(
        self, path: Sequence[int], confidence: Sequence[float], text: str | None, case_folded: bool
    ) -> Truth:
        """Return the target of one line from the teacher's path and the label ``text``, if there is one."""
        reading = self.read(path)
        distil = blank = 1.0
        truth = text
        if text is None:
            peaks = [p for c, p in zip(path, confidence, strict=True) if c != BLANK]
            sure = bool(peaks) and min(peaks) > 0.5
            if QUOTES.search(reading):
                return Truth((), 0.0, 0.0, None)
            truth = reading.strip() if sure and not _LATIN_RUN.search(reading) else None
            distil = 1.0 if not peaks or sum(peaks) / len(peaks) > 0.6 else 0.3
        elif fold(text) != fold(reading):
            distil = blank = 0.0
            if case_folded:  # no source for the case
                return Truth((), 0.0, 0.0, text)
        else:
            truth = recase(text, reading) if case_folded else text
            if text.count(" ") > reading.count(" "):
                blank = 0.0
        target = [self.index[c] for c in truth or "" if c in self.index]
        repeats = sum(a == b for a, b in itertools.pairwise(target))
        if len(target) + repeats > len(path):
            target = []
        return Truth(tuple(target), distil, blank, truth)

    def batch(self, embedding: Tensor, labels: Sequence[Label]) -> Batch:
        """Judge lines by their labels and the teacher's embeddings [N,T,120]; return the stacked targets."""
        classes, confidence = self.paths(embedding)
        truths = [
            self.judge(path, sure, text, case_folded)
            for path, sure, (text, _, case_folded) in zip(
                classes.tolist(), confidence.tolist(), labels, strict=True
            )
        ]
        return stack(embedding, classes, truths)


def stack(embedding: Tensor, classes: Tensor, truths: Sequence[Truth]) -> Batch:
    """Return the targets of lines of one length as tensors."""
    reads = torch.tensor([[truth.distil] for truth in truths])
    blanks = torch.tensor([[truth.distil * truth.distil_blank] for truth in truths])
    longest = max(1, *(len(truth.target) for truth in truths), 1)
    targets = np.zeros((len(truths), longest), np.int64)
    for row, truth in zip(targets, truths, strict=True):
        row[: len(truth.target)] = truth.target
    return Batch(
        embedding,
        classes,
        torch.where(classes != BLANK, reads, blanks),
        torch.from_numpy(targets),
        torch.tensor([len(truth.target) for truth in truths]),
        torch.tensor([1.0 if truth.target else 0.0 for truth in truths]),
    )

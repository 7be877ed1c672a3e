"""Slices of the labelled lines, told by the label and the crop alone: which lines a figure is about.

A line may be in several slices. Slices of drawn lines are made in drawn.py.
"""

from __future__ import annotations

import re
import statistics
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from peers.recogniser import Picture

from ocrsvc.diagnosis.evaluation import Sample, rate_line
from ocrsvc.text import fold

LOW_PIXELS = 20  # a crop below this height is of low resolution
LONG_CHARACTERS = 25  # in normal form

_ENGLISH = "English of several words whose label knows spaces and case; strict"
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_LATIN = re.compile(r"[A-Za-z0-9]")
_WORDS = re.compile(r"[A-Za-z]\S* +\S")
_DIGITS = re.compile(r"[0-9.,:/+\-* %()¥$]*[0-9][0-9.,:/+\-* %()¥$]*")
_PLATE = re.compile(r"[\u4e00-\u9fff][A-Z][·.]?[A-Z0-9]{5,6}")


@dataclass(frozen=True)
class Line:
    """A labelled crop as decoded."""

    sample: Sample
    picture: Picture

    @property
    def label(self) -> str:
        """Return the label in NFKC."""
        return unicodedata.normalize("NFKC", self.sample.row["text"])


@dataclass(frozen=True)
class Slice:
    """What the slice is, for people; which lines it holds; and the metric that counts there."""

    about: str
    holds: Callable[[Line], bool]
    metric: str = "exact"


def _print_zh(line: Line) -> bool:
    return bool(_HAN.search(line.label)) and not _LATIN.search(line.label)


def _mixed(line: Line) -> bool:
    label = line.label
    return bool(_HAN.search(label) and _LATIN.search(label)) and not _PLATE.fullmatch(label.replace(" ", ""))


def _english_with_spaces(line: Line) -> bool:
    return line.sample.strict and not _HAN.search(line.label) and bool(_WORDS.search(line.label.strip()))


def _digits(line: Line) -> bool:
    return bool(_DIGITS.fullmatch(line.label))


def _low(line: Line) -> bool:
    return bool(line.picture.shape[0] < LOW_PIXELS)


def _long(line: Line) -> bool:
    return len(fold(line.sample.row["text"])) >= LONG_CHARACTERS


REAL: Mapping[str, Slice] = {
    "print-zh": Slice("Chinese without Latin letters or digits", _print_zh),
    "mixed": Slice("Chinese with Latin letters or digits, number plates left out", _mixed),
    "en-spaces": Slice(_ENGLISH, _english_with_spaces, "strict"),
    "digits": Slice("digits and the signs between them alone", _digits),
    "low-res": Slice(f"crops less than {LOW_PIXELS} pixels high", _low),
    "long": Slice(f"{LONG_CHARACTERS} characters and more", _long),
}


@dataclass(frozen=True)
class Share:
    """How many lines a slice has, and the share of them that was read right by its metric."""

    lines: int
    right: float
    metric: str


def rate(slices: Mapping[str, Slice], lines: Sequence[Line], texts: Mapping[str, str]) -> dict[str, Share]:
    """Return how right each slice was read. ``texts`` go by the keys of the samples. Empty slices are left out."""
    found = {}
    for name, each in slices.items():
        ratings = [
            rate_line(line.sample, texts.get(line.sample.key, "")) for line in lines if each.holds(line)
        ]
        if ratings:
            right = statistics.fmean(rating[each.metric] for rating in ratings)
            found[name] = Share(len(ratings), right, each.metric)
    return found

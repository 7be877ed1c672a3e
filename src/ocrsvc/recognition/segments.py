"""Cuts lines wider than the widest bucket into overlapping pieces and joins the texts of the pieces.

No character is lost or doubled. Each seam lies in a column with little ink, but such a gap may be inside a character
(儿, 川), so the pieces overlap by more than a character on both sides of the seam. Both texts of the overlap are
aligned by character and position. The line switches from one to the other at the matching character nearest to the
seam.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.recognition.ctc import line_of
from ocrsvc.results import Character, LineText, TimeStep, TimeSteps

# Lengths are in line heights.
_REACH = 1.5  # overlap on each side of a seam: a wide character and a little more
_SLACK = 1.0  # largest shift of a seam to find a gap
_MOST = 8  # for models with narrow buckets: both are at most the widest bucket over this
_SAME = 0.4  # largest distance between two readings of the same character
_GAP = 0.5  # least empty length at a seam that counts as a space
_NOISE = 0.01  # time steps; positions are fractions, so the edge of a step is only nearly one


@dataclass(frozen=True, slots=True)
class Segment:
    """Columns ``start`` to ``end`` (exclusive) of a line image, in pixels."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Seam:
    """Where a line switches from one piece to the next, in pixels of the line.

    The left piece counts up to ``left``, the right one from ``right`` on; ``space``: there is a space between them.
    """

    left: float
    right: float
    space: bool = False


def cut(image: NDArray[np.uint8], widest: int) -> list[Segment]:
    """Return the pieces of a line image ``uint8 [H,W,3]``, left to right, each no wider than ``widest``.

    A line that fits is one piece; others are cut into pieces of about equal width. Raises ValueError if ``widest`` is
    too narrow to show a character.
    """
    height, width = image.shape[:2]
    if width <= widest:
        return [Segment(0, width)]
    if widest < height:
        raise ValueError(f"pieces of {widest} pixels are too narrow for lines {height} pixels high")
    reach, slack = (min(math.ceil(heights * height), widest // _MOST) for heights in (_REACH, _SLACK))
    count = math.ceil(width / (widest - 2 * reach - 2 * slack))
    ink = _ink(image)
    seams = [_seam(ink, round(width * i / count), slack) for i in range(1, count)]
    starts = [0, *(seam - reach for seam in seams)]
    ends = [*(seam + reach for seam in seams), width]
    return [Segment(start, end) for start, end in zip(starts, ends, strict=True)]


def join(segments: Sequence[Segment], readings: Sequence[LineText], height: int) -> LineText:
    """Return the text of the whole line from the texts of its pieces; ``height`` is the line image's, in pixels.

    Positions become fractions of the whole line. If the pieces hold their time steps, so does the line.
    """
    if len(segments) == 1:
        return readings[0]
    width = segments[-1].end
    pieces = [_in_pixels(segment, reading) for segment, reading in zip(segments, readings, strict=True)]
    joined, seams = pieces[0], []
    for piece, before, after in zip(pieces[1:], segments, segments[1:], strict=False):
        joined, seam = _merge(joined, piece, (after.start, before.end), height)
        seams.append(seam)
    line = line_of([replace(c, start=c.start / width, end=c.end / width) for c in joined])
    return replace(line, steps=_joined_steps(segments, [reading.steps for reading in readings], seams))


def _ink(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the ink of each column, smoothed so that the middle of a wide gap is lower than that of a narrow one."""
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    contrast = gray.max(axis=0) - gray.min(axis=0)
    kernel = np.bartlett(max(3, image.shape[0] // 3)).astype(np.float32)
    padded = np.pad(contrast, len(kernel) // 2, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="same")[len(kernel) // 2 :][: len(contrast)]


def _seam(ink: NDArray[np.float32], target: int, slack: int) -> int:
    """Return the column with the least ink near ``target``; among equals, the nearest."""
    columns = np.arange(target - slack, target + slack + 1)
    away = np.abs(columns - target)
    return int(columns[np.lexsort((away, ink[columns].round()))[0]])


def _in_pixels(segment: Segment, reading: LineText) -> list[Character]:
    start, size = segment.start, segment.end - segment.start
    return [replace(c, start=start + c.start * size, end=start + c.end * size) for c in reading.characters]


def _merge(
    left: list[Character], right: list[Character], overlap: tuple[int, int], height: int
) -> tuple[list[Character], _Seam]:
    """Join the characters of two pieces that share ``overlap``; positions are in pixels of the line."""
    seam = sum(overlap) / 2
    shared = _agreements(left, right, overlap, _SAME * height)
    if shared:
        i, j = min(shared, key=lambda pair: abs(_centre(left[pair[0]]) - seam))
        # Both are readings of the same character; keep the more confident one.
        best = max(left[i], right[j], key=lambda c: c.confidence)
        i, j = (i + 1, j + 1) if best is left[i] else (i, j)
        return [*left[:i], *right[j:]], _Seam(_edge(left, i, seam), _edge(right, j, seam))
    before = [c for c in left if _centre(c) < seam]
    after = [c for c in right if _centre(c) >= seam]
    edges = _edge(left, len(before), seam), _edge(right, len(right) - len(after), seam)
    if before and after and after[0].start - before[-1].end >= _GAP * height:
        confidence = min(before[-1].confidence, after[0].confidence)
        space = Character(" ", confidence, before[-1].end, after[0].start)
        return [*before, space, *after], _Seam(*edges, space=True)
    return before + after, _Seam(*edges)


def _edge(characters: Sequence[Character], index: int, seam: float) -> float:
    """Return the position between two characters, the second of which has this index, in pixels of the line.

    Before the first and after the last character it is the character's own edge; ``seam`` if there is no character.
    """
    if not characters:
        return seam
    ends = characters[max(index - 1, 0)].end, characters[min(index, len(characters) - 1)].start
    if index == 0:
        return ends[1]
    return ends[0] if index == len(characters) else sum(ends) / 2


def _joined_steps(
    segments: Sequence[Segment], pieces: Sequence[TimeSteps | None], seams: Sequence[_Seam]
) -> TimeSteps | None:
    """Return the time steps of the whole line: of each piece those between its seams; None if a piece has none."""
    known = [piece for piece in pieces if piece is not None]
    if len(known) < len(pieces):
        return None
    steps: list[TimeStep] = []
    stride = known[0].width_pixels
    for number, (segment, piece) in enumerate(zip(segments, known, strict=True)):
        first, last = 0, len(piece.steps)
        if number:
            # A blank, so that the last character of one piece and the first of the next stay two.
            between = ((" ", 1.0),) if seams[number - 1].space else (("", 1.0),)
            steps.append(between)
            # A seam inside a step takes the whole step: a character is cut off at the end of its piece.
            first = max(0, math.floor((seams[number - 1].right - segment.start) / stride + _NOISE))
        if number < len(seams):
            last = math.ceil((seams[number].left - segment.start) / stride - _NOISE)
        steps += piece.steps[first:last]
    return TimeSteps(tuple(steps), stride)


def _agreements(
    left: Sequence[Character], right: Sequence[Character], overlap: tuple[int, int], tolerance: float
) -> list[tuple[int, int]]:
    """Return pairs of indices of the same character, by the best alignment in reading order.

    Nearest pairs would not do, because a sequence of equal characters (1111) would match itself shifted.
    """
    low, high = overlap[0] - tolerance, overlap[1] + tolerance
    ours = [i for i, c in enumerate(left) if low <= _centre(c) <= high]
    theirs = [j for j, c in enumerate(right) if low <= _centre(c) <= high]
    score = np.zeros((len(ours) + 1, len(theirs) + 1))
    for a in range(len(ours) - 1, -1, -1):
        for b in range(len(theirs) - 1, -1, -1):
            worth = _agreement(left[ours[a]], right[theirs[b]], tolerance)
            score[a, b] = max(score[a + 1, b], score[a, b + 1], worth + score[a + 1, b + 1] if worth else 0)
    pairs, a, b = [], 0, 0
    while a < len(ours) and b < len(theirs):
        worth = _agreement(left[ours[a]], right[theirs[b]], tolerance)
        if worth and score[a, b] == worth + score[a + 1, b + 1]:
            pairs.append((ours[a], theirs[b]))
            a, b = a + 1, b + 1
        elif score[a, b] == score[a + 1, b]:
            a += 1
        else:
            b += 1
    return pairs


def _agreement(ours: Character, theirs: Character, tolerance: float) -> float:
    """Return 0 for different or distant characters, else 1 to 2, higher the closer they are."""
    away = abs(_centre(ours) - _centre(theirs))
    return 2 - away / tolerance if ours.text == theirs.text and away <= tolerance else 0.0


def _centre(character: Character) -> float:
    return (character.start + character.end) / 2

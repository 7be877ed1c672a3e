"""Greedy decoding of an autoregressive decoder in few passes, with another reading of the line as the draft.

A pass runs the causal decoder over the whole draft at once and tells what it would choose after each beginning of it.
As long as its choice is the draft's next character, the draft is what greedy decoding writes. At the first other choice
the draft ends, the choice takes its place, and the rest of the draft is tried behind it (speculative decoding,
Leviathan et al. 2023). The text is exactly that of greedy decoding one character at a time, and a line that the decoder
agrees with takes one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ocrsvc.recognition.ctc import BLANK

END = BLANK  # class that a decoder chooses at the end of a line; also its first token
MOST_PASSES = 12  # of one line, each at most two for an error of the draft; a worse draft is of another line
_GRAIN = (
    16  # lengths of token rows are multiples of this, so that a line's row does not depend on the other lines
)
_MOST_TOKENS = 512  # in one pass: each has a probability for each of 11 336 classes
# Where the decoder's choice may stand in the draft, relative to the character that it replaces: next, if the draft has
# a character too many; before, if the last choice was one that the draft lacks. Nearest first.
_NEAR = (1, -1, 2, -2, 3)

Classes = NDArray[np.int32]
Peaks = NDArray[np.float32]


class Decoder(Protocol):
    """One pass of a causal decoder over several lines."""

    def __call__(self, lines: NDArray[np.intp], tokens: Classes) -> tuple[Classes, Peaks]:
        """Return the best class after each of the tokens, and its probability, both ``[n,L]``.

        ``lines`` ``[n]`` are the numbers of the lines, ``tokens`` ``[n,L]`` begin with ``END``. What follows a token
        must not matter to the class after it.
        """


@dataclass(frozen=True, slots=True)
class Text:
    """Text of one line: its classes, the probability of each, and the number of passes."""

    classes: tuple[int, ...]
    peaks: tuple[float, ...]
    passes: int


@dataclass(slots=True)
class _Line:
    """A line on the way: what is decoded of it, and the draft, of which the part before ``next`` is used."""

    number: int
    draft: Sequence[int]
    classes: list[int] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    next: int = 0
    done: bool = False

    def proposal(self, longest: int) -> list[int]:
        """Return what is decoded and the rest of the draft behind it, at most ``longest`` characters."""
        return [*self.classes, *self.draft[self.next :]][:longest]

    def take(self, proposal: Sequence[int], choices: Sequence[int], peaks: Sequence[float]) -> None:
        """Take over a pass: of the proposal what the decoder chose as well, and its first other choice."""
        at = begun = len(self.classes)
        while at < len(proposal) and choices[at] == proposal[at]:
            at += 1
        self.classes = list(proposal[:at])
        self.peaks += peaks[begun:at]
        choice = choices[at]
        if choice == END:
            self.done = True
            return
        self.classes.append(choice)
        self.peaks.append(peaks[at])
        here = self.next + at - begun
        self.next = here + 1
        for step in _NEAR:
            if 0 <= here + step < len(self.draft) and self.draft[here + step] == choice:
                self.next = here + step + 1
                return


def greedy(
    drafts: Sequence[Sequence[int]], decoder: Decoder, longest: int, most_passes: int = MOST_PASSES
) -> list[Text | None]:
    """Return what greedy decoding writes on each line; ``drafts`` are classes without ``END``, such as CTC's.

    None for a text of more than ``longest`` characters, and for one that would take more than ``most_passes``; both
    depend on the line alone, never on the other lines or on the time.
    """
    lines = [_Line(number, draft) for number, draft in enumerate(drafts)]
    found: list[Text | None] = [None] * len(lines)
    active = [line for line in lines if len(line.draft) <= longest]
    for passed in range(1, most_passes + 1):
        for length, part in _parts(active, longest):
            proposals = [line.proposal(longest) for line in part]
            tokens = np.full((len(part), length), END, np.int32)
            for row, proposal in zip(tokens, proposals, strict=True):
                row[1 : len(proposal) + 1] = proposal
            choices, peaks = decoder(np.array([line.number for line in part], np.intp), tokens)
            for line, proposal, row, sure in zip(
                part, proposals, choices.tolist(), peaks.tolist(), strict=True
            ):
                line.take(proposal, row, sure)
                if line.done:
                    found[line.number] = Text(tuple(line.classes), tuple(line.peaks), passed)
        active = [line for line in active if not line.done and len(line.classes) <= longest]
        if not active:
            break
    return found


def _parts(lines: Sequence[_Line], longest: int) -> list[tuple[int, list[_Line]]]:
    """Return the lines of each pass with their number of tokens, of which a pass has few enough."""
    groups: dict[int, list[_Line]] = {}
    for line in lines:
        tokens = len(line.proposal(longest)) + 1
        groups.setdefault(-(-tokens // _GRAIN) * _GRAIN, []).append(line)
    parts = []
    for length, group in sorted(groups.items()):
        rows = max(1, _MOST_TOKENS // length)
        parts += [(length, group[start : start + rows]) for start in range(0, len(group), rows)]
    return parts

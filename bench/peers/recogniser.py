"""What every recogniser in a bench can do, ours and others': prepare a line, say its width, read a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # a line crop as decoded, uint8 [H,W,3], BGR
Piece = TypeVar("Piece")  # what an engine reads in one row of a batch
Reading = TypeVar("Reading")  # what it says of a piece


class Absent(Exception):
    """A recogniser that is not installed. The message says what brings it."""


@dataclass(frozen=True)
class Prepared(Generic[Piece]):
    """A line ready to be read: its ``pieces`` (one, or several of a line that is read in parts).

    ``origin`` is what the engine that prepared it needs in order to join the readings of the pieces.
    """

    pieces: tuple[Piece, ...]
    origin: object = field(default=None, compare=False)


class Recogniser(Protocol[Piece, Reading]):
    """A recogniser of lines. ``run`` is called on several threads at once and uses one core a call."""

    @property
    def name(self) -> str:
        """Return the name as the command line has it."""

    @property
    def about(self) -> str:
        """Return what it is, for people: version, precision, size."""

    @property
    def fixed_rows(self) -> int | None:
        """Return the rows of a batch, or None where time limits them, as in serving."""

    def prepare(self, picture: Picture) -> Prepared[Piece]:
        """Cut and scale a line; nothing of this is timed."""

    def width(self, piece: Piece) -> int:
        """Return the width in pixels at which this piece is read, which depends on nothing else."""

    def run(self, width: int, pieces: Sequence[Piece]) -> list[Reading]:
        """Read pieces of one width in one batch, decoding included, and return readings in their order."""

    def text(self, prepared: Prepared[Piece], readings: Sequence[Reading]) -> str:
        """Return the text of a line from the readings of its pieces."""

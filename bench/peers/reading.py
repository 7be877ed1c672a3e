"""What the services of the other frameworks do with a line: the decoding, fitting, padding and model of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2

from ocrsvc.pages import decoding
from ocrsvc.pages.source import Limits
from peers.own import Own
from peers.recogniser import Prepared

Line = Prepared[Any]


class Reading:
    """Reads batches of JPEGs with one thread. Lines of one bucket are read together, as in our service, because a
    batch padded to its widest line costs more and reads otherwise."""

    def __init__(self, model: str, precision: str) -> None:
        decoding.quieten()
        cv2.setNumThreads(1)
        self._own = Own(model, precision)

    def fit(self, data: bytes) -> Line:
        """A file decoded and scaled, ready to be read."""
        return self._own.prepare(next(decoding.decode(data, Limits())).pixels)

    def read(self, lines: Sequence[Line]) -> list[str]:
        """The text of each line."""
        waiting: dict[int, list[tuple[int, int]]] = {}
        for number, line in enumerate(lines):
            for part, piece in enumerate(line.pieces):
                waiting.setdefault(self._own.width(piece), []).append((number, part))
        said: list[list[Any]] = [[None] * len(line.pieces) for line in lines]
        for width, owners in waiting.items():
            answers = self._own.run(width, [lines[number].pieces[part] for number, part in owners])
            for (number, part), answer in zip(owners, answers, strict=True):
                said[number][part] = answer
        return [self._own.text(line, answers) for line, answers in zip(lines, said, strict=True)]

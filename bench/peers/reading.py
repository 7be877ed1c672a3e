"""What the services of the other frameworks do with a line: the decoding, fitting, padding and model of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2

from ocrsvc.pages import decoding
from ocrsvc.pages.source import Limits
from peers.batches import by_width, joined
from peers.own import Own
from peers.recogniser import Prepared

Line = Prepared[Any]


class Reading:
    """Reads batches of JPEGs with one thread.

    Lines of one bucket are read together, as in our service: a batch padded to its widest line costs more.
    """

    def __init__(self, model: str, precision: str) -> None:
        decoding.quieten()
        cv2.setNumThreads(1)
        self._own = Own(model, precision)

    def fit(self, data: bytes) -> Line:
        """Decode and scale a file, so that it can be read."""
        return self._own.prepare(next(decoding.decode(data, Limits())).pixels)

    def read(self, lines: Sequence[Line]) -> list[str]:
        """Return the text of each line."""
        answers = [
            (owners, self._own.run(width, [lines[number].pieces[part] for number, part in owners]))
            for width, owners in by_width(self._own, lines).items()
        ]
        return joined(self._own, lines, answers)

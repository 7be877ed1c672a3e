"""A reading with a charset beside the one without it, from the same run: what it leaves out, what it changes."""

from __future__ import annotations

import difflib

from ocrsvc.results import LineText
from ocrsvc.text import without_spaces

_SURE = 0.5  # probability from which on a character of the free reading is one


def differs(line: LineText) -> bool:
    """Whether the free reading says something else: NFKC, without white space, case kept."""
    return line.free is not None and without_spaces(line.free.text) != without_spaces(line.text)


def omits(line: LineText) -> bool:
    """Whether the free reading sees a character where the charset's has none: 39900 for 399.00.

    One character in the place of another (0 for O) is what a charset is for.
    """
    if line.free is None:
        return False
    seen = without_spaces("".join(c.text for c in line.free.characters if c.confidence >= _SURE))
    written = without_spaces(line.text)
    changes = difflib.SequenceMatcher(None, seen, written, autojunk=False).get_opcodes()
    return any(last - first > end - start for kind, first, last, start, end in changes if kind != "equal")

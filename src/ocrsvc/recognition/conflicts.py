"""Comparison of the text with a charset and the free text from the same run: omissions and changes."""

from __future__ import annotations

import difflib

from ocrsvc.results import LineText
from ocrsvc.text import without_spaces

_SURE = 0.5  # least confidence of a character of the free text that counts


def differs(line: LineText) -> bool:
    """Return whether the free text differs, compared in NFKC, without white space, case kept."""
    return line.free is not None and without_spaces(line.free.text) != without_spaces(line.text)


def omits(line: LineText) -> bool:
    """Return whether the charset left out a character of the free text, such as the point in 39900 for 399.00.

    One character in place of another (0 for O) does not count, because that is the purpose of a charset.
    """
    if line.free is None:
        return False
    seen = without_spaces("".join(c.text for c in line.free.characters if c.confidence >= _SURE))
    written = without_spaces(line.text)
    changes = difflib.SequenceMatcher(None, seen, written, autojunk=False).get_opcodes()
    return any(last - first > end - start for kind, first, last, start, end in changes if kind != "equal")

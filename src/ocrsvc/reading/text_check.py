"""Compares the text layer of a PDF with the picture: a sample of lines is read, and must say about the same.

A font may map its shapes to wrong characters (a wrong ToUnicode table, on purpose or by mistake). Nothing in the file
tells, only the picture. Each font is checked once in a document.
"""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher

from ocrsvc.pages.text_layer import TextLayer, TextLine
from ocrsvc.results import LineText
from ocrsvc.text import fold

_MOST_LINES = 4  # compared on one page
_LINES_OF_MAIN_FONT = 2
_MOST_CHARACTERS = 60  # of a line that is compared; longer ones cost more and tell no more
_LEAST_CHARACTERS = 4
_LEAST_SIMILARITY = 0.5  # right lines are read with 0.9 and more, wrong ones with 0.3 and less
_LEAST_CONFIDENCE = 0.5  # of a reading that counts; one of unusual letters may be less right than the layer
_SURE = 0.9  # confidence of a reading that contradicts a layer in letters that the recogniser does not have
_KNOWN_SHARE = 0.8  # least share of a line's characters that the recogniser has, to compare them


def sample(layer: TextLayer, checked: dict[str, bool]) -> list[TextLine]:
    """Return the lines to read: one for each font that is not ``checked``, two for the one with most characters."""
    lines: dict[str, list[TextLine]] = {}
    for line in layer.lines:
        if line.font and line.font not in checked and len(fold(line.text)) >= _LEAST_CHARACTERS:
            lines.setdefault(line.font, []).append(line)
    used = Counter({font: sum(len(line.text) for line in each) for font, each in lines.items()})
    found: list[TextLine] = []
    for font, _ in used.most_common(_MOST_LINES):
        count = 1 if found else _LINES_OF_MAIN_FONT
        found += sorted(lines[font], key=_cost)[: min(count, _MOST_LINES - len(found))]
    return found


def _cost(line: TextLine) -> float:
    """Return a number that is least for the line that tells most for its time: of about ``_MOST_CHARACTERS``."""
    return abs(len(line.text) - _MOST_CHARACTERS / 2)


def contradicts(line: TextLine, read: LineText, characters: frozenset[str]) -> bool:
    """Return whether the picture of a line says something else than its text.

    ``characters`` are those that the recogniser can write, folded.
    """
    said, seen = fold(line.text), fold(read.text)
    known = sum(character in characters for character in said)
    if known < _KNOWN_SHARE * len(said):  # another script, or a wrong mapping to one
        return read.confidence >= _SURE and len(seen) >= len(said) / 2
    return read.confidence >= _LEAST_CONFIDENCE and similarity(said, seen) < _LEAST_SIMILARITY


def similarity(said: str, seen: str) -> float:
    """Return the share of characters that two texts have in common, in the same order."""
    return SequenceMatcher(None, said, seen, autojunk=False).ratio()

"""Normal forms for comparing texts, because labels, readings and vocabularies differ in width, spaces and case."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

Script = Literal["han", "latin", "mixed", "digits"]

_HAN = re.compile("[\u3005-\u3007\u3040-\u30ff\u3400-\u9fff]")  # Chinese characters and kana
_LATIN = re.compile(
    "[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]"
)  # without the signs of multiplication and division

_LIST_ITEM = re.compile(
    r"\s*(?:[-–—•·●○■□▪◦*✓➢]\s*|[(（]?\d{1,3}[.)）、．](?!\d)|[(（]?[一二三四五六七八九十]{1,3}[)）、．]|[(（]?[a-zA-Z][.)]\s)\s*\S"
)


def fold(text: str) -> str:
    """Return the text in NFKC, without white space, in lower case."""
    return without_spaces(text).lower()


def without_spaces(text: str) -> str:
    """Return the text in NFKC, without white space, case kept."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def spaced(text: str) -> str:
    """Return the text in NFKC, each run of white space replaced by one space, case kept."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def script_of(text: str) -> Script:
    """Return ``han`` or ``latin`` for a text with letters of one script, ``mixed`` for both, else ``digits``."""
    if _HAN.search(text):
        return "mixed" if _LATIN.search(text) else "han"
    return "latin" if _LATIN.search(text) else "digits"


def is_list_item(text: str) -> bool:
    """Return whether a text begins with a bullet, or with a number or letter as items of lists have it."""
    return _LIST_ITEM.match(text) is not None


def display_width(text: str) -> int:
    """Return the number of columns that a text takes in a monospaced font: Chinese characters take two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def is_wide(character: str) -> bool:
    """Return whether a character is Chinese, Japanese or full-width, so that no space separates it from its like."""
    return unicodedata.east_asian_width(character) in ("W", "F")


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the known name that is most like this one, None if none is; ``likeness`` of difflib, from 0 to 1."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=likeness)), None)

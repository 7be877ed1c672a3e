"""Normal forms for comparing texts, because labels, readings and vocabularies differ in width, spaces and case."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """Return the text in NFKC, without white space, in lower case."""
    return without_spaces(text).lower()


def without_spaces(text: str) -> str:
    """Return the text in NFKC, without white space, case kept."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def spaced(text: str) -> str:
    """Return the text in NFKC, each run of white space replaced by one space, case kept."""
    return " ".join(unicodedata.normalize("NFKC", text).split())

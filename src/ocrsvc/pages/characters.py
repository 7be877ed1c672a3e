"""Which characters of a PDF's text layer can be what stands on the page."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

# Cc control, Cs surrogate, Co private use, Cn unassigned: a font without a mapping to Unicode gives these.
_MEANINGLESS = ("Cc", "Cs", "Co", "Cn")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@lru_cache(maxsize=20_000)
def is_meaningless(character: str) -> bool:
    """Return whether a character says nothing about what is printed: private use, control, unassigned, replaced."""
    return character == _REPLACEMENT or unicodedata.category(character) in _MEANINGLESS


@lru_cache(maxsize=20_000)
def is_invisible(character: str) -> bool:
    """Return whether a character only controls the layout of others, as zero-width spaces and soft hyphens do."""
    return unicodedata.category(character) == "Cf"


@lru_cache(maxsize=20_000)
def is_wide(character: str) -> bool:
    """Return whether a character is as wide as high, as Chinese characters are."""
    return unicodedata.east_asian_width(character) in "WF"

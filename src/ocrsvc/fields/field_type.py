"""What a type of field is: the texts that are a value, and how a value is written."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass

from ocrsvc.recognition.automaton import Within

# Of 12 048 degraded numbers, the largest margin of a wrong one that plain reading gave was 6.0.
LEAST_MARGIN = 7.5
ALPHANUMERIC = frozenset(string.digits + string.ascii_uppercase)


@dataclass(frozen=True, slots=True)
class FieldType:
    """One type of fields.

    ``grammar`` finds values in lines; ``normalised`` returns a value in its normal form, or None if a check (digit,
    calendar) refuses it. ``about`` describes it in a sentence. ``is_whole``: whether a value is not the rest of a
    longer one in a text, of which a character was misread; types with a check digit or a fixed length need none.
    ``least_margin``: margin in nats (``decoding``) from which a value that plain reading gave is valid.
    """

    name: str
    about: str
    grammar: Within
    normalised: Callable[[str], str | None]
    is_whole: Callable[[str, str], bool] | None = None
    least_margin: float = LEAST_MARGIN

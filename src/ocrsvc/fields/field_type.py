"""What a type of field is: the texts that are a value, how a value is written, and how sure it must be."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass

from ocrsvc.recognition.automaton import Within

ALPHANUMERIC = frozenset(string.digits + string.ascii_uppercase)


@dataclass(frozen=True, slots=True)
class FieldType:
    """One type of fields.

    ``grammar`` finds values in lines; ``normalised`` returns a value in its normal form, or None if a check (digit,
    calendar) refuses it. ``about`` describes it in a sentence. ``least_margin``: distance in nats to any other value
    from which a value is accepted as valid; decision 0047 has the measurements.
    """

    name: str
    about: str
    grammar: Within
    normalised: Callable[[str], str | None]
    least_margin: float

"""Decodes the value of a typed field from what the recogniser saw in a line.

A value that a check digit accepts is not a value that was read: of a hundred candidates, a check of one digit accepts
nine by chance. So a value is valid only if its margin is large enough: the distance in log-probability to the best
other value, or to the values that the recogniser did not list at all (``_UNSEEN_NATS``), whichever is nearer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ocrsvc.fields.field_type import FieldType
from ocrsvc.recognition.grammar_search import certain, search
from ocrsvc.results import LineText, TimeStep

# What a value can be whose characters are not among the listed ones, natural logarithm of the probability: a step lists
# classes down to 1e-4.
_UNSEEN_NATS = -9.2


@dataclass(frozen=True, slots=True)
class Decoded:
    """Value of a field in normal form, None if there is none.

    ``valid``: the value fits its type, and its ``margin`` (nats) is large enough. ``changed``: plain reading gave
    another text, or none that fits.
    """

    value: str | None
    valid: bool = False
    changed: bool = False
    margin: float = 0.0


NOTHING = Decoded(None)


def decode(line: LineText, field_type: FieldType) -> Decoded:
    """Return the value of a line; without time steps its text is taken for certain.

    A value that plain reading gave is never replaced, but others that are as probable take its validity away.
    """
    plain = values(certain(line.text), field_type)
    found = values(line.steps.steps, field_type) if line.steps else plain
    if not found and not plain:
        return NOTHING
    value = max(plain, key=lambda each: found.get(each, float("-inf"))) if plain else next(iter(found))
    nats = max(found.get(value, _UNSEEN_NATS), _UNSEEN_NATS)
    others = [other for each, other in found.items() if each != value]
    margin = nats - max([_UNSEEN_NATS, *others])
    return Decoded(value, margin >= field_type.least_margin, not plain, margin)


def values(steps: Sequence[TimeStep], field_type: FieldType) -> dict[str, float]:
    """Return the values in normal form with the logarithms of their probabilities, the most probable first."""
    found: dict[str, float] = {}
    for text, nats in search(steps, field_type.grammar):
        value = field_type.normalised(text)
        if value is not None:
            found[value] = max(nats, found.get(value, nats))  # the same value written in another way
    return found

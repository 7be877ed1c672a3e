"""Decodes the value of a typed field from what the recogniser saw in a line.

A value that a check digit accepts is not a value that was read: of a hundred candidates, a check of one digit accepts
nine by chance. So a value is valid only if its margin is large enough: the distance in log-probability to the best
other value, or to the values that the recogniser did not list at all (``_UNSEEN_NATS``), whichever is nearer. A value
that differs from plain reading needs a larger margin. If one character was misread without any doubt, the check digit
finds fault with a number that is right elsewhere, and any doubtful character that restores it looks like the error.
Decision 0047 has the measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ocrsvc.fields.field_type import FieldType
from ocrsvc.recognition.grammar_search import certain, search
from ocrsvc.results import LineText, TimeStep, TimeSteps

# What a value can be whose characters are not among the listed ones, natural logarithm of the probability: a step lists
# classes down to 1e-4.
_UNSEEN_NATS = -9.2
# Margin in nats from which a value that plain reading did not give is valid, if its type wants no larger one. Of 12 048
# degraded numbers, the largest margin of a wrong one was 8.1.
LEAST_MARGIN_CHANGED = 8.5


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
    least = field_type.least_margin if plain else max(field_type.least_margin, LEAST_MARGIN_CHANGED)
    is_whole = field_type.is_whole is None or field_type.is_whole(line.text, value)
    return Decoded(value, margin >= least and is_whole, not plain, margin)


def decode_lines(lines: Sequence[LineText], field_type: FieldType) -> Decoded:
    """Return the value of one or more lines in reading order; a value may run over all of them.

    If two lines have different valid values, none is sure to be meant, so that the first is not valid.
    """
    found = [decode(line, field_type) for line in lines]
    valid = [each for each in found if each.valid]
    if len({each.value for each in valid}) > 1:
        return replace(valid[0], valid=False, margin=0.0)
    if not valid and len(lines) > 1:
        found.append(decode(_joined(lines), field_type))
    return max(found, key=lambda each: (each.valid, each.value is not None, each.margin), default=NOTHING)


def _joined(lines: Sequence[LineText]) -> LineText:
    """Return the lines as one, with a space between them."""
    steps: list[TimeStep] = []
    for line in lines:
        steps += [((" ", 1.0),)] if steps else []
        steps += line.steps.steps if line.steps else certain(line.text)
    return LineText(" ".join(line.text for line in lines), 0.0, steps=TimeSteps(tuple(steps), 1))


def values(steps: Sequence[TimeStep], field_type: FieldType) -> dict[str, float]:
    """Return the values in normal form with the logarithms of their probabilities, the most probable first."""
    found: dict[str, float] = {}
    for text, nats in search(steps, field_type.grammar):
        value = field_type.normalised(text)
        if value is not None:
            found[value] = max(nats, found.get(value, nats))  # the same value written in another way
    return found

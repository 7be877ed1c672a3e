"""The type of dates, normalised to ISO 8601."""

from __future__ import annotations

import datetime
import re
import string

from ocrsvc.fields.field_type import FieldType
from ocrsvc.recognition.automaton import (
    Automaton,
    Part,
    Within,
    choice,
    literal,
    one_of,
    optional,
    repeated,
    sequence,
)

_DIGITS = string.digits
_HAN_DIGITS = "零〇一二三四五六七八九"
_DIGIT = one_of(_DIGITS)
_YEAR = sequence(choice(literal("19"), literal("20")), repeated(_DIGIT, 2, 2))
_MONTH = choice(
    sequence(one_of("0"), one_of(_DIGITS[1:])), one_of(_DIGITS[1:]), sequence(one_of("1"), one_of("012"))
)
_DAY = choice(
    sequence(one_of("0"), one_of(_DIGITS[1:])),
    one_of(_DIGITS[1:]),
    sequence(one_of("12"), _DIGIT),
    literal("30"),
    literal("31"),
)
_TWO_DIGITS_MONTH = choice(sequence(one_of("0"), one_of(_DIGITS[1:])), sequence(one_of("1"), one_of("012")))
_TWO_DIGITS_DAY = choice(
    sequence(one_of("0"), one_of(_DIGITS[1:])), sequence(one_of("12"), _DIGIT), literal("30"), literal("31")
)
_SEPARATORS = "-/."
_JOINED = frozenset(_DIGITS + _SEPARATORS)
_YEAR_FIRST = re.compile(r"(\d{4})(?:[-/.年](\d+)[-/.月](\d+)日?|(\d\d)(\d\d))")
_DAY_FIRST = re.compile(r"(\d+)[-/.](\d+)[-/.](\d{4})")


def _separated(*parts: Part) -> Part:
    """Return the part that is these parts with the same separator between them."""

    def joined(separator: str) -> Part:
        between = [each for part in parts for each in (one_of(separator), part)]
        return sequence(*between[1:])

    return choice(*(joined(separator) for separator in _SEPARATORS))


_HAN_NUMBER = choice(
    one_of(_HAN_DIGITS[2:]),
    sequence(optional(one_of(_HAN_DIGITS[2:5])), one_of("十"), optional(one_of(_HAN_DIGITS[2:]))),
)


def _number(han: str) -> int:
    """Return a number up to 99 in Chinese digits."""
    if "十" not in han:
        return _HAN_DIGITS.index(han) - 1
    tens, _, ones = han.partition("十")
    return 10 * (_HAN_DIGITS.index(tens) - 1 if tens else 1) + (_HAN_DIGITS.index(ones) - 1 if ones else 0)


def _arabic(text: str) -> str:
    """Return a date with digits in place of the Chinese ones."""
    year, _, rest = text.partition("年")
    if year[0] not in _HAN_DIGITS:
        return text
    month, _, day = rest.partition("月")
    digits = "".join(str(max(0, _HAN_DIGITS.index(character) - 1)) for character in year)
    return f"{digits}年{_number(month)}月{_number(day.rstrip('日'))}日"


def _iso(text: str) -> str | None:
    """Return a date as YYYY-MM-DD; None if the calendar has no such day."""
    text = _arabic(text)
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day = (each for each in found.groups() if each)
    elif found := _DAY_FIRST.fullmatch(text):
        day, month, year = found.groups()
    else:
        return None
    try:
        return datetime.date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None


DATE = FieldType(
    "date",
    "Date: 2024-01-31, 2024/1/31, 2024.1.31, 20240131, 2024年1月31日, 二〇二四年一月三十一日, 31/01/2024 (day first).",
    Within(
        Automaton(
            choice(
                _separated(_YEAR, _MONTH, _DAY),
                _separated(_DAY, _MONTH, _YEAR),
                sequence(_YEAR, one_of("年"), _MONTH, one_of("月"), _DAY, one_of("日")),
                sequence(_YEAR, _TWO_DIGITS_MONTH, _TWO_DIGITS_DAY),
                sequence(
                    repeated(one_of(_HAN_DIGITS), 4, 4),
                    one_of("年"),
                    _HAN_NUMBER,
                    one_of("月"),
                    _HAN_NUMBER,
                    one_of("日"),
                ),
            )
        ),
        _JOINED | frozenset(_HAN_DIGITS),
        _JOINED,
        spaced=False,
    ),
    _iso,
)

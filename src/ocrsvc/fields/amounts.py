"""The type of amounts of money, normalised to a decimal number with at least two decimals."""

from __future__ import annotations

import re
import string
from decimal import Decimal

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
_DIGIT = one_of(_DIGITS)
_CAPITALS = "零壹贰叁肆伍陆柒捌玖"
_UNITS = {"拾": 10, "佰": 100, "仟": 1000}
_MOST_DIGITS = 12  # before the point
_VARIANTS = str.maketrans("貳參陸圓萬億負兩", "贰叁陆元万亿负贰")
_CURRENCY = optional(
    choice(one_of("¥$€£"), literal("RMB"), literal("CNY"), literal("USD"), literal("人民币"))
)

_PLAIN = choice(
    sequence(one_of(_DIGITS[1:]), repeated(_DIGIT, 0, _MOST_DIGITS - 1)),
    one_of("0"),
    sequence(
        one_of(_DIGITS[1:]),
        repeated(_DIGIT, 0, 2),
        repeated(sequence(one_of(","), repeated(_DIGIT, 3, 3)), 1, 3),
    ),
)
_NUMBER = sequence(_PLAIN, optional(sequence(one_of("."), repeated(_DIGIT, 1, 4))))
_FIGURES = choice(
    sequence(one_of("("), _CURRENCY, _NUMBER, one_of(")")),
    sequence(optional(one_of("-")), _CURRENCY, optional(one_of("-")), _NUMBER, optional(one_of("元"))),
)


def _capital() -> Part:
    digit = one_of(_CAPITALS[1:])

    def group(most: int) -> Part:
        """Return four places at most; the zeros between them are checked by writing the number again."""
        place = choice(sequence(digit, one_of("仟佰拾")), one_of("零"), digit, one_of("拾"))
        return repeated(place, 1, most)

    whole = sequence(
        optional(sequence(group(5), one_of("亿"))),
        optional(sequence(group(6), one_of("万"))),
        repeated(group(1), 0, 6),
    )
    part = sequence(
        optional(one_of("零")),
        optional(sequence(digit, one_of("角"))),
        optional(sequence(digit, one_of("分"))),
    )
    return sequence(
        optional(literal("人民币")),
        optional(one_of("负")),
        whole,
        one_of("元圆"),
        choice(one_of("整正"), sequence(part, optional(one_of("整正")))),
    )


def _decimal(text: str) -> str | None:
    """Return an amount as a decimal number such as -1234.50; None if the numerals are in no order."""
    if not any(character.isascii() and character.isdigit() for character in text):
        return _from_capitals(text)
    negative = text.startswith("(") or "-" in text
    number = re.sub(r"[^\d.]", "", text)
    return _written(-Decimal(number) if negative else Decimal(number))


def _written(amount: Decimal) -> str:
    decimals = max(2, -int(amount.as_tuple().exponent))
    return f"{amount + 0:.{decimals}f}"


def _from_capitals(text: str) -> str | None:
    """Return the number in capital numerals, if it is written as one is: that rules out most misread ones."""
    text = text.removeprefix("人民币")
    negative = text.startswith("负")
    text = text.removeprefix("负").replace("圆", "元").replace("正", "整")
    whole, _, rest = text.partition("元")
    yuan = _whole(whole)
    if yuan is None or not whole:
        return None
    fen = 0
    for unit, worth in (("角", 10), ("分", 1)):
        if found := re.search(rf"([{_CAPITALS}]){unit}", rest):
            fen += _CAPITALS.index(found[1]) * worth
    if not rest.endswith("整") and not fen and rest:
        return None
    amount = Decimal(yuan) + Decimal(fen) / 100
    return _written(-amount if negative else amount)


def _whole(text: str) -> int | None:
    """Return a whole number in capital numerals; None if its places are in no descending order."""
    total = 0
    bound = 10**12
    for name, worth in (("亿", 10**8), ("万", 10**4), ("", 1)):
        if name:
            if name not in text:
                continue
            part, _, text = text.partition(name)
        else:
            part = text
        value = _group(part)
        if value is None or (not value and name) or value * worth >= bound:
            return None
        total += value * worth
        bound = worth
    return total


def _group(text: str) -> int | None:
    """Return the number of up to four places; None if a place is missing its digit or comes twice."""
    value, last, digit = 0, 10_000, None
    for character in text:
        if character in _UNITS:
            unit = _UNITS[character]
            if unit >= last or (digit is None and unit != 10):
                return None
            value, last, digit = value + (1 if digit is None else digit) * unit, unit, None
        elif character == "零":
            if digit is not None:
                return None
        elif digit is not None:
            return None
        else:
            digit = _CAPITALS.index(character)
    if digit is not None and last == 1:
        return None
    return value + (digit or 0)


def _folded(character: str) -> str:
    from ocrsvc.recognition.automaton import folded

    return folded(character.translate(_VARIANTS)).replace("￥", "¥").translate(_VARIANTS)


def _is_whole(text: str, value: str) -> bool:
    """Return whether a value is in a text, with no figures or numerals beside it that a misread character cut off.

    Of 捌仟零捌論伍元 the numerals after the misread one are an amount, too, and the recogniser is sure of them.
    """
    forms = [_folded(character) for character in text]
    places = [
        (end - start, start, end)
        for start in range(len(forms))
        for end in range(start + 1, min(len(forms), start + _MOST_CHARACTERS) + 1)
        if _says("".join(forms[start:end]), value)
    ]
    if not places:
        return False
    _, start, end = max(places)
    before, after = "".join(forms[:start]), "".join(forms[end:])
    if any(character in _NUMERALS for character in "".join(forms[start:end])):
        return not any(character in _NUMERALS for character in before + after)
    return not (_LAST_RUN.search(before) or _FIRST_RUN.match(after))


def _says(text: str, value: str) -> bool:
    text = "".join(text.split())
    return _AUTOMATON.matches(text) and _decimal(text) == value


_NUMERALS = _CAPITALS + "拾佰仟"
_MOST_CHARACTERS = 48  # of an amount as it is written, with spaces
_HAN = r"\u4e00-\u9fff"
_LAST_RUN = re.compile(
    rf"\d[^\s{_HAN}]*$"
)  # figures, and what follows without a space or a Chinese character
_FIRST_RUN = re.compile(rf"[^\s{_HAN}]*\d")
_AUTOMATON = Automaton(choice(_FIGURES, _capital()))
_JOINED = frozenset(_DIGITS + ".,")
AMOUNT = FieldType(
    "amount",
    "Amount of money: ¥ 1,234.50, -12.00, (1,234.50) for a negative one, 壹仟贰佰元整.",
    Within(
        _AUTOMATON,
        _JOINED | frozenset("-(¥$€£" + _CAPITALS + "拾佰仟万亿负"),
        _JOINED | frozenset("%)" + _CAPITALS + "整正"),
        fold=_folded,
    ),
    _decimal,
    _is_whole,
)

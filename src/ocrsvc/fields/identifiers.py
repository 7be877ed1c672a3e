"""Types of identifying numbers: identity cards, credit codes, bank cards, plates, telephones, invoices."""

from __future__ import annotations

import datetime
import functools
import re
import string

from ocrsvc.fields.field_type import ALPHANUMERIC, FieldType
from ocrsvc.recognition.automaton import (
    Automaton,
    Within,
    choice,
    literal,
    one_of,
    optional,
    repeated,
    sequence,
)
from ocrsvc.recognition.charsets import PROVINCES

_DIGITS = string.digits
_DIGIT = one_of(_DIGITS)
_JOINED_DIGITS = frozenset(_DIGITS + "-.")

_BIRTH = sequence(
    choice(literal("19"), literal("20")),
    repeated(_DIGIT, 2, 2),
    choice(sequence(one_of("0"), one_of("123456789")), sequence(one_of("1"), one_of("012"))),
    choice(
        sequence(one_of("0"), one_of("123456789")),
        sequence(one_of("12"), _DIGIT),
        literal("30"),
        literal("31"),
    ),
)


def _id_card(text: str) -> str | None:
    """Return the number of a Chinese identity card (GB 11643) with a known region, a past date and the check digit."""
    from stdnum import numdb
    from stdnum.cn import ric

    try:
        birth = datetime.date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return None
    if text[-1] != ric.calc_check_digit(text) or birth > datetime.date.today():
        return None
    # ric.validate would also refuse people who were born before their district was founded.
    parts = numdb.get("cn/loc").info(text[:6])
    return text if any("county" in properties for _, properties in parts) else None


def _credit_code(text: str) -> str | None:
    """Return a unified social credit code (GB 32100) of a known city whose check character is right."""
    from stdnum.cn import uscc

    return text if uscc.is_valid(text) and _is_city(text[2:6]) else None


@functools.cache
def _is_city(code: str) -> bool:
    """Return whether four digits are a city or province (GB/T 2260), or the whole country (10).

    Districts are not compared: new ones, and zones that are none, have codes that no list has.
    """
    from stdnum import numdb

    if code[:2] == "10":
        return True
    places = numdb.get("cn/loc")
    if code[2:] == "00":
        return any("province" in properties for _, properties in places.info(f"{code}00"))
    return any("county" in each for n in range(100) for _, each in places.info(f"{code}{n:02d}"))


def _bank_card(text: str) -> str | None:
    """Return the number of a bank card whose check digit (Luhn) is right."""
    from stdnum import luhn

    return text if luhn.is_valid(text) else None


def _phone(text: str) -> str | None:
    """Return a telephone number: a mobile one as 11 digits, one of a place as area code, hyphen and number."""
    number = re.sub(r"[()-]", "", text)
    number = re.sub(r"^(\+|00)86", "", number)
    if len(number) == 11 and number[0] == "1":
        return number
    if number[:3] in ("400", "800"):
        return number
    if number[0] != "0":
        number = f"0{number}"
    area = 3 if number[1] in "12" else 4
    return f"{number[:area]}-{number[area:]}" if len(number) - area in (7, 8) else None


def _kept(text: str) -> str:
    return text


_CODE = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # of GB 32100: without I, O, S, V, Z
_PLATE = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"  # GA 36: without I and O
_SEPARATORS = "·.•・-"  # the hyphen last, for the regular expression


def _plate(text: str) -> str:
    return re.sub(rf"[{_SEPARATORS}]", "", text)


ID_CARD = FieldType(
    "id_card",
    "Number of a Chinese resident identity card, 18 characters.",
    Within(
        Automaton(
            sequence(
                one_of("12345689"),
                repeated(_DIGIT, 5, 5),
                _BIRTH,
                repeated(_DIGIT, 3, 3),
                one_of(_DIGITS + "X"),
            )
        ),
        ALPHANUMERIC,
        ALPHANUMERIC,
    ),
    _id_card,
)
CREDIT_CODE = FieldType(
    "credit_code",
    "Unified social credit code of a Chinese organisation, 18 characters.",
    Within(
        Automaton(
            sequence(
                one_of("123456789ANY"),
                one_of("12345679AN"),
                repeated(_DIGIT, 6, 6),
                repeated(one_of(_CODE), 10, 10),
            )
        ),
        ALPHANUMERIC,
        ALPHANUMERIC,
    ),
    _credit_code,
)
BANK_CARD = FieldType(
    "bank_card",
    "Number of a bank card, 13 to 19 digits.",
    Within(
        Automaton(
            choice(
                sequence(one_of("69"), repeated(_DIGIT, 15, 18)),
                sequence(one_of("4"), choice(repeated(_DIGIT, 12, 12), repeated(_DIGIT, 15, 15))),
                sequence(choice(literal("5"), literal("2"), literal("35")), repeated(_DIGIT, 14, 15)),
                sequence(literal("3"), one_of("47"), repeated(_DIGIT, 13, 13)),
                sequence(literal("3"), one_of("0689"), repeated(_DIGIT, 12, 12)),
            )
        ),
        ALPHANUMERIC,
        ALPHANUMERIC,
    ),
    lambda text: _bank_card(text) if len(text) != 15 or text[0] == "3" else None,
    # Luhn's digit is the same if a 6 becomes 8 and an 8 becomes 6 two places on, and so of all look-alikes.
    least_margin=9.0,
)
INVOICE_NUMBER = FieldType(
    "invoice_number",
    "Number of a Chinese invoice: 8 digits, or 20 of a fully digital one.",
    Within(
        Automaton(choice(repeated(_DIGIT, 8, 8), repeated(_DIGIT, 20, 20))),
        ALPHANUMERIC | _JOINED_DIGITS,
        ALPHANUMERIC | _JOINED_DIGITS,
        spaced=False,
    ),
    _kept,
)
PLATE = FieldType(
    "plate",
    "Chinese number plate, 7 characters, or 8 of a new-energy vehicle.",
    Within(
        Automaton(
            sequence(
                one_of(PROVINCES[:31]),
                one_of(_PLATE[:24]),
                optional(one_of(_SEPARATORS)),
                choice(
                    sequence(repeated(one_of(_PLATE), 4, 4), one_of(_PLATE + "学警挂领港澳")),
                    sequence(one_of("ABCDEFGHJK"), one_of(_PLATE), repeated(_DIGIT, 4, 4)),
                    sequence(repeated(_DIGIT, 5, 5), one_of("ABCDEFGHJK")),
                ),
            )
        ),
        frozenset(),
        ALPHANUMERIC,
    ),
    _plate,
)
_HYPHEN = optional(one_of("-"))
PHONE = FieldType(
    "phone",
    "Chinese telephone number: mobile, of a place with its area code, or 400 and 800.",
    Within(
        Automaton(
            choice(
                sequence(
                    optional(sequence(choice(literal("+86"), literal("0086"), literal("86")), _HYPHEN)),
                    one_of("1"),
                    one_of("3456789"),
                    _DIGIT,
                    _HYPHEN,
                    repeated(_DIGIT, 4, 4),
                    _HYPHEN,
                    repeated(_DIGIT, 4, 4),
                ),
                sequence(
                    choice(
                        sequence(optional(one_of("(")), literal("0")),
                        sequence(literal("+86"), _HYPHEN, optional(literal("0"))),
                    ),
                    choice(
                        sequence(
                            one_of("12"),
                            _DIGIT,
                            choice(one_of("-)"), literal(")-"), repeated(one_of("-"), 0, 0)),
                        ),
                        sequence(
                            one_of("3456789"),
                            repeated(_DIGIT, 2, 2),
                            choice(one_of("-)"), repeated(one_of("-"), 0, 0)),
                        ),
                    ),
                    one_of("23456789"),
                    repeated(_DIGIT, 6, 7),
                ),
                sequence(
                    one_of("48"),
                    literal("00"),
                    _HYPHEN,
                    repeated(_DIGIT, 3, 3),
                    _HYPHEN,
                    repeated(_DIGIT, 4, 4),
                ),
            )
        ),
        frozenset(_DIGITS + "+-(.") | ALPHANUMERIC,
        frozenset(_DIGITS + ".") | ALPHANUMERIC,
    ),
    _phone,
)

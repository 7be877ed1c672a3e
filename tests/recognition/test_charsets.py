"""Named and literal character sets."""

from __future__ import annotations

import pytest

from ocrsvc.errors import UnknownCharset
from ocrsvc.recognition.charsets import characters_of, named, resolve
from ocrsvc.text import without_spaces

ALPHABET = "0123456789abcXYZ京沪 -,"


@pytest.mark.parametrize(
    ("spec", "characters"),
    [
        ("digits", "0123456789"),
        ("digits,space", "0123456789 "),
        ("digits, space", "0123456789 "),
        ("digits,chars:Xx", "0123456789Xx"),
        ("chars:abc", "abc"),
        ("chars:a,b", "a,b"),
        ("digits,chars:,", "0123456789,"),
        ("0123456789X", "0123456789X"),
        ("京沪津", "京沪津"),
        ("1123", "123"),
        ("ABC,", "ABC,"),
        ("x", "x"),
    ],
)
def test_a_specification_names_characters(spec: str, characters: str) -> None:
    assert characters_of(spec) == characters


@pytest.mark.parametrize("spec", ["", "digit", "digits,nope", "digits,", "chars:", "digits,ABC", "a" * 5000])
def test_an_unknown_charset_says_what_is_allowed(spec: str) -> None:
    with pytest.raises(UnknownCharset, match=r"Use one or more of digits,") as caught:
        characters_of(spec)
    assert len(caught.value.detail) < 600


def test_resolve_gives_ascending_classes_with_the_blank_first() -> None:
    charset = resolve("chars:9京0!", ALPHABET)
    assert charset.classes.tolist() == [0, 1, 10, 17]
    assert charset.characters == "09京"


def test_resolve_refuses_a_charset_that_the_model_cannot_write() -> None:
    with pytest.raises(UnknownCharset, match="none of the characters"):
        resolve("chars:龘", ALPHABET)


def test_scripts_are_named_sets() -> None:
    assert "圖" in characters_of("hant,digits")
    assert "圖" not in characters_of("hans,digits")
    assert characters_of("kana,signs").startswith("ぁ")
    assert resolve("hans", ALPHABET).characters == "京沪"


def test_named_sets_hold_no_character_twice_and_plates_no_lower_case() -> None:
    for name, characters in named().items():
        assert len(set(characters)) == len(characters), name
    assert not any(c.islower() for c in named()["plate"])


def test_readings_are_compared_without_spaces_and_widths_but_with_case() -> None:
    assert without_spaces(" １2 ３\u3000") == without_spaces("12 3") == "123"
    assert without_spaces("Ab") != without_spaces("ab")

"""Numbers, sums, plates and cards are such as occur."""

from __future__ import annotations

import random
import re

import pytest
from available import need_training

need_training()

from ocrsvc.training.drawing.cards import CARD
from ocrsvc.training.drawing.plates import PLATE
from ocrsvc.training.texts import words
from ocrsvc.training.texts.figures import Figures, capitals, check_digit

UNITS = {"拾": 10, "佰": 100, "仟": 1000}


def value(text: str) -> int:
    """The number that capital numerals say."""
    total = section = digit = 0
    for character in text:
        if character in "零壹贰叁肆伍陆柒捌玖":
            digit = "零壹贰叁肆伍陆柒捌玖".index(character)
        elif character in UNITS:
            section, digit = section + digit * UNITS[character], 0
        else:
            total, section, digit = total + (section + digit) * {"万": 10**4, "亿": 10**8}[character], 0, 0
    return total + section + digit


@pytest.fixture(scope="module")
def english() -> words.Weighted:
    return words.Weighted(["tea", "milk", "bread"], [3, 2, 1])


@pytest.fixture
def figures(english: words.Weighted) -> Figures:
    return Figures(random.Random(5), english)


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (1, "壹"),
        (10, "壹拾"),
        (105, "壹佰零伍"),
        (1005, "壹仟零伍"),
        (100_000, "壹拾万"),
        (100_500, "壹拾万零伍佰"),
        (105_000, "壹拾万伍仟"),
        (12_050_300, "壹仟贰佰零伍万零叁佰"),
        (100_000_005, "壹亿零伍"),
    ],
)
def test_capitals(amount: int, written: str) -> None:
    assert capitals(amount) == written


def test_capitals_say_the_number_they_were_made_of() -> None:
    rng = random.Random(1)
    for _ in range(3000):
        amount = rng.randint(1, 10 ** rng.randint(1, 12) - 1)
        text = capitals(amount)
        assert value(text) == amount, (amount, text)
        assert "零零" not in text
        assert not text.endswith("零")


def test_a_capital_amount_is_whole_or_has_its_small_change(figures: Figures) -> None:
    amounts = {figures.capital_amount() for _ in range(300)}
    digit = "[壹贰叁肆伍陆柒捌玖]"
    assert all(
        re.fullmatch(f"[零壹贰叁肆伍陆柒捌玖拾佰仟万亿]+([元圆]整|元{digit}角{digit}分)", a) for a in amounts
    )
    assert {a[-1] for a in amounts} == {"整", "分"}


def test_plates_are_registration_numbers(figures: Figures) -> None:
    plates = [figures.plate() for _ in range(500)]
    assert all(
        re.fullmatch(
            r"[京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新][A-HJ-NP-Z][A-HJ-NP-Z0-9]{5,6}",
            p,
        )
        for p in plates
    )
    assert all(PLATE.match(p) for p in plates)  # so that they are drawn as plates
    assert {len(p) for p in plates} == {7, 8}  # petrol and electric


def test_cards_are_groups_of_digits(figures: Figures) -> None:
    cards = [figures.card() for _ in range(600)]
    assert all(CARD.match(card) for card in cards)  # so that they are drawn as cards
    whole = [card for card in cards if len(card.replace(" ", "")) >= 15]
    assert {16, 19, 15} <= {len(card.replace(" ", "")) for card in whole}
    valid = [card for card in whole if luhn(card.replace(" ", ""))]
    assert len(valid) > 0.75 * len(whole)  # the rest are groups that stand for a longer number


def luhn(number: str) -> bool:
    """Whether the check digit is right, by another way than it was made: the table of doubled digits."""
    doubled = "0246813579"
    return (
        sum(int(d) if i % 2 == 0 else int(doubled[int(d)]) for i, d in enumerate(reversed(number))) % 10 == 0
    )


@pytest.mark.parametrize(
    ("body", "digit"), [("7992739871", "3"), ("411111111111111", "1"), ("37828224631000", "5")]
)
def test_check_digits(body: str, digit: str) -> None:
    assert check_digit(body) == digit
    assert luhn(body + digit)


def test_look_alikes_come_more_often_on_cards(figures: Figures) -> None:
    seen = "".join(figures.card() for _ in range(600))
    assert sum(seen.count(d) for d in "0683") > 1.2 * sum(seen.count(d) for d in "2479")


@pytest.mark.parametrize("kind", ["number", "numbers", "receipt", "part_number"])
def test_every_kind_varies_and_is_never_empty(figures: Figures, kind: str) -> None:
    texts = [getattr(figures, kind)() for _ in range(300)]
    assert all(text.strip() for text in texts)
    assert len(set(texts)) > 200


def test_weighted_draws_by_its_counts() -> None:
    drawer, rng = words.Weighted(["a", "b", "c"], [1, 0, 9]), random.Random(2)
    drawn = [drawer.draw(rng) for _ in range(2000)]
    assert "b" not in drawn
    assert 0.87 < drawn.count("c") / len(drawn) < 0.93

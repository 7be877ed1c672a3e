"""Types of fields: which texts are values, and their normal form."""

from __future__ import annotations

import datetime
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.cn import ric, uscc

from ocrsvc.fields.decoding import values
from ocrsvc.fields.region import TypeName
from ocrsvc.fields.types import TYPES
from ocrsvc.recognition.grammar_search import certain


def value_of(name: str, text: str) -> str | None:
    """The only value in a text that is read for certain, or None."""
    found = values(certain(text), TYPES[name])
    assert len(found) <= 1, found
    return next(iter(found), None)


def test_regions_may_have_all_types() -> None:
    assert set(get_args(TypeName)) == set(TYPES)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31",
        "2024/1/31",
        "2024.01.31",
        "20240131",
        "2024年1月31日",
        "开票日期：2024年01月31日",
        "二〇二四年一月三十一日",
        "31/01/2024",
        "31.1.2024",
        "2024-01-31 10:22:33",
        "２０２４-０１-３１",
    ],
)
def test_dates_are_normalised(text: str) -> None:
    assert value_of("date", text) == "2024-01-31"


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-30",
        "2023-02-29",
        "01/31/2024",
        "2024-13-01",
        "2024-1/3",
        "12024-01-31",
        "2024年1月",
        "",
        "日期",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    assert value_of("date", text) is None


@settings(deadline=None)
@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)))
def test_each_day_is_read_in_each_form(day: datetime.date) -> None:
    for form in (
        day.isoformat(),
        f"{day:%Y%m%d}",
        f"{day.year}年{day.month}月{day.day}日",
        f"{day:%d/%m/%Y}",
    ):
        assert value_of("date", form) == day.isoformat()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("¥ 1,234.50", "1234.50"),
        ("￥1,234.50", "1234.50"),
        ("1234.5元", "1234.50"),
        ("(1,234.50)", "-1234.50"),
        ("-12", "-12.00"),
        ("¥-0.05", "-0.05"),
        ("合计：99", "99.00"),
        ("合计 TOTAL37.20", "37.20"),
        ("总计(小写)¥50.00", "50.00"),
        ("1,234,567.8912", "1234567.8912"),
        ("壹仟贰佰元整", "1200.00"),
        ("人民币壹万零叁佰贰拾元伍角整", "10320.50"),
        ("贰佰元零伍分", "200.05"),
        ("壹亿贰仟万元正", "120000000.00"),
        ("拾圆整", "10.00"),
        ("伍拾陆萬柒仟捌佰玖拾圓陸角貳分", "567890.62"),
        ("负叁元整", "-3.00"),
    ],
)
def test_amounts_are_normalised(text: str, value: str) -> None:
    assert value_of("amount", text) == value


@pytest.mark.parametrize(
    "text",
    ["12,34.50", "1.234.50", "0123", "50%", "佰元整", "壹佰贰佰元整", "壹贰元整", "¥", "元整", "元", "圆"],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    assert value_of("amount", text) is None


@settings(deadline=None)
@given(st.integers(0, 10**11), st.integers(0, 99))
def test_each_amount_is_read_with_and_without_separators(yuan: int, fen: int) -> None:
    expected = f"{yuan}.{fen:02d}"
    assert value_of("amount", f"¥{yuan:,}.{fen:02d}") == expected
    assert value_of("amount", f"{yuan}.{fen:02d}") == expected


@settings(deadline=None)
@given(st.integers(1, 10**9))
def test_capital_numerals_are_the_number_that_they_write(yuan: int) -> None:
    assert value_of("amount", f"{capitals(yuan)}元整") == f"{yuan}.00"


def capitals(number: int) -> str:
    """A number in capital numerals, place by place, with one 零 for any empty places between others."""
    digits = "零壹贰叁肆伍陆柒捌玖"
    groups = []
    for place, unit in ((10**8, "亿"), (10**4, "万"), (1, "")):
        group = number // place % 10**4
        text = "".join(
            f"{digits[group // worth % 10]}{name}" if group // worth % 10 else "零"
            for worth, name in ((1000, "仟"), (100, "佰"), (10, "拾"), (1, ""))
        )
        groups.append(text + unit if group else "零")
    whole = "".join(groups)
    while "零零" in whole:
        whole = whole.replace("零零", "零")
    for unit in ("亿", "万"):
        whole = whole.replace(f"零{unit}", unit)
    return whole.strip("零")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("id_card", "110101199003077934", "110101199003077934"),
        ("id_card", "公民身份号码 11010119900307 7934", "110101199003077934"),
        ("id_card", "44030619851212019x", "44030619851212019X"),
        ("credit_code", "统一社会信用代码：91110000600037341L", "91110000600037341L"),
        ("bank_card", "4539 1488 0343 6467", "4539148803436467"),
        ("bank_card", "卡号4539148803436467", "4539148803436467"),
        ("plate", "京A·12345", "京A12345"),
        ("plate", "粤BD12345", "粤BD12345"),
        ("plate", "粤B12345D", "粤B12345D"),
        ("plate", "沪A1234学", "沪A1234学"),
        ("phone", "138 1234 5678", "13812345678"),
        ("phone", "+86-138-1234-5678", "13812345678"),
        ("phone", "电话：(010)62345678", "010-62345678"),
        ("phone", "0755-2654123", "0755-2654123"),
        ("phone", "400-810-8888", "4008108888"),
        ("invoice_number", "No 12345678", "12345678"),
        ("invoice_number", "发票号码：23442000000012345678", "23442000000012345678"),
    ],
)
def test_numbers_are_normalised(name: str, text: str, value: str) -> None:
    assert value_of(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("id_card", "110101199003077935"),  # the check digit
        ("id_card", "110101199013077930"),  # the month
        ("id_card", "1101011990030779341"),
        ("credit_code", "91110000600037341M"),
        ("credit_code", "9111000060003734IL"),
        ("bank_card", "4539148803436468"),
        ("plate", "京I12345"),
        ("plate", "京A1234"),
        ("phone", "12812345678"),
        ("phone", "1381234567"),
        ("invoice_number", "1234567"),
        ("invoice_number", "123456789"),
    ],
)
def test_what_is_no_number_of_the_type_is_refused(name: str, text: str) -> None:
    assert value_of(name, text) is None


def with_check_digit(body: str) -> str:
    return body + ric.calc_check_digit(f"{body}0")


def test_an_identity_card_needs_a_known_region_and_a_past_day() -> None:
    tomorrow = datetime.date.today() + datetime.timedelta(days=1)
    assert value_of("id_card", with_check_digit("11010119900307793")) is not None
    assert value_of("id_card", with_check_digit("11990119900307793")) is None
    assert value_of("id_card", with_check_digit("11010119900231793")) is None
    assert value_of("id_card", with_check_digit(f"110101{tomorrow:%Y%m%d}793")) is None


@pytest.mark.parametrize(
    ("region", "known"), [("110105", True), ("100000", True), ("379105", False), ("320599", True)]
)
def test_a_credit_code_needs_a_known_city(region: str, known: bool) -> None:
    body = f"91{region}123456789"
    assert (value_of("credit_code", body + uscc.calc_check_digit(body)) is not None) is known


def test_a_person_may_be_older_than_their_district() -> None:
    assert value_of("id_card", with_check_digit("44030619450307793")) is not None


@pytest.mark.parametrize(
    ("text", "value", "whole"),
    [
        ("合计 ￥1,234.50", "1234.50", True),
        ("2024-01-31 合计 37.20 元", "37.20", True),
        ("第3项12.00元", "12.00", True),
        ("金额：捌仟零伍元叁角柒分", "8005.37", True),
        ("金额：捌仟零捌論伍元叁角柒分", "5.37", False),
        ("2:420.$34.05", "34.05", False),
        ("￥34,6:8.91", "8.91", False),
        ("￥8.91:6", "8.91", False),
        ("合计 12.00", "13.00", False),
    ],
)
def test_an_amount_that_is_the_rest_of_a_longer_one_is_not_whole(text: str, value: str, whole: bool) -> None:
    is_whole = TYPES["amount"].is_whole
    assert is_whole is not None
    assert is_whole(text, value) == whole

"""Texts of screens, streets and forms, leaders and runs: each kind has what it is named for."""

from __future__ import annotations

import re

import pytest
from available import need_training

need_training()

from ocrsvc.training.texts import charset
from ocrsvc.training.texts.corpus import Corpus
from ocrsvc.training.texts.leaders import LONGEST_COUNTED

# What some texts of a kind match, by kind.
WANTED = {
    "leader": (r"……\s?\d+$", r"\.{3,6}", r"-{2,6}\s?[￥$]?\d", r"——"),
    "repeated": (r"(\d)\1\1", r"^一一", r"={2,}", r"^(.)\1+$"),
    "single": (r"^-$", r"^—$", r"^[\u4e00-\u9fff]$", r"^[A-Z]$"),
    "apart": (r"^\d( \d){2,}", r"^[A-Z]( [A-Z])+$", r"\d{4} \d{4}"),
    "interface": (
        r"取消|确定",
        r"[\u4e00-\u9fff] ?\([A-Z]\)",
        r"\.(png|pdf|zip|txt)",
        r"https?://",
        r"^v\d",
        r"@",
        r"\d\d:\d\d",
        r"Ctrl\+",
    ),
    "log": (r"ERROR|WARN", r"^\$ ", r"0x", r"HTTP/1\.1"),
    "game": (r"^Lv|^LV", r"^-\d+$", r"\+\d+(\.\d)?%", r"[×x]\d", r"【"),
    "subtitle": (r"[a-z]+[.?!]$", r"[\u4e00-\u9fff]{4}"),
    "chat": (r"^@", r"\[", r"[\u4e00-\u9fff]"),
    "shop": (r"超市|药房|面馆", r"禁止|小心|出口", r"餐廳|藥|眼鏡", r"电话|TEL|热线"),
    "road": (r"路|街", r"km", r"站$", r"(Rd|St|Ave|Road|Street|Lane|Blvd)$"),
    "price": (r"^￥", r"\d\.\d\d", r"折$", r"NT\$|HK\$"),
    "title": (r"^《", r"著$", r"出版社|書局"),
    "street_word": (r"^[A-Z]+$", r"^[A-Z][a-z]+$", r"[!?&#]"),
    "terminal": (r"^[A-Z]+\d+$", r"V_", r"^\+\d+V$", r"GND|VCC|PE"),
    "traditional": (
        r"統一編號|發票",
        r"民國",
        r"新[臺台]幣|NT\$",
        r"[里村]\d+鄰",
        r"港幣|HK\$",
        r"佢|冇|嘅|唔",
    ),
    "kana": (r"[ぁ-ん]", r"[ァ-ヺ]", r"「", r"です|ます"),
    "signs": (r"×10", r"‰|℃", r"[☑■●]", r"①", r"Ⅳ|Ⅲ|Ⅱ", r"★", r"→", r"≥", r"m[²³]"),
}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(charset.load(), 21)


@pytest.mark.parametrize("kind", WANTED)
def test_a_kind_has_what_it_is_named_for(corpus: Corpus, kind: str) -> None:
    texts = [corpus.written(corpus.kinds[kind]()) for _ in range(1500)]
    assert sum(bool(text) for text in texts) > 1450
    for pattern in WANTED[kind]:
        assert any(re.search(pattern, text) for text in texts), pattern


def test_no_label_has_more_dots_or_dashes_than_one_counts(corpus: Corpus) -> None:
    texts = [kind() for kind in (corpus.leaders.line, corpus.leaders.repeated) for _ in range(3000)]
    longest = max(len(run.group()) for text in texts for run in re.finditer(r"([.\-_=·*])\1*", text))
    assert longest == LONGEST_COUNTED


def test_cantonese_is_written_only_with_characters_of_the_charset(corpus: Corpus) -> None:
    allowed = set(charset.load())
    regions = corpus.traditional.regions
    assert all(set(text) <= allowed for text in (*regions.spoken, *regions.particles, *regions.districts))
    assert len(regions.spoken) > 20
    assert len({regions.cantonese() for _ in range(400)}) > 200

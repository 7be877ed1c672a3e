"""The characters of our models: fixed, complete, folded."""

from __future__ import annotations

import bz2
from pathlib import Path

import pytest
from available import need_training

from ocrsvc.recognition.charsets import SCRIPTS, named
from ocrsvc.training.texts import charset

FIRST = 7158  # characters that the first models wrote
SECOND = 11335  # with Traditional Chinese, kana and further signs


def test_the_charset_is_the_one_that_was_trained() -> None:
    """A change here makes every trained head useless: it must be meant."""
    text = charset.load()
    assert len(text) == 11455
    assert charset.digest(text) == "bb0bab4a053c5b56d401071dcfd632093ef413b3020e781992893fb5c211b127"
    assert charset.digest(text[:SECOND]) == "148b165ba610fa6b1f33f57735d015828e41cec7769abe1d482fde862abaa88b"
    assert charset.digest(text[:FIRST]) == "10550b0b4f5b9b660f403de8aab1d23494a8132681b05c833d09b5947d7e9c8a"


def test_every_character_is_one_class_and_the_space_is_where_it_was() -> None:
    text = charset.load()
    assert len(set(text)) == len(text)
    assert text[FIRST - 1] == " "
    assert text.count(" ") == 1
    assert not any(character in text for character in "\n\t\u3000\u00a0")


def test_all_of_gb_2312_and_ascii_is_there() -> None:
    text = set(charset.load())
    hanzi = {
        bytes((row, cell)).decode("gb2312", "ignore")
        for row in range(0xB0, 0xF8)
        for cell in range(0xA1, 0xFF)
    } - {""}
    assert len(hanzi) == 6763
    assert hanzi <= text
    assert {chr(code) for code in range(0x20, 0x7F)} <= text


@pytest.mark.parametrize(
    ("kind", "characters"),
    [
        ("Traditional", "圖書館開放時間國家發展聯絡電話臺灣裡裏為爲說説峰峯群羣"),
        ("Cantonese", "嘅咗啲嚟佢冇"),
        ("names", "喆堃翀昇镕玥"),
        ("kana", "ひらがなカタカナーっヴ"),
        ("European", "ÄÖÜäöüßéèêëçñãõøåæœłżźčšžřőűșțğİış«»¿"),
        ("numbers", "①⑩⑪⑳❶ⅠⅡⅢⅫⅰⅹ〇"),
        ("boxes and bullets", "☐☑☒✓√●○◆◇■□★☆▲▼※"),
        ("units and powers", "℃°‰㎡μΩ²³¹⁶⁻₂Å"),
        ("mathematics and arrows", "±×÷≈≤≥≠∑∫√∞∵∴→←⇒"),
    ],
)
def test_what_people_write_is_there(kind: str, characters: str) -> None:
    assert [c for c in characters if c not in charset.load()] == [], kind


def test_scripts_name_what_the_charset_has() -> None:
    text, scripts = charset.load(), {name: named()[name] for name in SCRIPTS}
    for name, characters in scripts.items():
        members = set(characters)
        assert list(characters) == [c for c in text if c in members], name
    hans, hant = set(scripts["hans"]), set(scripts["hant"])
    assert set("中文书图馆") <= hans
    assert set("中文書圖館") <= hant
    assert not hans & set("書圖館嘅")
    assert not hant & set("书图馆")
    assert not (hans | hant) & set(scripts["kana"] + scripts["signs"] + scripts["european"])


def test_what_we_write_is_canonical() -> None:
    """A class that labels are folded away from could never be learnt."""
    assert [c for c in charset.load() if c != " " and charset.canonical(c) != c] == []


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("ＡＢＣ１２３", "ABC123"),
        ("％＋＝", "%+="),
        ("（甲），乙：丙；丁？！", "（甲），乙：丙；丁？！"),  # width carries meaning in Chinese punctuation
        ("１０～２０", "10～20"),
        ("¥5", "￥5"),
        ("10–20 − 3", "10-20 - 3"),
        ("张・三‧李•四", "张·三·李·四"),
        ("\u2126 µm", "\u03a9 μm"),
        ("⋯", "…"),
        ("98℉", "98°F"),
        ("  a \u3000 b\u00a0c\t", "a b c"),
        ("", ""),
    ],
)
def test_canonical(label: str, written: str) -> None:
    assert charset.canonical(label) == written
    assert charset.canonical(written) == written


def test_build_appends_to_levels_one_and_two_what_the_donor_can_write(tmp_path: Path) -> None:
    need_training()
    rows = "# comment\nU+5580\tkTGH\t2013:6500\nU+9F98\tkTGH\t2013:6501\nU+4E00\tkRSUnicode\t1.0\n"
    (tmp_path / "unihan.bz2").write_bytes(bz2.compress(rows.encode()))
    text = charset.build(tmp_path / "unihan.bz2", "龘圖書カ☐")
    first, space, added = text.partition(" ")
    assert space
    assert "\u5580" in first
    assert "\u9f98" not in first  # level 3
    assert set(first) <= set(charset.load()) | {"\u5580"}
    assert added == "龘書圖カ☐"  # by source, then by its order

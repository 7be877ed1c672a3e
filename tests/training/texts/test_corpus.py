"""Texts to draw: reproducible, in the charset, of every kind."""

from __future__ import annotations

import collections
import gzip
import re
from pathlib import Path

import pytest
from available import need_training

need_training()

from ocrsvc.recognition.charsets import named
from ocrsvc.training.texts import charset
from ocrsvc.training.texts.corpus import Corpus
from ocrsvc.training.texts.prose import running_text

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return list(Corpus(charset.load(), 11).lines(4000))


def test_a_seed_says_everything(lines: list[str]) -> None:
    assert list(Corpus(charset.load(), 11).lines(300)) == lines[:300]
    assert list(Corpus(charset.load(), 12).lines(300)) != lines[:300]


def test_lines_can_be_written_by_our_models(lines: list[str]) -> None:
    allowed = set(charset.load())
    for line in lines:
        assert set(line) <= allowed
        assert charset.canonical(line) == line
        assert 1 <= len(line) <= 95


def test_the_mix_is_what_real_documents_hold(lines: list[str]) -> None:
    shares = {
        "chinese": sum(bool(HAN.search(line)) for line in lines) / len(lines),
        "mixed": sum(bool(HAN.search(line) and re.search("[A-Za-z0-9]", line)) for line in lines)
        / len(lines),
        "spaced": sum(" " in line for line in lines) / len(lines),
        "digits": sum(any(c.isdigit() for c in line) for line in lines) / len(lines),
        "money": sum(("整" in line and "元" in line) or "￥" in line for line in lines) / len(lines),
    }
    assert 0.4 < shares["chinese"] < 0.75
    assert shares["mixed"] > 0.1
    assert shares["spaced"] > 0.2
    assert shares["digits"] > 0.2
    assert shares["money"] > 0.001


def test_traditional_kana_and_signs_are_among_them(lines: list[str]) -> None:
    scripts = {name: set(characters) for name, characters in named().items()}
    only = scripts["hant"] - scripts["hans"]
    shares = {
        "traditional": sum(not only.isdisjoint(line) for line in lines) / len(lines),
        "kana": sum(not scripts["kana"].isdisjoint(line) for line in lines) / len(lines),
        "signs": sum(not (scripts["signs"] - {"·", "℃"}).isdisjoint(line) for line in lines) / len(lines),
    }
    assert shares["traditional"] > 0.1
    assert shares["kana"] > 0.02
    assert shares["signs"] > 0.06


@pytest.mark.parametrize("charset_of", ["first", "all"])
def test_signs_are_drawn_in_every_way(charset_of: str) -> None:
    characters = charset.load()[:7158] if charset_of == "first" else charset.load()
    corpus = Corpus(characters, 5)
    texts = [corpus.written(kind()) for kind in corpus.signs.kinds for _ in range(400)]
    assert all(set(text) <= set(characters) for text in texts)
    for wanted in ("☑", "①", "Ⅱ", "‰", "°F", "〇", "→", "≥", "★", "●"):
        assert any(wanted in text for text in texts), wanted


def test_kinds_may_be_drawn_more_or_less_often() -> None:
    signs = set(named()["signs"])

    def share(shares: dict[str, float]) -> float:
        lines = list(Corpus(charset.load(), 8, (), shares).lines(800))
        return sum(not signs.isdisjoint(line) for line in lines) / len(lines)

    usual = share({})
    assert share({"signs": 12}) > 3 * usual
    assert share({"signs": 0}) < usual
    with pytest.raises(ValueError, match=r"no kind of line plates; there are .*plate, card"):
        Corpus(charset.load(), 8, (), {"plates": 2})
    with pytest.raises(ValueError, match="no kind of line kana"):
        Corpus("0123456789", 8, (), {"kana": 2})


def test_every_sign_stands_beside_texts_as_often_as_any_other() -> None:
    corpus = Corpus(charset.load(), 9)
    seen = collections.Counter(c for _ in range(8000) for c in set(corpus.signs.beside()))
    counts = [seen[sign] for sign in named()["signs"]]
    assert min(counts) > 10
    assert sorted(counts)[-5] < 4 * sorted(counts)[len(counts) // 2]


def test_traditional_lines_come_in_the_spellings_of_taiwan_and_hong_kong() -> None:
    corpus = Corpus(charset.load(), 6)
    text = "".join(corpus.traditional.line() for _ in range(3000))
    for one, other in (("裡", "裏"), ("為", "爲"), ("說", "説")):
        assert one in text, one
        assert other in text, other
    assert text.count("個") > 5 * text.count("个")


def test_a_smaller_charset_is_kept_to() -> None:
    corpus = Corpus("0123456789 年月日元", 1)
    for line in corpus.lines(200):
        assert set(line) <= set("0123456789 年月日元")
        assert "  " not in line  # where characters were dropped between two spaces


def test_prose_is_read_from_manual_pages_and_html(tmp_path: Path) -> None:
    (tmp_path / "man").mkdir()
    page = ".TH LS 1\n.SH 名称\n\\fBls\\fR 列出目录内容的命令\n'\\\" 注释不要\nonly English here\n短\n"
    (tmp_path / "man" / "ls.1.gz").write_bytes(gzip.compress(page.encode()))
    (tmp_path / "a.html").write_text("<p>打开 <b>文件</b> &amp; 保存它</p>\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text("这个文件不读\n", encoding="utf-8")
    assert running_text([tmp_path]) == ["打开 文件 & 保存它", "ls 列出目录内容的命令"]


def test_prose_reaches_the_lines(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("饕餮之徒在此地大快朵颐\n", encoding="utf-8")
    corpus = Corpus(charset.load(), 2, [tmp_path])
    assert all(corpus.chinese_prose() in "饕餮之徒在此地大快朵颐" for _ in range(50))

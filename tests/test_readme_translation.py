"""README.md and README.zh-CN.md are of equal rank: they have the same code, headings, figures and links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = (ROOT / name for name in ("README.md", "README.zh-CN.md"))
CODE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`[^`\n]+`")
# Digits in groups of three, with a decimal part: whatever a translation must not change.
FIGURE = re.compile(r"\d+(?: \d{3})*(?:\.\d+)*")


def prose(path: Path) -> str:
    """The text without blocks of code."""
    return CODE.sub("", path.read_text("utf-8"))


def headings(path: Path) -> list[int]:
    """The level of each heading."""
    return [len(marks) for marks in re.findall(r"^(#+) ", prose(path), re.MULTILINE)]


def links(path: Path) -> list[str]:
    """Where the links of the text lead, without those to the other languages."""
    found = re.findall(r"\]\(([^)\s]+)\)|<(https?://[^>]+)>", prose(path))
    others = {ENGLISH.name, CHINESE.name}
    return sorted(link for pair in found if (link := "".join(pair)) not in others)


def rows(path: Path) -> list[list[str]]:
    """The cells of each row of each table."""
    table = re.findall(r"^\|(.+)\|$", prose(path), re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in table]


def test_the_blocks_of_code_are_the_same() -> None:
    blocks = CODE.findall(ENGLISH.read_text("utf-8"))
    assert len(blocks) >= 8
    assert CODE.findall(CHINESE.read_text("utf-8")) == blocks


def test_the_headings_are_as_many_and_as_deep() -> None:
    assert headings(CHINESE) == headings(ENGLISH)


def test_the_tables_have_the_same_figures_and_code() -> None:
    english, chinese = rows(ENGLISH), rows(CHINESE)
    assert len(english) == len(chinese)
    for ours, theirs in zip(english, chinese, strict=True):
        assert len(ours) == len(theirs), theirs
        for cell, translated in zip(ours, theirs, strict=True):
            for pattern in (FIGURE, SPAN):  # the order of words is another one
                assert sorted(pattern.findall(translated)) == sorted(pattern.findall(cell)), translated


def test_the_links_are_the_same() -> None:
    assert links(CHINESE) == links(ENGLISH)


@pytest.mark.parametrize("path", [ENGLISH, CHINESE], ids=lambda path: path.name)
def test_the_links_lead_somewhere(path: Path) -> None:
    local = [link.partition("#")[0] for link in links(path) if not link.startswith("http")]
    assert not [link for link in local if not (ROOT / link).exists()]


@pytest.mark.parametrize(("path", "other"), [(ENGLISH, CHINESE), (CHINESE, ENGLISH)])
def test_each_links_the_other_in_its_first_lines(path: Path, other: Path) -> None:
    head = path.read_text("utf-8").splitlines()[:4]
    assert f"]({other.name})" in "\n".join(head)


def test_the_translation_names_the_same_settings_and_commands() -> None:
    assert set(SPAN.findall(prose(CHINESE))) >= set(SPAN.findall(prose(ENGLISH)))

"""docs/glossary.md is in order, and each term names modules that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "glossary.md"
TEXT = PAGE.read_text("utf-8")
ENTRIES = {
    term: " ".join(entry.split())
    for term, entry in re.findall(r"^- \*\*(.+?)\*\*: (.+?)(?=^- |\Z)", TEXT, re.MULTILINE | re.DOTALL)
}
MODULE = re.compile(r"\[`([a-z_/0-9]+)`\]\((\.\./src/ocrsvc/\S+?\.py)\)")


def test_the_terms_are_in_alphabetical_order() -> None:
    assert len(ENTRIES) == TEXT.count("\n- ")
    assert list(ENTRIES) == sorted(ENTRIES, key=str.lower)


@pytest.mark.parametrize("term", ENTRIES)
def test_each_term_names_modules_that_exist(term: str) -> None:
    modules = MODULE.findall(ENTRIES[term])
    assert modules
    for name, link in modules:
        assert link == f"../src/ocrsvc/{name}.py"
        assert (PAGE.parent / link).is_file(), link


def test_lines_are_at_most_100_characters() -> None:
    assert max(map(len, TEXT.splitlines())) <= 100

"""Texts of documents: quotation marks in pairs and of one kind, sections, forms, tables."""

from __future__ import annotations

import random
import re

import pytest
from available import need_training

need_training()

from faker import Faker

from ocrsvc.training.texts import words
from ocrsvc.training.texts.documents import Documents
from ocrsvc.training.texts.figures import Figures


@pytest.fixture
def documents() -> Documents:
    rng = random.Random(4)
    english = words.Weighted(["tea", "milk", "bread", "the", "of"], [3, 2, 1, 5, 5])
    chinese = words.Weighted(["合同", "经济", "银行", "的"], [1, 1, 1, 1])
    faker = Faker("en_US")
    faker.seed_instance(4)
    return Documents(rng, english, chinese, Figures(rng, english), faker)


@pytest.mark.parametrize("kind", ["legal", "form", "table", "quoted", "chinese_quoted"])
def test_every_kind_varies_and_is_never_empty(documents: Documents, kind: str) -> None:
    texts = [getattr(documents, kind)() for _ in range(300)]
    assert all(text.strip() for text in texts)
    assert len(set(texts)) > 200


def test_quotations_are_curly_or_straight_but_not_both(documents: Documents) -> None:
    texts = [documents.quoted() for _ in range(400)]
    curly = [text for text in texts if re.search("[“”‘’]", text)]
    straight = [text for text in texts if re.search("[\"']", text)]
    assert len(curly) > 120
    assert len(straight) > 100
    assert not set(curly) & set(straight)


def test_chinese_quotations_open_and_close(documents: Documents) -> None:
    texts = [documents.chinese_quoted() for _ in range(800)]
    for opening, closing in ("“”", "‘’", "《》", "「」", "【】"):
        having = [text for text in texts if opening in text]
        assert having, opening
        assert all(text.count(opening) == text.count(closing) for text in having)
    assert sum('"' in text for text in texts) > 50
    assert sum("——" in text or "……" in text for text in texts) > 10


def test_legal_lines_have_headings_sections_and_broken_words(documents: Documents) -> None:
    texts = [documents.legal() for _ in range(500)]
    assert sum(text.isupper() for text in texts) > 80
    assert sum(bool(re.search(r"§ \d|SECTION \d|Section \d|Id\., at|F\.[23]d", text)) for text in texts) > 50
    assert sum(text.endswith("-") for text in texts) > 40


def test_tables_hold_sums_shares_and_months(documents: Documents) -> None:
    texts = [documents.table() for _ in range(500)]
    for pattern in (r"\$[\d,.]+", r"\([\d,.]+\)", r"-?[\d.]+%", r"[A-Z][a-z]{2}[- ]\d\d"):
        assert any(re.fullmatch(pattern, text) for text in texts), pattern

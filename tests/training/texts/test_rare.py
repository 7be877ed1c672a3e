"""Rare characters: all as often as each other, most of them inside words and names."""

from __future__ import annotations

import collections
import random
import re

import pytest
from available import need_training

need_training()

from ocrsvc.training.texts import charset
from ocrsvc.training.texts.corpus import Corpus
from ocrsvc.training.texts.deck import Deck


def test_a_deck_gives_each_character_once_in_a_round() -> None:
    deck = Deck(random.Random(1), "abcdefghij")
    rounds = ["".join(deck.draw() for _ in range(10)) for _ in range(4)]
    assert all(sorted(each) == list("abcdefghij") for each in rounds)
    assert len(set(rounds)) == 4
    with pytest.raises(ValueError, match="needs characters"):
        Deck(random.Random(1), "")


def test_what_is_looked_for_leaves_the_others_in_the_round() -> None:
    deck = Deck(random.Random(2), "abcde12345")
    found = [deck.draw(), *(deck.find(str.isdigit) for _ in range(7))]
    digits = [each for each in found[1:] if each is not None]
    assert all(each.isdigit() for each in digits)
    assert len(digits) in (4, 5)
    assert deck.find(str.isupper) is None
    left = [deck.draw() for _ in range(10 - 1 - len(digits))]
    assert sorted([found[0] or "", *digits, *left]) == sorted("abcde12345")


def test_every_character_of_the_charset_is_drawn() -> None:
    corpus = Corpus(charset.load(), 3)
    seen = collections.Counter("".join(corpus.rarities.line() for _ in range(12000)))
    missed = set(charset.load()) - set(seen)
    assert missed == set()
    han = sorted(seen[c] for c in corpus.han)
    assert han[len(han) // 2] <= 4 * max(1, han[len(han) // 100])


def test_rare_characters_stand_in_words_of_the_dictionary() -> None:
    corpus = Corpus(charset.load(), 4)
    rare = corpus.rarities
    for character in "饕翡韬":
        word = rare.word(character)
        assert word is not None
        assert character in word
        assert len(word) > 1
    for character in "圖體鷹":  # in Traditional spelling
        words = {rare.word(character) for _ in range(20)} - {None}
        assert words
        assert all(character in word for word in words if word)
    assert rare.word("\uf8f0") is None


def test_rare_characters_stand_in_names_places_and_beside_latin() -> None:
    corpus = Corpus(charset.load(), 5)
    lines = [corpus.rarities.line() for _ in range(3000)]
    alone = sum(len(line) == 1 for line in lines) / len(lines)
    latin = sum(bool(re.search("[A-Za-z0-9]", line)) for line in lines) / len(lines)
    assert alone < 0.1
    assert latin > 0.08
    for wanted in ("先生", "姓名：", "镇", "酸", "记", "科"):
        assert any(wanted in line for line in lines), wanted


def test_about_a_quarter_of_all_lines_has_rare_characters() -> None:
    def lines(factor: float) -> set[str]:
        return set("".join(Corpus(charset.load(), 6, (), {"rare": factor}).lines(1500)))

    assert len(lines(1)) > 1.15 * len(lines(0))

"""Random texts with characters drawn evenly from the whole charset, most of them inside words and names.

A text that contains only unrelated characters never occurs outside of dictionaries. So a rare character stands in a
word of the dictionary that has it, in the name of a person, a place, a shop or a substance, beside Latin and digits,
or (so that the picture decides, not the context) in place of a character of a frequent word.
"""

from __future__ import annotations

import random
import re
from array import array
from collections.abc import Mapping, Set

import opencc

from ocrsvc.training.texts.deck import Deck
from ocrsvc.training.texts.figures import Figures
from ocrsvc.training.texts.kana import Kana
from ocrsvc.training.texts.names import Names
from ocrsvc.training.texts.signs import Signs
from ocrsvc.training.texts.words import Weighted

_HAN = re.compile(r"[\u3400-\u9fff]")
_KANA = re.compile(r"[\u3041-\u30ff]")
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


class Rare:
    """Generator of texts with the characters of a deck; ``words`` are those of the dictionary, ``allowed`` the charset.

    ``kana`` and ``signs`` make the contexts of characters that are not Chinese; None where the charset has none.
    """

    def __init__(
        self,
        rng: random.Random,
        allowed: Set[str],
        words: Weighted,
        figures: Figures,
        kana: Kana | None,
        signs: Signs | None,
    ) -> None:
        self.rng = rng
        self.allowed = allowed
        self.words = words
        self.figures = figures
        self.kana = kana
        self.signs = signs
        every = sorted(allowed - {" "})
        self.deck = Deck(rng, every)
        self.names = Names(rng, words)
        self._containing: dict[str, array[int]] = {}
        for number, word in enumerate(words.items):
            for character in set(word):
                self._containing.setdefault(character, array("I")).append(number)
        self._simplify = opencc.OpenCC("t2s")
        self._spell = [opencc.OpenCC(name) for name in ("s2t", "s2tw", "s2hk")]
        self._kana_words: Mapping[str, list[str]] = _by_character(kana) if kana else {}

    def line(self) -> str:
        """Draw a text with the next character of the deck, at times with further ones."""
        first = self.deck.draw()
        if _HAN.match(first):
            return self._chinese(first)
        if _KANA.match(first):
            return self._japanese(first)
        if self.signs is not None and first in self.signs.every:
            return self.signs.about(first)
        return self._beside(first)

    def _more(self, most: int) -> list[str]:
        """Take up to ``most`` further Chinese characters from the deck."""
        found = (self.deck.find(lambda c: bool(_HAN.match(c))) for _ in range(most))
        return [c for c in found if c]

    def _chinese(self, first: str) -> str:
        rng = self.rng
        is_traditional = self._simplify.convert(first) != first and rng.random() < 0.7
        spelling = rng.choice(self._spell) if is_traditional else None
        draw = rng.random()
        if draw < 0.34 and (word := self.word(first)):
            return self._phrase(word, spelling)
        if draw < 0.50:
            return self._inside(first, spelling)
        if draw < 0.64:
            return self.names.people([first, *self._more(rng.choice((0, 1, 1, 2, 3)))])
        if draw < 0.78:
            return self.names.compound(first, "".join(self._more(1)) if rng.random() < 0.2 else "")
        if draw < 0.84:
            return self.names.shop(first + "".join(self._more(rng.choice((0, 1)))))
        if draw < 0.91:
            return self._coded(first)
        separator = rng.choice(("", "", "", "", " ", "、", "，", "/"))
        return separator.join([first, *self._more(rng.randint(1, 6))])

    def word(self, character: str) -> str | None:
        """Draw a word of the dictionary with the character, in Traditional spelling if need be; None without one."""
        rng = self.rng
        if numbers := self._containing.get(character):
            return self.words.items[rng.choice(numbers)]
        simplified: str = self._simplify.convert(character)
        numbers = self._containing.get(simplified) if simplified != character else None
        for _ in range(4 if numbers else 0):
            spelt: str = rng.choice(self._spell).convert(self.words.items[rng.choice(numbers or ())])
            if character in spelt and set(spelt) <= self.allowed:
                return spelt
        return None

    def _frequent(self, spelling: opencc.OpenCC | None) -> str:
        """Draw a frequent word, in the script of the character that it stands beside."""
        word = self.words.draw(self.rng)
        return str(spelling.convert(word)) if spelling else word

    def _phrase(self, word: str, spelling: opencc.OpenCC | None) -> str:
        """Put the word between frequent ones, or two such words beside each other."""
        rng = self.rng
        parts = [word]
        if rng.random() < 0.45:
            for character in self._more(rng.randint(1, 2)):
                parts.append(self.word(character) or character)
        if rng.random() < 0.5:
            parts.insert(rng.randrange(len(parts) + 1), self._frequent(spelling))
        if rng.random() < 0.25:
            parts.insert(rng.randrange(len(parts) + 1), rng.choice(("，", "、", "的", "《", "“", "：", "。")))
        return "".join(parts)

    def _inside(self, first: str, spelling: opencc.OpenCC | None) -> str:
        """Put characters in the place of others in frequent words."""
        rng = self.rng
        text = list("".join(self._frequent(spelling) for _ in range(rng.randint(1, 4))))
        others = [first, *self._more(1 if len(text) < 5 else 2)]
        text += [""] * (len(others) - len(text))
        for place, character in zip(rng.sample(range(len(text)), len(others)), others, strict=True):
            text[place] = character
        return "".join(text)

    def _coded(self, first: str) -> str:
        """Put the character beside Latin letters and digits."""
        rng = self.rng
        code = rng.choice(
            (
                "".join(rng.choices(_LETTERS, k=rng.randint(1, 3))),
                str(rng.randint(0, 10 ** rng.randint(1, 6))),
                f"{rng.choice(_LETTERS)}{rng.randint(1, 99)}",
                self.figures.number(),
                self.figures.part_number(),
            )
        )
        gap = rng.choice(("", "", " ", "-"))
        more = "".join(self._more(rng.choice((0, 0, 1))))
        word = self.word(first) if rng.random() < 0.4 else None
        return rng.choice((f"{code}{gap}{word or first}{more}", f"{word or first}{more}{gap}{code}"))

    def _japanese(self, first: str) -> str:
        rng = self.rng
        words = self._kana_words.get(first)
        if words and rng.random() < 0.75:
            text = rng.choice(words)
        else:
            around = [c for c in (self.deck.find(lambda c: bool(_KANA.match(c)), 400) for _ in range(2)) if c]
            at = rng.randint(0, len(around))
            text = "".join([*around[:at], first, *around[at:]])
        if self.kana is not None and rng.random() < 0.5:
            other = self.kana.words.draw(rng)
            text = text + other if rng.random() < 0.5 else other + text
        return text

    def _beside(self, first: str) -> str:
        """Put a letter, a digit or a punctuation mark inside or beside frequent words."""
        rng = self.rng
        left, right = self.words.draw(rng), self.words.draw(rng)
        if first.isalnum():
            return rng.choice(
                (f"{left}{first}{right}", f"{first}{rng.randint(0, 99)}", f"{left}{first}", first * 3)
            )
        english = self.figures.english
        return rng.choice(
            (
                f"{left}{first}{right}",
                f"{left}{first}",
                f"{first}{right}",
                f"{english.draw(rng)}{first}{english.draw(rng)}",
                f"{rng.randint(0, 99)}{first}{rng.randint(0, 99)}",
            )
        )


def _by_character(kana: Kana) -> dict[str, list[str]]:
    """Return the Japanese words that contain each kana."""
    found: dict[str, list[str]] = {}
    for word in kana.words.items:
        for character in set(word):
            if _KANA.match(character):
                found.setdefault(character, []).append(word)
    return found

"""A shuffled deck of characters: all of them come once before any comes again."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence


class Deck:
    """Cyclic shuffled deck of ``characters``, shuffled anew after each round.

    Independent draws would miss a third of the characters in as many draws as there are characters; a deck misses
    none.
    """

    def __init__(self, rng: random.Random, characters: Sequence[str]) -> None:
        if not characters:
            raise ValueError("a deck needs characters")
        self.rng = rng
        self.cards = list(characters)
        self.next = len(self.cards)

    def draw(self) -> str:
        """Return the next character."""
        if self.next == len(self.cards):
            self.rng.shuffle(self.cards)
            self.next = 0
        self.next += 1
        return self.cards[self.next - 1]

    def find(self, accept: Callable[[str], bool], reach: int = 40) -> str | None:
        """Return the first of the next ``reach`` characters that ``accept`` accepts; None if there is none.

        Those that were passed over stay in the round.
        """
        cards, start = self.cards, self.next
        for i in range(start, min(len(cards), start + reach)):
            if accept(cards[i]):
                cards[start], cards[i] = cards[i], cards[start]
                self.next += 1
                return cards[start]
        return None

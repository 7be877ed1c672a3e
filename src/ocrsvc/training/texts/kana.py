"""Random Japanese texts: words by frequency (wordfreq), names, addresses and companies (Faker)."""

from __future__ import annotations

import random
from collections.abc import Set

import wordfreq
from faker import Faker

from ocrsvc.training.texts.words import Weighted

_MOST = 20_000  # most frequent words


class Kana:
    """Generator of Japanese texts from words in ``allowed`` characters; some words have no kana."""

    def __init__(self, rng: random.Random, seed: int, allowed: Set[str]) -> None:
        self.rng = rng
        listed = [
            word for word in wordfreq.top_n_list("ja", _MOST) if set(word) <= allowed and not word.isascii()
        ]
        self.words = Weighted(listed, [(rank + 20) ** -0.6 for rank in range(len(listed))])
        self.faker = Faker("ja_JP")
        self.faker.seed_instance(seed)

    def line(self) -> str:
        """Draw a few words in a row, as in running text, or a field of a form."""
        rng = self.rng
        if rng.random() < 0.8:
            words = [self.words.draw(rng) for _ in range(rng.randint(1, 6))]
            return "".join(words) + rng.choice(("", "", "。", "、"))
        source = rng.choice((self.faker.kana_name, self.faker.name, self.faker.address, self.faker.company))
        return str(source())

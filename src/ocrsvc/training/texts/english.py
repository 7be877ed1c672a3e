"""Random English texts: prose, titles, words; their sources are wordfreq, Python's manual and Faker."""

from __future__ import annotations

import pydoc_data.topics
import random
import re

from faker import Faker

from ocrsvc.training.texts.figures import Figures
from ocrsvc.training.texts.words import Weighted


class English:
    """Generator of English texts; ``words`` are drawn by frequency, ``figures`` stand between them."""

    def __init__(self, rng: random.Random, words: Weighted, figures: Figures, faker: Faker) -> None:
        self.rng = rng
        self.words = words
        self.figures = figures
        self.faker = faker
        manual = " ".join(" ".join(pydoc_data.topics.topics.values()).split())
        self.manual = [
            word
            for word in manual.split(" ")
            if not set("|*") & set(word) and "::" not in word and len(word) < 20
        ]

    def case(self, word: str) -> str:
        """Return the word in small letters, capitalised or in capitals."""
        return self.rng.choice((word, word, word.capitalize(), word.capitalize(), word.upper()))

    def prose(self) -> str:
        """Draw running English with punctuation, from Python's manual or by word frequency."""
        count = self.rng.randint(7, 15) if self.rng.random() < 0.25 else self.rng.randint(2, 7)
        if self.rng.random() < 0.45:
            start = self.rng.randrange(len(self.manual) - count)
            return " ".join(self.manual[start : start + count])
        drawn = [self.words.draw(self.rng) for _ in range(count)]
        drawn = [w + self.rng.choice(",,,.;:?!") if self.rng.random() < 0.12 else w for w in drawn]
        if self.rng.random() < 0.4:
            drawn[0] = drawn[0].capitalize()
        if self.rng.random() < 0.25:
            at = self.rng.randrange(len(drawn))
            drawn[at] = self.rng.choice(
                (f'"{drawn[at]}"', f"({drawn[at]})", f"{drawn[at]}'s", f"“{drawn[at]}”")
            )
        if self.rng.random() < 0.15:
            drawn.insert(self.rng.randrange(len(drawn) + 1), self.figures.number())
        text = " ".join(drawn) + self.rng.choice(("", "", ".", ",", "-", ":"))
        if self.rng.random() < 0.5:  # typeset text has curly quotes
            text = re.sub(r'"([^"]*)"', "“\\1”", text).replace("'", "’")
        return text

    def title(self) -> str:
        """Draw a heading, name, address or company in title case or capitals."""
        draw = self.rng.random()
        if draw < 0.5:
            drawn = [self.words.draw(self.rng) for _ in range(self.rng.randint(1, 5))]
            text = " ".join(drawn)
            return text.title() if self.rng.random() < 0.5 else text.upper()
        source = self.rng.choice(
            (self.faker.name, self.faker.company, self.faker.street_address, self.faker.job)
        )
        text = str(source())
        return text.upper() if self.rng.random() < 0.4 else text

    def word(self) -> str:
        """Draw one word, as on signs and in tables."""
        word = self.case(self.words.draw(self.rng))
        if self.rng.random() < 0.15:
            word += self.rng.choice((".", ",", ":", "!", "?", "'s", "&", "®"))
        return word

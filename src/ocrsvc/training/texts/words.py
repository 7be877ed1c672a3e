"""Words by frequency: Chinese from jieba's dictionary, English from wordfreq."""

from __future__ import annotations

import bisect
import itertools
import random
from collections.abc import Iterator, Sequence, Set

import jieba
import wordfreq


class Weighted:
    """Items with drawing probabilities proportional to ``counts``."""

    def __init__(self, items: Sequence[str], counts: Sequence[float]) -> None:
        self.items = items
        self.sums = list(itertools.accumulate(counts))

    def draw(self, rng: random.Random) -> str:
        """Draw one item."""
        return self.items[bisect.bisect(self.sums, rng.random() * self.sums[-1])]


def dictionary() -> Iterator[tuple[str, int]]:
    """Yield the words of jieba's dictionary with their counts."""
    with jieba.get_dict_file() as file:
        for row in file:
            word, count = row.decode("utf-8").split(" ")[:2]
            yield word, int(count)


def chinese(allowed: Set[str]) -> Weighted:
    """Return the dictionary's words in ``allowed`` characters, weighted by count to the power of 0.75."""
    words: list[str] = []
    counts: list[float] = []
    for word, count in dictionary():
        if set(word) <= allowed:
            words.append(word)
            counts.append(float(count) ** 0.75)
    return Weighted(words, counts)


def english(count: int = 60_000) -> Weighted:
    """Return the most frequent English words in ASCII, weighted by rank (Zipf with a damped head)."""
    words = [word for word in wordfreq.top_n_list("en", count) if word.isascii()]
    return Weighted(words, [(rank + 20) ** -0.8 for rank in range(len(words))])

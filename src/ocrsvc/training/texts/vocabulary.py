"""What dictionaries say about characters beside each other: the tables of ``recognition.bigrams`` and ``lexicon``.

Chinese words and how often they are used are those of jieba's dictionary (MIT), their Traditional spellings those of
OpenCC (Apache-2.0), English words those of a list with a word a line, for instance SCOWL's (Debian's ``wamerican``).
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Set

import opencc

from ocrsvc.recognition.lexicon import SHORTEST
from ocrsvc.training.texts.words import dictionary

_SPELLINGS = ("s2t", "s2tw", "s2hk")
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_LATIN = re.compile(rf"[a-z]{{{SHORTEST},}}")
_SMOOTHING = 0.1  # of what chance would have, added to every count
_FEWEST = 3  # times that a pair has to be counted
_LEAST_NATS = 1.0  # what says less is left out: 30 % of the pairs, and no line read differently


def pairs(allowed: Set[str]) -> dict[str, float]:
    """Pointwise mutual information in nats of pairs of ``allowed`` characters; only those that speak for the pair.

    A pair in Traditional spelling has the nats of the Simplified one, so that no pair speaks for one script against the
    other.
    """
    simplified = _simplified()
    found = dict(simplified)
    for spelling in _SPELLINGS:
        converter = opencc.OpenCC(spelling)
        for word, _ in dictionary():
            spelt = converter.convert(word)
            if spelt == word or len(spelt) != len(word):
                continue
            for here, there in zip(itertools.pairwise(word), itertools.pairwise(spelt), strict=True):
                if nats := simplified.get("".join(here)):
                    pair = "".join(there)
                    found[pair] = max(nats, found.get(pair, 0.0))
    return {pair: nats for pair, nats in found.items() if set(pair) <= allowed}


def _simplified() -> dict[str, float]:
    """Of the dictionary's words as they stand there."""
    single: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for word, count in dictionary():
        if not _HAN.fullmatch(word):
            continue
        for character in word:
            single[character] += count
        for left, right in itertools.pairwise(word):
            counted[left + right] += count
    total = single.total()
    found = {}
    for pair, count in counted.items():
        if count < _FEWEST:
            continue
        chance = single[pair[0]] * single[pair[1]] / total
        nats = math.log((count / chance + _SMOOTHING) / (1 + _SMOOTHING))
        if nats > _LEAST_NATS:
            found[pair] = nats
    return found


def words(lines: Iterable[str]) -> list[str]:
    """The words that are long enough to be told from chance, in small letters and in order."""
    return sorted({word for line in lines if _LATIN.fullmatch(word := line.strip().lower())})

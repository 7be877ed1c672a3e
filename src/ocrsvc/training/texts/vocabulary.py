"""Builds the tables of ``recognition.bigrams`` and ``recognition.lexicon`` from dictionaries.

Chinese words and their counts come from jieba's dictionary (MIT), their Traditional spellings from OpenCC
(Apache-2.0), English words from a list with one word a line, such as SCOWL's (Debian's ``wamerican``).
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
_SMOOTHING = 0.1  # added to every count, as a share of the count expected by chance
_FEWEST = 3  # least count of a pair
_LEAST_NATS = 1.0  # weaker pairs are left out: 30 % of all, and no line was read differently


def pairs(allowed: Set[str]) -> dict[str, float]:
    """Return the pointwise mutual information in nats of pairs of ``allowed`` characters, if it is well above 0.

    A pair in Traditional spelling has the nats of the Simplified one, so that no pair favours one script.
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
    """Return the mutual information of the pairs in the dictionary's own spelling."""
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
    """Return the words of at least ``SHORTEST`` letters, in lower case, sorted."""
    return sorted({word for line in lines if _LATIN.fullmatch(word := line.strip().lower())})

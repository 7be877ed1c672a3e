"""Counts which Chinese characters stand beside each other in words: the table of ``ocrsvc.bigrams``.

Words and how often they are used are those of jieba's dictionary (MIT), 350 000 of them.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Set

import jieba

_HAN = re.compile(r"[\u4e00-\u9fff]+")
_SMOOTHING = 0.1  # of what chance would have, added to every count
_FEWEST = 3  # times that a pair has to be counted
_LEAST_NATS = 1.0  # what says less is left out: 30 % of the pairs, and no line read differently


def evidence(allowed: Set[str]) -> dict[str, float]:
    """Pointwise mutual information in nats of pairs of ``allowed`` characters; only those that speak for the pair."""
    single: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    with jieba.get_dict_file() as file:
        for row in file:
            word, count = row.decode("utf-8").split(" ")[:2]
            if not _HAN.fullmatch(word):
                continue
            for character in word:
                single[character] += int(count)
            for left, right in itertools.pairwise(word):
                pairs[left + right] += int(count)
    total = single.total()
    found = {}
    for pair, count in pairs.items():
        if count < _FEWEST or not set(pair) <= allowed:
            continue
        chance = single[pair[0]] * single[pair[1]] / total
        nats = math.log((count / chance + _SMOOTHING) / (1 + _SMOOTHING))
        if nats > _LEAST_NATS:
            found[pair] = nats
    return found

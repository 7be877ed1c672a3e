"""Resolves ambiguous Chinese look-alikes by the neighbouring characters.

未来 and 已经 are words, 末来 and 己经 are not. A table says how much more often two characters stand side by side than
chance predicts (pointwise mutual information, Church & Hanks 1990), counted in the words of a dictionary
(``ocrsvc train vocabulary``). The table only supports pairs and never penalises one, so names and rare characters are
read as they look. Only ambiguous Chinese characters are compared, and only with each other; all others stay unchanged.
"""

from __future__ import annotations

import io
from dataclasses import replace
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ocrsvc.recognition.ctc import CERTAIN, Runs, peak_steps

TABLE = "bigrams.npz"
_GAP = 5.0  # nats; largest gap in log-probability between an alternative and the best class
_STEP = 1 / 16  # nats; quantisation step of the evidence in the file


class Bigrams:
    """Table of pairs of characters, for a model with this ``alphabet`` (``alphabet[i - 1]`` is class i).

    ``weight``: weight of a nat of the table relative to a nat of the model.
    """

    def __init__(self, alphabet: str, weight: float, table: bytes | None = None) -> None:
        content = table or resources.files("ocrsvc.recognition").joinpath(TABLE).read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            self._pairs = np.cumsum(arrays["gaps"], dtype=np.uint32)
            self._evidence = arrays["evidence"].astype(np.float32) * (_STEP * weight)
        codes = np.array([0, *map(ord, alphabet)], np.uint32)
        # Code 0 occurs in no pair; it stands for the blank and for all characters that are not Chinese.
        self._codes = np.where((codes >= 0x4E00) & (codes <= 0x9FFF), codes, 0).astype(np.uint32)

    def judges(self, characters: str) -> bool:
        """Return whether to resolve text restricted to these characters: always, the alternatives are among them."""
        return True

    def choose(self, indices: NDArray[np.int32], probabilities: NDArray[np.float32], runs: Runs) -> Runs:
        """Return the characters, the ambiguous ones resolved by their neighbours.

        ``indices`` and ``probabilities`` ``[N,T,K]`` are the K best classes of each time step, the best first. The most
        probable path through all alternatives is chosen (Viterbi 1967). The probability of an ambiguous character is
        its share among its alternatives, given its neighbours on that path.
        """
        at, alternatives, seen = self._doubts(indices, probabilities, runs)
        if not len(at):
            return runs
        codes = self._codes[alternatives]
        # Ambiguous neighbours are linked; the evidence of certain neighbours is added to the scores beforehand.
        linked = np.append(False, (np.diff(at) == 1) & (np.diff(runs.rows[at]) == 0))
        follows = np.append(linked[1:], False)
        line = np.concatenate(([0], self._codes[runs.classes], [0]))
        rows = np.concatenate(([-1], runs.rows, [-1]))
        before = np.where((rows[at] == runs.rows[at]) & ~linked, line[at], 0)
        after = np.where((rows[at + 2] == runs.rows[at]) & ~follows, line[at + 2], 0)
        with np.errstate(divide="ignore"):
            scores = np.log(seen)
        scores += self._evidence_of(before[:, None], codes) + self._evidence_of(codes, after[:, None])
        links = np.zeros((*codes.shape, codes.shape[1]), np.float32)
        links[linked] = self._evidence_of(codes[follows][:, :, None], codes[linked][:, None, :])
        way = _viterbi(scores, links, linked)
        share = _share(scores, links, linked, way)
        classes, peaks = runs.classes.copy(), runs.peaks.copy()
        classes[at] = alternatives[np.arange(len(at)), way]
        peaks[at] = seen.sum(axis=1) * share
        return replace(runs, classes=classes, peaks=peaks)

    def _doubts(
        self, indices: NDArray[np.int32], probabilities: NDArray[np.float32], runs: Runs
    ) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32]]:
        """Return the ambiguous characters ``[D]``, their alternatives ``[D,K]`` and the probabilities of these, 0 for
        a class that is not Chinese or far less probable than the best one.
        """
        at = np.flatnonzero((self._codes[runs.classes] > 0) & (runs.peaks < CERTAIN))
        if not len(at):
            return at, indices[:0, 0], probabilities[:0, 0]
        rows, steps = runs.rows[at], peak_steps(probabilities[:, :, 0], runs, at)
        alternatives, seen = indices[rows, steps], probabilities[rows, steps]
        possible = (self._codes[alternatives] > 0) & (seen > seen[:, :1] * np.exp(-_GAP))
        several = possible.sum(axis=1) > 1
        return at[several], alternatives[several], np.where(possible, seen, 0)[several]

    def _evidence_of(self, left: NDArray[np.uint32], right: NDArray[np.uint32]) -> NDArray[np.float32]:
        """Return the weighted evidence for pairs of character codes; 0 for pairs that are not in the table."""
        wanted = (left << np.uint32(16)) | right
        places = np.minimum(np.searchsorted(self._pairs, wanted), len(self._pairs) - 1)
        return np.where(self._pairs[places] == wanted, self._evidence[places], np.float32(0))


def _viterbi(
    scores: NDArray[np.float32], links: NDArray[np.float32], linked: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return the alternative ``[D]`` of each character on the best path; all chains advance together.

    ``scores`` ``[D,K]``: log-scores of the alternatives; ``links`` ``[D,K,K]``: those of the transitions from the
    previous character, where ``linked``.
    """
    places = np.arange(len(scores))
    depth = places - np.maximum.accumulate(np.where(linked, 0, places))
    total, back = scores.copy(), np.zeros(scores.shape, np.intp)
    deepest = int(depth.max())
    for d in range(1, deepest + 1):
        now = np.flatnonzero(depth == d)
        ways = total[now - 1][:, :, None] + links[now]
        back[now] = ways.argmax(axis=1)
        total[now] += ways.max(axis=1)
    best: NDArray[np.intp] = total.argmax(axis=1)
    for d in range(deepest, 0, -1):
        now = np.flatnonzero(depth == d)
        best[now - 1] = back[now, best[now]]
    return best


def _share(
    scores: NDArray[np.float32],
    links: NDArray[np.float32],
    linked: NDArray[np.bool_],
    way: NDArray[np.intp],
) -> NDArray[np.float32]:
    """Return the probability ``[D]`` of each alternative on the best path, given its neighbours on that path."""
    places = np.arange(len(way))
    here = places[linked]
    given = scores.copy()
    given[here] += links[here, way[here - 1]]
    given[here - 1] += links[here, :, way[here]]
    weights = np.exp(given - given.max(axis=1, keepdims=True))
    return np.asarray(weights[places, way] / weights.sum(axis=1), np.float32)


def pack(evidence: dict[str, float]) -> bytes:
    """Return the file of a table; ``evidence`` maps each pair of characters to nats above 0."""
    pairs = sorted((ord(pair[0]) << 16 | ord(pair[1]), nats) for pair, nats in evidence.items())
    steps = np.clip(np.rint(np.array([nats for _, nats in pairs]) / _STEP), 1, 255).astype(np.uint8)
    content = io.BytesIO()
    gaps = np.diff(np.array([0, *(pair for pair, _ in pairs)], np.int64)).astype(np.uint32)
    np.savez_compressed(content, gaps=gaps, evidence=steps)
    return content.getvalue()
